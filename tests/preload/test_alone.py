"""The thread that returns memory to an idle system is nobody's business but ours."""


def test_calls_that_want_a_lone_thread_find_one(compile_program, succeeds):
    """Protects rights given up by setuid(), namespaces, and children: no thread too many."""
    succeeds([compile_program("alone.c")])


def test_a_clock_of_the_programs_own_is_left_alone(compile_program, succeeds):
    """Protects programs that replace clock_gettime(): none of it runs in a thread of ours."""
    succeeds([compile_program("own_clock.c", "-rdynamic")])
