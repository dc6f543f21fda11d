/*
 * elf_file.c: all that the tools ask libelf of files that others wrote.
 *
 * ELF_C_READ, never a mapping: a file that shrinks must not kill us, and to inspect a file is not
 * to page it in. libelf 0.188 compares every offset with the size of the file, but the file may be
 * all holes. So its counts and sizes are limited here:
 * - elf_begin() fills out 300 bytes for each section, up to 4,294,967,295 of them where the count
 *   stands in the first section (extended numbering); the same for program headers.
 * - elf_strptr() looks for the end of a text from the end of the table: it takes the square of the
 *   time for a table with many symbols and no zero at its end. It also unpacks compressed tables.
 * - A piece lives until elf_end(), and one of any size is read at once.
 */
#include "elf/elf_file.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAX_PIECE_BYTES ((uint64_t)256 << 20)
enum { MAX_TEXT = 1 << 16, MAX_NOTES = 1 << 16 };

Elf *elf_file_open(int fd, unsigned char ident[EI_NIDENT])
{
    union {
        unsigned char ident[EI_NIDENT];
        Elf32_Ehdr small;
        Elf64_Ehdr large;
    } header;
    memset(&header, 0, sizeof header);
    ssize_t n = pread(fd, &header, sizeof header, 0);
    memcpy(ident, header.ident, EI_NIDENT);
    bool is_large = ident[EI_CLASS] == ELFCLASS64;
    /* Neither value depends on the byte order. */
    bool is_extended =
        is_large
            ? header.large.e_phnum == PN_XNUM || (!header.large.e_shnum && header.large.e_shoff)
            : header.small.e_phnum == PN_XNUM || (!header.small.e_shnum && header.small.e_shoff);
    if (n < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0 || is_extended)
        return NULL;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    if (elf && elf_kind(elf) == ELF_K_ELF)
        return elf;
    elf_end(elf);
    return NULL;
}

Elf_Data *elf_file_piece(Elf *elf, uint64_t offset, uint64_t bytes, Elf_Type type)
{
    if (bytes > MAX_PIECE_BYTES || offset > INT64_MAX)
        return NULL;
    return elf_getdata_rawchunk(elf, (int64_t)offset, bytes, type);
}

const char *elf_file_text(const Elf_Data *strings, uint64_t at)
{
    if (!strings || at >= strings->d_size)
        return NULL;
    const char *text = (const char *)strings->d_buf + at;
    size_t left = strings->d_size - at, most = left < MAX_TEXT ? left : MAX_TEXT;
    return strnlen(text, most) < most ? text : NULL;
}

size_t elf_file_build_id(Elf *elf, uint8_t *out, size_t most, uint64_t *offset)
{
    GElf_Phdr header;
    GElf_Nhdr note;
    for (int i = 0; i < ELF_MAX_HEADERS && gelf_getphdr(elf, i, &header); i++) {
        if (header.p_type != PT_NOTE || header.p_filesz > MAX_NOTES)
            continue;
        Elf_Data *data = elf_file_piece(elf, header.p_offset, header.p_filesz,
                                        header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
        const char *notes = data ? data->d_buf : NULL;
        size_t next = 0, name, at;
        while (notes && (next = gelf_getnote(data, next, &note, &name, &at)) != 0) {
            if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || !note.n_descsz ||
                memcmp(notes + name, "GNU", 4) != 0)
                continue;
            most = note.n_descsz < most ? note.n_descsz : most;
            memcpy(out, notes + at, most);
            *offset = header.p_offset + at;
            return most;
        }
    }
    return 0;
}
