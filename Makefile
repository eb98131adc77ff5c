# The front door: every target sets up what it needs and hands over to Meson or to a script.
# BUILD names the build folder, PREFIX and DESTDIR are for install.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?=
# Recipes read them from the environment: there a space or a quote is a character like any other.
export BUILD PREFIX DESTDIR

.PHONY: all demo test bench soak suites install help clean

all:
	@tools/setup build
	@test -e "$$BUILD/build.ninja" || meson setup "$$BUILD" "--prefix=$$PREFIX"
	@ninja -C "$$BUILD" $(if $(JOBS),-j$(JOBS))

demo:
	@tools/setup build demo
	@$(MAKE) --no-print-directory all >&2
	@tools/demo "$$BUILD"

test:
	@tools/setup build test
	@tests/run "$$BUILD"

bench:
	@tools/setup build bench
	@$(MAKE) --no-print-directory all >&2
	@bench/run "$$BUILD"

soak:
	@tools/setup build test
	@tests/soak "$$BUILD"

suites:
	@tools/setup build test suites
	@$(MAKE) --no-print-directory all >&2
	@tests/suites "$$BUILD" --work "$$BUILD/suites"

install: all
	@tools/install "$$BUILD" "$$PREFIX" "$$DESTDIR"

# Whatever else BUILD may name is not ours to remove.
clean:
	@test ! -e "$$BUILD" || test -d "$$BUILD/meson-private" || \
	    { echo "clean: $$BUILD holds no build of Meson's and is left alone" >&2; exit 1; }
	@rm -rf "$$BUILD" build-test

# One command, so that a reader who has seen enough interrupts nothing.
help:
	@printf '%s\n' \
	    'make           build/mete, build/libmete.so, build/libmete.a, build/libmete-preload.so' \
	    'make demo      where the memory of a real program went: mete run perl' \
	    'make test      everything tests/ holds; the last line counts' \
	    'make bench     the questions of bench/, answered with numbers' \
	    'make soak      the tests that take their time: ten minutes each (METE_SOAK_SECONDS)' \
	    'make suites    the own test suites of python3, redis and sqlite3, with and without mete' \
	    "make install   below PREFIX ($$PREFIX), with DESTDIR in front" \
	    'make clean     removes what was built'
