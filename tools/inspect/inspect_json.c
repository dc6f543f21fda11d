/*
 * inspect_json.c: the findings for machines.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "inspect/inspect.h"

#include <math.h>

static void print_plan(struct json *out, const char *key, const struct object_plan *plan)
{
    json_object(out, key, "bytes %ju ranges %u", (uintmax_t)plan->bytes, plan->ranges);
}

static void print_version(struct json *out, unsigned major, unsigned minor)
{
    if (major)
        json_print(out, "glibc \"%u.%u\"", major, minor);
    else
        json_text(out, "glibc", NULL);
}

/* Not a number where the kernel does not tell. */
static double resident_pages(const struct inspected_object *object, struct page_share share)
{
    return object->residency_known ? (double)share.flagged : NAN;
}

static void print_section(struct json *out, const struct inspected_object *object,
                          const struct elf_section *section)
{
    struct page_share share = {0, 0};
    if (section->type != SHT_NOBITS)
        share = share_of_pages(object, section->offset, section->bytes, PAGE_RESIDENT);
    json_open(out, NULL, '{');
    json_text(out, "name", section->name);
    json_print(out, "loaded %s offset %ju bytes %ju pages %ju resident_pages %.0f",
               json_bool(section->flags & SHF_ALLOC), (uintmax_t)section->offset,
               (uintmax_t)section->bytes, (uintmax_t)share.pages, resident_pages(object, share));
    json_close(out, "}");
}

static void print_object(struct json *out, const struct inspection *inspection,
                         const struct inspected_object *object)
{
    const struct elf_facts *elf = &object->elf;
    json_open(out, NULL, '{');
    json_text(out, "path", object->path);
    json_text(out, "name", object->name);
    json_text(out, "needed_by", object->parent ? object->parent->path : NULL);
    json_text(out, "found_by", object->parent && object->path ? object->found_by : NULL);
    json_text(out, "error", object->error);
    json_text(out, "soname", elf->soname);
    json_text(out, "build_id", hex_text(elf->build_id, elf->build_id_bytes).text);
    json_texts(out, "needed", elf->needed, elf->needed_count);
    print_version(out, elf->glibc_major, elf->glibc_minor);
    json_object(out, "relocations",
                "relative %ju symbolic %ju functions %ju indirect %ju pages %ju",
                (uintmax_t)elf->relative, (uintmax_t)elf->symbolic, (uintmax_t)elf->functions,
                (uintmax_t)elf->indirect, (uintmax_t)elf->relocated_pages);
    json_print(out, "initialisers %zu", elf->initialiser_count);
    json_text(out, "crc32", !elf->has_crc32 ? NULL : elf->is_zlib ? "zlib" : "own");
    print_plan(out, "blind", &object->blind);
    if (inspection->has_profile) {
        print_plan(out, "profile", &object->profiled);
        json_print(out, "profile_is_stale %s", json_bool(object->profile_is_stale));
    }
    struct page_share all = share_of_pages(object, 0, elf->size, PAGE_RESIDENT);
    json_print(out, "size %ju pages %zu resident_pages %.0f", (uintmax_t)elf->size,
               object->page_count, resident_pages(object, all));
    json_open(out, "sections", '[');
    for (size_t i = 0; i < elf->section_count; i++)
        print_section(out, object, &elf->sections[i]);
    json_close(out, "]}");
}

static void print_program(struct json *out, const struct inspection *inspection)
{
    const struct elf_facts *elf = &inspection->objects[0]->elf;
    json_text(out, "subject", inspection->subject);
    if (inspection->pid)
        json_print(out, "pid %jd", (intmax_t)inspection->pid);
    json_texts(out, "interpreters", inspection->interpreters, inspection->interpreter_count);
    json_text(out, "program", inspection->program);
    json_text(out, "kind", inspection->kind);
    json_print(out, "machine %u", elf->machine);
    json_text(out, "loader", elf->interpreter);
    json_text(out, "libc", inspection->libc);
    print_version(out, inspection->glibc_major, inspection->glibc_minor);
    json_text(out, "build_id", hex_text(elf->build_id, elf->build_id_bytes).text);
    json_print(out, "set_uid %s set_gid %s capabilities \"%#jx\"", json_bool(inspection->set_uid),
               json_bool(inspection->set_gid), (uintmax_t)inspection->capabilities);
}

static void print_obstacles(struct json *out, const struct inspection *inspection)
{
    json_print(out, "can_be_preloaded %s is_preloaded %s", json_bool(!inspection->obstacle),
               json_bool(inspection->is_preloaded));
    json_text(out, "obstacle", inspection->obstacle);
    json_text(out, "remedy", inspection->obstacle ? inspection->remedy : NULL);
    if (!inspection->pid) {
        json_print(out, "can_be_audited %s", json_bool(!inspection->audit_obstacle));
        json_text(out, "audit_obstacle", inspection->audit_obstacle);
        json_print(out, "static_tls_bytes %ju static_tls_room %ju",
                   (uintmax_t)inspection->static_tls.needed,
                   (uintmax_t)inspection->static_tls.room);
    }
    json_texts(out, "preloads", inspection->preloads, inspection->preload_count);
}

void print_inspection_json(const struct inspection *inspection)
{
    const struct identity_counts *recorded = &inspection->recorded;
    struct json out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_print(&out, "version 1");
    print_program(&out, inspection);
    print_obstacles(&out, inspection);
    if (inspection->has_profile) {
        json_print(&out, "profile_names_program %s", json_bool(inspection->profile_names_program));
        print_plan(&out, "profile_elsewhere", &inspection->elsewhere);
        json_print(&out, "profile_files %u changed_files %u stale_files %u", recorded->files,
                   recorded->changed, recorded->stale);
    }
    json_open(&out, "objects", '[');
    for (size_t i = 0; i < inspection->object_count; i++) {
        json_break_line(&out);
        print_object(&out, inspection, inspection->objects[i]);
    }
    json_close(&out, "]}\n");
}
