/*
 * profile.h: the .cbp format, version 1.
 *
 * A profile says which pages of which files a program needs at its start, and which paths it looks
 * up, in the order of their first touch. It is advice: nothing in it is trusted, and a wrong one
 * can only waste reads.
 *
 *   header │ executables │ files │ ranges │ strings ┊ extra
 *
 * All numbers are little-endian. Strings are NUL-terminated and named by their offset in the string
 * table; paths of what is read are absolute and free of symbolic links when recorded. The ranges of
 * one executable stand together, ordered by (epoch, first touch of the file in that epoch, offset):
 * a run of ranges of one file can be read with one open() and merged over small gaps. A small range
 * beside an earlier one stands behind it, and has its epoch.
 *
 * What stands behind the profile is for people (tools/convert/stacks.h). A replay never reads it.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_MAGIC                                                                              \
    "\x89"                                                                                         \
    "CBP\r\n\x1a\n" /* as PNG's: shows damage by text-mode transfers */
#define PROFILE_VERSION    1u
#define PROFILE_MAX_BYTES  (16u << 20)
#define PROFILE_PAGE_BYTES 4096u /* the unit of ranges, whatever the page size of the machine */
#define PROFILE_BUILD_ID   20u   /* longer build-ids are cut */

struct profile_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t crc32;            /* CRC-32 of every byte after this field, up to `size` */
    uint64_t size;             /* of the whole profile without extra, in bytes */
    uint64_t recorded_s;       /* Unix time of the recording */
    uint32_t executable_count; /* entries of each table */
    uint32_t file_count;
    uint32_t range_count;
    uint32_t string_bytes;
    uint32_t epoch_us;    /* length of an epoch, in microseconds */
    uint32_t extra_bytes; /* behind `size`: not part of it */
    uint32_t flags;       /* enum profile_flags */
    uint32_t reserved;
};
static_assert(sizeof(struct profile_header) == 64, "on-disk layout");

enum profile_flags {
    /* The first executable is what was started, and its ranges hold those of all others, too. */
    PROFILE_OF_ONE_START = 1,
};

struct profile_executable {
    uint64_t path_hash; /* profile_hash(path): lets a process find itself in the first page */
    uint32_t path;      /* string: what /proc/self/exe names */
    uint32_t first_range;
    uint32_t range_count;
    uint32_t flags; /* 0 */
    uint32_t reserved[2];
};
static_assert(sizeof(struct profile_executable) == 32, "on-disk layout");

enum profile_file_kind {
    PROFILE_FILE_REGULAR = 0,
    PROFILE_FILE_DIRECTORY = 1, /* its entries were listed */
    PROFILE_FILE_PATH = 2,      /* a name that was looked up; perhaps there is no such file */
};

/* A file is known by its path and size. Time and build-id only say that it has changed since: they
 * are for people and tools, as image layers, archives and packages keep no exact times. */
struct profile_file {
    uint64_t size;            /* bytes */
    int64_t mtime_ns;         /* since 1970; 0: not known */
    uint32_t path;            /* string */
    uint32_t kind;            /* enum profile_file_kind */
    uint32_t build_id_offset; /* where the build-id's bytes stand in the file */
    uint32_t build_id_bytes;  /* 0: it has none */
    uint8_t build_id[PROFILE_BUILD_ID];
    uint32_t reserved[3];
};
static_assert(sizeof(struct profile_file) == 64, "on-disk layout");

struct profile_range {
    uint32_t file;       /* index into files */
    uint32_t first_page; /* in units of PROFILE_PAGE_BYTES */
    uint32_t page_count; /* 0: the path is looked up, and a directory listed */
    uint32_t epoch;      /* of its first touch, counted from the start of the recording */
};
static_assert(sizeof(struct profile_range) == 16, "on-disk layout");

/* A validated view into the bytes it was parsed from. */
struct profile {
    const struct profile_header *header;
    const struct profile_executable *executables;
    const struct profile_file *files;
    const struct profile_range *ranges;
    const char *strings;
};

/* What has become of a recorded file, seen from what stands at its path now. */
enum file_fate {
    FILE_SAME,
    FILE_CHANGED, /* another build-id, or another time where there is none: it is read */
    FILE_STALE,   /* gone, or of another kind or size: it is not read, its pages are elsewhere */
};

/*
 * Compares a recorded file with what is there, or with what another profile says of it: `now` as if
 * it were recorded, its path aside. A directory has no size that says anything.
 */
enum file_fate profile_file_fate(const struct profile_file *file, const struct profile_file *now);

/* The part of it that a replay asks, of a file of the recorded kind: whether it is read. */
bool profile_file_fits(const struct profile_file *file, uint64_t size);

/* FNV-1a, 64 bit. */
uint64_t profile_hash(const char *path);

/*
 * Whether the bytes begin with a profile's header and its counts agree with its size. Returns 0, or
 *   -ENOEXEC  not a profile          -ENOTSUP  another version, or a big-endian host
 *   -EMSGSIZE the tables do not add up to the size, or it is too large
 */
int profile_check_header(const uint8_t *bytes, size_t size);

/*
 * Validates all of a profile: magic, version, size, checksum, every index, string and range. The
 * bytes are the profile alone, or with all of the extra ones, which are not looked at.
 * bytes must be aligned to 8 and stay in place as long as out is used. Returns 0, or as
 * profile_check_header(), or
 *   -EMSGSIZE size disagrees         -EBADMSG  checksum disagrees
 *   -EINVAL   a table or an entry is out of bounds
 */
int profile_parse(const uint8_t *bytes, size_t size, struct profile *out);

/*
 * The section of the executable at `path` in a validated profile, or NULL.
 */
const struct profile_executable *profile_find(const struct profile *profile, const char *path);

/*
 * For a first look at the beginning of a profile, before the rest is read and validated: bytes that
 * profile_check_header() has found good.
 *
 * profile_peek_row() is the row of the executable at `path`, or NULL, also if the table goes on
 * beyond `size`. profile_peek() says whether the profile may name the executable: yes if the table
 * goes on. profile_peek_others() says whether it may name any but that; profile_peek_part() whether
 * it is of one start, of the executable with this profile_hash(), which the one at `path` was part
 * of.
 */
const struct profile_executable *profile_peek_row(const uint8_t *bytes, size_t size,
                                                  const char *path);
bool profile_peek(const uint8_t *bytes, size_t size, const char *path);
bool profile_peek_others(const uint8_t *bytes, size_t size, const char *path);
bool profile_peek_part(const uint8_t *bytes, size_t size, uint64_t start_hash, const char *path);

/*
 * The tables of a profile whose header is good, not validated: whether the ranges of a section and
 * a path are inside them must be asked before they are used. False if the bytes are not all of it.
 */
bool profile_view(const uint8_t *bytes, size_t size, struct profile *out);
bool profile_section_fits(const struct profile *profile, const struct profile_executable *section);
bool profile_path_is_valid(const struct profile *profile, uint32_t path);
