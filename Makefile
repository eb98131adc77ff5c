# The front door: every target sets up what it needs and hands over to Meson or to a script.
# BUILD names the build folder, PREFIX and DESTDIR are for install.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?=

.PHONY: all demo test bench soak install help clean setup

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(if $(JOBS),-j$(JOBS))

setup:
	@tools/setup build

# The prefix is written into the build, so a new one configures anew.
$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) --prefix=$(PREFIX)

demo:
	@tools/setup build demo
	@$(MAKE) --no-print-directory all
	@tools/demo $(BUILD)

test:
	@tools/setup build test
	@tests/run $(BUILD)

bench:
	@tools/setup build bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BUILD)

soak:
	@tools/setup build test
	@tests/soak $(BUILD)

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD)
	@test -n '$(DESTDIR)' || test "$$(id -u)" != 0 || ldconfig

clean:
	rm -rf build build-test

help:
	@echo 'make           build/mete, build/libmete.so, build/libmete.a, build/libmete-preload.so'
	@echo 'make demo      a real program with and without mete: time and peak memory'
	@echo 'make test      everything tests/ holds; the last line counts'
	@echo 'make bench     the questions of bench/, answered with numbers'
	@echo 'make soak      the tests that need ten minutes: random operations, fuzzers'
	@echo 'make install   below PREFIX ($(PREFIX)), with DESTDIR in front'
	@echo 'make clean     removes what was built'
