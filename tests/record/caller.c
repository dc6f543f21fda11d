/*
 * caller.c: calls each function that the recorder wraps, by name, three times: while no library has
 * it (the wrapper must fail with ENOSYS), for the first time, and once more.
 *
 *   caller DATA            all of them (there are folders DATA.NAME for those that list); prints
 * what a profile must have: "page N", "path P" or "folder P" caller DATA exec       becomes each
 * time another image, by every function that can caller DATA send NAME  asks for an invocation with
 * the function
 *
 * Ends with 0, or with 99 and a message if a function does not do what it should.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WITHOUT = 0, FIRST, AGAIN };

static const char *self, *data, *name;
static char buffer[PAGE];

/* ---- the recorder asks these two for the next definition: they can say that there is none ---- */

static int now = FIRST; /* the round */
/* Also when the recorder, which begins first of all, looks for all: it is to find each in its
 * round. */
static bool refused = true;

static void recorder_has_begun(void)
{
    refused = false;
}

__attribute__((section(".preinit_array"),
               used)) static void (*const first)(void) = recorder_has_begun;

/* libc's, for the recorder has none of these. */
static void *real(const char *function)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17"};
    void *found = NULL;
    for (size_t i = 0; i < sizeof versions / sizeof *versions && !found; i++)
        found = dlvsym(RTLD_NEXT, function, versions[i]);
    if (!found)
        errx(99, "libc has no %s", function);
    return found;
}

typedef void *lookup(void *handle, const char *symbol);
typedef int look_at_object(struct dl_phdr_info *info, size_t bytes, void *context);
typedef int visit(look_at_object *look, void *context);

/* To the real one, this program would be the caller: the recorder has to look for itself. */
__attribute__((visibility("default"))) void *dlsym(void *handle, const char *symbol)
{
    return handle == RTLD_NEXT ? NULL : ((lookup *)(uintptr_t)real("dlsym"))(handle, symbol);
}

__attribute__((visibility("default"))) int dl_iterate_phdr(look_at_object *look, void *context)
{
    return refused ? 0 : ((visit *)(uintptr_t)real("dl_iterate_phdr"))(look, context);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static void check(int good, const char *what)
{
    refused = false;
    if (!good)
        err(99, "%s: %s", name, what);
}

/* The recorder's definition of the function, which is called next, and then checked. */
static void *wrapper(void)
{
    void *found = ((lookup *)(uintptr_t)real("dlsym"))(RTLD_DEFAULT, name);
    check(found != NULL, "no such function");
    refused = now == WITHOUT;
    return found;
}

#define CALL(type, parameters, ...) ((type(*) parameters)(uintptr_t)wrapper())(__VA_ARGS__)

/* Each call that works reads a page of its own. */
static int page_of(int round)
{
    static int next = 10;
    if (round != WITHOUT)
        printf("page %d\n", next += 3);
    return next;
}

static int open_at(off_t offset)
{
    int fd = open(data, O_RDONLY);
    check(fd >= 0 && lseek(fd, offset, SEEK_SET) == offset, data);
    return fd;
}

static void expect_error(int round, long result, int wanted)
{
    int error = errno;
    if (result != -1 || error != (round == WITHOUT ? ENOSYS : wanted))
        errx(99, "%s: %ld, %s", name, result, strerror(error));
}

static void expect(int round, long result, long wanted)
{
    if (round == WITHOUT)
        expect_error(round, result, 0);
    else
        check(result == wanted, "the result");
}

static void read_here(int round)
{
    off_t at = (off_t)page_of(round) * PAGE;
    int fd = open_at(at);
    if (strcmp(name, "read") == 0)
        expect(round, CALL(ssize_t, (int, void *, size_t), fd, buffer, 1), 1);
    else
        expect(round, CALL(ssize_t, (int, void *, size_t, size_t), fd, buffer, 1, PAGE), 1);
    close(fd);
}

static void read_at(int round)
{
    off_t at = (off_t)page_of(round) * PAGE;
    int fd = open_at(0);
    expect(round, CALL(ssize_t, (int, void *, size_t, off_t, size_t), fd, buffer, 1, at, PAGE), 1);
    close(fd);
}

static void read_vector(int round)
{
    off_t at = (off_t)page_of(round) * PAGE;
    struct iovec vector = {buffer, 1};
    int fd = open_at(at), has_position = round == AGAIN && strstr(name, "v2");
    expect(round,
           CALL(ssize_t, (int, const struct iovec *, int, off_t, int), fd, &vector, 1,
                has_position ? -1 : at, 0),
           1);
    close(fd);
}

/* To another descriptor, from an offset and from the position. */
static void send_file(int round)
{
    off_t at = (off_t)page_of(round) * PAGE;
    int out = open("/dev/null", O_WRONLY), fd = open_at(at);
    expect(round,
           CALL(ssize_t, (int, int, off_t *, size_t), out, fd, round == AGAIN ? NULL : &at, 1), 1);
    close(fd);
    close(out);
}

static void move_bytes(int round)
{
    off_t at = (off_t)page_of(round) * PAGE;
    FILE *copy = tmpfile();
    int ends[2], fd = open_at(at);
    check(copy && pipe(ends) == 0, "pipe");
    expect(round,
           CALL(ssize_t, (int, off_t *, int, off_t *, size_t, unsigned), fd,
                round == AGAIN ? NULL : &at, strcmp(name, "splice") == 0 ? ends[1] : fileno(copy),
                NULL, 1, 0),
           1);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    fclose(copy);
}

static const char *beside_data(int round)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s.%s%s", data, name, round == WITHOUT ? ".hidden" : "");
    errno = 0;
    return path;
}

static int open_folder(int round)
{
    const char *path = beside_data(FIRST);
    if (round == FIRST)
        printf("folder %s\n", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    check(fd >= 0, path);
    return fd;
}

static void list_descriptor(int round)
{
    int fd = open_folder(round);
    long n = CALL(ssize_t, (int, void *, size_t), fd, buffer, sizeof buffer);
    expect(round, n > 0 ? 0 : n, 0);
    close(fd);
}

static void list_stream(int round)
{
    bool by_path = strcmp(name, "opendir") == 0;
    int fd = open_folder(round);
    DIR *directory =
        by_path ? CALL(DIR *, (const char *), beside_data(FIRST)) : CALL(DIR *, (int), fd);
    check((directory == NULL) == (round == WITHOUT), "the result");
    if (directory)
        closedir(directory);
    if (by_path || !directory)
        close(fd);
    directory = by_path ? CALL(DIR *, (const char *), "/missing/folder") : CALL(DIR *, (int), -1);
    check(!directory, "what is not there is listed");
}

/* Nobody has made what these look for. */
static const char *missing(int round)
{
    const char *path = beside_data(round);
    if (round == FIRST)
        printf("path %s\n", path);
    return path;
}

/* The third argument is room for an answer, or not looked at. */
static void look(int round)
{
    expect_error(round, CALL(int, (const char *, long, long), missing(round), 0, 0), ENOENT);
}

static void look_for_status(int round)
{
    expect_error(round, CALL(int, (const char *, void *), missing(round), buffer), ENOENT);
}

static void look_for_link(int round)
{
    expect_error(
        round,
        CALL(ssize_t, (const char *, char *, size_t, size_t), missing(round), buffer, 10, PAGE),
        ENOENT);
}

static void look_from_folder(int round)
{
    expect_error(round,
                 CALL(int, (int, const char *, void *, long, void *), AT_FDCWD, missing(round),
                      buffer, 0, buffer),
                 ENOENT);
}

static void look_by_name_and_numbers(int round)
{
    expect_error(
        round,
        CALL(int, (int, const char *, int, int, void *), AT_FDCWD, missing(round), 0, 0, buffer),
        ENOENT);
}

static void look_with_version(int round)
{
    expect_error(round, CALL(int, (int, const char *, void *), 1, missing(round), buffer), ENOENT);
}

static void look_from_folder_with_version(int round)
{
    expect_error(
        round,
        CALL(int, (int, int, const char *, void *, int), 1, AT_FDCWD, missing(round), buffer, 0),
        ENOENT);
}

/* What they create is no path to look up at the next start. */
static void create(int round)
{
    const char *path = beside_data(WITHOUT);
    int fd = strncmp(name, "openat", 6) == 0
                 ? CALL(int, (int, const char *, int, ...), AT_FDCWD, path, O_RDWR | O_CREAT, 0640)
                 : CALL(int, (const char *, int, ...), path, O_RDWR | O_CREAT, 0640);
    expect(round, fd >= 0 ? 0 : fd, 0);
    struct stat status;
    check(fd < 0 || (fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0640), "the mode");
    close(fd);
    unlink(path);
    fd = strncmp(name, "openat", 6) == 0
             ? CALL(int, (int, const char *, int, ...), AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600)
             : CALL(int, (const char *, int, ...), "/tmp", O_RDWR | O_TMPFILE, 0600);
    if (fd >= 0) /* not every file system can */
        check(fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0600, "the mode of a file");
    close(fd);
    if (strncmp(name, "openat", 6) == 0)
        look_by_name_and_numbers(round);
    else
        look(round);
}

static void resolve(int round)
{
    const char *path = missing(round);
    check(!CALL(char *, (const char *, char *, size_t), path, NULL, PAGE), "a result");
    check(round == WITHOUT || errno == ENOENT, "the error");
}

static void expect_refusal(int round, int error, const struct sockaddr_un *to, size_t length)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    errno = 0;
    int result = CALL(int, (int, const void *, socklen_t), fd, to, (socklen_t)length);
    expect_error(round, result, error);
    close(fd);
}

static void connect_to(int round)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/"};
    memset(to.sun_path + 1, 'x', sizeof to.sun_path - 1); /* and nothing ends it */
    expect_refusal(round, ENOENT, &to, sizeof to);
    if (round == FIRST)
        printf("path %.*s\n", (int)sizeof to.sun_path, to.sun_path);
    strcpy(to.sun_path, "/missing-and-ended");
    expect_refusal(round, ENOENT, &to, offsetof(struct sockaddr_un, sun_path) + 12);
    if (round == FIRST)
        printf("path %.12s\n", to.sun_path);
    /* None of these is a path. */
    strcpy(to.sun_path, "relative");
    expect_refusal(round, ENOENT, &to, sizeof to);
    to.sun_path[0] = '\0';
    expect_refusal(round, ECONNREFUSED, &to, sizeof to);
    expect_refusal(round, EINVAL, &to, offsetof(struct sockaddr_un, sun_path));
    expect_refusal(round, EINVAL, &to, sizeof to + 1);
    if (round != WITHOUT)
        expect_refusal(round, EFAULT, (const struct sockaddr_un *)8, sizeof to);
    to.sun_family = AF_INET;
    expect_refusal(round, EINVAL, &to, sizeof to);
}

/* ---- streams --------------------------------------------------------------------------------- */

static void open_stream(int round)
{
    long at = (long)page_of(round) * PAGE;
    FILE *file = NULL;
    int fd = open_at(at);
    if (strncmp(name, "fopen", 5) == 0) {
        check(!CALL(FILE *, (const char *, const char *), missing(round), "r"), "a stream");
        file = CALL(FILE *, (const char *, const char *), data, "r");
        check(!file || fseek(file, at, SEEK_SET) == 0, "fseek");
    } else if (strcmp(name, "fdopen") == 0) {
        check(!CALL(FILE *, (int, const char *), -1, "r"), "a stream of no descriptor");
        file = CALL(FILE *, (int, const char *), dup(fd), "r");
    } else {
        FILE *old = tmpfile();
        file = CALL(FILE *, (const char *, const char *, FILE *), data, "r", old);
        check(!file || fseek(file, at, SEEK_SET) == 0, "fseek");
    }
    check((file == NULL) == (round == WITHOUT), "no result");
    check(!file || (fgetc(file) != EOF && fclose(file) == 0), "fgetc");
    close(fd);
}

static void close_stream(int round)
{
    FILE *file = tmpfile();
    check(file && CALL(int, (FILE *), file) == (round == WITHOUT ? EOF : 0), "the result");
}

/* A page is read by what has jumped to it. */
static void jump(int round)
{
    FILE *file, *other = tmpfile();
    if (round == WITHOUT) {
        fpos_t start;
        check(other && fgetpos(other, &start) == 0, "fgetpos");
        int result = strncmp(name, "fsetpos", 7) == 0
                         ? CALL(int, (FILE *, const fpos_t *), other, &start)
                         : CALL(int, (FILE *, long, int), other, 0, SEEK_SET);
        check(result == -1, "a result");
        return;
    }
    long at = (long)page_of(round) * PAGE;
    fpos_t position;
    check(other && (file = fopen(data, "r")) && fseek(other, at, SEEK_SET) == 0 &&
              fgetpos(other, &position) == 0,
          "fgetpos");
    int result = strncmp(name, "fsetpos", 7) == 0
                     ? CALL(int, (FILE *, const fpos_t *), file, &position)
                     : CALL(int, (FILE *, long, int), file, at, SEEK_SET);
    check(result == 0 && ftell(file) == at && fgetc(file) != EOF && fclose(file) == 0, "the jump");
    fclose(other);
}

static void go_back(int round)
{
    FILE *file = round == WITHOUT ? tmpfile() : fopen(data, "r");
    check(file && fseek(file, 2 * PAGE, SEEK_SET) == 0, "fseek");
    CALL(void, (FILE *), file);
    check(ftell(file) == (round == WITHOUT ? 2 * PAGE : 0), "the position");
    check(round == WITHOUT || fgetc(file) != EOF, "fgetc");
    check(fclose(file) == 0, "fclose");
    if (round == FIRST)
        printf("page 0\n");
}

/* ---- others ---------------------------------------------------------------------------------- */

static long send_by_name(int fd, const char *text)
{
    size_t bytes = strlen(text);
    struct iovec vector = {(void *)(uintptr_t)text, bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (strcmp(name, "write") == 0)
        return CALL(ssize_t, (int, const void *, size_t), fd, text, bytes);
    if (strcmp(name, "writev") == 0)
        return CALL(ssize_t, (int, const struct iovec *, int), fd, &vector, 1);
    if (strcmp(name, "sendmsg") == 0)
        return CALL(ssize_t, (int, const struct msghdr *, int), fd, &message, 0);
    return CALL(ssize_t, (int, const void *, size_t, int, const void *, socklen_t), fd, text, bytes,
                0, NULL, 0);
}

static void send_text(int round)
{
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    expect(round, send_by_name(ends[0], "text"), 4);
    if (round != WITHOUT)
        check(read(ends[1], buffer, 5) == 4 && memcmp(buffer, "text", 4) == 0, "what was sent");
    close(ends[0]);
    close(ends[1]);
}

static void unload(int round)
{
    void *object = dlopen("libm.so.6", RTLD_NOW);
    check(object && CALL(int, (void *), object) == (round == WITHOUT ? -1 : 0), "the result");
}

static void make_child(int round)
{
    int status = 0;
    pid_t pid = CALL(pid_t, (void), );
    if (pid == 0)
        _exit(3);
    check(pid == -1 || (waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3), "the child");
    expect(round, pid > 0 ? 0 : pid, 0);
}

static void spawn(int round)
{
    const char *const arguments[] = {self, "-", NULL};
    pid_t pid;
    int status,
        error = CALL(
            int, (pid_t *, const char *, void *, void *, const char *const *, const char *const *),
            &pid, self, NULL, NULL, arguments, (const char *const *)(uintptr_t)environ);
    check(error == (round == WITHOUT ? ENOSYS : 0), "the result");
    check(error || (waitpid(pid, &status, 0) == pid && status == 0), "the child");
}

static void execute_without(int round)
{
    const char *const arguments[] = {self, "-", NULL};
    int result = 0;
    if (round != WITHOUT)
        return;
    if (strcmp(name, "fexecve") == 0)
        result = CALL(int, (int, const char *const *, const char *const *), 0, arguments,
                      (const char *const *)(uintptr_t)environ);
    else
        result = CALL(int, (const char *, const char *const *, const char *const *), self,
                      arguments, (const char *const *)(uintptr_t)environ);
    expect(round, result, 0);
}

/* First those that others make use of: what was found once is not looked for again. */
static const struct {
    void (*call)(int round);
    const char *names[10];
} table[] = {
    {create, {"open", "open64", "openat", "openat64"}},
    {close_stream, {"fclose"}},
    {open_stream, {"fopen", "fopen64", "fdopen", "freopen", "freopen64"}},
    {jump, {"fseek", "fseeko", "fseeko64", "fsetpos", "fsetpos64"}},
    {read_here, {"read", "__read_chk"}},
    {read_at, {"pread", "pread64", "__pread_chk", "__pread64_chk"}},
    {read_vector, {"readv", "preadv", "preadv64", "preadv2", "preadv64v2"}},
    {send_file, {"sendfile", "sendfile64"}},
    {move_bytes, {"splice", "copy_file_range"}},
    {list_descriptor, {"getdents64"}},
    {list_stream, {"opendir", "fdopendir"}},
    {look, {"access", "eaccess", "euidaccess", "chdir", "__open_2", "__open64_2"}},
    {look_for_status, {"stat", "stat64", "lstat", "lstat64"}},
    {look_for_link, {"readlink", "__readlink_chk"}},
    {look_from_folder, {"fstatat", "fstatat64"}},
    {look_by_name_and_numbers, {"statx", "faccessat", "__openat_2", "__openat64_2"}},
    {look_with_version, {"__xstat", "__xstat64", "__lxstat", "__lxstat64"}},
    {look_from_folder_with_version, {"__fxstatat", "__fxstatat64"}},
    {resolve, {"realpath", "__realpath_chk"}},
    {connect_to, {"connect"}},
    {go_back, {"rewind"}},
    {send_text, {"write", "writev", "send", "sendto", "sendmsg"}},
    {unload, {"dlclose"}},
    {make_child, {"fork"}},
    {spawn, {"posix_spawn", "posix_spawnp"}},
    {execute_without, {"fexecve", "execvpe"}},
};

static void call_all(void)
{
    for (now = WITHOUT; now <= AGAIN; now++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            for (const char *const *at = table[i].names; *at; at++) {
                name = *at;
                refused = false;
                table[i].call(now);
            }
}

/* ---- other images: their environments do not mention the recording --------------------------- */

static void touch(const char *page)
{
    int fd = open(data, O_RDONLY);
    check(pread(fd, buffer, 1, atol(page) * PAGE) == 1, "pread");
    close(fd);
}

static const char **carrying(void);

static void become(const char *page)
{
    const char *const arguments[] = {self, data, "page", page, NULL};
    const char *file = strrchr(self, '/') + 1;
    const char *const no_variables[] = {NULL}, *const other[] = {"A=1", "LD_PRELOAD=libm.so.6",
                                                                 NULL};
    const char *const empty[] = {"LD_PRELOAD=", "COLDBOOST_TRACE=/nowhere", NULL};
    if (strcmp(name, "execve") == 0)
        CALL(int, (const char *, const char *const *, const char *const *), self, arguments, NULL);
    else if (strcmp(name, "execvpe") == 0)
        CALL(int, (const char *, const char *const *, const char *const *), file, arguments, empty);
    else if (strcmp(name, "execv") == 0 || strcmp(name, "execvp") == 0)
        CALL(int, (const char *, const char *const *), name[5] ? file : self, arguments);
    else if (strcmp(name, "execveat") == 0)
        CALL(int, (int, const char *, const char *const *, const char *const *, int), AT_FDCWD,
             self, arguments, carrying(), 0);
    else if (strcmp(name, "fexecve") == 0)
        CALL(int, (int, const char *const *, const char *const *), open(self, O_PATH), arguments,
             other);
    else
        CALL(int, (const char *, const char *, ...), name[5] == 'p' ? file : self, self, data,
             "page", page, NULL, no_variables);
    check(0, "returned");
}

/* The environment, with another object before the recorder. */
static const char **carrying(void)
{
    static char preload[8192];
    static const char *entries[1024];
    size_t count = 0;
    snprintf(preload, sizeof preload, "LD_PRELOAD=libm.so.6 %s", getenv("LD_PRELOAD"));
    for (char **at = environ; *at && count < 1000; at++)
        entries[count++] = strncmp(*at, "LD_PRELOAD=", 11) == 0 ? preload : *at;
    return entries;
}

static void wait_for(pid_t pid)
{
    int status;
    check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "the child");
}

static void execute_all(void)
{
    static const char *const names[] = {"execve",  "execvpe", "execv",  "execvp", "execveat",
                                        "fexecve", "execl",   "execlp", "execle"};
    static char path[8192];
    char page[20];
    int at = 40;
    snprintf(path, sizeof path, ":/nowhere:%.*s:/bin", (int)(strrchr(self, '/') - self), self);
    check(setenv("PATH", path, 1) == 0, "setenv");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++, at++) {
        name = names[i];
        snprintf(page, sizeof page, "%d", at);
        printf("page %d\n", at);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            become(page);
        wait_for(pid);
    }
    for (int i = 0; i < 2; i++, at++) {
        const char *const arguments[] = {self, data, "page", page, NULL};
        const char *const no_variables[] = {NULL};
        pid_t pid;
        name = i ? "posix_spawnp" : "posix_spawn";
        snprintf(page, sizeof page, "%d", at);
        printf("page %d\n", at);
        check(
            CALL(int,
                 (pid_t *, const char *, void *, void *, const char *const *, const char *const *),
                 &pid, i ? strrchr(self, '/') + 1 : self, NULL, NULL, arguments, no_variables) == 0,
            "the result");
        wait_for(pid);
    }
    /* One that is not found goes on here, and is recorded still. */
    char *const nothing[] = {(char[]){"no-such-program"}, NULL};
    check(unsetenv("PATH") == 0, "unsetenv");
    check(execvp(nothing[0], nothing) == -1 && errno == ENOENT, "another error");
    touch("80");
    printf("page 80\n");
}

static void ask(const char *function)
{
    int ends[2];
    name = function;
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    touch("10");
    check(send_by_name(ends[0], "GET /2018-06-01/runtime/invocation/nix HTTP/1.1\r\n\r\n") > 0,
          "nix");
    touch("20");
    check(send_by_name(ends[0], "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n") > 0,
          "next");
    touch("30");
}

int main(int argc, char **argv)
{
    self = argv[0];
    data = argv[1];
    name = "start";
    if (argc == 2 && strcmp(data, "-") == 0)
        return 0;
    if (argc == 2)
        call_all();
    else if (strcmp(argv[2], "page") == 0)
        touch(argv[3]);
    else if (strcmp(argv[2], "exec") == 0)
        execute_all();
    else
        ask(argv[3]);
    return 0;
}
