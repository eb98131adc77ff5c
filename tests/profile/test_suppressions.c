// Protects: suppressions as people have them, in LeakSanitizer's and in Valgrind's words: what each
// hides, and nothing else; what is wrong in a file, and on which line.
#include "profile/suppressions.h"

#include "profile/profile.h"
#include "record/reader.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Two lost blocks at parse, called by load and main; one block in use there; three lost at a C++
// function of a library, called by operator new's caller.
struct fixture {
    struct sample sample;
    struct recording *recording;
    struct profile *profile;
    struct suppressions list;
};

static void add_leak(struct sample *sample, uint32_t site, uint32_t kind, uint64_t blocks)
{
    struct record_leak *leak = sample_add(sample, RECORD_TABLE_leaks);
    *leak =
        (struct record_leak){.site = site, .kind = kind, .blocks = blocks, .bytes = 10 * blocks};
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct sample *sample = &self->sample;
    sample_init(sample);
    const uint32_t program = sample_module(sample, "/usr/bin/program");
    const uint32_t library = sample_module(sample, "/usr/lib/libwidget.so.3");
    const uint32_t thread = sample_thread(sample, 17, "main");
    const uint32_t parse = sample_frame(sample, program, 0x40, "parse", "/src/parse.c", 9);
    sample_outer_line(sample, "load", "/src/rows.c", 130); // it was inlined
    const uint32_t main = sample_frame(sample, program, 0x60, "main", "/src/main.c", 8);
    const uint32_t new =
        sample_frame(sample, library, 0x10, "operator new(unsigned long)", NULL, 0);
    const uint32_t widget =
        sample_frame(sample, library, 0x20, "Widget::make(int)", "widget.cc", 33);
    sample_linkage(sample, "_ZN6Widget4makeEi");
    const uint32_t first = SAMPLE_SITE(sample, parse, main);
    const uint32_t second = SAMPLE_SITE(sample, new, widget, main);
    sample_row(sample, first, thread, 3, 10, 0);
    sample_row(sample, second, thread, 3, 10, 0);
    add_leak(sample, first, RECORD_LOST_DIRECT, 2);
    add_leak(sample, first, RECORD_REACHABLE, 1);
    add_leak(sample, second, RECORD_LOST_INDIRECT, 3);
    sample_total(sample);
    sample_process(sample)->leak_state = RECORD_LEAKS_SCANNED;
    *state = self;
    return 0;
}

static void close_profile(struct fixture *self)
{
    profile_destroy(self->profile);
    recording_close(self->recording);
    self->profile = NULL;
    self->recording = NULL;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    close_profile(self);
    suppressions_deinit(&self->list);
    sample_deinit(&self->sample);
    free(self);
    return 0;
}

static int add(struct fixture *self, const char *text, struct suppressions_problem *problem)
{
    return suppressions_add(&self->list, SUPPRESSION_OF_FILE, "a.supp", text, strlen(text),
                            problem);
}

static const struct profile_leaks *leaks_of(struct fixture *self)
{
    close_profile(self);
    size_t size = 0;
    uint8_t *file = sample_file(&self->sample, &size);
    const int fd = sample_descriptor(file, size);
    struct reader_problem problem;
    self->recording = recording_read(fd, &problem);
    assert_non_null(self->recording);
    close(fd);
    free(file);
    const struct profile_options options = {.suppressions = &self->list};
    self->profile = profile_create(self->recording, &options);
    assert_non_null(self->profile);
    return &self->profile->leaks;
}

// How many blocks a text hides of the two, of the one in use, of the three: as decimal digits.
static unsigned hidden_by(struct fixture *self, const char *text)
{
    struct suppressions_problem problem;
    suppressions_deinit(&self->list);
    assert_int_equal(add(self, text, &problem), 0);
    const struct profile_leaks *leaks = leaks_of(self);
    unsigned digits = 0;
    const unsigned places[] = {100, 10, 1};
    for (size_t i = 0; i < leaks->count; i++) {
        const struct profile_leak *leak = &leaks->all[i];
        if (leak->kind != PROFILE_SUPPRESSED) continue;
        const size_t place = leak->blocks == 2 ? 0 : leak->blocks == 1 ? 1 : 2;
        digits += places[place] * (unsigned)leak->blocks;
    }
    return digits;
}

static void lsans_patterns_stand_anywhere_in_a_stack(void **state)
{
    static const struct {
        const char *text;
        unsigned hidden;
    } cases[] = {
        {"leak:parse\n", 200},
        {"leak:load", 200},
        {"  leak:load  \r\n", 200},
        {"leak:main\n", 203},
        {"leak:mai\n", 203}, // a part of a name
        {"leak:^mai$\n", 0},
        {"leak:^main$\n", 203},
        {"leak:^ain\n", 0},
        {"leak:ain$\n", 203},
        {"leak:m*n$\n", 203},
        {"leak:^p*se$\n", 200},
        {"leak:Widget::make\n", 3},
        {"leak:^Widget::*(int)$\n", 3},
        {"leak:libwidget.so\n", 3},
        {"leak:/usr/bin/program$\n", 203},
        {"leak:rows.c\n", 200},
        {"leak:*\n", 203},
        {"leak:nobody\n", 0},
        {"# leak:main\n\n", 0},
        {"leak:nobody\nleak:parse\n", 200},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(hidden_by(*state, cases[i].text), cases[i].hidden);
    }
}

#define VALGRIND(body) "{\n  a name\n  Memcheck:Leak\n" body "}\n"

static void valgrinds_blocks_follow_the_stack_from_within(void **state)
{
    static const struct {
        const char *text;
        unsigned hidden;
    } cases[] = {
        {VALGRIND("  fun:malloc\n  fun:parse\n  fun:load\n  fun:main\n"), 210},
        {VALGRIND("  fun:*alloc\n  fun:parse\n"), 210},
        {VALGRIND("  match-leak-kinds: definite\n  fun:malloc\n  fun:parse\n"), 200},
        {VALGRIND("  match-leak-kinds: definite, indirect\n  ...\n  fun:main\n"), 203},
        {VALGRIND("  match-leak-kinds: reachable\n  ...\n"), 10},
        {VALGRIND("  match-leak-kinds: none\n  ...\n"), 0},
        {VALGRIND("  fun:malloc\n  fun:load\n"), 0}, // parse lies between
        {VALGRIND("  fun:malloc\n  fun:*\n  fun:load\n"), 210},
        {VALGRIND("  fun:malloc\n  fun:*\n  fun:parse\n"), 0},
        {VALGRIND("  fun:*\n  fun:parse\n  fun:load\n"), 210},
        {VALGRIND("  fun:*\n  fun:load\n"), 0},
        {VALGRIND("  fun:*\n  fun:Widget::make(int)\n  fun:main\n"), 3},
        {VALGRIND("  fun:malloc\n  fun:_Znwm\n  fun:_ZN6Widget*\n"), 3},
        {VALGRIND("  fun:malloc\n  fun:_ZN6Widget*\n"), 0},
        {VALGRIND("  fun:_Znam\n  fun:_ZN6Widget*\n"), 3}, // new[] jumps to new
        {VALGRIND("  fun:calloc\n  fun:_ZN6Widget*\n"), 0},
        {VALGRIND("  fun:_Znw*\n  fun:_ZN6Widget*\n"), 3},
        {VALGRIND("  fun:_Znwm\n  fun:parse\n"), 0},
        {VALGRIND("  fun:*\n  fun:_ZN6Widget?make*\n"), 3},
        {VALGRIND("  fun:*\n  fun:_ZN6WidgetC*\n"), 0},
        {VALGRIND("  fun:*\n  fun:_Z*\n"), 3},
        {VALGRIND("  ...\n  fun:load\n"), 210},
        {VALGRIND("  fun:malloc\n  ...\n  fun:load\n  ...\n  fun:main\n"), 210},
        {VALGRIND("  fun:malloc\n  ...\n  fun:nobody\n"), 0},
        {VALGRIND("  fun:_Znwm\n  fun:_ZN6Widget4makeEi\n"), 3}, // as Valgrind writes them
        {VALGRIND("  fun:_Znwm\n  obj:*/libwidget.so*\n  fun:main\n"), 3},
        {VALGRIND("  obj:/usr/lib/libwidget.so.3\n"), 3},
        {VALGRIND("  fun:malloc\n  src:parse.c:9\n"), 210},
        {VALGRIND("  fun:malloc\n  src:parse.c\n"), 210},
        {VALGRIND("  fun:malloc\n  src:parse.c:10\n"), 0},
        {"{\n  n\n  Memcheck:Addr4\n  fun:parse\n  nonsense\n}\n", 0},
        {"{\n  n\n  Helgrind:Race\n  fun:parse\n}\nleak:parse\n", 200},
        {"# c\n{\n# c\n\n  n\n\n  Memcheck:Leak\n  # c\n  ...\n  fun:parse\n}\n", 210},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const unsigned hidden = hidden_by(*state, cases[i].text);
        if (hidden != cases[i].hidden) print_message("%s", cases[i].text);
        assert_int_equal(hidden, cases[i].hidden);
    }
}

static void what_is_hidden_is_in_no_sum_of_lost_blocks(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(hidden_by(self, "leak:parse\n"), 200);
    const struct profile_leaks *leaks = &self->profile->leaks;
    assert_int_equal(leaks->sums[PROFILE_LOST_DIRECT].blocks, 0);
    assert_int_equal(leaks->sums[PROFILE_SUPPRESSED].blocks, 2);
    assert_int_equal(leaks->sums[PROFILE_SUPPRESSED].bytes, 20);
    assert_int_equal(self->profile->totals.lost_blocks, 3);
    assert_int_equal(self->list.all[0].blocks, 2);
    assert_int_equal(self->list.all[0].bytes, 20);
}

static void a_limit_holds_for_the_one_behind_it(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(hidden_by(self, "#mete: max=2\nleak:parse\nleak:Widget\n"), 203);
    assert_false(self->list.all[0].is_exceeded);
    assert_int_equal(hidden_by(self, "#mete: max=1\nleak:parse\nleak:Widget\n"), 3);
    assert_true(self->list.all[0].is_exceeded);
    assert_int_equal(self->list.all[0].blocks_over, 2); // and not the one in use
    assert_int_equal(self->list.all[0].blocks, 0);
    assert_false(self->list.all[1].is_exceeded);
}

static void the_programs_own_count_too(void **state)
{
    struct fixture *self = *state;
    sample_process(&self->sample)->suppressions =
        sample_text(&self->sample, "leak:Widget\nnonsense\nleak:main\n");
    assert_int_equal(hidden_by(self, "leak:parse\n"), 203);
    assert_int_equal(self->list.all[0].blocks, 2);
}

static void metes_own_list_is_read_and_hides_none_of_a_programs(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(suppressions_add_known(&self->list), 0);
    assert_true(self->list.count > 10);
    const struct profile_leaks *leaks = leaks_of(self);
    assert_int_equal(leaks->sums[PROFILE_SUPPRESSED].blocks, 0);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *what;
    } cases[] = {
        {"leak:a\nnonsense\n", 2, "neither"},
        {"leak:\n", 1, "no pattern"},
        {"\n\n{\n name\n Memcheck:Leak\n fun:a\n", 6, "closing brace"},
        {"{\n", 1, "closing brace"},
        {"{\n name\n}\n", 3, "no tool"},
        {"{\n name\n Memcheck:Leak\n func:a\n}\n", 4, "'fun:'"},
        {"{\n name\n Memcheck:Leak\n match-leak-kinds: some\n}\n", 4, "kind"},
        {"#mete: max=\nleak:a\n", 1, "number"},
        {"#mete: max=1x\nleak:a\n", 1, "number"},
        {"#mete: max=99999999999999999999999\nleak:a\n", 1, "number"},
        {"#mete: most=1\nleak:a\n", 1, "max=NUMBER"},
    };
    struct fixture *self = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct suppressions_problem problem = {0};
        suppressions_deinit(&self->list);
        assert_int_equal(add(self, cases[i].text, &problem), -EINVAL);
        assert_int_equal(problem.line, cases[i].line);
        if (!strstr(problem.what, cases[i].what)) fail_msg("%s: %s", cases[i].text, problem.what);
    }
}

static void there_is_a_limit_to_their_number_and_depth(void **state)
{
    struct fixture *self = *state;
    struct suppressions_problem problem = {0};
    char *text = calloc(SUPPRESSIONS_MAX + 2, 8);
    for (size_t i = 0; i <= SUPPRESSIONS_MAX; i++) strcpy(text + 7 * i, "leak:a\n");
    assert_int_equal(add(self, text, &problem), -EINVAL);
    assert_int_equal(problem.line, SUPPRESSIONS_MAX + 1);
    assert_int_equal(self->list.count, SUPPRESSIONS_MAX);
    strcpy(text, "{\nname\nMemcheck:Leak\n");
    for (size_t i = 0; i <= SUPPRESSION_FRAMES_MAX; i++) strcat(text, "fun:a\n");
    strcat(text, "}\n");
    suppressions_deinit(&self->list);
    assert_int_equal(add(self, text, &problem), -EINVAL);
    assert_int_equal(problem.line, 4 + SUPPRESSION_FRAMES_MAX);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lsans_patterns_stand_anywhere_in_a_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(valgrinds_blocks_follow_the_stack_from_within, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_hidden_is_in_no_sum_of_lost_blocks, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_limit_holds_for_the_one_behind_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_programs_own_count_too, setup, teardown),
        cmocka_unit_test_setup_teardown(metes_own_list_is_read_and_hides_none_of_a_programs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_told_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_a_limit_to_their_number_and_depth, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
