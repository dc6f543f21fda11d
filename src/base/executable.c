/*
 * executable.c: reads the head of an executable.
 */
#include "base/executable.h"

#include "base/sys.h"
#include "base/text.h"

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#define HOST_MACHINE EM_NONE /* not compared */
#endif

enum { DYNAMIC_BATCH = 32 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Splits the line behind "#!" in place, as the kernel does. */
static void split_line(struct executable *out)
{
    char *at = out->text + 2;
    while (is_blank(*at))
        at++;
    if (!*at || *at == '\n')
        return;
    out->kind = EXECUTABLE_SCRIPT;
    out->interpreter = at;
    while (*at && *at != '\n' && !is_blank(*at))
        at++;
    out->argument = at;
    while (is_blank(*out->argument))
        out->argument++;
    char *end = out->argument;
    while (*end && *end != '\n')
        end++;
    *at = *end = '\0';
}

/* Has no NUL byte in its first line. */
static bool is_text(const struct executable *head)
{
    size_t end = 0;
    while (end < head->bytes && head->text[end] && head->text[end] != '\n')
        end++;
    return end == head->bytes || head->text[end];
}

int executable_read(int fd, struct executable *out)
{
    out->kind = EXECUTABLE_OTHER;
    out->interpreter = out->argument = NULL;
    out->header = (Elf64_Ehdr){.e_type = ET_NONE};
    long n = sys_pread(fd, out->text, EXECUTABLE_LINE_BYTES, 0);
    out->bytes = n > 0 ? (size_t)n : 0;
    out->text[out->bytes] = '\0';
    if (n < 0)
        return (int)n;
    if (text_after(out->text, "#!")) {
        split_line(out);
    } else if (text_after(out->text, ELFMAG)) {
        out->kind = EXECUTABLE_ELF;
        size_t bytes = out->bytes < sizeof out->header ? out->bytes : sizeof out->header;
        __builtin_memcpy(&out->header, out->text, bytes);
    } else if (is_text(out)) {
        out->kind = EXECUTABLE_TEXT;
    }
    return 0;
}

bool executable_is_native(const Elf64_Ehdr *header)
{
    const uint16_t one = 1;
    unsigned char order = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    return header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == order &&
           (HOST_MACHINE == EM_NONE || header->e_machine == HOST_MACHINE);
}

void executable_read_segments(int fd, const Elf64_Ehdr *header, struct executable_segments *out)
{
    size_t count =
        header->e_phnum < EXECUTABLE_MAX_SEGMENTS ? header->e_phnum : EXECUTABLE_MAX_SEGMENTS;
    size_t bytes = count * sizeof *out->all;
    bool read = header->e_phentsize == sizeof *out->all &&
                sys_pread(fd, out->all, bytes, header->e_phoff) == (long)bytes;
    out->count = read ? count : 0;
}

const Elf64_Phdr *executable_segment(const struct executable_segments *segments, Elf64_Word type)
{
    for (size_t i = 0; i < segments->count; i++)
        if (segments->all[i].p_type == type)
            return &segments->all[i];
    return NULL;
}

bool executable_has_dynamic(int fd, const Elf64_Phdr *dynamic, Elf64_Sxword tag)
{
    Elf64_Dyn entries[DYNAMIC_BATCH];
    for (uint64_t at = 0; dynamic && at < dynamic->p_filesz; at += sizeof entries) {
        long n = sys_pread(fd, entries, sizeof entries, dynamic->p_offset + at);
        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof *entries; i++)
            if (entries[i].d_tag == tag || entries[i].d_tag == DT_NULL)
                return entries[i].d_tag == tag;
        if (n < (long)sizeof entries)
            return false;
    }
    return false;
}
