/*
 * record_profile.c: what was recorded becomes a profile, or the reason why there is none.
 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"
#include "convert/stacks.h"
#include "convert/trace_reader.h"
#include "profile/frames.h"
#include "profile/profile_write.h"
#include "record/readahead.h"
#include "record/session.h"
#include "watch/sampler.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The path that the profile names; the caller's to free. */
static char *map_path(const struct record_options *options, const char *path, bool *mapped)
{
    *mapped = false;
    for (size_t i = 0; i < options->map_count; i++) {
        const struct path_map *map = &options->maps[i];
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
    struct profile_writer *writer =
        profile_writer_new(SAMPLER_EPOCH_US, (uint64_t)session->since.tv_sec);
    profile_writer_set_one_start(writer);
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

/* False, with a message, if there is nothing to write or it could not be written. */
static bool write_recording(const struct session *session, const struct recording *recording)
{
    uint8_t *bytes;
    size_t size;
    bool has_loaded = session->trace->pid_count || session->from_outside;
    if (!has_loaded || !recording->executable_count) {
        warn("nothing was recorded: %s never loaded %s (did it clear LD_PRELOAD, or is it "
             "set-user-ID?)",
             session->options.command[0], RECORD_OBJECT);
        return false;
    }
    int error = make_profile(session, recording, &bytes, &size);
    if (error) {
        warn("%s: cannot make the profile: %s", target_name(session), strerror(-error));
        return false;
    }
    const char *path = session->options.output;
    bool written =
        path ? output_write(path, bytes, size) : frames_write(STDERR_FILENO, bytes, size) == 0;
    if (written)
        report(session, recording);
    free(bytes);
    return written;
}

/* The files that are there for the recording's sake, NULL at the end; resolved may be the last. */
static const char **own_files(const struct session *session, const char *resolved)
{
    size_t count = session->walker ? text_count(session->walker) : 0;
    const char **files = xmalloc((count + 3) * sizeof *files);
    for (size_t i = 0; i < count; i++)
        files[i] = session->walker[i];
    files[count] = session->object;
    files[count + 1] = resolved;
    files[count + 2] = NULL;
    return files;
}

static void read_recording(const struct session *session, const char *output,
                           struct recording *recording)
{
    const char **leave = own_files(session, output);
    struct trace_options options = {SAMPLER_EPOCH_US, session->since, leave, session->is_taken};
    trace_read(session->trace, &options, recording);
    free(leave);
}

void session_make_profile(struct session *session, uint8_t **bytes, size_t *size)
{
    struct recording recording;
    session->trace->finished = 1;
    read_recording(session, NULL, &recording);
    if (!session->trace->pid_count || !recording.executable_count ||
        make_profile(session, &recording, bytes, size) != 0)
        *bytes = NULL;
    recording_free(&recording);
}

void session_write_profile(struct session *session)
{
    if (session->written)
        return;
    session->written = true;
    session->trace->finished = 1;
    readahead_restore();
    char *output = session->options.output ? realpath(session->options.output, NULL) : NULL;
    struct recording recording;
    read_recording(session, output, &recording);
    if (session->trace->lost)
        warn("the trace is full: %u records are missing, and the profile is of what came before",
             session->trace->lost);
    session->failed = !write_recording(session, &recording);
    session->trace->written = 1;
    recording_free(&recording);
    free(output);
}
