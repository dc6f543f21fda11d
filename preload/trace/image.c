/*
 * image.c: looks at the head, the segments and the notes of an executable. Believes nothing: any
 * file may be executed, and may be changed meanwhile.
 */
#include "trace/image.h"

#include "base/executable.h"
#include "base/sys.h"
#include "base/text.h"

enum { NOTE_BYTES = 1024 };

/* Go's linker leaves a note called "Go", also in programs that use libc here and there. */
static bool is_go_note(int fd, const Elf64_Phdr *segment)
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
static bool is_own_program(int fd, const Elf64_Ehdr *header)
{
    struct executable_segments segments;
    executable_read_segments(fd, header, &segments);
    const Elf64_Phdr *dynamic = executable_segment(&segments, PT_DYNAMIC);
    bool own = (segments.count && !executable_segment(&segments, PT_INTERP)) ||
               (dynamic && !executable_has_dynamic(fd, dynamic, DT_NEEDED));
    for (size_t i = 0; i < segments.count && !own; i++)
        own = segments.all[i].p_type == PT_NOTE && is_go_note(fd, &segments.all[i]);
    return own;
}

static bool gains_privileges(int fd)
{
    struct stat status;
    if (sys_geteuid() == 0)
        return false; /* root may watch anybody */
    return sys_fstat(fd, &status) != 0 || status.st_mode & (S_ISUID | S_ISGID) ||
           sys_has_capabilities(fd);
}

bool image_makes_own_calls(const char *path)
{
    struct executable file;
    for (int depth = 0; depth <= EXECUTABLE_MAX_INTERPRETERS; depth++) {
        int fd = sys_open(path, O_RDONLY | O_NONBLOCK);
        if (fd < 0)
            return false;
        bool own = executable_read(fd, &file) == 0 && file.kind == EXECUTABLE_ELF &&
                   executable_is_native(&file.header) && is_own_program(fd, &file.header) &&
                   !gains_privileges(fd);
        sys_close(fd);
        if (!file.interpreter)
            return own;
        path = file.interpreter;
    }
    return false;
}
