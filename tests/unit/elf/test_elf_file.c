/*
 * What libelf is not asked to do with files of others, and that none of them harms us.
 */
#include "convert/symbols.h"
#include "elf/elf_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned char ident[EI_NIDENT];

static Elf64_Ehdr make_header(void)
{
    Elf64_Ehdr header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_shentsize = sizeof(Elf64_Shdr),
    };
    return header;
}

/* A file of holes with these bytes in it. */
static int make_file(off_t size, const void *head, size_t head_bytes, const void *more,
                     size_t more_bytes, off_t where)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);
    cr_assert_eq(ftruncate(fd, size), 0);
    cr_assert_eq(pwrite(fd, head, head_bytes, 0), (ssize_t)head_bytes);
    cr_assert_eq(pwrite(fd, more, more_bytes, where), (ssize_t)more_bytes);
    return fd;
}

/* For this file, 8 KiB on a disk, elf_begin() of libelf 0.188 takes 200 MB; with 64 times the
 * count, 13 GB. */
Test(elf_file, refuses_a_million_sections)
{
    const uint64_t count = 1 << 20;
    Elf64_Ehdr header = make_header();
    header.e_shoff = 4096;
    Elf64_Shdr first = {.sh_size = count};
    int fd = make_file((off_t)(4096 + count * sizeof first), &header, sizeof header, &first,
                       sizeof first, 4096);
    cr_expect_null(elf_file_open(fd, ident));
    cr_expect_eq(ident[EI_CLASS], ELFCLASS64);
    close(fd);
}

Test(elf_file, refuses_a_million_program_headers)
{
    const uint32_t count = 1 << 20;
    Elf64_Ehdr header = make_header();
    header.e_shoff = 4096;
    header.e_shnum = 1;
    header.e_phoff = 8192;
    header.e_phnum = PN_XNUM;
    Elf64_Shdr first = {.sh_info = count};
    int fd = make_file(8192 + (off_t)count * (off_t)sizeof(Elf64_Phdr), &header, sizeof header,
                       &first, sizeof first, 4096);
    cr_expect_null(elf_file_open(fd, ident));
    close(fd);
}

Test(elf_file, hands_out_no_piece_that_is_too_large_or_outside)
{
    Elf64_Ehdr header = make_header();
    int fd = make_file((off_t)1 << 40, &header, sizeof header, "end", 4, 8192);
    Elf *elf = elf_file_open(fd, ident);
    cr_assert_not_null(elf);
    const Elf_Data *piece = elf_file_piece(elf, 8192, 4, ELF_T_BYTE);
    cr_assert_not_null(piece);
    cr_expect_str_eq(piece->d_buf, "end");
    cr_expect_null(elf_file_piece(elf, 0, (uint64_t)257 << 20, ELF_T_BYTE));
    cr_expect_null(elf_file_piece(elf, (uint64_t)1 << 40, 1, ELF_T_BYTE));
    cr_expect_null(elf_file_piece(elf, UINT64_MAX, 2, ELF_T_BYTE));
    elf_end(elf);
    close(fd);
}

Test(elf_file, survives_a_file_that_shrinks)
{
    Elf64_Ehdr header = make_header();
    int fd = make_file(1 << 20, &header, sizeof header, "end", 4, 8192);
    Elf *elf = elf_file_open(fd, ident);
    cr_assert_not_null(elf);
    cr_assert_eq(ftruncate(fd, 4096), 0);
    cr_expect_null(elf_file_piece(elf, 8192, 4, ELF_T_BYTE));
    elf_end(elf);
    close(fd);
}

Test(elf_file, finds_the_end_of_a_text_in_its_table_alone)
{
    char bytes[] = {'a', '\0', 'b', 'c'};
    const Elf_Data strings = {.d_buf = bytes, .d_size = sizeof bytes};
    cr_expect_str_eq(elf_file_text(&strings, 0), "a");
    cr_expect_str_empty(elf_file_text(&strings, 1));
    cr_expect_null(elf_file_text(&strings, 2));
    cr_expect_null(elf_file_text(&strings, 4));
    cr_expect_null(elf_file_text(&strings, UINT64_MAX));
    cr_expect_null(elf_file_text(NULL, 0));
}

/*
 * 400,000 symbols without a name, whose table of texts ends with 16 MB that are no zero: with
 * elf_strptr() of libelf 0.188 this takes many minutes.
 */
Test(symbols, take_no_square_of_the_time)
{
    enum { SYMBOLS = 400000, TEXTS = 16 << 20, AT = 4096 };
    const uint64_t texts_at = AT + SYMBOLS * sizeof(Elf64_Sym);
    Elf64_Ehdr header = make_header();
    header.e_shoff = sizeof header;
    header.e_shnum = 3;
    struct {
        Elf64_Ehdr header;
        Elf64_Shdr sections[3];
    } head = {header, {{0}, {0}, {0}}};
    head.sections[1] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                    .sh_offset = AT,
                                    .sh_size = SYMBOLS * sizeof(Elf64_Sym),
                                    .sh_link = 2,
                                    .sh_entsize = sizeof(Elf64_Sym)};
    head.sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = texts_at, .sh_size = TEXTS};
    Elf64_Sym *table = calloc(SYMBOLS, sizeof *table);
    for (size_t i = 0; i < SYMBOLS; i++)
        table[i] = (Elf64_Sym){.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = i + 1};
    char path[] = "elf-XXXXXX", *texts = malloc(TEXTS);
    int fd = mkstemp(path);
    memset(texts, 'x', TEXTS);
    texts[0] = texts[1] = '\0';
    cr_assert_eq(pwrite(fd, &head, sizeof head, 0), (ssize_t)sizeof head);
    cr_assert_eq(pwrite(fd, table, SYMBOLS * sizeof *table, AT),
                 (ssize_t)(SYMBOLS * sizeof *table));
    cr_assert_eq(pwrite(fd, texts, TEXTS, (off_t)texts_at), TEXTS);
    struct symbols *symbols = symbols_new();
    uint64_t address;
    cr_expect_str_empty(symbols_find(symbols, path, 5000, &address));
    symbols_free(symbols);
    unlink(path);
    close(fd);
    free(table);
    free(texts);
}

Test(symbols, do_not_wait_for_a_pipe)
{
    char folder[] = "pipe-XXXXXX", path[32];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    struct symbols *symbols = symbols_new();
    uint64_t address;
    cr_expect_str_empty(symbols_find(symbols, path, 5000, &address));
    symbols_free(symbols);
    unlink(path);
    rmdir(folder);
}
