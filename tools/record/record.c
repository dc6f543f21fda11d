/*
 * record.c: `coldboost record` runs a command under libcoldboost-record.so, or watched from outside
 * (outside.c), and writes the profile of what it needed. The command must not notice: descriptors,
 * output, signals and exit status are its own.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "convert/stacks.h"
#include "convert/trace_reader.h"
#include "profile/frames.h"
#include "profile/profile_write.h"
#include "record/outside.h"
#include "record/readahead.h"
#include "record/sampler.h"
#include "record/walker.h"
#include "start/launch.h"
#include "trace/image.h"
#include "trace/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECT  "libcoldboost-record.so"
#define PROFILE "coldboost.cbp"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/*
 * How fine the order of mapped pages is. A look at a process costs 0.4 ms (python3, java), so that
 * the tool takes a tenth of a CPU.
 */
enum { EPOCH_US = 5000 };

/* Descriptors 0 to 2, the trace, and the two pipes to the guardian of readahead. */
enum { LEAST_FILES = 8 };

static const char help[] =
    "Usage: coldboost record [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Run COMMAND and write a profile of the file pages that it needs, in the order of\n"
    "their first use: what it maps and touches, what it reads, and the same for what\n"
    "it loads with dlopen and for its children. A start of the same program with\n"
    "libcoldboost.so, or with 'coldboost run', then brings these pages in first.\n"
    "\n"
    "  -o, --output PROFILE  where to write it, - for standard output;\n"
    "                        default: " PROFILE "\n"
    "      --log             write it to the standard error instead, as lines of text for\n"
    "                        'coldboost merge --from-log': where nothing but a log\n"
    "                        leaves the machine\n"
    "      --until exit      record until COMMAND ends; the default\n"
    "      --until SECONDS   record that long; the profile is then written at once and\n"
    "                        COMMAND goes on. For servers. Fractions are allowed.\n"
    "      --until ready     record until COMMAND asks the Lambda runtime interface for\n"
    "                        its first invocation, which is when its start is over\n"
    "      --map FROM=TO     name files below FROM as if they were below TO: record in\n"
    "                        a build tree what will be in /var/task. Can be repeated;\n"
    "                        the first that fits counts.\n"
    "      --stacks          note which calls led to the first use of each file, for\n"
    "                        'coldboost show'. Finding the callers touches pages of its\n"
    "                        own: record again without it what a start is to replay.\n"
    "      --help            show this text\n"
    "\n"
    "COMMAND keeps its standard input, output and error. SIGINT, SIGTERM and SIGHUP go\n"
    "on to it, and the profile is written when it ends, however it ends. Files that\n"
    "were written, renamed or deleted meanwhile are left out, and so are those that\n"
    "are not on a disk (tmpfs, proc).\n"
    "\n"
    "As root, outside of containers, the page cache is dropped first and readahead is\n"
    "off on all devices until the recording ends: COMMAND starts slowly, and the\n"
    "profile is exact. Otherwise a page fault also maps pages nearby which are in\n"
    "memory already, and the profile names more than COMMAND needs.\n"
    "\n"
    "Programs that cannot be preloaded (static ones, Go) are watched from outside with\n"
    "ptrace, and so is all that they start; nothing needs to be chosen. With --until\n"
    "SECONDS or ready they stop at every system call until then, and are let go;\n"
    "otherwise at reads, and the like, alone. Set-user-ID programs have no privileges\n"
    "while they are watched, and cannot be recorded themselves.\n"
    "\n"
    "Exit status: that of COMMAND; 128+N if signal N ended it; 1 if no profile could\n"
    "be written; 2 for a wrong command line; 126 if COMMAND cannot be executed or\n"
    "cannot be recorded (a set-user-ID program); 127 if it was not found.\n"
    "\n"
    "Example: coldboost record -o app.cbp -- python3 -c 'import ssl, json'\n";

struct map {
    const char *from, *to;
    size_t from_length;
};

struct record_options {
    const char *output; /* NULL: standard error, as lines of a log */
    bool until_ready;
    bool stacks;
    uint64_t until_ns; /* 0: until exit */
    struct map *maps;
    size_t map_count;
    char **command;
};

/* A recording that is under way. */
struct session {
    struct record_options options;
    struct program program;
    bool from_outside;      /* it cannot be preloaded */
    char *object;           /* path of libcoldboost-record.so */
    char **walker;          /* what --stacks brings into the program, NULL at the end; or NULL */
    char trace_path[64];    /* where recorded programs open the trace */
    char trace_mapping[96]; /* what it is called in /proc/PID/maps */
    struct trace_header *trace;
    struct timespec since;
    void (*on_child)(int); /* what the program is to do at SIGCHLD: what we were told to */
    pid_t child;
    bool written;
    bool failed;
};

/* ---- command line -----------------------------------------------------------------------------
 */

static void parse_until(struct record_options *options, const char *text)
{
    if (strcmp(text, "exit") == 0)
        return;
    if (strcmp(text, "ready") == 0) {
        options->until_ready = true;
        return;
    }
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds > 0 && seconds < 1e6))
        fail_usage("record", "--until %s: exit, ready, or a number of seconds is needed", text);
    options->until_ns = (uint64_t)(seconds * 1e9);
}

static void parse_map(struct record_options *options, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || text[0] != '/' || equals[1] != '/')
        fail_usage("record", "--map %s: it takes FROM=TO, both absolute paths", text);
    size_t count = options->map_count++;
    options->maps = xrealloc(options->maps, (count + 1) * sizeof *options->maps);
    size_t length = (size_t)(equals - text);
    while (length > 1 && text[length - 1] == '/')
        length--;
    char *to = xstrdup(equals + 1);
    for (size_t n = strlen(to); n > 1 && to[n - 1] == '/';)
        to[--n] = '\0';
    options->maps[count] = (struct map){.from = text, .to = to, .from_length = length};
}

static void parse_options(int argc, char **argv, struct record_options *options)
{
    enum { UNTIL = 256, MAP, STACKS, LOG };
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"until", required_argument, NULL, UNTIL},
        {"map", required_argument, NULL, MAP},
        {"stacks", no_argument, NULL, STACKS},
        {"log", no_argument, NULL, LOG},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct record_options){.output = PROFILE};
    for (int c; (c = getopt_long(argc, argv, "+o:h", long_options, NULL)) != -1;) {
        if (c == 'o')
            options->output = optarg;
        else if (c == UNTIL)
            parse_until(options, optarg);
        else if (c == MAP)
            parse_map(options, optarg);
        else if (c == STACKS)
            options->stacks = true;
        else if (c == LOG)
            options->output = NULL;
        else if (c == 'h')
            print_help(help);
        else
            fail_usage_hint("record");
    }
    options->command = argv + optind;
    if (!*options->command)
        fail_usage("record", "no command given");
}

/* ---- the trace --------------------------------------------------------------------------------
 */

/*
 * The trace is memory of this process, a memfd, and not a file in TMPDIR: a program that writes to
 * a sparse file on a full disk gets SIGBUS, and to allocate all of it at first needs room that it
 * almost never uses. Recorded programs open it anew through /proc, each image for itself. An
 * inherited descriptor would also survive a change of user or of root folder, but not the many
 * programs that close what they do not know (shells, close_fds of Python, daemons), and they could
 * see it. What is lost: a program which changes its user and then executes another (the file in
 * TMPDIR, private as it had to be, was out of its reach too), and one in a PID namespace of its
 * own.
 */
static int create_memory(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC); /* before Linux 6.3 */
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int other = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* messages must not go there */
    close(fd);
    return other;
}

/*
 * Files are stamped with the kernel's coarse clock, or with the fine one if somebody has looked at
 * the last stamp (Linux 6.13). The coarse one, which may be a tick behind, has to pass what the
 * fine one says now before the recording starts: what was changed just before would otherwise count
 * as changed meanwhile, and be left out.
 */
static struct timespec next_tick(void)
{
    enum { MOST_LOOKS = 200 };
    struct timespec before, now;
    clock_gettime(CLOCK_REALTIME, &before);
    for (int i = 0; i < MOST_LOOKS; i++) { /* the clock may be set back meanwhile */
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec > before.tv_sec ||
            (now.tv_sec == before.tv_sec && now.tv_nsec > before.tv_nsec))
            break;
    }
    return now;
}

static rlim_t limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/* Every recorded program maps the trace, and is to have most of its address space for itself. */
static uint64_t trace_bytes(void)
{
    rlim_t space = limit_of(RLIMIT_AS), file = limit_of(RLIMIT_FSIZE);
    rlim_t bytes = space == RLIM_INFINITY || space / 8 > TRACE_BYTES ? TRACE_BYTES : space / 8;
    bytes = file < bytes ? file : bytes;
    if (bytes < TRACE_LEAST_BYTES)
        fail(EXIT_FAILED, "a recording takes %u KiB %s; raise the limit (ulimit %s, prlimit --%s)",
             (bytes == file ? 1 : 8) * TRACE_LEAST_BYTES / 1024,
             bytes == file ? "in a file" : "of address space", bytes == file ? "-f" : "-v",
             bytes == file ? "fsize" : "as");
    return bytes - bytes % TRACE_LEAST_BYTES;
}

/* trace_map() itself says nothing. */
static _Noreturn void fail_to_map(const char *path)
{
    if (open(path, O_RDWR | O_CLOEXEC) >= 0)
        fail(EXIT_FAILED, "cannot map the trace: there is no memory for it");
    fail(EXIT_FAILED, "%s: cannot open the trace: %s; mount /proc", path, strerror(errno));
}

static void create_trace(struct session *session)
{
    rlim_t files = limit_of(RLIMIT_NOFILE);
    if (files < LEAST_FILES)
        fail(EXIT_FAILED,
             "a recording takes %d open files, and no more than %ju may be: raise the limit "
             "(ulimit -n, prlimit --nofile)",
             LEAST_FILES, (uintmax_t)files);
    uint64_t bytes = trace_bytes();
    char name[64];
    snprintf(name, sizeof name, "coldboost-trace.%d", getpid());
    snprintf(session->trace_mapping, sizeof session->trace_mapping, "/memfd:%s (deleted)", name);
    int fd = create_memory(name);
    snprintf(session->trace_path, sizeof session->trace_path, "/proc/%d/fd/%d", getpid(), fd);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Of a header that is too large for a small stack, up to what is zero. */
    static struct trace_header header;
    const size_t begun = offsetof(struct trace_header, lost);
    memcpy(header.magic, TRACE_MAGIC, sizeof header.magic);
    header.next_unit = TRACE_FIRST_UNIT;
    header.bytes = bytes;
    header.start_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0 ||
        pwrite(fd, &header, begun, 0) != (ssize_t)begun)
        fail(EXIT_FAILED, "cannot set up the trace: memfd: %s", strerror(errno));
    session->trace = trace_map(session->trace_path);
    if (!session->trace)
        fail_to_map(session->trace_path);
    session->since = next_tick();
}

/* ---- the profile ------------------------------------------------------------------------------
 */

/* The path that the profile names; the caller's to free. */
static char *map_path(const struct record_options *options, const char *path, bool *mapped)
{
    *mapped = false;
    for (size_t i = 0; i < options->map_count; i++) {
        const struct map *map = &options->maps[i];
        const char *rest = path + map->from_length;
        if (strncmp(path, map->from, map->from_length) == 0 && (*rest == '/' || !*rest)) {
            *mapped = true;
            return xasprintf("%s%s", map->to, rest);
        }
    }
    return xstrdup(path);
}

static void add_stacks(const struct session *session, const struct recording *recording,
                       struct profile_writer *writer)
{
    size_t size;
    uint8_t *bytes = stacks_make(session->trace, recording, &size);
    if (size)
        profile_writer_add_extra(writer, bytes, size);
    else if (!session->trace->walks)
        warn("no call stack was recorded: --stacks needs a program that uses glibc");
    free(bytes);
}

static int make_profile(const struct session *session, const struct recording *recording,
                        uint8_t **bytes, size_t *size)
{
    struct profile_writer *writer = profile_writer_new(EPOCH_US, (uint64_t)session->since.tv_sec);
    for (size_t i = 0; i < recording->file_count; i++) {
        const struct recorded_file *file = &recording->files[i];
        struct profile_file identity = file->identity;
        bool mapped;
        char *path = map_path(&session->options, file->path, &mapped);
        if (mapped)
            identity.mtime_ns = 0; /* it will be unpacked there at another time */
        profile_writer_add_file(writer, path, &identity);
        free(path);
    }
    for (size_t i = 0; i < recording->executable_count; i++) {
        const struct recorded_executable *executable = &recording->executables[i];
        bool mapped;
        char *path = map_path(&session->options, executable->path, &mapped);
        profile_writer_add_executable(writer, path);
        for (size_t k = 0; k < executable->range_count; k++)
            profile_writer_add_range(writer, &executable->ranges[k]);
        free(path);
    }
    if (session->walker)
        add_stacks(session, recording, writer);
    return profile_writer_finish(writer, bytes, size);
}

static const char *target_name(const struct session *session)
{
    return session->options.output ? output_name(session->options.output) : "the log";
}

static void report(const struct session *session, const struct recording *recording)
{
    warn("recorded %ju pages (%.1f MiB) of %zu files, %zu executable%s%s: %s",
         (uintmax_t)recording->page_count,
         (double)recording->page_count * PROFILE_PAGE_BYTES / (1 << 20), recording->file_count,
         recording->executable_count, recording->executable_count == 1 ? "" : "s",
         session->trace->readahead_is_off ? "" : ", with readahead", target_name(session));
}

static void write_profile(struct session *session)
{
    if (session->written)
        return;
    session->written = true;
    session->trace->finished = 1;
    readahead_restore();
    struct stat output;
    char resolved[PATH_MAX];
    const char *path = session->options.output;
    bool exists = path && stat(path, &output) == 0 && realpath(path, resolved);
    size_t walkers = 0;
    while (session->walker && session->walker[walkers])
        walkers++;
    const char **leave = xmalloc((walkers + 3) * sizeof *leave);
    for (size_t i = 0; i < walkers; i++)
        leave[i] = session->walker[i];
    leave[walkers] = session->object;
    leave[walkers + 1] = exists ? resolved : NULL;
    leave[walkers + 2] = NULL;
    struct trace_options options = {EPOCH_US, session->since, leave};
    struct recording recording;
    uint8_t *bytes;
    size_t size;
    trace_read(session->trace, &options, &recording);
    if (session->trace->lost)
        warn("the trace is full: %u records are missing, and the profile is of what came before",
             session->trace->lost);
    int error = recording.executable_count ? make_profile(session, &recording, &bytes, &size) : 0;
    bool has_loaded = session->trace->pid_count || session->from_outside;
    if (!has_loaded || !recording.executable_count) {
        warn("nothing was recorded: %s never loaded %s (did it clear LD_PRELOAD, or is it "
             "set-user-ID?)",
             session->options.command[0], OBJECT);
        session->failed = true;
    } else if (error) {
        warn("%s: cannot make the profile: %s", target_name(session), strerror(-error));
        session->failed = true;
    } else {
        session->failed =
            path ? !output_write(path, bytes, size) : frames_write(STDERR_FILENO, bytes, size) != 0;
        if (!session->failed)
            report(session, &recording);
        free(bytes);
    }
    session->trace->written = 1;
    recording_free(&recording);
    free(leave);
}

/* ---- the program ------------------------------------------------------------------------------
 */

static void set_environment(const struct session *session)
{
    preload_object(session->object);
    if (setenv(TRACE_VARIABLE, session->trace_path, 1) != 0)
        fail(EXIT_FAILED, "cannot set the environment: %s", strerror(errno));
}

/* In the child: gets ready to be recorded. Returns 0, or a negative errno if it cannot be. */
static int prepare(const struct session *session)
{
    if (session->from_outside)
        return watched_begin(session->trace);
    set_environment(session);
    return 0;
}

static _Noreturn void fail_start(const struct session *session, int error)
{
    const char *path = session->program.path;
    if (error < 0)
        fail(EXIT_CANNOT_EXECUTE,
             "%s cannot be preloaded, and watching it from outside is not allowed here (ptrace: "
             "%s); in a container, allow ptrace (--cap-add SYS_PTRACE, or its seccomp profile); "
             "outside, see /proc/sys/kernel/yama/ptrace_scope",
             path, strerror(-error));
    fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE, "%s: %s", path, strerror(error));
}

/* Starts the command; a failed exec comes back through the pipe, which a successful one closes. */
static void start(struct session *session, const sigset_t *mask)
{
    int report_pipe[2];
    if (pipe2(report_pipe, O_CLOEXEC) != 0)
        fail(EXIT_FAILED, "pipe: %s", strerror(errno));
    session->child = fork();
    if (session->child < 0)
        fail(EXIT_FAILED, "fork: %s; raise the limit of processes (ulimit -u)", strerror(errno));
    if (session->child == 0) {
        int error = prepare(session);
        if (!error) {
            signal(SIGCHLD, session->on_child);
            sigprocmask(SIG_SETMASK, mask, NULL);
            error = try_to_execute(&session->program, session->options.command);
        }
        ssize_t n = write(report_pipe[1], &error, sizeof error);
        _exit(n == sizeof error ? EXIT_CANNOT_EXECUTE : EXIT_FAILED);
    }
    close(report_pipe[1]);
    int error = 0;
    struct pollfd report = {report_pipe[0], POLLIN, 0};
    while (session->from_outside && poll(&report, 1, 1) == 0)
        outside_serve(session->trace, session->trace_mapping);
    if (read(report_pipe[0], &error, sizeof error) > 0)
        fail_start(session, error);
    close(report_pipe[0]);
}

/* A key on the terminal reaches the program without us. */
static void forward(const struct session *session, const siginfo_t *signal)
{
    if (signal->si_code != SI_KERNEL || signal->si_signo == SIGHUP || signal->si_signo == SIGTERM)
        kill(session->child, signal->si_signo);
}

static bool is_over(const struct session *session)
{
    const struct record_options *options = &session->options;
    return (options->until_ready && session->trace->ready) ||
           (options->until_ns && trace_now(session->trace) >= options->until_ns);
}

/* Watches the program until it ends; returns its wait status. */
static int watch(struct session *session, const sigset_t *signals)
{
    struct sampler *sampler = sampler_new(session->trace, session->trace_mapping,
                                          session->from_outside ? 0 : session->child);
    for (;;) {
        uint64_t before = trace_now(session->trace);
        if (!session->written) {
            sampler_look(sampler);
            outside_serve(session->trace, session->trace_mapping);
        }
        if (!session->written && is_over(session))
            write_profile(session);
        uint64_t cost = trace_now(session->trace) - before;
        uint64_t pause = cost < EPOCH_US * 250u ? EPOCH_US * 1000u - cost : 3 * cost;
        struct timespec timeout = {(time_t)(pause / 1000000000), (long)(pause % 1000000000)};
        siginfo_t signal;
        int number = sigtimedwait(signals, &signal, session->written ? NULL : &timeout);
        int status = 0;
        pid_t ended = 0;
        while (number == SIGCHLD && ended != session->child &&
               (ended = waitpid(-1, &status, WNOHANG)) > 0) {
        } /* watchers end too */
        if (ended == session->child) {
            if (!session->written)
                sampler_look(sampler); /* children that outlive it */
            sampler_free(sampler);
            return status;
        }
        if (number > 0 && number != SIGCHLD)
            forward(session, &signal);
    }
}

int command_record(int argc, char **argv)
{
    struct session session = {0};
    parse_options(argc, argv, &session.options);
    session.program = find_program(session.options.command[0]);
    session.from_outside =
        image_makes_own_calls(session.program.executable) || session.program.has_nameless_object;
    if (session.program.obstacle && !session.from_outside)
        fail(EXIT_CANNOT_EXECUTE, "%s, and it cannot be watched from outside either",
             session.program.obstacle);
    if (session.options.output)
        output_check(session.options.output);
    if (session.program.has_nameless_object)
        warn("%s; until then programs are watched from outside", session.program.obstacle);
    session.object = find_component(OBJECT);
    if (session.options.stacks)
        session.walker = find_walker();

    sigset_t signals, mask;
    sigemptyset(&signals);
    static const int watched[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++)
        sigaddset(&signals, watched[i]);
    sigprocmask(SIG_BLOCK, &signals, &mask);
    session.on_child = signal(SIGCHLD, SIG_DFL); /* ignored, we would never hear of its end */
    create_trace(&session);
    if (session.walker)
        snprintf(session.trace->stacks, TRACE_PATH, "%s", session.walker[0]);
    session.trace->until_ready = session.options.until_ready;
    session.trace->until_exit = !session.options.until_ready && !session.options.until_ns;
    session.trace->readahead_is_off = readahead_off();
    start(&session, &mask);

    int status = watch(&session, &signals);
    write_profile(&session);
    free(session.program.path);
    free(session.program.executable);
    free(session.program.obstacle);
    free(session.object);
    for (char **path = session.walker; path && *path; path++)
        free(*path);
    free(session.walker);
    free(session.options.maps);
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return session.failed && code == 0 ? EXIT_FAILED : code;
}
