/*
 * image.c: looks at the first bytes, the program headers and the notes of an executable. Believes
 * nothing: any file may be executed, and may be changed meanwhile.
 */
#include "trace/image.h"

#include "base/sys.h"
#include "base/text.h"

#include <elf.h>
#include <link.h>
#include <linux/limits.h>

enum { MAX_INTERPRETERS = 5, MAX_SEGMENTS = 64, NOTE_BYTES = 1024, DYNAMIC_BATCH = 32 };

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#else
#define HOST_MACHINE EM_NONE
#endif

/* Go's linker leaves a note called "Go", also in programs that use libc here and there. */
static bool is_go_note(int fd, const ElfW(Phdr) * segment)
{
    uint32_t words[NOTE_BYTES / 4];
    long n = sys_pread(fd, words, sizeof words, segment->p_offset);
    size_t count = n < 0 ? 0 : (size_t)n;
    count = (count < segment->p_filesz ? count : segment->p_filesz) / 4;
    for (size_t at = 0; count - at >= 4;) {
        uint32_t name = (words[at] + 3) / 4, content = (words[at + 1] + 3) / 4;
        if (words[at] == 4 && bytes_equal(&words[at + 3], "Go\0", 4))
            return true;
        if (name > count - at - 3 || content > count - at - 3 - name)
            break;
        at += 3 + name + content;
    }
    return false;
}

/* Who needs no library has no libc either. */
static bool needs_a_library(int fd, const ElfW(Phdr) * segment)
{
    ElfW(Dyn) entries[DYNAMIC_BATCH];
    for (uint64_t at = 0; at < segment->p_filesz; at += sizeof entries) {
        long n = sys_pread(fd, entries, sizeof entries, segment->p_offset + at);
        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof *entries; i++)
            if (entries[i].d_tag == DT_NEEDED || entries[i].d_tag == DT_NULL)
                return entries[i].d_tag == DT_NEEDED;
        if (n < (long)sizeof entries)
            return false;
    }
    return false;
}

static bool is_own_program(int fd, const ElfW(Ehdr) * header)
{
    ElfW(Phdr) segments[MAX_SEGMENTS];
    size_t count = header->e_phnum < MAX_SEGMENTS ? header->e_phnum : MAX_SEGMENTS;
    if (header->e_phentsize != sizeof *segments ||
        sys_pread(fd, segments, count * sizeof *segments, header->e_phoff) !=
            (long)(count * sizeof *segments))
        return false;
    bool has_loader = false, is_alone = false, is_go = false;
    for (size_t i = 0; i < count; i++) {
        has_loader = has_loader || segments[i].p_type == PT_INTERP;
        is_alone =
            is_alone || (segments[i].p_type == PT_DYNAMIC && !needs_a_library(fd, &segments[i]));
        is_go = is_go || (segments[i].p_type == PT_NOTE && is_go_note(fd, &segments[i]));
    }
    return !has_loader || is_alone || is_go;
}

static bool gains_privileges(int fd)
{
    struct stat status;
    if (sys_geteuid() == 0)
        return false; /* root may watch anybody */
    return sys_fstat(fd, &status) != 0 || status.st_mode & (S_ISUID | S_ISGID) ||
           sys_has_capabilities(fd);
}

/* Puts the interpreter on a script's first line into path. */
static bool follow_script(const char *head, size_t bytes, char *path)
{
    size_t at = 2, length = 0;
    while (at < bytes && (head[at] == ' ' || head[at] == '\t'))
        at++;
    while (at < bytes && head[at] != ' ' && head[at] != '\t' && head[at] != '\n' && head[at])
        path[length++] = head[at++];
    path[length] = '\0';
    return length > 0;
}

bool image_makes_own_calls(const char *path)
{
    char head[256], interpreter[sizeof head];
    for (int depth = 0; depth <= MAX_INTERPRETERS; depth++) {
        int fd = sys_open(path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
            return false;
        long n = sys_pread(fd, head, sizeof head, 0);
        ElfW(Ehdr) header;
        bool own = false, is_script = n > 2 && head[0] == '#' && head[1] == '!';
        if (n >= (long)sizeof header && bytes_equal(head, ELFMAG, SELFMAG)) {
            __builtin_memcpy(&header, head, sizeof header);
            own = header.e_machine == HOST_MACHINE && head[EI_CLASS] == ELFCLASS64 &&
                  is_own_program(fd, &header) && !gains_privileges(fd);
        }
        sys_close(fd);
        if (!is_script || !follow_script(head, (size_t)n, interpreter))
            return own;
        path = interpreter;
    }
    return false;
}
