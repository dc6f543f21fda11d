/*
 * without-tls.c: calls what the recorder wraps in children whose thread pointer leads to zeros, as
 * Chromium's sandbox helper makes one: everything that needs no thread-local data works there.
 * Prints how each child ended. Usage: without-tls FILE
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *path;
static char room[8192], stack[1 << 18];
static uint64_t tls[512];
static char argument[] = "x", *no_arguments[] = {argument, NULL};
static const char missing[] = "/no/such/program";

static int opened(void)
{
    return open(path, O_RDONLY);
}

static int reads(void)
{
    struct iovec vector = {room, 16};
    off_t from = 0;
    int in = opened(), out = open("/dev/null", O_WRONLY);
    return read(in, room, 16) == 16 && readv(in, &vector, 1) == 16 &&
           pread(in, room, 16, 0) == 16 && preadv(in, &vector, 1, 0) == 16 &&
           preadv2(in, &vector, 1, -1, 0) == 16 && sendfile(out, in, &from, 16) == 16 &&
           read(-1, room, 16) == -1;
}

static int listings(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    return getdents64(fd, room, sizeof room) > 0;
}

static int looks(void)
{
    struct stat status;
    struct statx extended;
    return stat(path, &status) == 0 && lstat(path, &status) == 0 &&
           fstatat(AT_FDCWD, path, &status, 0) == 0 &&
           statx(AT_FDCWD, path, 0, STATX_SIZE, &extended) == 0 && access(path, R_OK) == 0 &&
           chdir("/") == 0 && readlink("/proc/self/exe", room, sizeof room) > 0;
}

/* A failing call says so in errno, which libc reaches without asking where it is. */
static int misses(void)
{
    struct stat status;
    return stat("/missing", &status) == -1 && access("/missing", F_OK) == -1 &&
           open("/missing", O_RDONLY) == -1 && openat(AT_FDCWD, "missing", O_RDONLY) == -1 &&
           chdir("/missing") == -1 && readlink("/missing", room, sizeof room) == -1;
}

static int bad_pointers(void)
{
    const char *volatile nowhere = (const char *)1;
    return access(nowhere, F_OK) == -1 && chdir(nowhere) == -1 && open(nowhere, O_RDONLY) == -1;
}

static int mappings(void)
{
    char *pages = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, opened(), 0);
    return pages != MAP_FAILED && (pages[1] || !pages[1]) && munmap(pages, 4096) == 0 &&
           mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED &&
           munmap(room + 1, 4096) == -1;
}

static int sends(void)
{
    struct iovec vector = {room, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    int ends[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && write(ends[0], "x", 1) == 1 &&
           writev(ends[0], &vector, 1) == 1 && send(ends[0], "x", 1, 0) == 1 &&
           sendto(ends[0], "x", 1, 0, NULL, 0) == 1 && sendmsg(ends[0], &message, 0) == 1 &&
           write(-1, "x", 1) == -1;
}

static int connects(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/missing"};
    const struct sockaddr *volatile nowhere = (const struct sockaddr *)1;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (const void *)&name, sizeof name) == -1 &&
           connect(fd, nowhere, sizeof name) == -1;
}

static int executions_that_fail(void)
{
    return execve(missing, no_arguments, environ) == -1 && execv(missing, no_arguments) == -1 &&
           execveat(AT_FDCWD, missing, no_arguments, environ, 0) == -1 &&
           execl(missing, "x", (char *)NULL) == -1 &&
           execle(missing, "x", (char *)NULL, environ) == -1 &&
           execvp(missing, no_arguments) == -1 && fexecve(-1, no_arguments, environ) == -1;
}

static int execution(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static int ends_at_once(void)
{
    _Exit(0);
}

static const struct step {
    const char *name;
    int (*run)(void);
} steps[] = {
    {"reads", reads},
    {"listings", listings},
    {"looks", looks},
    {"misses", misses},
    {"bad pointers", bad_pointers},
    {"mappings", mappings},
    {"sends", sends},
    {"connects", connects},
    {"executions that fail", executions_that_fail},
    {"an execution", execution},
    {"an end", ends_at_once},
};

static int run(void *step)
{
    _exit(((const struct step *)step)->run() ? 0 : 1);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    path = argv[1];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const int flags = CLONE_VM | CLONE_VFORK | CLONE_FS | CLONE_SETTLS | SIGCHLD;
        memset(tls, 0, sizeof tls);
        int status = 0;
        pid_t child = clone(run, stack + sizeof stack, flags, (void *)(uintptr_t)&steps[i], NULL,
                            tls + 256, NULL);
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 1;
        printf("%s: %d\n", steps[i].name, status);
        fflush(stdout);
    }
    return 0;
}
