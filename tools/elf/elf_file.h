/*
 * elf_file.h: libelf with limits: reads ELF files of any class and byte order, by anybody.
 */
#pragma once

#include <gelf.h>
#include <stdint.h>

/* As many program headers as any loader takes. */
enum { ELF_MAX_HEADERS = 512 };

/*
 * Opens an ELF file and fills out ident, with zeros behind the end of the file. Returns NULL if the
 * file is no ELF file, is shorter than its header, or counts more headers than a program has.
 * elf_end() closes it. The descriptor stays the caller's, who may close it when all is read.
 */
Elf *elf_file_open(int fd, unsigned char ident[EI_NIDENT]);

/*
 * A piece of the file, in this machine's byte order, that lives as long as elf. Returns NULL if the
 * piece is too large or not within the file, or if the file has shrunk.
 */
Elf_Data *elf_file_piece(Elf *elf, uint64_t offset, uint64_t bytes, Elf_Type type);

/* The text that begins at this place of a string table, or NULL if it has no end there. */
const char *elf_file_text(const Elf_Data *strings, uint64_t at);

/*
 * Copies the build-id in the file's notes, at most so many bytes of it. Returns how many, 0 if
 * there is none, and where they stand in the file. elf may be NULL.
 */
size_t elf_file_build_id(Elf *elf, uint8_t *out, size_t most, uint64_t *offset);
