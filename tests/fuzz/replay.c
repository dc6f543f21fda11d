/*
 * replay.c: main() of the harnesses in ordinary builds: runs one on files that are kept.
 *
 * Usage: fuzz-NAME FILE-OR-FOLDER…. A folder stands for the files in it.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static unsigned runs;

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file || fstat(fileno(file), &status) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size_t size = (size_t)status.st_size;
    uint8_t *bytes = malloc(size ? size : 1); /* nothing behind it */
    if (!bytes || fread(bytes, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot read it\n", path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last line is where it crashed */
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    runs++;
}

static void run_folder(const char *path, DIR *folder)
{
    for (struct dirent *entry; (entry = readdir(folder));) {
        char *name;
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
            exit(1);
        run_file(name);
        free(name);
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        if (folder) {
            run_folder(argv[i], folder);
            closedir(folder);
        } else {
            run_file(argv[i]);
        }
    }
    fprintf(stderr, "%u inputs\n", runs);
    return runs ? 0 : 1;
}
