/*
 * telemetry.c: writes what became of a start. See telemetry.h for the format.
 *
 * Runs in the constructor, in the replay's raw thread and in the destructor: no libc, no descriptor
 * kept, no failure that anybody would notice. A write may raise SIGXFSZ or SIGPIPE: it happens with
 * all signals blocked, and what it has raised is taken away.
 */
#include "start/telemetry.h"

#include "base/line.h"
#include "base/sys.h"
#include "base/text.h"

#include <poll.h>

#define PATH_BYTES    4096
#define NAME_BYTES    65 /* Lambda allows 64 characters */
#define SIGNAL_BIT(n) (UINT64_C(1) << ((n)-1))
#define SIGPIPE_BIT   SIGNAL_BIT(13)
#define SIGXFSZ_BIT   SIGNAL_BIT(25)

static struct {
    bool on, emf;
    uint8_t start, method, included;
    long process_id;
    uint64_t started_ns;
    struct telemetry_record known; /* what does not change any more */
    char function[NAME_BYTES], function_version[NAME_BYTES];
    char path[PATH_BYTES];
} telemetry;

/* Where a relative path points now: the program may change its folder before the end. */
static bool set_path(const char *target)
{
    size_t length = 0;
    if (*target != '/') {
        long n = sys_getcwd(telemetry.path, PATH_BYTES - 1);
        if (n <= 1)
            return false;
        length = text_append(telemetry.path, PATH_BYTES, (size_t)n - 1, "/");
    }
    length = text_append(telemetry.path, PATH_BYTES, length, target);
    return length + 1 < PATH_BYTES; /* a name that is cut is another file's */
}

/* What does not fit is cut, but not within a character. */
static void copy_name(char *to, size_t capacity, const char *name)
{
    while (*name) {
        size_t length = text_utf8_length(name);
        length = length ? length : 1;
        if (length >= capacity)
            break;
        capacity -= length;
        while (length-- > 0)
            *to++ = *name++;
    }
    *to = '\0';
}

static void copy_variable(char *to, char *const *envp, const char *name)
{
    const char *value = environment_get(envp, name);
    copy_name(to, NAME_BYTES, value && *value ? value : "unknown");
}

void telemetry_begin(const struct request *request)
{
    const char *target = request->options.telemetry;
    if (!target || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
        return;
    telemetry.emf = text_equal(target, "emf");
    if (telemetry.emf ? request->role != ROLE_RUNTIME : !set_path(target))
        return;
    telemetry.on = true;
    telemetry.process_id = sys_getpid();
    telemetry.started_ns = request->started_ns ? request->started_ns : sys_monotonic_ns();
    telemetry.known = (struct telemetry_record){
        .magic = TELEMETRY_MAGIC,
        .version = TELEMETRY_VERSION,
        .size = sizeof telemetry.known,
        .process_id = (uint32_t)telemetry.process_id,
        .memory_mib = (uint32_t)(request->granted_bytes >> 20),
        .role = (uint8_t)request->role,
        .init_type = (uint8_t)request->init_type,
        .holdout = (uint8_t)request->options.holdout,
    };
    copy_name(telemetry.known.program, sizeof telemetry.known.program,
              text_last_part(request->find_executable ? request->find_executable()
                                                      : request->executable));
    if (telemetry.emf) {
        copy_variable(telemetry.function, request->envp, "AWS_LAMBDA_FUNCTION_NAME");
        copy_variable(telemetry.function_version, request->envp, "AWS_LAMBDA_FUNCTION_VERSION");
    }
}

bool telemetry_is_on(void)
{
    return telemetry.on;
}

bool telemetry_needs_stderr(void)
{
    return telemetry.on && telemetry.emf;
}

void telemetry_include(uint32_t profile_id, enum telemetry_arm arm, unsigned start,
                       enum telemetry_method method)
{
    telemetry.known.profile_id = profile_id;
    telemetry.known.arm = (uint8_t)arm;
    telemetry.start = (uint8_t)start;
    telemetry.method = (uint8_t)method;
    telemetry.included = true;
}

/* A replay in another process has faults of its own. */
static uint32_t major_faults(unsigned method)
{
    struct rusage usage;
    sys_usage(RUSAGE_SELF, &usage);
    return method == METHOD_PROCESS || method == METHOD_RUN ? TELEMETRY_UNKNOWN
                                                            : (uint32_t)usage.ru_majflt;
}

static void write_quietly(int fd, const void *bytes, size_t size)
{
    uint64_t all = ~(uint64_t)0, before;
    sys_signal_mask(&all, &before);
    long n = sys_write(fd, bytes, size);
    if (n == -EPIPE || n == -EFBIG)
        sys_drop_signal(n == -EPIPE ? SIGPIPE_BIT : SIGXFSZ_BIT);
    sys_signal_mask(&before, NULL);
}

static void append_record(struct telemetry_record *record)
{
    record->crc32 = coldboost_telemetry_checksum(record, offsetof(struct telemetry_record, crc32));
    struct sys_status status;
    int error = sys_stat(AT_FDCWD, telemetry.path, &status);
    if (error ? error != -ENOENT : (status.mode & S_IFMT) != S_IFREG)
        return;
    int fd =
        sys_create(telemetry.path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
    if (fd < 0)
        return;
    write_quietly(fd, record, sizeof *record);
    sys_close(fd);
}

/* A JSON string; what is no UTF-8 becomes U+FFFD. */
static void line_json(struct line *line, const char *label, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    line_text(line, label);
    line_text(line, "\"");
    while (*text) {
        unsigned char byte = (unsigned char)*text;
        size_t length = text_utf8_length(text);
        char shown[7] = "";
        if (length == 0) {
            text_append(shown, sizeof shown, 0, "\\ufffd");
            length = 1;
        } else if (byte == '"' || byte == '\\') {
            shown[0] = '\\';
            shown[1] = (char)byte;
        } else if (byte < 0x20 || byte == 0x7f) {
            text_append(shown, sizeof shown, 0, "\\u0000");
            shown[4] = hex[byte >> 4];
            shown[5] = hex[byte & 15];
        } else {
            for (size_t i = 0; i < length; i++)
                shown[i] = text[i];
        }
        line_text(line, shown);
        text += length;
    }
    line_text(line, "\"");
}

/* CloudWatch's Embedded Metric Format: names and units first, the values they refer to behind. */
static void print_emf(const struct telemetry_record *record)
{
    const struct {
        const char *name, *unit;
        uint64_t value;
        bool known;
    } metrics[] = {
        {"Starts", "Count", 1, true},
        {"ReplayTime", "Microseconds", record->elapsed_ns / 1000, record->method != METHOD_NONE},
        {"BytesAsked", "Bytes", record->bytes_asked, record->method != METHOD_NONE},
        {"BytesResident", "Bytes", record->bytes_resident,
         record->method != METHOD_NONE && record->bytes_resident != TELEMETRY_UNKNOWN64},
        {"MajorFaults", "Count", record->major_faults,
         record->method != METHOD_NONE && record->major_faults != TELEMETRY_UNKNOWN},
        {"BudgetHits", "Count", record->budget_hits != 0, record->method != METHOD_NONE},
    };
    const size_t count = sizeof metrics / sizeof *metrics;
    struct line line = {.length = 0};
    line_number(&line, "{\"_aws\":{\"Timestamp\":", record->time_ns / 1000000);
    line_text(&line, ",\"CloudWatchMetrics\":[{\"Namespace\":\"coldboost\","
                     "\"Dimensions\":[[\"FunctionName\",\"Arm\"]],\"Metrics\":[");
    for (size_t i = 0; i < count; i++)
        if (metrics[i].known) {
            line_json(&line, i ? ",{\"Name\":" : "{\"Name\":", metrics[i].name);
            line_json(&line, ",\"Unit\":", metrics[i].unit);
            line_text(&line, "}");
        }
    line_text(&line, "]}]}");
    line_json(&line, ",\"FunctionName\":", telemetry.function);
    line_json(&line, ",\"FunctionVersion\":", telemetry.function_version);
    line_json(&line, ",\"Arm\":", telemetry_arm_name(record->arm));
    line_json(&line, ",\"Start\":", telemetry_start_name(record->start));
    line_json(&line, ",\"InitType\":", init_type_name(record->init_type));
    line_json(&line, ",\"Program\":", record->program);
    line_json(&line, ",\"Plan\":", telemetry_plan_name(record->plan));
    line_json(&line, ",\"Method\":", telemetry_method_name(record->method));
    line_json(&line, ",\"State\":", telemetry_state_name(record->state));
    line_number(&line, ",\"ProfileId\":", record->profile_id);
    for (size_t i = 0; i < count; i++)
        if (metrics[i].known) {
            line_json(&line, ",", metrics[i].name);
            line_number(&line, ":", metrics[i].value);
        }
    line_text(&line, "}\n");
    struct pollfd reader = {.fd = 2, .events = POLLOUT};
    struct timespec now = {0, 0};
    if (line.length + 1 < sizeof line.text && /* or it has been cut */
        sys_poll(&reader, &now) == 1 && (reader.revents & POLLOUT))
        write_quietly(2, line.text, line.length);
}

void telemetry_write_start(const struct telemetry_replay *replay)
{
    if (!telemetry.on)
        return;
    __atomic_store_n(&telemetry.start, replay->start, __ATOMIC_RELAXED);
    __atomic_store_n(&telemetry.method, replay->method, __ATOMIC_RELAXED);
    struct telemetry_record record = telemetry.known;
    record.event = EVENT_START;
    record.time_ns = sys_clock_ns(CLOCK_REALTIME);
    record.elapsed_ns =
        sys_monotonic_ns() - (replay->started_ns ? replay->started_ns : telemetry.started_ns);
    record.bytes_asked = replay->bytes_asked;
    record.bytes_resident = replay->bytes_resident;
    record.ranges = replay->ranges;
    record.ranges_total = replay->ranges_total;
    record.stale_files = replay->stale_files;
    record.major_faults = major_faults(replay->method);
    record.start = replay->start;
    record.plan = replay->plan;
    record.method = replay->method;
    record.state = replay->state;
    record.budget_hits = replay->budget_hits;
    record.workers = replay->workers;
    if (telemetry.emf)
        print_emf(&record);
    else
        append_record(&record);
}

void telemetry_write_end(void)
{
    if (!telemetry.on || telemetry.emf || !telemetry.included ||
        sys_getpid() != telemetry.process_id)
        return;
    struct telemetry_record record = telemetry.known;
    record.event = EVENT_END;
    record.time_ns = sys_clock_ns(CLOCK_REALTIME);
    record.elapsed_ns = sys_monotonic_ns() - telemetry.started_ns;
    record.bytes_resident = TELEMETRY_UNKNOWN64;
    record.major_faults = major_faults(METHOD_NONE);
    record.start = __atomic_load_n(&telemetry.start, __ATOMIC_RELAXED);
    record.method = __atomic_load_n(&telemetry.method, __ATOMIC_RELAXED);
    append_record(&record);
}

int telemetry_parse(const uint8_t *bytes, size_t size, struct telemetry_record *out)
{
    const size_t head = offsetof(struct telemetry_record, time_ns);
    const size_t have = size < head ? size : head;
    if (!bytes_equal(bytes, TELEMETRY_MAGIC, have < 4 ? have : 4))
        return -ENOEXEC;
    if (size < head)
        return -EMSGSIZE;
    uint8_t *to = (uint8_t *)out;
    for (size_t i = 0; i < head; i++)
        to[i] = bytes[i];
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || out->size < head + sizeof out->crc32 ||
        out->size > TELEMETRY_MAX_BYTES ||
        (out->version == TELEMETRY_VERSION && out->size != sizeof *out))
        return -EBADMSG;
    if (out->size > size)
        return -EMSGSIZE;
    const size_t covered = out->size - sizeof out->crc32;
    uint32_t crc32 = (uint32_t)bytes[covered] | (uint32_t)bytes[covered + 1] << 8 |
                     (uint32_t)bytes[covered + 2] << 16 | (uint32_t)bytes[covered + 3] << 24;
    if (crc32 != coldboost_telemetry_checksum(bytes, covered))
        return -EBADMSG;
    if (out->version != TELEMETRY_VERSION)
        return -ENOTSUP;
    for (size_t i = head; i < sizeof *out; i++)
        to[i] = bytes[i];
    out->program[sizeof out->program - 1] = '\0';
    return (int)sizeof *out;
}

const char *telemetry_start_name(unsigned start)
{
    static const char names[][10] = {"unknown", "cold", "warm", "restart"};
    return names[start <= COLDBOOST_START_RESTART ? start : 0];
}

const char *telemetry_method_name(unsigned method)
{
    static const char names[][10] = {"none", "thread", "process", "sync", "run", "unknown"};
    return names[method <= METHOD_RUN ? method : METHOD_RUN + 1];
}

const char *telemetry_plan_name(unsigned plan)
{
    static const char names[][10] = {"none", "profile", "blind", "unknown"};
    return names[plan <= PLAN_BLIND ? plan : PLAN_BLIND + 1];
}

const char *telemetry_state_name(unsigned state)
{
    static const char names[][12] = {"none",       "done",        "skipped", "budget",
                                     "unfinished", "bad-profile", "unknown"};
    return names[state <= STATE_BAD_PROFILE ? state : STATE_BAD_PROFILE + 1];
}

const char *telemetry_arm_name(unsigned arm)
{
    static const char names[][10] = {"unknown", "boosted", "holdout"};
    return names[arm <= ARM_HOLDOUT ? arm : 0];
}
