/*
 * reader.c: maps the files that it is given and prints the sum of their bytes. Built with musl, for
 * a root that has no other program which is linked dynamically.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    unsigned long sum = 0;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        int fd = open(argv[i], O_RDONLY);
        if (fd < 0 || fstat(fd, &status) != 0)
            return 1;
        const unsigned char *bytes =
            mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            return 1;
        for (off_t at = 0; at < status.st_size; at++)
            sum += bytes[at];
    }
    printf("%lu\n", sum);
    return 0;
}
