/*
 * inspect_audit.c: whether a program starts with an auditor (LD_AUDIT).
 *
 * glibc lays out static TLS, the thread-local data at a fixed distance from the thread pointer,
 * once for all threads. Without an auditor it does so when it knows all libraries. With one,
 * whatever that answers, it does so before it has looked for the first: there is then room for the
 * program's own data and a surplus, which is meant for what is opened later. Each library that
 * reaches its data at a fixed place (initial-exec TLS) takes of the surplus when it is relocated,
 * the last one first. Where that is used up, the program does not start: "cannot allocate memory in
 * static TLS block". All else is found when it is used, and does not count.
 *
 * The figures are those of elf/dl-tls.c. A program that opens libraries later has less room for
 * theirs with an auditor, which no file tells.
 */
#include "base/text.h"
#include "cli/command.h"
#include "inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

enum {
    SURPLUS = 1664,             /* without auditors, since glibc 2.4 */
    SURPLUS_OF_NAMESPACE = 288, /* an auditor has one of its own: since 2.32 */
    DEFAULT_NAMESPACES = 4,     /* glibc.rtld.nns */
    DEFAULT_OPTIONAL = 512,     /* glibc.rtld.optional_static_tls */
    MAX_TUNABLE = 1 << 20,
};

static const ElfW(Phdr) * tls_of(const struct elf_facts *elf)
{
    for (size_t i = 0; i < elf->header_count; i++)
        if (elf->headers[i].p_type == PT_TLS && elf->headers[i].p_memsz)
            return &elf->headers[i];
    return NULL;
}

/* A number of GLIBC_TUNABLES, as NAME=VALUE between colons. */
static uint64_t tunable(const char *name, uint64_t standard)
{
    const char *all = getenv("GLIBC_TUNABLES");
    size_t length = strlen(name);
    uint64_t value = standard;
    for (; all && *all; all += strcspn(all, ":"), all += *all == ':')
        if (strncmp(all, name, length) == 0 && all[length] == '=')
            value = strtoull(all + length + 1, NULL, 0);
    return value < MAX_TUNABLE ? value : standard;
}

/* Before 2.34 the libraries' files had the version in their names, as libc-2.31.so. */
static bool has_tunables(const struct inspection *inspection)
{
    for (size_t i = 0; i < inspection->object_count; i++) {
        const char *real = inspection->objects[i]->real;
        const char *name = real ? strrchr(real, '/') : NULL;
        unsigned minor;
        if (name && sscanf(name, "/libc-2.%3u.so", &minor) == 1)
            return minor >= 32;
    }
    return true;
}

/* The first library in load order that defines it, as the loader looks it up. */
static size_t find_definition(const struct inspection *inspection, const char *symbol)
{
    size_t i = 0;
    for (; i < inspection->object_count; i++) {
        const struct elf_facts *elf = &inspection->objects[i]->elf;
        for (size_t n = 0; n < elf->defined_tls_count && !inspection->objects[i]->error; n++)
            if (strcmp(elf->defined_tls[n], symbol) == 0)
                return i;
    }
    return i;
}

static bool *find_fixed(const struct inspection *inspection)
{
    size_t count = inspection->object_count;
    bool *fixed = xmalloc((count + 1) * sizeof *fixed);
    memset(fixed, 0, (count + 1) * sizeof *fixed);
    for (size_t i = 0; i < count; i++) {
        const struct elf_facts *elf = &inspection->objects[i]->elf;
        fixed[i] |= elf->wants_static_tls;
        for (size_t n = 0; n < elf->wanted_tls_count; n++)
            fixed[find_definition(inspection, elf->wanted_tls[n])] = true;
    }
    return fixed;
}

static uint64_t round_up(uint64_t bytes, uint64_t alignment)
{
    return alignment > 1 ? (bytes + alignment - 1) / alignment * alignment : bytes;
}

/* Fills out what the libraries take. Returns the name of the one that takes the most. */
static const char *add_up(const struct inspection *inspection, struct static_tls *out)
{
    const struct elf_facts *program = &inspection->objects[0]->elf;
    const ElfW(Phdr) *own = tls_of(program);
    const uint64_t of_thread = program->machine == EM_AARCH64 ? 16 : 64; /* its descriptor's */
    bool tunables = has_tunables(inspection);
    uint64_t alignment = own && own->p_align > of_thread ? own->p_align : of_thread;
    uint64_t begin = own ? round_up(own->p_memsz, own->p_align) : 0, used = begin, most = 0;
    uint64_t optional = DEFAULT_OPTIONAL, surplus = SURPLUS;
    if (tunables) {
        optional = tunable("glibc.rtld.optional_static_tls", DEFAULT_OPTIONAL);
        surplus += SURPLUS_OF_NAMESPACE * (tunable("glibc.rtld.nns", DEFAULT_NAMESPACES) + 1) -
                   SURPLUS_OF_NAMESPACE * DEFAULT_NAMESPACES + optional - DEFAULT_OPTIONAL;
    }
    const char *largest = NULL;
    bool *fixed = find_fixed(inspection);
    *out = (struct static_tls){.room = round_up(begin + surplus, alignment) - begin,
                               .optional = optional,
                               .can_be_tuned = tunables};
    for (size_t i = inspection->object_count; i-- > 1;) {
        const struct inspected_object *object = inspection->objects[i];
        const ElfW(Phdr) *tls = tls_of(&object->elf);
        if (!tls || (!fixed[i] && !object->elf.prefers_static_tls))
            continue;
        uint64_t after = round_up(used + tls->p_memsz, tls->p_align), bytes = after - used;
        if (!fixed[i] && (bytes > optional || tls->p_align > alignment))
            continue;
        optional -= fixed[i] ? 0 : bytes;
        used = after;
        if (fixed[i] && tls->p_align > alignment)
            out->misaligned = text_last_part(object->path);
        if (bytes > most)
            largest = text_last_part(object->path);
        most = bytes > most ? bytes : most;
    }
    out->needed = used - begin;
    out->most = most;
    free(fixed);
    return largest;
}

static char *describe_lack(const struct static_tls *tls, const char *largest)
{
    static const char instead[] = "start it with coldboost run or coldboost-wrapper";
    char *lack =
        xasprintf("with an auditor glibc keeps %ju bytes for thread-local data at fixed "
                  "places, and its libraries need %ju (%s %ju): it would not start",
                  (uintmax_t)tls->room, (uintmax_t)tls->needed, largest, (uintmax_t)tls->most);
    uint64_t more = round_up(tls->needed - tls->room + tls->optional, 1024);
    char *text =
        tls->can_be_tuned
            ? xasprintf("%s; %s, or set GLIBC_TUNABLES=glibc.rtld.optional_static_tls=%ju, "
                        "too",
                        lack, instead, (uintmax_t)more)
            : xasprintf("%s; %s", lack, instead);
    free(lack);
    return text;
}

void inspect_audit(struct inspection *inspection)
{
    struct static_tls *tls = &inspection->static_tls;
    if (inspection->obstacle) {
        inspection->audit_obstacle = xstrdup(inspection->obstacle);
        return;
    }
    if (strcmp(inspection->libc, "musl") == 0) {
        inspection->audit_obstacle = xstrdup("musl's loader ignores it");
        return;
    }
    const char *largest = add_up(inspection, tls);
    if (tls->misaligned)
        inspection->audit_obstacle =
            xasprintf("with an auditor glibc does not know the alignment that %s needs for "
                      "thread-local data: it would not start; start it with coldboost run or "
                      "coldboost-wrapper",
                      tls->misaligned);
    else if (tls->needed > tls->room)
        inspection->audit_obstacle = describe_lack(tls, largest);
}
