/*
 * libc.c: files that libc opens by itself for a call of the program, with calls that cannot
 * be wrapped. One row a function; the files are those of glibc's documentation (nss, tzset).
 */
#include "recorder/next.h"
#include "recorder/notes.h"

#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdatomic.h>
#include <time.h>

static const char *const name_service[] = {"/var/run/nscd/socket", "/etc/nsswitch.conf", NULL};
static const char *const users[] = {"/etc/passwd", NULL};
static const char *const groups[] = {"/etc/group", NULL};
static const char *const hosts[] = {"/etc/host.conf", "/etc/resolv.conf", "/etc/hosts",
                                    "/etc/gai.conf", NULL};
static const char *const zone[] = {"/etc/localtime", NULL};

/* Once is enough: libc keeps the answers, and the page cache the files. */
static void note(_Atomic bool *done, const char *const *paths)
{
    if (!atomic_exchange(done, true))
        for (; *paths; paths++)
            record_whole_file(*paths);
}

static void note_service(_Atomic bool *done, const char *const *paths)
{
    static _Atomic bool service_done;
    note(&service_done, name_service);
    note(done, paths);
}

static _Atomic bool users_done, groups_done, hosts_done, zone_done;

#define LIBC_CALL(type, failure, name, parameters, arguments, note)                                \
    RECORD_API type name parameters                                                                \
    {                                                                                              \
        RECORD_NEXT(name);                                                                         \
        type result = next ? next arguments : (failure);                                           \
        note;                                                                                      \
        return result;                                                                             \
    }

#define USERS  note_service(&users_done, users)
#define GROUPS note_service(&groups_done, groups)
#define HOSTS  note_service(&hosts_done, hosts)
#define ZONE   note(&zone_done, zone)

// clang-format off
LIBC_CALL(struct passwd *, NULL, getpwnam, (const char *name), (name), USERS)
LIBC_CALL(struct passwd *, NULL, getpwuid, (uid_t id), (id), USERS)
LIBC_CALL(int, ENOSYS, getpwnam_r, (const char *name, struct passwd *entry, char *room,
                                    size_t bytes, struct passwd **out),
          (name, entry, room, bytes, out), USERS)
LIBC_CALL(int, ENOSYS, getpwuid_r, (uid_t id, struct passwd *entry, char *room, size_t bytes,
                                    struct passwd **out),
          (id, entry, room, bytes, out), USERS)
LIBC_CALL(struct group *, NULL, getgrnam, (const char *name), (name), GROUPS)
LIBC_CALL(struct group *, NULL, getgrgid, (gid_t id), (id), GROUPS)
LIBC_CALL(int, ENOSYS, getgrnam_r, (const char *name, struct group *entry, char *room,
                                    size_t bytes, struct group **out),
          (name, entry, room, bytes, out), GROUPS)
LIBC_CALL(int, ENOSYS, getgrgid_r, (gid_t id, struct group *entry, char *room, size_t bytes,
                                    struct group **out),
          (id, entry, room, bytes, out), GROUPS)
LIBC_CALL(int, EAI_SYSTEM, getaddrinfo, (const char *host, const char *service,
                                         const struct addrinfo *hints, struct addrinfo **out),
          (host, service, hints, out), HOSTS)
LIBC_CALL(struct tm *, NULL, localtime, (const time_t *time), (time), ZONE)
LIBC_CALL(struct tm *, NULL, localtime_r, (const time_t *time, struct tm *out), (time, out), ZONE)
LIBC_CALL(struct tm *, NULL, gmtime, (const time_t *time), (time), ZONE)
LIBC_CALL(struct tm *, NULL, gmtime_r, (const time_t *time, struct tm *out), (time, out), ZONE)
LIBC_CALL(time_t, -1, mktime, (struct tm *time), (time), ZONE)
// clang-format on

RECORD_API void tzset(void)
{
    RECORD_NEXT(tzset);
    if (next)
        next();
    ZONE;
}
