/*
 * launcher.c: makes the starts that the suite measures, and takes their time.
 *
 * It stands alone (static, nothing of it is anybody else's) and the suite becomes it and is gone
 * while it measures: a process that lives maps its files, and mapped pages stay in memory when the
 * caches are dropped; a Python that waits would keep half of the measured Python warm. At the end
 * this program becomes the suite again.
 *
 * Usage: launcher PLAN. The plan is a text file, one item a line, by tests/bench/suite:
 *
 *   results FILE      for each start a line "PROGRAM VARIANT MILLISECONDS" or "... failed STATUS"
 * is appended, and once "PROGRAM VARIANT in-memory BYTES": what cannot be dropped rounds N every
 * round makes every start once, ... seconds N         ... but no program is begun after so long
 *   readahead KIB     the disk's read_ahead_kb meanwhile; put back at the end
 *   store FOLDER      start everything in this slowfs mount as root folder
 *   copies FOLDER     ... or with files of its own for each
 *   copied PATH       ... that is FOLDER/PATH then: nobody else keeps that in memory
 *   cpus N            ... on so many CPUs
 *   memory BYTES      ... in a memory control group with this limit
 *   then WORD         what to become at the end; one line a word, as with all commands
 *   program NAME      the programs, each with
 *     repeat N          starts of each variant in a round
 *     keep FILE         files that are in memory before a warm start
 *     variant NAME cold|warm|floor|constructor|warm-constructor
 *       env NAME=VALUE    its environment, the whole of it
 *       before WORD       a command to wait for before the start; its time counts
 *       readahead-all F   files to read ahead, whole, beside the start
 *       range FIRST BYTES FILE   for the floor: what to read, in order
 *       command WORD      what is started
 */
#include "slowfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* stamp.c writes here when its constructor runs. */
#define STAMP_FD 100
/* The most that one readahead() call reads with the default window. */
#define CHUNK_BYTES (128u << 10)
#define PAGE_BYTES  4096u
/* For the floor: enough to keep the device's queue full, in shares that keep all of them busy. */
#define FLOOR_THREADS 8
#define FLOOR_SHARE   64

struct words {
    char **at; /* NULL at the end */
    size_t count;
};

struct range {
    const char *path;
    uint64_t first, bytes;
};

/* FLOOR reads the ranges instead of starting anything; the last two give the time at which
 * stamp.c's constructor ran, cold and warm. */
enum kind { COLD, FLOOR, CONSTRUCTOR, WARM, WARM_CONSTRUCTOR, KIND_COUNT };

struct variant {
    char *name;
    enum kind kind;
    struct words environment, before, whole_files, command;
    struct range *ranges;
    size_t range_count;
};

struct program {
    char *name;
    unsigned repeat;
    struct words keep;
    struct variant *variants;
    size_t variant_count;
};

static struct {
    const char *results, *store, *copies;
    unsigned rounds, seconds, cpus;
    uint64_t memory_bytes;
    const char *read_ahead_kb;
    struct words then, copied;
    struct program *programs;
    size_t program_count;
} plan = {.rounds = 1, .seconds = UINT32_MAX};

static int drop_fd, store_fd = -1, results_fd, stamp_fd, null_fd;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *grow(void *array, size_t count, size_t size)
{
    void *more = reallocarray(array, count, size);
    if (!more)
        die("memory");
    return more;
}

static char *copy(const char *text)
{
    char *result = strdup(text);
    if (!result)
        die("memory");
    return result;
}

static void add_word(struct words *words, const char *word)
{
    words->at = grow(words->at, words->count + 2, sizeof *words->at);
    words->at[words->count++] = copy(word);
    words->at[words->count] = NULL;
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0)
        die(path);
    return fd;
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* A small file's text, without the line's end; empty if there is none. */
static const char *read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = 0;
    return text;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- The plan --- */

static enum kind kind_of(const char *word)
{
    static const char *const names[KIND_COUNT] = {[COLD] = "cold",
                                                  [FLOOR] = "floor",
                                                  [CONSTRUCTOR] = "constructor",
                                                  [WARM] = "warm",
                                                  [WARM_CONSTRUCTOR] = "warm-constructor"};
    for (enum kind kind = COLD; kind < KIND_COUNT; kind++)
        if (strcmp(word, names[kind]) == 0)
            return kind;
    errno = EINVAL;
    die(word);
}

static void add_program(const char *name)
{
    plan.programs = grow(plan.programs, plan.program_count + 1, sizeof *plan.programs);
    plan.programs[plan.program_count++] = (struct program){.name = copy(name), .repeat = 1};
}

static void add_variant(struct program *program, char *value)
{
    char *kind = strrchr(value, ' ');
    if (!kind) {
        errno = EINVAL;
        die(value);
    }
    *kind++ = 0;
    program->variants =
        grow(program->variants, program->variant_count + 1, sizeof *program->variants);
    program->variants[program->variant_count++] =
        (struct variant){.name = copy(value), .kind = kind_of(kind)};
}

static void add_range(struct variant *variant, char *value)
{
    struct range range;
    char *end;
    range.first = strtoull(value, &end, 10);
    range.bytes = strtoull(end, &end, 10);
    end += *end == ' ';
    struct range *last = variant->range_count ? &variant->ranges[variant->range_count - 1] : NULL;
    range.path = last && strcmp(last->path, end) == 0 ? last->path : copy(end);
    variant->ranges = grow(variant->ranges, variant->range_count + 1, sizeof *variant->ranges);
    variant->ranges[variant->range_count++] = range;
}

/* The words of the last variant or, before there is one, of the plan or its program. */
static bool add_list_item(const char *key, const char *value, struct program *program,
                          struct variant *variant)
{
    struct words *words = strcmp(key, "copied") == 0                     ? &plan.copied
                          : strcmp(key, "then") == 0                     ? &plan.then
                          : program && strcmp(key, "keep") == 0          ? &program->keep
                          : variant && strcmp(key, "env") == 0           ? &variant->environment
                          : variant && strcmp(key, "before") == 0        ? &variant->before
                          : variant && strcmp(key, "readahead-all") == 0 ? &variant->whole_files
                          : variant && strcmp(key, "command") == 0       ? &variant->command
                                                                         : NULL;
    if (words)
        add_word(words, value);
    return words;
}

static void read_item(const char *key, char *value)
{
    struct program *program = plan.program_count ? &plan.programs[plan.program_count - 1] : NULL;
    struct variant *variant =
        program && program->variant_count ? &program->variants[program->variant_count - 1] : NULL;
    uint64_t number = strtoull(value, NULL, 10);
    if (add_list_item(key, value, program, variant))
        return;
    if (strcmp(key, "results") == 0) {
        plan.results = copy(value);
    } else if (strcmp(key, "store") == 0) {
        plan.store = copy(value);
    } else if (strcmp(key, "copies") == 0) {
        plan.copies = copy(value);
    } else if (strcmp(key, "rounds") == 0) {
        plan.rounds = (unsigned)number;
    } else if (strcmp(key, "seconds") == 0) {
        plan.seconds = (unsigned)number;
    } else if (strcmp(key, "readahead") == 0) {
        plan.read_ahead_kb = copy(value);
    } else if (strcmp(key, "cpus") == 0) {
        plan.cpus = (unsigned)number;
    } else if (strcmp(key, "memory") == 0) {
        plan.memory_bytes = number;
    } else if (strcmp(key, "program") == 0) {
        add_program(value);
    } else if (program && strcmp(key, "repeat") == 0) {
        program->repeat = (unsigned)number;
    } else if (program && strcmp(key, "variant") == 0) {
        add_variant(program, value);
    } else if (variant && strcmp(key, "range") == 0) {
        add_range(variant, value);
    } else {
        errno = EINVAL;
        die(key);
    }
}

static void read_plan(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        die(path);
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, file)) > 0;) {
        line[length - (line[length - 1] == '\n')] = 0;
        char *value = strchr(line, ' ');
        if (value)
            *value++ = 0;
        read_item(line, value ? value : line + strlen(line));
    }
    free(line);
    fclose(file);
}

/* --- The floor: the recorded working set, read as fast as the device and the file system allow ---
 */

struct reading {
    const struct variant *variant;
    int *fds; /* [range], of the first in each share; the others -1 */
    size_t next_open, next_wait;
    pthread_barrier_t all_asked;
};

/* Claims some ranges of one file. */
static bool claim(const struct variant *variant, size_t *next, size_t *begin, size_t *end)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    *begin = *end = *next;
    while (*end < variant->range_count && *end < *begin + FLOOR_SHARE &&
           variant->ranges[*end].path == variant->ranges[*begin].path)
        ++*end;
    *next = *end;
    pthread_mutex_unlock(&lock);
    return *begin < *end;
}

static void *read_ranges(void *argument)
{
    struct reading *reading = argument;
    const struct variant *variant = reading->variant;
    size_t begin, end;
    while (claim(variant, &reading->next_open, &begin, &end)) {
        int fd = open(variant->ranges[begin].path, O_RDONLY | O_CLOEXEC);
        for (size_t i = begin; i < end && fd >= 0; i++) {
            const struct range *range = &variant->ranges[i];
            for (uint64_t done = 0; done < range->bytes; done += CHUNK_BYTES)
                readahead(fd, (off_t)(range->first + done),
                          range->bytes - done < CHUNK_BYTES ? range->bytes - done : CHUNK_BYTES);
        }
        reading->fds[begin] = fd;
    }
    pthread_barrier_wait(&reading->all_asked);
    while (claim(variant, &reading->next_wait, &begin, &end)) {
        for (size_t i = begin; i < end; i++) {
            const struct range *range = &variant->ranges[i];
            char byte;
            for (uint64_t done = 0; done < range->bytes; done += CHUNK_BYTES) {
                uint64_t piece =
                    range->bytes - done < CHUNK_BYTES ? range->bytes - done : CHUNK_BYTES;
                if (pread(reading->fds[begin], &byte, 1, (off_t)(range->first + done + piece - 1)) <
                    0)
                    break;
            }
        }
    }
    return NULL;
}

static uint64_t read_floor(const struct variant *variant)
{
    struct reading reading = {.variant = variant};
    reading.fds = grow(NULL, variant->range_count + 1, sizeof *reading.fds);
    for (size_t i = 0; i < variant->range_count; i++)
        reading.fds[i] = -1;
    pthread_barrier_init(&reading.all_asked, NULL, FLOOR_THREADS);
    pthread_t threads[FLOOR_THREADS];
    uint64_t begin = now_ns();
    for (size_t i = 0; i < FLOOR_THREADS; i++)
        if (pthread_create(&threads[i], NULL, read_ranges, &reading) != 0)
            die("pthread_create");
    for (size_t i = 0; i < FLOOR_THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t ns = now_ns() - begin;
    for (size_t i = 0; i < variant->range_count; i++)
        if (reading.fds[i] >= 0)
            close(reading.fds[i]);
    pthread_barrier_destroy(&reading.all_asked);
    free(reading.fds);
    return ns;
}

/* --- One start --- */

static void drop_caches(void)
{
    sync();
    if (store_fd >= 0 && ioctl(store_fd, SLOWFS_FORGET) != 0)
        die("slowfs: forget");
    if (pwrite(drop_fd, "3", 1, 0) != 1)
        die("/proc/sys/vm/drop_caches");
}

/* How many bytes of the ranges are in memory, all the same: other processes map those files. */
static uint64_t resident_bytes(const struct variant *variant)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < variant->range_count; i++) {
        const struct range *range = &variant->ranges[i];
        uint64_t first = range->first & ~(uint64_t)(PAGE_BYTES - 1);
        size_t length = (size_t)(range->first + range->bytes - first);
        size_t pages = (length + PAGE_BYTES - 1) / PAGE_BYTES;
        int fd = open(range->path, O_RDONLY | O_CLOEXEC);
        void *at =
            fd < 0 ? MAP_FAILED : mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)first);
        unsigned char *in_memory = grow(NULL, pages + 1, 1);
        if (at != MAP_FAILED && mincore(at, length, in_memory) == 0)
            for (size_t page = 0; page < pages; page++)
                bytes += in_memory[page] & 1 ? PAGE_BYTES : 0;
        free(in_memory);
        if (at != MAP_FAILED)
            munmap(at, length);
        if (fd >= 0)
            close(fd);
    }
    return bytes;
}

static void keep_in_memory(const struct words *files)
{
    char buffer[1 << 16];
    for (size_t i = 0; i < files->count && files->at[i]; i++) {
        int fd = open_or_die(files->at[i], O_RDONLY);
        while (read(fd, buffer, sizeof buffer) > 0) {
        }
        close(fd);
    }
}

/* Exit status as the shell gives it. */
static int start(const struct words *command, const struct words *environment)
{
    if (!command->at)
        return 127;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_adddup2(&actions, null_fd, fd);
    posix_spawn_file_actions_adddup2(&actions, stamp_fd, STAMP_FD);
    pid_t child;
    int status = 0;
    int error = posix_spawn(&child, command->at[0], &actions, NULL, command->at, environment->at);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        errno = error;
        die(command->at[0]);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void *read_whole_files(void *argument)
{
    const struct words *files = argument;
    for (size_t i = 0; i < files->count; i++) {
        int fd = open(files->at[i], O_RDONLY | O_CLOEXEC);
        struct stat status;
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0)
            for (off_t at = 0; at < status.st_size; at += CHUNK_BYTES)
                readahead(fd, at, CHUNK_BYTES);
        close(fd);
    }
    return NULL;
}

/* Nanoseconds, or 0 with the exit status if something failed. */
static uint64_t measure(struct variant *variant, int *status)
{
    *status = 0;
    if (variant->kind == FLOOR)
        return read_floor(variant);
    if (ftruncate(stamp_fd, 0) != 0 || lseek(stamp_fd, 0, SEEK_SET) != 0)
        die("memfd");
    pthread_t reader;
    uint64_t begin = now_ns();
    if (variant->before.count)
        *status = start(&variant->before, &variant->environment);
    if (variant->whole_files.count &&
        pthread_create(&reader, NULL, read_whole_files, &variant->whole_files) != 0)
        die("pthread_create");
    if (!*status)
        *status = start(&variant->command, &variant->environment);
    uint64_t ns = now_ns() - begin;
    if (variant->whole_files.count)
        pthread_join(reader, NULL);
    if (variant->kind == CONSTRUCTOR || variant->kind == WARM_CONSTRUCTOR) {
        uint64_t stamp;
        if (pread(stamp_fd, &stamp, sizeof stamp, 0) != sizeof stamp)
            return 0;
        return stamp - begin;
    }
    return *status ? 0 : ns;
}

static void measure_into_results(const struct program *program, struct variant *variant)
{
    if (variant->kind < WARM)
        drop_caches();
    int status;
    uint64_t ns = measure(variant, &status);
    if (!ns)
        dprintf(results_fd, "%s %s failed %d\n", program->name, variant->name, status);
    else
        dprintf(results_fd, "%s %s %" PRIu64 ".%03" PRIu64 "\n", program->name, variant->name,
                ns / 1000000, ns / 1000 % 1000);
}

/* The cold starts change places from round to round, and so do the warm ones, which come last. */
static void measure_program(struct program *program, unsigned round)
{
    size_t cold = 0;
    while (cold < program->variant_count && program->variants[cold].kind < WARM)
        cold++;
    size_t warm = program->variant_count - cold;
    for (unsigned repeat = 0; repeat < program->repeat; repeat++) {
        unsigned turn = round + repeat;
        for (size_t i = 0; i < cold; i++)
            measure_into_results(program, &program->variants[(i + turn) % cold]);
        keep_in_memory(&program->keep);
        if (warm) /* the first one would still find a name or two that only others looked up */
            start(&program->variants[cold].command, &program->variants[cold].environment);
        for (size_t i = 0; i < warm; i++)
            measure_into_results(program, &program->variants[cold + (i + turn) % warm]);
    }
}

static void show_progress(unsigned round, size_t program)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################";
    if (!isatty(STDERR_FILENO))
        return;
    size_t total = plan.rounds * plan.program_count, done = round * plan.program_count + program;
    int filled = (int)(done * WIDTH / (total + !total));
    const char *name = done < total ? plan.programs[program].name : "";
    fprintf(stderr, "\r[%.*s%*s] round %u/%u %-12s%s", filled, full, WIDTH - filled, "",
            done < total ? round + 1 : round, plan.rounds, name, done < total ? "" : "\r\033[K");
}

static void measure_all(void)
{
    uint64_t end = now_ns() + (uint64_t)plan.seconds * 1000000000;
    /* What a first start writes, and the files that only the warm starts need. */
    for (size_t i = 0; i < plan.program_count; i++) {
        struct program *program = &plan.programs[i];
        if (!program->variant_count)
            continue;
        struct variant *last = &program->variants[program->variant_count - 1];
        int status = start(&last->command, &last->environment);
        if (status)
            fprintf(stderr, "launcher: %s: exit status %d\n", program->name, status);
    }
    drop_caches();
    for (size_t i = 0; i < plan.program_count; i++)
        for (size_t v = 0; v < plan.programs[i].variant_count; v++)
            if (plan.programs[i].variants[v].kind == FLOOR)
                dprintf(results_fd, "%s %s in-memory %" PRIu64 "\n", plan.programs[i].name,
                        plan.programs[i].variants[v].name,
                        resident_bytes(&plan.programs[i].variants[v]));
    for (unsigned round = 0; round < plan.rounds; round++) {
        for (size_t i = 0; i < plan.program_count; i++) {
            if (now_ns() > end)
                return;
            show_progress(round, i);
            measure_program(&plan.programs[i], round);
        }
    }
    show_progress(plan.rounds, 0);
}

/* --- The surroundings --- */

/* The memory control group: version 1 where there is a hierarchy for memory, otherwise version 2.
 */
static struct {
    char folder[128];
    bool version_1;
} group;

static char *in_group(const char *file)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", group.folder, file);
    return path;
}

static void make_group(void)
{
    group.version_1 = access("/sys/fs/cgroup/memory/memory.limit_in_bytes", F_OK) == 0;
    if (!group.version_1)
        write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
    snprintf(group.folder, sizeof group.folder, "/sys/fs/cgroup/%scoldboost-suite-%d",
             group.version_1 ? "memory/" : "", (int)getpid());
    char limit[32];
    snprintf(limit, sizeof limit, "%" PRIu64, plan.memory_bytes);
    if (mkdir(group.folder, 0755) != 0 ||
        !write_text(in_group(group.version_1 ? "memory.limit_in_bytes" : "memory.max"), limit))
        die(group.folder);
}

/* How many processes the kernel killed for want of memory there, and the most that was in use. */
static void end_group(void)
{
    char text[4096];
    read_text(in_group(group.version_1 ? "memory.oom_control" : "memory.events"), text,
              sizeof text);
    const char *kills = strstr(text, "oom_kill ");
    dprintf(results_fd, "# oom_kills %ld\n", kills ? strtol(kills + 9, NULL, 10) : -1L);
    read_text(in_group(group.version_1 ? "memory.max_usage_in_bytes" : "memory.peak"), text,
              sizeof text);
    dprintf(results_fd, "# peak_bytes %s", text);
    rmdir(group.folder);
}

static void use_cpus(unsigned count)
{
    cpu_set_t all, some;
    CPU_ZERO(&some);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        die("sched_getaffinity");
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < (int)count; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &some);
    if (sched_setaffinity(0, sizeof some, &some) != 0)
        die("sched_setaffinity");
}

/* Mounts vanish with us. */
static void leave_mount_namespace(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        die("unshare");
}

static void use_copies(void)
{
    leave_mount_namespace();
    for (size_t i = 0; i < plan.copied.count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", plan.copies, plan.copied.at[i]);
        if (mount(path, plan.copied.at[i], NULL, MS_BIND, NULL) != 0)
            die(path);
    }
}

static void enter_store(void)
{
    static const char *const mounts[] = {"/proc", "/sys", "/dev"};
    leave_mount_namespace();
    store_fd = open_or_die(plan.store, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", plan.store, mounts[i]);
        if (mount(mounts[i], path, NULL, MS_BIND | MS_REC, NULL) != 0)
            die(path);
    }
    if (chroot(plan.store) != 0 || chdir("/") != 0)
        die(plan.store);
}

static void work(void)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    drop_fd = open_or_die("/proc/sys/vm/drop_caches", O_WRONLY);
    null_fd = open_or_die("/dev/null", O_RDWR);
    stamp_fd = memfd_create("stamp", MFD_CLOEXEC);
    if (stamp_fd < 0)
        die("memfd_create");
    char id[16];
    snprintf(id, sizeof id, "%d", (int)getpid());
    if (plan.memory_bytes && !write_text(in_group("cgroup.procs"), id))
        die(group.folder);
    if (plan.cpus)
        use_cpus(plan.cpus);
    if (plan.store)
        enter_store();
    else if (plan.copies)
        use_copies();
    measure_all();
}

static volatile sig_atomic_t worker;

static void stop_worker(int signal)
{
    if (worker > 0)
        kill(worker, signal);
}

/* Of the device that holds the root folder. */
static void set_read_ahead(const char *kib, char *before, size_t size)
{
    struct stat root;
    char path[96];
    if (stat("/", &root) != 0)
        die("/");
    snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", major(root.st_dev),
             minor(root.st_dev));
    if (before)
        read_text(path, before, size);
    if (!write_text(path, kib))
        die(path);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: launcher PLAN (tests/bench/suite writes it)\n", stderr);
        return 2;
    }
    read_plan(argv[1]);
    if (!plan.results || !plan.read_ahead_kb) {
        fprintf(stderr, "launcher: %s names no results file or no readahead\n", argv[1]);
        return 2;
    }
    results_fd = open_or_die(plan.results, O_WRONLY | O_CREAT | O_APPEND);
    char before[32];
    if (plan.memory_bytes)
        make_group();
    struct sigaction stop = {.sa_handler = stop_worker};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    set_read_ahead(plan.read_ahead_kb, before, sizeof before);
    worker = fork();
    if (worker == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        work();
        exit(0);
    }
    int status = 0;
    while (worker > 0 && waitpid(worker, &status, 0) < 0 && errno == EINTR) {
    }
    set_read_ahead(before, NULL, 0);
    if (plan.memory_bytes)
        end_group();
    dprintf(results_fd, "# status %d\n", worker < 0 ? -1 : status);
    if (!plan.then.count)
        return status != 0;
    execv(plan.then.at[0], plan.then.at); /* whatever happened: it has a mount to take away */
    die(plan.then.at[0]);
}
