/*
 * inspect_json.c: the findings for machines.
 */
#include "cli/json.h"
#include "inspect/inspect.h"

#include <string.h>

static void print_text(const char *key, const char *text)
{
    printf("\"%s\":", key);
    if (text)
        print_json_string(stdout, text);
    else
        fputs("null", stdout);
    putchar(',');
}

static void print_list(const char *key, char *const *texts, size_t count)
{
    printf("\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? "," : "", stdout);
        print_json_string(stdout, texts[i]);
    }
    fputs("],", stdout);
}

static void print_bool(const char *key, bool value)
{
    printf("\"%s\":%s,", key, value ? "true" : "false");
}

static void print_plan(const char *key, const struct object_plan *plan)
{
    printf("\"%s\":{\"bytes\":%ju,\"ranges\":%u},", key, (uintmax_t)plan->bytes, plan->ranges);
}

static void print_version(const char *key, unsigned major, unsigned minor)
{
    if (major)
        printf("\"%s\":\"%u.%u\",", key, major, minor);
    else
        printf("\"%s\":null,", key);
}

static void print_build_id(const struct elf_facts *elf)
{
    fputs("\"build_id\":\"", stdout);
    for (size_t i = 0; i < elf->build_id_bytes; i++)
        printf("%02x", elf->build_id[i]);
    fputs("\",", stdout);
}

/* "resident_pages" is null where the kernel does not tell. */
static void print_section(const struct inspected_object *object, const struct elf_section *section)
{
    struct page_share share = {0, 0};
    if (section->type != SHT_NOBITS)
        share = share_of_pages(object, section->offset, section->bytes, PAGE_RESIDENT);
    putchar('{');
    print_text("name", section->name);
    print_bool("loaded", (section->flags & SHF_ALLOC) != 0);
    printf("\"offset\":%ju,\"bytes\":%ju,\"pages\":%ju,\"resident_pages\":",
           (uintmax_t)section->offset, (uintmax_t)section->bytes, (uintmax_t)share.pages);
    if (object->residency_known)
        printf("%ju}", (uintmax_t)share.flagged);
    else
        fputs("null}", stdout);
}

static void print_object(const struct inspection *inspection, const struct inspected_object *object)
{
    const struct elf_facts *elf = &object->elf;
    putchar('{');
    print_text("path", object->path);
    print_text("name", object->name);
    print_text("needed_by", object->parent ? object->parent->path : NULL);
    print_text("found_by", object->parent && object->path ? object->found_by : NULL);
    print_text("error", object->error);
    print_text("soname", elf->soname);
    print_build_id(elf);
    print_list("needed", elf->needed, elf->needed_count);
    print_version("glibc", elf->glibc_major, elf->glibc_minor);
    printf("\"relocations\":{\"relative\":%ju,\"symbolic\":%ju,\"functions\":%ju,\"indirect\":%ju,"
           "\"pages\":%ju},\"initialisers\":%zu,",
           (uintmax_t)elf->relative, (uintmax_t)elf->symbolic, (uintmax_t)elf->functions,
           (uintmax_t)elf->indirect, (uintmax_t)elf->relocated_pages, elf->initialiser_count);
    print_text("crc32", !elf->has_crc32 ? NULL : elf->is_zlib ? "zlib" : "own");
    print_plan("blind", &object->blind);
    if (inspection->has_profile) {
        print_plan("profile", &object->profiled);
        print_bool("profile_is_stale", object->profile_is_stale);
    }
    struct page_share all = share_of_pages(object, 0, elf->size, PAGE_RESIDENT);
    printf("\"size\":%ju,\"pages\":%zu,\"resident_pages\":", (uintmax_t)elf->size,
           object->page_count);
    if (object->residency_known)
        printf("%ju", (uintmax_t)all.flagged);
    else
        fputs("null", stdout);
    fputs(",\"sections\":[", stdout);
    for (size_t i = 0; i < elf->section_count; i++) {
        fputs(i ? "," : "", stdout);
        print_section(object, &elf->sections[i]);
    }
    fputs("]}", stdout);
}

void print_inspection_json(const struct inspection *inspection)
{
    const struct inspected_object *program = inspection->objects[0];
    fputs("{\"version\":1,", stdout);
    print_text("subject", inspection->subject);
    if (inspection->pid)
        printf("\"pid\":%jd,", (intmax_t)inspection->pid);
    print_list("interpreters", inspection->interpreters, inspection->interpreter_count);
    print_text("program", inspection->program);
    print_text("kind", inspection->kind);
    printf("\"machine\":%u,", program->elf.machine);
    print_text("loader", program->elf.interpreter);
    print_text("libc", inspection->libc);
    print_version("glibc", inspection->glibc_major, inspection->glibc_minor);
    print_build_id(&program->elf);
    print_bool("set_uid", inspection->set_uid);
    print_bool("set_gid", inspection->set_gid);
    printf("\"capabilities\":\"%#jx\",", (uintmax_t)inspection->capabilities);
    print_bool("can_be_preloaded", !inspection->obstacle);
    print_bool("is_preloaded", inspection->is_preloaded);
    print_text("obstacle", inspection->obstacle);
    print_text("remedy", inspection->obstacle ? inspection->remedy : NULL);
    if (!inspection->pid) {
        print_bool("can_be_audited", !inspection->audit_obstacle);
        print_text("audit_obstacle", inspection->audit_obstacle);
        printf("\"static_tls_bytes\":%ju,\"static_tls_room\":%ju,",
               (uintmax_t)inspection->static_tls.needed, (uintmax_t)inspection->static_tls.room);
    }
    print_list("preloads", inspection->preloads, inspection->preload_count);
    if (inspection->has_profile) {
        print_bool("profile_names_program", inspection->profile_names_program);
        print_plan("profile_elsewhere", &inspection->elsewhere);
        printf("\"profile_files\":%u,\"changed_files\":%u,\"stale_files\":%u,",
               inspection->recorded.files, inspection->recorded.changed,
               inspection->recorded.stale);
    }
    fputs("\"objects\":[", stdout);
    for (size_t i = 0; i < inspection->object_count; i++) {
        fputs(i ? ",\n" : "", stdout);
        print_object(inspection, inspection->objects[i]);
    }
    fputs("]}\n", stdout);
}
