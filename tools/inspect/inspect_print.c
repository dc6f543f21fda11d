/*
 * inspect_print.c: the findings for people.
 */
#include "cli/command.h"
#include "inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

enum { STRIP_CELLS = 64 };

static void print_field(const char *label, const char *text)
{
    print_line("  %-15s %s", label, text);
}

static void print_build_id(const struct elf_facts *elf)
{
    struct hex_text hex = hex_text(elf->build_id, elf->build_id_bytes);
    print_field("build-id", *hex.text ? hex.text : "none");
}

/* A cell is a part of the file; the fuller, the more of its pages have the flag. */
static void print_strip(const struct inspected_object *object, const char *label, uint8_t flag,
                        bool utf8)
{
    static const char *const blocks[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char ascii[] = ".:-=+*%@#";
    enum { STEPS = sizeof blocks / sizeof *blocks - 1 };
    struct page_share all = share_of_pages(object, 0, object->elf.size, flag);
    size_t cells = object->page_count < STRIP_CELLS ? object->page_count : STRIP_CELLS;
    printf("  %-15s |", label);
    for (size_t i = 0; i < cells; i++) {
        size_t first = object->page_count * i / cells, end = object->page_count * (i + 1) / cells;
        size_t flagged = 0;
        for (size_t page = first; page < end; page++)
            flagged += (object->pages[page] & flag) != 0;
        size_t pages = end > first ? end - first : 1;
        size_t step = (flagged * STEPS + pages - 1) / pages; /* one page shows */
        if (utf8)
            fputs(blocks[step], stdout);
        else
            putchar(ascii[step]);
    }
    printf("| %.0f%%\n", all.pages ? 100.0 * (double)all.flagged / (double)all.pages : 0.0);
}

static void print_plan(const char *label, const struct object_plan *plan)
{
    if (plan->ranges == 0)
        print_field(label, "nothing");
    else
        printf("  %-15s %s in %u range%s\n", label, size_text(plan->bytes).text, plan->ranges,
               plan->ranges == 1 ? "" : "s");
}

static void print_sections(const struct inspected_object *object)
{
    printf("    %-22s %12s %12s  %s\n", "section", "offset", "bytes", "in memory");
    for (size_t i = 0; i < object->elf.section_count; i++) {
        const struct elf_section *section = &object->elf.sections[i];
        if (!(section->flags & SHF_ALLOC))
            continue;
        struct page_share share =
            share_of_pages(object, section->offset, section->bytes, PAGE_RESIDENT);
        char resident[64] = "unknown";
        if (section->type == SHT_NOBITS)
            strcpy(resident, "not in the file");
        else if (object->residency_known)
            snprintf(resident, sizeof resident, "%ju of %ju pages", (uintmax_t)share.flagged,
                     (uintmax_t)share.pages);
        print_line("    %-22s %12ju %12ju  %s", section->name, (uintmax_t)section->offset,
                   (uintmax_t)section->bytes, resident);
    }
}

static void print_object(const struct inspection *inspection, const struct inspected_object *object,
                         bool utf8)
{
    const struct elf_facts *elf = &object->elf;
    const char *name = object->path ? object->path : object->name;
    putchar('\n');
    if (object->parent)
        print_line("%s  (by %s, for %s)", name, object->found_by, object->parent->path);
    else
        print_line("%s", name);
    if (object->error) {
        print_field("error", object->error);
        return;
    }
    print_field("size", size_text(elf->size).text);
    print_build_id(elf);
    printf("  %-15s %ju relative, %ju by symbol, %ju functions, %ju indirect; they write to %ju "
           "pages\n",
           "relocations", (uintmax_t)elf->relative, (uintmax_t)elf->symbolic,
           (uintmax_t)elf->functions, (uintmax_t)elf->indirect, (uintmax_t)elf->relocated_pages);
    printf("  %-15s %zu\n", "initialisers", elf->initialiser_count);
    if (elf->has_crc32)
        print_field("crc32", elf->is_zlib ? "zlib's: calls of it may be answered by coldboost's"
                                          : "its own: calls of it are passed on");
    print_plan("blind plan", &object->blind);
    if (inspection->has_profile && object->profile_is_stale)
        print_field("profile",
                    "stale: the file has another size than the recorded one; record again");
    else if (inspection->has_profile)
        print_plan("profile", &object->profiled);
    if (object->residency_known)
        print_strip(object, "in memory", PAGE_RESIDENT, utf8);
    else
        print_field("in memory", "unknown: the kernel tells only who owns or may write the file");
    if (object->blind.ranges)
        print_strip(object, "blind plan", PAGE_BLIND, utf8);
    if (object->profiled.ranges)
        print_strip(object, "profile", PAGE_PROFILED, utf8);
    print_sections(object);
}

static void print_privileges(const struct inspection *inspection)
{
    printf("  %-15s ", "privileges");
    if (inspection->set_uid)
        fputs("set-uid ", stdout);
    if (inspection->set_gid)
        fputs("set-gid ", stdout);
    if (inspection->capabilities)
        printf("capabilities %#jx", (uintmax_t)inspection->capabilities);
    puts(inspection->set_uid || inspection->set_gid || inspection->capabilities ? "" : "none");
}

void print_inspection(const struct inspection *inspection, bool utf8)
{
    const struct inspected_object *program = inspection->objects[0];
    print_line("%s: %s", inspection->subject,
               inspection->pid                 ? "process"
               : inspection->interpreter_count ? "script"
                                               : "ELF file");
    for (size_t i = 0; i < inspection->interpreter_count; i++)
        print_field("run by", inspection->interpreters[i]);
    if (inspection->pid)
        print_field("program", inspection->program);
    print_field("kind", inspection->kind);
    print_field("interpreter", program->elf.interpreter ? program->elf.interpreter : "none");
    printf("  %-15s %s", "libc", inspection->libc);
    if (inspection->glibc_major)
        printf(", %u.%u or newer", inspection->glibc_major, inspection->glibc_minor);
    putchar('\n');
    print_build_id(&program->elf);
    print_privileges(inspection);
    print_field("preloading", inspection->obstacle       ? inspection->obstacle
                              : inspection->is_preloaded ? "done: libcoldboost.so is loaded"
                                                         : "works");
    if (inspection->remedy)
        print_field("remedy", inspection->remedy);
    if (!inspection->obstacle && !inspection->pid)
        print_field("auditing", inspection->audit_obstacle ? inspection->audit_obstacle : "works");
    for (size_t i = 0; i < inspection->preload_count; i++)
        print_field("preloaded too", inspection->preloads[i]);
    if (inspection->has_profile && !inspection->profile_names_program)
        print_field("profile", "has no section for this program; record it");
    else if (inspection->has_profile)
        print_plan("of other files", &inspection->elsewhere);
    char *changes = identity_text(&inspection->recorded);
    if (changes)
        print_field("profile", changes);
    free(changes);
    printf("  %-15s %zu\n", "objects", inspection->object_count);
    for (size_t i = 0; i < inspection->object_count; i++)
        print_object(inspection, inspection->objects[i], utf8);
}
