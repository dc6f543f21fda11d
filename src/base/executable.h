/*
 * executable.h: what the kernel makes of a file that it is to execute: the head of the file, which
 * is a script's first line or an ELF header, and an ELF file's segments.
 *
 * Believes nothing: anybody may have written the file, and it may change meanwhile. System calls
 * only; works between vfork and exec.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    EXECUTABLE_LINE_BYTES = 256,     /* so much of a "#!" line the kernel reads */
    EXECUTABLE_MAX_INTERPRETERS = 5, /* scripts whose interpreter is a script: the kernel's limit */
    EXECUTABLE_MAX_SEGMENTS = 64,    /* that are looked at */
};

#define EXECUTABLE_SHELL "/bin/sh"

enum executable_kind {
    EXECUTABLE_OTHER,
    EXECUTABLE_SCRIPT, /* "#!" and an interpreter */
    EXECUTABLE_TEXT,   /* without "#!": by convention, the shell executes it: execvp(3) */
    EXECUTABLE_ELF,    /* of any machine; the header may be cut */
};

struct executable {
    enum executable_kind kind;
    size_t bytes;      /* of the file's head that could be read */
    Elf64_Ehdr header; /* of an ELF file; zero where it is cut */
    char *interpreter; /* of a script, NULL for others; these point into the text */
    char *argument;    /* what follows the interpreter, "" for nothing */
    char text[EXECUTABLE_LINE_BYTES + 1];
};

/* Returns 0, or -errno if the file cannot be read. */
int executable_read(int fd, struct executable *out);

/* Whether the ELF file is for this machine: class, byte order, processor. */
bool executable_is_native(const Elf64_Ehdr *header);

struct executable_segments {
    Elf64_Phdr all[EXECUTABLE_MAX_SEGMENTS];
    size_t count; /* 0 if they cannot be read */
};

void executable_read_segments(int fd, const Elf64_Ehdr *header, struct executable_segments *out);

/* The first segment of a type, or NULL. */
const Elf64_Phdr *executable_segment(const struct executable_segments *segments, Elf64_Word type);

/* Whether the dynamic section, a segment PT_DYNAMIC or NULL, has an entry with the tag. */
bool executable_has_dynamic(int fd, const Elf64_Phdr *dynamic, Elf64_Sxword tag);
