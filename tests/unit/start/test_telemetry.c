#include "start/telemetry.h"

#include "replay/budget.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/coldboost-telemetry-XXXXXX";
static char path[100];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/records", folder);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(telemetry, .init = make_folder, .fini = remove_folder);

static void begin(const char *target)
{
    char *const envp[] = {(char[]){"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512"}, NULL};
    telemetry_begin(&(struct request){
        .envp = envp,
        .options = {.telemetry = target, .holdout = 7},
        .executable = "/usr/bin/a-program-with-a-long-name",
        .role = ROLE_SHELL,
        .init_type = INIT_SNAP_START,
        .granted_bytes = UINT64_C(512) << 20,
    });
}

static const struct telemetry_replay some = {
    .bytes_asked = UINT64_C(0x123456789a),
    .bytes_resident = 4096,
    .ranges = 11,
    .ranges_total = 12,
    .stale_files = 13,
    .start = COLDBOOST_START_COLD,
    .plan = PLAN_PROFILE,
    .method = METHOD_THREAD,
    .state = STATE_BUDGET,
    .budget_hits = BUDGET_TIME,
    .workers = 3,
};

static size_t read_records(uint8_t *bytes, size_t capacity)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, capacity);
    if (fd >= 0)
        close(fd);
    return n < 0 ? 0 : (size_t)n;
}

/* A start and an end, as they are on disk. */
static void write_two(uint8_t *bytes)
{
    begin(path);
    telemetry_include(0xfeedf00d, ARM_HOLDOUT, COLDBOOST_START_COLD, METHOD_THREAD);
    telemetry_write_start(&some);
    telemetry_write_end();
    cr_assert_eq(read_records(bytes, 1000), 2 * sizeof(struct telemetry_record));
}

Test(telemetry, reads_what_it_has_written)
{
    uint8_t bytes[1000];
    struct telemetry_record start, end;
    write_two(bytes);
    cr_assert_eq(telemetry_parse(bytes, sizeof start, &start), sizeof start);
    cr_assert_eq(telemetry_parse(bytes + sizeof start, sizeof end, &end), sizeof end);
    cr_assert_eq(start.event, EVENT_START);
    cr_assert_eq(start.bytes_asked, some.bytes_asked);
    cr_assert_eq(start.bytes_resident, 4096);
    cr_assert_eq(start.ranges, 11);
    cr_assert_eq(start.ranges_total, 12);
    cr_assert_eq(start.stale_files, 13);
    cr_assert_eq(start.start, COLDBOOST_START_COLD);
    cr_assert_eq(start.plan, PLAN_PROFILE);
    cr_assert_eq(start.method, METHOD_THREAD);
    cr_assert_eq(start.state, STATE_BUDGET);
    cr_assert_eq(start.budget_hits, BUDGET_TIME);
    cr_assert_eq(start.workers, 3);
    cr_assert_eq(start.profile_id, 0xfeedf00d);
    cr_assert_eq(start.process_id, (uint32_t)getpid());
    cr_assert_eq(start.memory_mib, 512);
    cr_assert_eq(start.role, ROLE_SHELL);
    cr_assert_eq(start.init_type, INIT_SNAP_START);
    cr_assert_eq(start.arm, ARM_HOLDOUT);
    cr_assert_eq(start.holdout, 7);
    cr_assert_neq(start.major_faults, TELEMETRY_UNKNOWN);
    cr_assert_str_eq(start.program, "a-program-with-a-lon");
    cr_assert_eq(end.event, EVENT_END);
    cr_assert_eq(end.arm, ARM_HOLDOUT);
    cr_assert_eq(end.start, COLDBOOST_START_COLD);
    cr_assert_eq(end.method, METHOD_THREAD);
    cr_assert_geq(end.elapsed_ns, start.elapsed_ns);
    cr_assert_lt(end.elapsed_ns, 60000000000u);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t age_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - start.time_ns;
    cr_assert_lt(age_ns, 60000000000u);
}

/* Against the layout as the comments say it, byte by byte. */
Test(telemetry, layout_is_fixed)
{
    uint8_t bytes[1000];
    write_two(bytes);
    static const uint8_t head[] = {0xcb, 'T', 'R', 0, 1, 0, 104, 0};
    static const uint8_t asked[] = {0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0};
    static const uint8_t profile[] = {0x0d, 0xf0, 0xed, 0xfe};
    cr_assert_eq(memcmp(bytes, head, sizeof head), 0);
    cr_assert_eq(memcmp(bytes + 24, asked, sizeof asked), 0);
    cr_assert_eq(memcmp(bytes + 40, profile, sizeof profile), 0);
    static const uint8_t small[] = {1, 1, 3, 3, 1, 1, 3, 2, 2, 3, 7};
    cr_assert_eq(memcmp(bytes + 68, small, sizeof small), 0);
}

Test(telemetry, refuses_every_flipped_bit)
{
    uint8_t bytes[1000];
    struct telemetry_record out;
    write_two(bytes);
    for (size_t bit = 0; bit < 8 * sizeof out; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int result = telemetry_parse(bytes, 2 * sizeof out, &out);
        cr_assert(result == -EBADMSG || result == -ENOEXEC || result == -EMSGSIZE, "bit %zu: %d",
                  bit, result);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_gt(telemetry_parse(bytes, 2 * sizeof out, &out), 0);
}

Test(telemetry, refuses_every_truncation)
{
    uint8_t bytes[1000];
    struct telemetry_record out;
    write_two(bytes);
    for (size_t size = 0; size < sizeof out; size++) {
        uint8_t *exact = malloc(size + 1); /* for the sanitizer to see a read too far */
        memcpy(exact, bytes, size);
        cr_assert_eq(telemetry_parse(exact, size, &out), -EMSGSIZE, "%zu", size);
        free(exact);
    }
}

static void reseal(uint8_t *bytes, size_t size)
{
    uint32_t crc32 = coldboost_telemetry_checksum(bytes, size - 4);
    memcpy(bytes + size - 4, &crc32, 4);
}

Test(telemetry, steps_over_other_versions)
{
    uint8_t bytes[2000] = {0};
    struct telemetry_record out;
    write_two(bytes);
    bytes[4] = 2;
    for (size_t size = 12; size <= 1030; size++) {
        bytes[6] = (uint8_t)size, bytes[7] = (uint8_t)(size >> 8);
        reseal(bytes, size);
        int result = telemetry_parse(bytes, sizeof bytes, &out);
        cr_assert_eq(result, size <= TELEMETRY_MAX_BYTES ? -ENOTSUP : -EBADMSG, "%zu: %d", size,
                     result);
        if (result == -ENOTSUP) {
            cr_assert_eq(out.version, 2);
            cr_assert_eq(out.size, size);
        }
    }
    for (size_t size = 0; size < 12; size++) {
        bytes[6] = (uint8_t)size, bytes[7] = 0;
        cr_assert_eq(telemetry_parse(bytes, sizeof bytes, &out), -EBADMSG, "%zu", size);
    }
    bytes[4] = 1; /* our version, but not its size */
    bytes[6] = 112;
    reseal(bytes, 112);
    cr_assert_eq(telemetry_parse(bytes, sizeof bytes, &out), -EBADMSG);
}

Test(telemetry, program_always_ends)
{
    uint8_t bytes[1000];
    struct telemetry_record out;
    write_two(bytes);
    memset(bytes + 79, 'p', 21);
    reseal(bytes, sizeof out);
    cr_assert_gt(telemetry_parse(bytes, sizeof out, &out), 0);
    cr_assert_str_eq(out.program, "pppppppppppppppppppp");
}

Test(telemetry, of_concurrent_starts_does_not_mix)
{
    enum { PROCESSES = 8, EACH = 200 };
    begin(path);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            for (int n = 0; n < EACH; n++)
                telemetry_write_start(&some);
            _exit(0);
        }
    while (wait(NULL) > 0) {
    }
    static uint8_t bytes[(PROCESSES * EACH + 1) * sizeof(struct telemetry_record)];
    size_t size = read_records(bytes, sizeof bytes);
    struct telemetry_record out;
    cr_assert_eq(size, PROCESSES * EACH * sizeof out);
    for (size_t at = 0; at < size; at += sizeof out)
        cr_assert_eq(telemetry_parse(bytes + at, size - at, &out), sizeof out, "at %zu", at);
}

Test(telemetry, ends_only_in_the_process_that_began)
{
    begin(path);
    telemetry_write_end(); /* was never included */
    telemetry_include(0, ARM_BOOSTED, 0, METHOD_NONE);
    if (fork() == 0) {
        telemetry_write_end();
        _exit(0);
    }
    wait(NULL);
    uint8_t bytes[1000];
    cr_assert_eq(read_records(bytes, sizeof bytes), 0);
    telemetry_write_end();
    cr_assert_eq(read_records(bytes, sizeof bytes), sizeof(struct telemetry_record));
}

Test(telemetry, relative_path_is_of_the_beginning)
{
    cr_assert_eq(chdir(folder), 0);
    begin("records");
    cr_assert_eq(chdir("/"), 0);
    telemetry_write_start(&some);
    uint8_t bytes[1000];
    cr_assert_eq(read_records(bytes, sizeof bytes), sizeof(struct telemetry_record));
}

/* Nothing is written, nobody is killed, errno stays. */
static void write_in_vain(const char *target)
{
    errno = 77;
    begin(target);
    telemetry_include(0, ARM_BOOSTED, 0, METHOD_NONE);
    telemetry_write_start(&some);
    telemetry_write_end();
    cr_assert_eq(errno, 77);
}

Test(telemetry, writes_only_to_regular_files)
{
    struct stat status;
    char target[120];
    snprintf(target, sizeof target, "%s/target", folder);
    cr_assert_eq(symlink(target, path), 0);
    write_in_vain(path);
    cr_assert_neq(access(target, F_OK), 0);
    unlink(path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    write_in_vain(path);
    char byte;
    cr_assert_eq(read(reader, &byte, 1), 0);
    close(reader);
    unlink(path);
    cr_assert_eq(mkdir(path, 0700), 0);
    write_in_vain(path);
    cr_assert_eq(rmdir(path), 0);
    write_in_vain("/no/such/folder/records");
    write_in_vain("/dev/full");
    static char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    write_in_vain(long_path);
    long_path[0] = '/';
    write_in_vain(long_path);
    cr_assert_neq(stat(path, &status), 0);
}

Test(telemetry, survives_a_limit_on_files)
{
    struct rlimit none = {0, 0};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    write_in_vain(path);
    sigset_t pending;
    sigpending(&pending);
    cr_assert_not(sigismember(&pending, SIGXFSZ));
}

Test(telemetry, line_survives_a_closed_and_a_full_pipe)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    static char block[4096];
    while (write(ends[1], block, sizeof block) > 0) {
    }
    cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
    int saved = dup(2);
    dup2(ends[1], 2);
    char *const envp[] = {NULL};
    telemetry_begin(&(struct request){.envp = envp,
                                      .options = {.telemetry = "emf"},
                                      .executable = "/bin/x",
                                      .role = ROLE_RUNTIME});
    telemetry_write_start(&some); /* must not wait */
    close(ends[0]);
    telemetry_write_start(&some); /* must not kill */
    dup2(saved, 2);
    sigset_t pending;
    sigpending(&pending);
    cr_assert_not(sigismember(&pending, SIGPIPE));
}

Test(telemetry, names_what_it_knows)
{
    cr_assert_str_eq(telemetry_start_name(COLDBOOST_START_RESTART), "restart");
    cr_assert_str_eq(telemetry_method_name(METHOD_RUN), "run");
    cr_assert_str_eq(telemetry_plan_name(PLAN_BLIND), "blind");
    cr_assert_str_eq(telemetry_state_name(STATE_BAD_PROFILE), "bad-profile");
    cr_assert_str_eq(telemetry_arm_name(ARM_HOLDOUT), "holdout");
    for (unsigned n = 7; n < 300; n++) {
        cr_assert_str_eq(telemetry_start_name(n), "unknown");
        cr_assert_str_eq(telemetry_method_name(n), "unknown");
        cr_assert_str_eq(telemetry_plan_name(n), "unknown");
        cr_assert_str_eq(telemetry_state_name(n), "unknown");
        cr_assert_str_eq(telemetry_arm_name(n), "unknown");
    }
}
