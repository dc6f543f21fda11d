/*
 * telemetry.h: what became of a start, as one record appended to a file or one line for CloudWatch.
 *
 * A file is nothing but records, one behind the other, from many processes at a time: each is
 * appended by a single write(2). Every number is little-endian, the last four bytes are the CRC-32
 * of all before them, and the first eight say what it is and how long, so that a reader can step
 * over a version that it does not know and find the next record behind damage.
 */
#pragma once

#include "coldboost.h"
#include "start/request.h"

#include <assert.h>

#define TELEMETRY_MAGIC                                                                            \
    "\xcb"                                                                                         \
    "TR" /* and a zero: no text has it */
#define TELEMETRY_VERSION   1u
#define TELEMETRY_MAX_BYTES 1024u /* of a record of any version */
#define TELEMETRY_UNKNOWN   UINT32_MAX
#define TELEMETRY_UNKNOWN64 UINT64_MAX

enum telemetry_event {
    EVENT_START = 1, /* the replay is over, or there is none */
    EVENT_END = 2,   /* the program has ended by itself: elapsed_ns is all of its life */
};

enum telemetry_method { METHOD_NONE, METHOD_THREAD, METHOD_PROCESS, METHOD_SYNC, METHOD_RUN };
enum telemetry_plan { PLAN_NONE, PLAN_PROFILE, PLAN_BLIND };

enum telemetry_arm { ARM_BOOSTED = 1, ARM_HOLDOUT = 2 };

struct telemetry_record {
    uint8_t magic[4];
    uint16_t version;
    uint16_t size;           /* of the record, in bytes */
    uint64_t time_ns;        /* when it was written, since 1970 */
    uint64_t elapsed_ns;     /* START: since the replay began; END: since our constructor */
    uint64_t bytes_asked;    /* for the page cache */
    uint64_t bytes_resident; /* of those, what was not read from storage: TELEMETRY_UNKNOWN64 */
    uint32_t profile_id;     /* the profile's own CRC-32; 0: no profile */
    uint32_t process_id;
    uint32_t ranges;       /* asked for */
    uint32_t ranges_total; /* that the profile has for this program */
    uint32_t stale_files;  /* left out: gone, of another size, unreadable, not to be touched. What
                              has only changed is read; tools/profile/identity.h counts it */
    uint32_t major_faults; /* of the process until now; TELEMETRY_UNKNOWN */
    uint32_t memory_mib;   /* what Lambda grants; 0 outside */
    uint8_t event;         /* enum telemetry_event, and so on below */
    uint8_t start;         /* enum coldboost_start; 0: nobody looked */
    uint8_t role;
    uint8_t init_type;
    uint8_t plan;
    uint8_t method;
    uint8_t state;
    uint8_t arm;
    uint8_t budget_hits; /* enum budget_hit, added up */
    uint8_t workers;
    uint8_t holdout;  /* per cent */
    char program[21]; /* the executable's name, cut and padded with zeros */
    uint32_t crc32;
};
static_assert(sizeof(struct telemetry_record) == 104, "on-disk layout");

/*
 * The record at the beginning of the given bytes, which need no alignment. Returns its size, or
 *   -ENOEXEC  no record begins here       -EMSGSIZE the bytes end within it
 *   -EBADMSG  its checksum disagrees      -ENOTSUP  an intact one of another version: out->version
 *                                                   and out->size are set
 * Thread- and signal-safe.
 */
int telemetry_parse(const uint8_t *bytes, size_t size, struct telemetry_record *out);

/* Names of numbers that may come from a file: "unknown" for what is none. */
const char *telemetry_start_name(unsigned start);
const char *telemetry_method_name(unsigned method);
const char *telemetry_plan_name(unsigned plan);
const char *telemetry_state_name(unsigned state);
const char *telemetry_arm_name(unsigned arm);

/* Copies all it needs of a filled request: the program may overwrite its environment and change its
 * folder. */
void telemetry_begin(const struct request *request);
bool telemetry_is_on(void);
bool telemetry_needs_stderr(void);

/*
 * This start is to be recorded: as far as is known now. Without this telemetry_write_end() does
 * nothing.
 */
void telemetry_include(uint32_t profile_id, enum telemetry_arm arm, unsigned start,
                       enum telemetry_method method);

/* What has been done in a start; the enums of telemetry_record. */
struct telemetry_replay {
    uint64_t started_ns; /* 0: as the process */
    uint64_t bytes_asked, bytes_resident;
    uint32_t ranges, ranges_total, stale_files;
    uint8_t start, plan, method, state, budget_hits, workers;
};

/*
 * Appends the record of a start, or prints it. Silent whatever happens; takes no signal, leaves
 * errno and descriptors alone. It may wait for the file system, but never for a reader of stderr: a
 * line that does not fit into the pipe at once is lost.
 */
void telemetry_write_start(const struct telemetry_replay *replay);

/* Appends how long the program has lived and what it has waited for; only in the process that
 * began, not in its forks. */
void telemetry_write_end(void);
