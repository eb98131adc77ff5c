// Protects: what is written to and what runs is told from what was killed, and no later process of
// the same pid is taken for the one of a recording.
#include "cli/liveness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char program[PATH_MAX];
static char host[256];

static struct profile_process ourselves(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (struct profile_process){
        .program = program,
        .host = host,
        .pid = (uint32_t)getpid(),
        .begin_ms = (uint64_t)now.tv_sec * 1000,
        .state = PROFILE_RUNNING,
    };
}

static int setup(void **state)
{
    (void)state;
    const ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    return len > 0 && gethostname(host, sizeof host - 1) == 0 ? 0 : -1;
}

static void a_process_is_known_by_more_than_its_pid(void **state)
{
    (void)state;
    struct profile_process process = ourselves();
    assert_true(liveness_of_process(&process));
    process.begin_ms -= 3600 * 1000; // then it was another's
    assert_false(liveness_of_process(&process));
    process = ourselves();
    process.program = "/bin/another";
    assert_false(liveness_of_process(&process));
    char longer[PATH_MAX + 2];
    (void)snprintf(longer, sizeof longer, "%s2", program);
    process.program = longer;
    assert_false(liveness_of_process(&process));
    longer[strlen(program) - 1] = '\0';
    assert_false(liveness_of_process(&process));
    process = ourselves();
    process.host = "elsewhere.example";
    assert_false(liveness_of_process(&process));
    process = ourselves();
    process.pid = 0;
    assert_false(liveness_of_process(&process));
}

static void a_process_that_has_ended_runs_no_more(void **state)
{
    (void)state;
    const pid_t child = fork();
    if (child == 0) _exit(0);
    struct profile_process process = ourselves();
    process.pid = (uint32_t)child;
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(liveness_of_process(&process)); // it only waits for us to ask
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(liveness_of_process(&process));
}

static void a_file_is_written_to_while_it_is_mapped(void **state)
{
    (void)state;
    char path[] = "/tmp/test_liveness_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(mapped, MAP_FAILED);
    close(fd); // as a recording is
    const int reader = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    struct profile_process process = ourselves();
    process.pid = 0;
    bool is_copy = true;
    const enum liveness before = liveness_of_file(reader);
    if (before != LIVENESS_UNKNOWN) { // this file system can say
        assert_int_equal(before, LIVENESS_SOME);
        assert_true(liveness_of_recording(path, &process, &is_copy));
        assert_false(is_copy);
        process.state = PROFILE_ENDED;
        assert_false(liveness_of_recording(path, &process, &is_copy));
        process.state = PROFILE_RUNNING;
    }
    assert_int_equal(munmap(mapped, 4096), 0);
    assert_int_not_equal(liveness_of_file(reader), LIVENESS_SOME);
    assert_false(liveness_of_recording(path, &process, &is_copy));
    close(reader);
    assert_int_equal(unlink(path), 0);
}

static void the_age_is_by_the_clock_of_this_boot(void **state)
{
    (void)state;
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    const uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    struct profile_process process = ourselves();
    uint64_t age_ms = 0;
    process.begin_monotonic_ms = now_ms - 1; // the machine started longer ago
    assert_true(liveness_age(&process, &age_ms));
    assert_in_range(age_ms, 1, 3600000);
    process.begin_monotonic_ms = now_ms + 3600000;
    assert_false(liveness_age(&process, &age_ms));
    process.begin_monotonic_ms = 0;
    assert_false(liveness_age(&process, &age_ms));
    process.begin_monotonic_ms = now_ms - 1;
    process.host = "elsewhere.example";
    assert_false(liveness_age(&process, &age_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_is_known_by_more_than_its_pid),
        cmocka_unit_test(a_process_that_has_ended_runs_no_more),
        cmocka_unit_test(the_age_is_by_the_clock_of_this_boot),
        cmocka_unit_test(a_file_is_written_to_while_it_is_mapped),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
