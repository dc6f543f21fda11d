/*
 * fuzz_environment.c: an environment block from anybody: options, CPU mask, handover, role, the
 * line for CloudWatch that names come into, what coldboost run makes of it all, and the program
 * that it looks at.
 *
 * Input: the variables, each ended by a zero. The parent's environment and every file are the same.
 */
#include "fuzz.h"

#include "base/line.h"
#include "base/sys.h"
#include "primitives/cpu.h"
#include "start/admission.h"
#include "start/become.h"
#include "start/request.h"

#include <poll.h>

static const uint8_t *parent_block;
static size_t parent_bytes;
static char printed[8192];
static size_t printed_length;

static int pretended_open(const char *path, int flags)
{
    (void)flags;
    return hash_text(path) % 4 ? 3 : -ENOENT;
}

static long pretended_pread(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    MUST(fd == 3);
    size_t left = offset < parent_bytes ? parent_bytes - (size_t)offset : 0;
    size_t n = left < bytes ? left : bytes;
    if (n)
        memcpy(buffer, parent_block + offset, n);
    return (long)n;
}

static long pretended_readlink(const char *path, char *buffer, size_t bytes)
{
    MUST(path[0] == '/' && bytes > 9);
    memcpy(buffer, "/bin/bash", 9);
    return hash_text(path) % 4 ? 9 : -ENOENT;
}

static int pretended_stat(int fd, const char *path, struct sys_status *out)
{
    (void)fd;
    memset(out, 0, sizeof *out);
    out->mode = S_IFREG | (hash_text(path) % 2 ? S_IWOTH : 0);
    return hash_text(path) % 4 ? 0 : -ENOENT;
}

static long pretended_write(int fd, const void *bytes, size_t size)
{
    if (fd == 2) {
        MUST(size < sizeof printed);
        memcpy(printed, bytes, size);
        printed_length = size;
    }
    return (long)size;
}

static long pretended_getcwd(char *buffer, size_t bytes)
{
    MUST(bytes > 7);
    memcpy(buffer, "/folder", 8);
    return 8;
}

static long pretended_poll(struct pollfd *descriptor, const struct timespec *timeout)
{
    MUST(timeout);
    descriptor->revents = POLLOUT;
    return 1;
}

static long pretended_capabilities(void *out, size_t bytes)
{
    MUST(bytes >= 20);
    memset(out, 0xff, 20);
    return 20;
}

static int pretended_status(struct stat *out)
{
    memset(out, 0, sizeof *out);
    out->st_mode = S_IFREG;
    return 0;
}

static void *mapped;

static void *pretended_map(size_t bytes, int sharing)
{
    (void)sharing;
    return mapped = calloc(1, bytes);
}

#define sys_open                              pretended_open
#define sys_pread                             pretended_pread
#define sys_readlink                          pretended_readlink
#define sys_stat                              pretended_stat
#define sys_write                             pretended_write
#define sys_map                               pretended_map
#define sys_fstat(fd, out)                    pretended_status(out)
#define sys_fstatat(folder, path, out)        (hash_text(path) % 2 ? pretended_status(out) : -ENOENT)
#define sys_close(fd)                         MUST((fd) == 3)
#define sys_create(path, flags, mode)         (MUST_BE_ABSOLUTE(path), 3)
#define MUST_BE_ABSOLUTE(path)                ((void)((path)[0] == '/' ? 0 : (abort(), 0)))
#define sys_may_execute(path)                 (hash_text(path) % 8 == 0)
#define sys_getppid()                         4711
#define sys_getcwd                            pretended_getcwd
#define sys_poll                              pretended_poll
#define sys_getuid()                          0
#define sys_getgid()                          0
#define sys_read_capabilities(fd, out, bytes) ((void)(fd), pretended_capabilities(out, bytes))
#include "base/executable.c"
#include "base/search_path.c"
#include "start/become.c"
#include "start/environment.c"
#include "start/lambda.c"
#include "start/options.c"
#include "start/program.c"
#include "start/request.c"
#include "start/telemetry.c"

/* As the kernel lays it out, with nothing behind it. */
static char **make_block(const uint8_t *data, size_t size, char **text)
{
    size_t count = 0, at = 0;
    *text = malloc(size + 1);
    MUST(*text);
    if (size)
        memcpy(*text, data, size);
    (*text)[size] = '\0';
    for (size_t i = 0; i < size; i++)
        count += data[i] == '\0';
    char **envp = malloc((count + 2) * sizeof *envp);
    MUST(envp);
    size_t n = 0;
    for (; at < size; at += strlen(*text + at) + 1)
        envp[n++] = *text + at;
    envp[n] = NULL;
    return envp;
}

static void check_options(const struct options *options)
{
    MUST(options->enabled <= SWITCH_FORCE && options->mode <= OPTIONS_MODE_AUTO);
    MUST(options->crc32 <= 1);
    MUST(options->verbose <= 1 && options->workers <= 16 && options->holdout <= 100);
}

/* What only tests and coldboost itself set. */
static void read_internal(char *const *envp)
{
    uint32_t set;
    struct handover handover;
    const char *cpu = environment_get(envp, "COLDBOOST_CPU");
    if (cpu)
        cpu_parse(cpu, &set);
    const char *text = environment_get(envp, HANDOVER_VARIABLE);
    if (handover_parse(text, &handover))
        MUST((long)strtoull(text, NULL, 10) == sys_getpid());
}

/* One line of JSON, whatever the function is called. */
static void check_line(void)
{
    bool quoted = false;
    int depth = 0;
    MUST(printed[0] == '{' && printed[printed_length - 1] == '\n');
    for (size_t i = 0; i + 1 < printed_length; i++) {
        MUST((unsigned char)printed[i] >= 0x20 && printed[i] != 0x7f);
        size_t length = text_utf8_length(printed + i); /* the line's end stands behind it */
        MUST(length == 1 || (length && quoted));
        i += length - 1;
        if (quoted && printed[i] == '\\')
            i++;
        else if (printed[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (printed[i] == '{') - (printed[i] == '}');
        MUST(quoted || depth > 0 || i + 2 == printed_length);
    }
    MUST(!quoted && depth == 0);
}

static void write_telemetry(char *const *envp, const struct options *options, enum role role)
{
    static struct request request;
    request.envp = envp;
    request.options = *options;
    request.executable = envp[0] ? envp[0] : "";
    request.role = role;
    request.init_type = lambda_init_type(envp);
    request.started_ns = 1;
    memset(&telemetry, 0, sizeof telemetry);
    telemetry_begin(&request);
    telemetry_include(1, ARM_BOOSTED, COLDBOOST_START_COLD, METHOD_THREAD);
    printed_length = 0;
    telemetry_write_start(&(struct telemetry_replay){.method = METHOD_THREAD});
    telemetry_write_end();
    if (printed_length)
        check_line();
}

static void extend(char *const *envp, const struct options *options)
{
    const char *profile = options->profile ? options->profile : "";
    const char *id = environment_get(envp, HANDOVER_VARIABLE);
    id = id ? id : "";
    char *const *extended = become_environment(
        envp, &(struct become_variables){
                  .profile = profile, .object = "/opt/lib/libcoldboost.so", .id = id});
    const char *preload = environment_get(extended, "LD_PRELOAD");
    MUST(preload && strncmp(preload, "/opt/lib/libcoldboost.so", 24) == 0);
    const char *others = environment_get(envp, "LD_PRELOAD");
    MUST(others && *others ? strcmp(preload + 25, others) == 0 : strlen(preload) == 24);
    if (*profile)
        MUST(strcmp(environment_get(extended, "COLDBOOST_PROFILE"), profile) == 0);
    free(mapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    char **envp = make_block(data, size, &text);
    parent_block = data;
    parent_bytes = size;
    struct options options;
    options_read(envp, &options);
    check_options(&options);
    read_internal(envp);
    enum role role = lambda_role(envp, options.profile);
    MUST(role < ROLE_COUNT && lambda_init_type(envp) < INIT_COUNT);
    MUST(lambda_policy(role, lambda_init_type(envp)) <= POLICY_ONCE);
    MUST(lambda_memory_bytes(envp) <= (UINT64_C(1) << 34) << 20);
    char *path = malloc(REQUEST_PATH_BYTES);
    MUST(path);
    find_profile_path(NULL, &options, envp, path);
    free(path);
    prefetch_block(envp);
    write_telemetry(envp, &options, role);
    extend(envp, &options);
    static struct program program;
    program_search(options.record ? options.record : "python3", envp, &program);
    program_probe(&program);
    MUST(program.interpreter_count <= EXECUTABLE_MAX_INTERPRETERS + 1);
    MUST(strlen(program.path) < PROGRAM_PATH_BYTES && strlen(program.loader) < PROGRAM_PATH_BYTES);
    MUST(strlen(program.executable) < PROGRAM_PATH_BYTES);
    free(envp);
    free(text);
    return 0;
}
