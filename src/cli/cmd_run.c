// Answers where the memory of a program goes, while it runs as if nobody looked.
#include "base/pattern.h"
#include "cli/cmd.h"
#include "cli/environment.h"
#include "cli/kept_heap.h"
#include "cli/live_folder.h"
#include "cli/observable.h"
#include "cli/output.h"
#include "cli/place.h"
#include "cli/program_find.h"
#include "cli/recording_name.h"
#include "cli/recordings_keep.h"
#include "cli/recordings_spill.h"
#include "cli/run_child.h"
#include "cli/run_leaks.h"
#include "cli/run_place.h"
#include "cli/run_summary.h"
#include "cli/run_sweep.h"
#include "cli/suppress.h"
#include "cli/unrecorded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STATUS_NOT_RUNNABLE = 126, // as env says
    STATUS_NOT_FOUND = 127,
    STATUS_SIGNAL = 128, // and the signal's number
    FOLDERS = 2, // of recordings while it runs: where they are made, and one for what spills
};

struct run_call {
    struct summary_options summary;
    const char *output;
    const char *summary_path; // NULL: standard error
    FILE *out;                // it, open
    bool runs_anyway;
    int error_status; // -1: none was asked for
    bool looks_for_leaks;
    bool fails_on_leak;
    struct suppress suppress;
    struct environment_settings settings;
    char **command;
};

static const struct option options[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_VALUE,
     .value = "NAME",
     .help = "name the recording; %p pid, %n program, %h host"},
    {.name = "summary",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "write the summary to FILE; '-' is standard output"},
    {.name = "symbols",
     .kind = OPTION_FLAG,
     .help = "name functions in the recording (default yes)"},
    {.name = "children",
     .kind = OPTION_FLAG,
     .help = "keep those of child processes (default yes)"},
    {.name = "skip",
     .kind = OPTION_VALUE,
     .value = "PATTERN",
     .help = "functions that only pass on; may be repeated"},
    {.name = "full", .kind = OPTION_FLAG, .help = "show every stack in full"},
    {.name = "leaks",
     .kind = OPTION_VALUE,
     .value = "WHICH",
     .help =
         "look at the end for blocks that nothing leads to: lost (the default); all: list those "
         "in use, too; no"},
    {.name = "suppressions",
     .kind = OPTION_VALUE,
     .value = "FILE",
     .help = "leave out what it lists, as 'mete leaks' does; again for more"},
    {.name = "fail-on-leak",
     .kind = OPTION_FLAG,
     .help = "end with --error-status (else 1) if some were lost; 125 if nobody could look"},
    {.name = "anyway", .kind = OPTION_FLAG, .help = "run also what cannot be observed"},
    {.name = "error-status",
     .kind = OPTION_VALUE,
     .value = "STATUS",
     .help = "end with it if nothing was recorded, or --fail-on-leak found some, and the program "
             "succeeded"},
};

// Settings that are ours to choose.
static const char *const without[] = {"observe", "recording", "leaks", NULL};

static int take_number(const struct option *option, const char *value, unsigned long max,
                       unsigned long *number_out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long number = strtoul(value, &end, 10);
    if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 && number <= max) {
        *number_out = number;
        return STATUS_OK;
    }
    say("run: '--%s=%s': it wants a number from 0 to %lu", option->name, value, max);
    return STATUS_USAGE;
}

static int take_output(struct run_call *call, const char *value)
{
    const char *wrong = NULL;
    if (strcmp(value, "-") == 0) {
        say("run: '-o -': standard output is the program's own; name a file");
    } else if (*value == '\0') {
        say("run: '-o': the name is empty");
    } else if (!pattern_check(value, RECORDING_NAME_LETTERS, &wrong)) {
        say("run: '-o %s': '%.2s' is none of %%p, %%n, %%h and %%%%", value, wrong);
    } else {
        call->output = value;
        return STATUS_OK;
    }
    return STATUS_USAGE;
}

static int take_leaks(struct run_call *call, const char *value)
{
    const bool is_all = strcmp(value, "all") == 0;
    if (!is_all && strcmp(value, "lost") != 0 && strcmp(value, "no") != 0) {
        say("run: '--leaks=%s': it is one of lost, all and no", value);
        return STATUS_USAGE;
    }
    call->looks_for_leaks = value[0] != 'n';
    call->summary.lists_leaks = is_all;
    return STATUS_OK;
}

static int take(void *context, const struct option *option, const char *value)
{
    struct run_call *call = context;
    const bool truth = value[0] == 'y';
    if (option->setting) return environment_take(&call->settings, "run", option, value);
    if (option->letter == 'o') return take_output(call, value);
    if (strcmp(option->name, "skip") == 0) return skips_add(&call->summary.skips, "run", value);
    if (strcmp(option->name, "leaks") == 0) return take_leaks(call, value);
    if (strcmp(option->name, "suppressions") == 0) {
        return suppress_file(&call->suppress, "run", value);
    }
    if (strcmp(option->name, "error-status") == 0) {
        unsigned long status = 0;
        const int error = take_number(option, value, 255, &status);
        if (!error) call->error_status = (int)status;
        return error;
    }
    if (strcmp(option->name, "summary") == 0) call->summary_path = value;
    if (strcmp(option->name, "symbols") == 0) call->summary.has_symbols = truth;
    if (strcmp(option->name, "children") == 0) call->summary.has_children = truth;
    if (strcmp(option->name, "full") == 0) call->summary.is_full = truth;
    if (strcmp(option->name, "anyway") == 0) call->runs_anyway = truth;
    if (strcmp(option->name, "fail-on-leak") == 0) call->fails_on_leak = truth;
    return STATUS_OK;
}

// A descriptor below 3 that is closed stays so for the program, but what we open must not take its
// place: what we say would go there.
static void reserve_standard_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", O_RDWR | O_CLOEXEC);
    }
}

// Says what stands in the way; whether the program runs nonetheless.
static bool may_run(const struct run_call *call, const struct obstacle *obstacle)
{
    const char *how = "may be observed in part only";
    if (obstacle->kind == OBSTACLE_NONE) return true;
    if (obstacle->kind == OBSTACLE_ALL) how = "cannot be observed";
    const bool may = obstacle->kind == OBSTACLE_PART || call->runs_anyway;
    say("run: '%s' %s: it %s", obstacle->subject, how, obstacle->reason);
    if (obstacle->kind == OBSTACLE_PART) say("run: %s", obstacle->mend);
    if (!may) say("run: %s; 'mete run --anyway' runs it unobserved", obstacle->mend);
    return may;
}

static int not_started(char **command, int error, bool is_exec)
{
    const char *program = command[0];
    if (!is_exec) {
        say("run: cannot start a process: %s", strerror(error));
        return STATUS_FAILED;
    }
    char found[PATH_MAX];
    const int status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUNNABLE;
    if (status == STATUS_NOT_FOUND && program_find(program, found, sizeof found) == 0) {
        say("run: '%s' names an interpreter or a loader that is not there", found);
    } else if (status == STATUS_NOT_FOUND && program_suggest(program, found, sizeof found)) {
        say("run: '%s': %s; did you mean '%s'?", program, strerror(error), found);
    } else {
        say("run: '%s': %s", program, strerror(error));
    }
    return status;
}

static int exit_status(int status)
{
    return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static const char *program_name(const struct run_call *call)
{
    const char *slash = strrchr(call->command[0], '/');
    return slash && slash[1] ? slash + 1 : call->command[0];
}

// Prepares the settings and the folder of an observed run. 0, or a status after a message.
static int prepare(struct run_call *call, const char *beside, struct live_folder *folder,
                   struct environment *environment)
{
    const int error = live_folder_create(folder, beside);
    if (error) {
        say("run: nowhere to record: %s; set TMPDIR to a folder with room", strerror(-error));
        return STATUS_FAILED;
    }
    live_folder_set_target(folder, call->output);
    char pattern[SETTINGS_TEXT_SIZE];
    live_folder_pattern(folder, pattern, sizeof pattern);
    const bool fits =
        environment_add(&call->settings, "observe", "yes") &&
        environment_add(&call->settings, "leaks", call->looks_for_leaks ? "yes" : "no") &&
        environment_add(&call->settings, "recording", pattern);
    int status = STATUS_FAILED;
    if (!fits) say("run: more settings than fit into %zu bytes", sizeof call->settings.text);
    if (fits) status = environment_make(environment, "run", &call->settings, folder->path);
    return status;
}

// Gathers what an observed run left.
static void gather(const struct run_call *call, const struct child_end *end,
                   struct live_folder folders[static FOLDERS], struct recordings *recordings,
                   size_t *main_out)
{
    char host[256] = "";
    kept_heap_use();
    (void)gethostname(host, sizeof host - 1); // no longer ones on Linux
    const struct keep_plan plan = {
        .pattern = call->output,
        .program = program_name(call),
        .keeps_children = call->summary.has_children,
        .host = host,
        .has_names = call->summary.has_symbols,
        .out = stderr,
        .end = end,
        .run = live_folder_run(&folders[0]),
    };
    unrecorded_settle(&folders[0], unrecorded_after(end->wall_ns));
    const int error = recordings_find(recordings, folders, FOLDERS, end->pid);
    if (error) say("run: cannot read '%s': %s", folders[0].path, strerror(-error));
    *main_out = recordings_main(recordings, end->pid);
    const size_t own = recordings_own(recordings, end->pid);
    // Who is alone wanted has ended: a child that goes on would leave nothing to show.
    if (!plan.keeps_children && own < recordings->count && recordings->items[*main_out].is_alive) {
        *main_out = own;
    }
    recordings_keep(recordings, *main_out, &plan, folders, FOLDERS);
}

static void spill_next(void *context, pid_t pid)
{
    recordings_spill_next(context, pid);
}

// Where nothing is preloaded, there are no recordings either.
static bool is_observed(const struct obstacle *obstacle)
{
    return obstacle->kind != OBSTACLE_ALL || !obstacle->forbids_preload;
}

// Runs the command and gathers what it left. 0 and the result, or a status after a message.
static int observe(struct run_call *call, const struct obstacle *obstacle,
                   struct run_result *result, struct recordings *recordings)
{
    const bool has_recordings = is_observed(obstacle);
    // Static, as what else is large and made once: the stack may be small (ulimit -s).
    static struct live_folder folders[FOLDERS] = {{.fd = -1}, {.fd = -1}};
    static struct recordings_spill spill = {.events = -1};
    static char beside[PATH_MAX];
    struct environment environment = {0};
    struct child_end end;
    struct signal_hold hold;
    bool is_exec = false;
    int status = STATUS_OK;
    // From here on nothing keeps us from removing the folder again.
    signals_hold(&hold);
    if (!run_place_find(call->output, beside, sizeof beside)) strcpy(beside, ".");
    if (has_recordings) status = prepare(call, beside, &folders[0], &environment);
    int error = 0;
    if (!status) {
        if (has_recordings) {
            recordings_spill_open(&spill, &folders[0], &folders[1], beside,
                                  call->summary.has_children);
        }
        const struct child_watch watch = {spill.events, spill_next, &spill};
        error = child_run(call->command, has_recordings ? &environment : NULL, &hold, &watch, &end,
                          &is_exec);
        recordings_spill_close(&spill);
    }
    if (!status && !error) {
        *result = (struct run_result){
            .command = call->command,
            .pid = end.pid,
            .end = child_end_known(&end),
            .recordings = recordings,
        };
        const bool has_room = !has_recordings || live_folder_has_room(&folders[0]);
        if (has_recordings) {
            gather(call, &end, folders, recordings, &result->main);
            result->started = recordings_own(recordings, end.pid);
            run_sweep(folders, FOLDERS, beside, call->out);
        }
        const struct shortfall_facts facts = {
            .program = program_name(call),
            .obstacle = obstacle,
            .recordings = recordings,
            .successors = &spill.successors,
            .end = &end,
            .has_room = has_room,
            .has_children = call->summary.has_children,
        };
        shortfall_find(&result->shortfall, &facts);
    } else if (folders[0].path[0]) {
        (void)live_folder_destroy(&folders[0]); // nothing ran, so it is empty
    }
    environment_deinit(&environment);
    signals_release(&hold);
    return error ? not_started(call->command, -error, is_exec) : status;
}

// Whether something stands in the way, said at once. False when the program must not run.
static bool look(const struct run_call *call, struct obstacle *obstacle_out)
{
    *obstacle_out = observable_look(call->command);
    if (obstacle_out->kind == OBSTACLE_ALL) return may_run(call, obstacle_out);
    char *object = place_find("libmete-preload.so");
    if (!object) return false;
    const struct obstacle of_object = observable_object(object);
    free(object);
    if (of_object.kind != OBSTACLE_NONE) *obstacle_out = of_object;
    if (obstacle_out->kind != OBSTACLE_ALL) {
        const struct obstacle of_limits = observable_limits(call->command[0]);
        if (of_limits.kind != OBSTACLE_NONE) *obstacle_out = of_limits;
    }
    return may_run(call, obstacle_out);
}

static FILE *summary_open(const char *path)
{
    if (!path) return stderr;
    if (strcmp(path, "-") == 0) return stdout;
    FILE *file = fopen(path, "we");
    if (!file) say("run: cannot write '%s': %s", path, strerror(errno));
    return file;
}

static bool summary_close(FILE *file, const char *path)
{
    if (file == stderr || file == stdout) return true; // main looks after standard output
    errno = 0;
    const bool has_failed = ferror(file);
    if (fclose(file) == 0 && !has_failed) return true;
    say("run: cannot write '%s': %s", path, errno ? strerror(errno) : "an earlier write failed");
    return false;
}

static int run_and_tell(struct run_call *call, const struct obstacle *obstacle)
{
    struct recordings recordings = {0};
    static struct run_result result;
    int status = observe(call, obstacle, &result, &recordings);
    if (!status) {
        status = exit_status(result.end.status);
        const bool has_findings = run_summarize(&result, &call->summary, call->out);
        if (has_findings && call->error_status >= 0 && status == STATUS_OK) {
            status = call->error_status;
        }
        suppress_tell(&call->suppress, "run", call->out);
        if (call->fails_on_leak && exit_status(result.end.status) == STATUS_OK) {
            const enum leaks_verdict verdict =
                run_leaks_judge(&result, call->summary.suppressions, call->out);
            status = run_leaks_status(verdict, call->error_status);
        }
    }
    recordings_deinit(&recordings);
    return status;
}

// Reads all words. 0, or a status after a message.
static int read_call(const struct cmd *self, char **words, struct run_call *call)
{
    size_t read = 0;
    const int status = options_read(self->name, self->options, words, take, call, &read);
    if (status) return status;
    if (call->fails_on_leak && !call->looks_for_leaks) {
        say("run: '--fail-on-leak' wants leaks to be looked for; leave '--leaks=no' out");
        return STATUS_USAGE;
    }
    if (!words[read]) {
        say("run: which program? usage: mete run %s", self->usage);
        return STATUS_USAGE;
    }
    call->command = words + read;
    if (!*call->command[0]) {
        say("run: the program's name is empty");
        return STATUS_NOT_FOUND; // as execvp() says
    }
    return suppress_others(&call->suppress, self->name);
}

static int run_call(struct run_call *call)
{
    reserve_standard_descriptors();
    struct obstacle obstacle;
    if (!look(call, &obstacle)) return STATUS_FAILED;
    if (is_observed(&obstacle) && !run_place_is_fit(call->output)) return STATUS_FAILED;
    call->out = summary_open(call->summary_path);
    if (!call->out) return STATUS_FAILED;
    const int status = run_and_tell(call, &obstacle);
    const bool is_written = summary_close(call->out, call->summary_path);
    return !is_written && status == STATUS_OK ? STATUS_FAILED : status;
}

static int run(const struct cmd *self, char **words)
{
    static struct run_call call = {
        .summary = {.has_symbols = true, .has_children = true},
        .output = RECORDING_NAME_DEFAULT,
        .error_status = -1,
        .looks_for_leaks = true,
    };
    call.summary.suppressions = &call.suppress.list;
    int status = read_call(self, words, &call);
    if (!status) status = run_call(&call);
    suppress_deinit(&call.suppress);
    return status;
}

const struct cmd cmd_run = {
    .name = "run",
    .usage = "[OPTIONS] CMD...",
    .question = "where did the memory of this program go?",
    .summary = "Runs a program and records who allots its memory",
    .detail =
        "The program runs as without mete: its input, output, terminal and signals are its\n"
        "own, and its status is the status of 'mete run' (128 and the signal's number where a\n"
        "signal ended it; 125 where mete failed, 126 and 127 where the program cannot be run\n"
        "or found). What mete has to say goes to standard error, or with --summary elsewhere.\n"
        "\n"
        "Each process leaves a recording, PROGRAM.PID.mete in the current folder, .2.mete and\n"
        "so on for what a process becomes by exec. The main program is CMD; or the largest it\n"
        "started, where CMD is a shell or the like (make, time, ...) or held and allocated not an\n"
        "eighth of that one: the summary says so. A NAME without %p is the main program's, the\n"
        "others get numbers; one that ends in '/' is a folder. %% is a percent sign. Nothing\n"
        "but an older recording is replaced: where something else has the name, or the folder\n"
        "cannot be written, the program does not start. Until a process ends its recording\n"
        "lies in memory ($XDG_RUNTIME_DIR or /dev/shm) where 64 MiB are free, and else beside\n"
        "its name; those of children that have ended follow when they exceed 8 MiB, the rest\n"
        "at the end. What cannot be moved stays there, and so does that of a process that\n"
        "outlives the command: 'mete run' does not wait for it, and names it. The next run\n"
        "looks for those that nobody writes to any more, also where mete was killed, and takes\n"
        "them where they were to go.\n"
        "\n"
        "What cannot be observed is refused before it starts, with the reason: programs that\n"
        "are linked statically, setuid, with an allocator or a sanitizer inside, for another\n"
        "machine or C library, or under a limit (ulimit -f, -v, -d) too small for that; they\n"
        "run with --anyway, unobserved. What a process becomes or starts that is such a program\n"
        "is told at the end, as far as it left a trace. What runs in another root (chroot) finds\n"
        "nothing of mete there: install mete in it, and put 'mete run' behind chroot.\n",
    .options = {options, sizeof options / sizeof *options, true, without},
    .exec = run,
};
