/*
 * victim.c: a program that touches exactly the pages it is told to, in every way a program can. Its
 * arguments are done one after the other: WAY:PAGE, applied to the file in DATA (environment), or
 * PATH=FILE to go on with another file, await:FILE to wait until it exists, or -- COMMAND to become
 * another program. Ends with 0, or with 99 and a message if a way fails.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

static const char *data;
static char *self;
static char buffer[8 * PAGE];

static void check(int good, const char *what)
{
    if (!good)
        err(99, "%s", what);
}

static int open_at(off_t offset)
{
    int fd = open(data, O_RDONLY);
    check(fd >= 0 && lseek(fd, offset, SEEK_SET) == offset, data);
    return fd;
}

/* Two pages, from the middle of the first to the middle of the second. */
static void do_read(off_t page)
{
    int fd = open_at(page * PAGE + PAGE / 2);
    check(read(fd, buffer, PAGE) == PAGE, "read");
    close(fd);
}

static void do_readv(off_t page)
{
    struct iovec vector[] = {{buffer, 10}, {buffer + 10, 20}};
    int fd = open_at(page * PAGE);
    check(readv(fd, vector, 2) == 30, "readv");
    close(fd);
}

static void do_pread(off_t page)
{
    int fd = open_at(0);
    check(pread(fd, buffer, 1, page * PAGE) == 1, "pread");
    close(fd);
}

static void do_preadv(off_t page)
{
    struct iovec vector = {buffer, 1};
    int fd = open_at(0);
    check(preadv(fd, &vector, 1, page * PAGE) == 1, "preadv");
    close(fd);
}

/* With an offset, and at the position. */
static void do_preadv2(off_t page)
{
    struct iovec vector = {buffer, 1};
    int fd = open_at((page + 2) * PAGE);
    check(preadv2(fd, &vector, 1, page * PAGE, 0) == 1, "preadv2");
    check(preadv2(fd, &vector, 1, -1, 0) == 1, "preadv2 at the position");
    close(fd);
}

static void do_sendfile(off_t page)
{
    int out = open("/dev/null", O_WRONLY), fd = open_at((page + 2) * PAGE);
    off_t offset = page * PAGE + PAGE - 10;
    check(sendfile(out, fd, &offset, 10) == 10, "sendfile");
    check(sendfile(out, fd, NULL, 10) == 10, "sendfile at the position");
    close(fd);
    close(out);
}

static void do_splice(off_t page)
{
    int ends[2], fd = open_at(0);
    loff_t offset = page * PAGE + PAGE - 10;
    check(pipe(ends) == 0 && splice(fd, &offset, ends[1], NULL, 10, 0) == 10, "splice");
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static void do_copy(off_t page)
{
    FILE *out = tmpfile();
    int fd = open_at(0);
    loff_t offset = page * PAGE + PAGE - 10;
    check(out && copy_file_range(fd, &offset, fileno(out), NULL, 10, 0) == 10, "copy_file_range");
    close(fd);
    fclose(out);
}

/* The descriptor is inherited, moved and reused: what counts is what it stands for. */
static void do_dup(off_t page)
{
    int fd = open_at(page * PAGE), other = dup2(fd, 100);
    close(fd);
    fd = open("/dev/zero", O_RDONLY);
    check(other == 100 && read(other, buffer, 1) == 1 && read(fd, buffer, 1) == 1, "dup2");
    close(fd);
    close(other);
}

static const char *touch_map(off_t page)
{
    int fd = open_at(0);
    off_t size = lseek(fd, 0, SEEK_END);
    char *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    check(bytes != MAP_FAILED, "mmap");
    buffer[0] = *(volatile char *)(bytes + page * PAGE);
    return bytes;
}

static void do_map(off_t page)
{
    touch_map(page);
}

/* Gone within a microsecond: nobody can have sampled it. */
static void do_unmap(off_t page)
{
    int fd = open_at(0);
    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    close(fd);
    check(munmap((void *)(uintptr_t)touch_map(page), size) == 0, "munmap");
}

static void do_stdio(off_t page)
{
    FILE *file = fopen(data, "r");
    check(file && fseek(file, page * PAGE + 5, SEEK_SET) == 0 && fgetc(file) != EOF, "fseek");
    check(fseek(file, (page + 4) * PAGE, SEEK_SET) == 0 && fread(buffer, 1, PAGE, file) == PAGE,
          "fread");
    fclose(file);
}

static void do_stream_left_open(off_t page)
{
    FILE *file = fopen(data, "r");
    check(file && fseek(file, page * PAGE, SEEK_SET) == 0 && fgetc(file) != EOF, "fgetc");
}

static void wait_for(pid_t pid)
{
    int status;
    check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "child");
}

static void do_fork(off_t page)
{
    pid_t pid = fork();
    if (pid == 0) {
        touch_map(page);
        do_pread(page + 2);
        _exit(0);
    }
    wait_for(pid);
}

static void do_fork_kill(off_t page)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        touch_map(page);
        usleep(100000);
        raise(SIGKILL);
    }
    check(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "child");
}

static char *argument(const char *way, off_t page)
{
    char *text = NULL;
    check(asprintf(&text, "%s:%jd", way, (intmax_t)page) > 0, "asprintf");
    return text;
}

static char *data_entry(void)
{
    char *text = NULL;
    check(asprintf(&text, "DATA=%s", data) > 0, "asprintf");
    return text;
}

/* These give their children an environment that does not mention the recorder. */
static void do_vfork(off_t page)
{
    char *arguments[] = {self, argument("pread", page), NULL};
    char *environment[] = {data_entry(), NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve(self, arguments, environment);
        _exit(98);
    }
    wait_for(pid);
}

static void do_spawn(off_t page)
{
    char *arguments[] = {self, argument("pread", page), NULL};
    char *environment[] = {data_entry(), (char[]){"LD_PRELOAD="}, NULL};
    pid_t pid;
    check(posix_spawn(&pid, self, NULL, NULL, arguments, environment) == 0, "posix_spawn");
    wait_for(pid);
}

static void do_exec(off_t page)
{
    touch_map(page);
    execle(self, self, argument("pread", page + 2), (char *)NULL, (char *[]){data_entry(), NULL});
    check(0, "execle");
}

static void do_execlp(off_t page)
{
    touch_map(page);
    execlp(self, self, argument("pread", page + 2), (char *)NULL);
    check(0, "execlp");
}

static void do_exit_now(off_t page)
{
    touch_map(page);
    _exit(0);
}

static void do_quick_exit(off_t page)
{
    touch_map(page);
    quick_exit(0);
}

static void do_kill(off_t page)
{
    touch_map(page);
    do_pread(page + 2);
    usleep(100000);
    raise(SIGKILL);
}

static void do_sleep(off_t milliseconds)
{
    usleep((useconds_t)milliseconds * 1000);
}

#ifdef VICTIM_STATIC
static void do_dlopen(off_t close_it)
{
    (void)close_it;
    errx(99, "a static program loads nothing");
}
#else
/* The data is an object with a function of this name. */
static void do_dlopen(off_t close_it)
{
    void *object = dlopen(data, RTLD_NOW);
    check(object != NULL, data);
    void (*function)(void) = (void (*)(void))(uintptr_t)dlsym(object, "victim_touch");
    check(function != NULL, "dlsym");
    function();
    if (close_it)
        dlclose(object);
}
#endif

static void do_list(off_t unused)
{
    (void)unused;
    DIR *directory = opendir(data);
    check(directory && readdir(directory), data);
    closedir(directory);
}

static void do_write(off_t page)
{
    do_pread(page);
    int fd = open(data, O_WRONLY);
    check(fd >= 0 && pwrite(fd, "x", 1, 0) == 1, "pwrite");
    close(fd);
}

static void do_unlink(off_t page)
{
    do_pread(page);
    check(unlink(data) == 0, "unlink");
}

static void do_rename(off_t page)
{
    char other[4096];
    do_pread(page);
    snprintf(other, sizeof other, "%s.renamed", data);
    check(rename(data, other) == 0, "rename");
}

static void do_close_all(off_t unused)
{
    (void)unused;
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
}

/* The name DATA.SUFFIX, which nobody has made. */
static const char *missing(const char *suffix)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s.%s", data, suffix);
    errno = 0;
    return path;
}

static void expect(int error, int result, const char *what)
{
    if (result != -1 || errno != error)
        err(99, "%s: %d, not %d with %d", what, result, -1, error);
}

static void do_look(off_t unused)
{
    (void)unused;
    struct stat status;
    struct statx extended;
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/missing-socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), folder = -1;
    expect(ENOENT, stat(missing("stat"), &status), "stat");
    expect(ENOENT, lstat(missing("lstat"), &status), "lstat");
    expect(ENOENT, fstatat(AT_FDCWD, missing("fstatat"), &status, 0), "fstatat");
    expect(ENOENT, statx(AT_FDCWD, missing("statx"), 0, STATX_TYPE, &extended), "statx");
    expect(ENOENT, access(missing("access"), R_OK), "access");
    expect(ENOENT, faccessat(AT_FDCWD, missing("faccessat"), R_OK, 0), "faccessat");
    expect(ENOENT, (int)readlink(missing("readlink"), buffer, 10), "readlink");
    expect(ENOENT, (int)readlinkat(AT_FDCWD, missing("readlinkat"), buffer, 10), "readlinkat");
    expect(ENOENT, chdir(missing("chdir")), "chdir");
    expect(ENOENT, open(missing("open"), O_RDONLY), "open");
    expect(ENOENT, openat(AT_FDCWD, missing("openat"), O_RDONLY), "openat");
    expect(ENOENT, fopen(missing("fopen"), "r") ? 0 : -1, "fopen");
    expect(ENOENT, realpath(missing("realpath"), NULL) ? 0 : -1, "realpath");
    expect(ENOENT, connect(fd, (struct sockaddr *)&name, sizeof name), "connect");
    expect(EFAULT, open((const char *)8, O_RDONLY), "open of a wild pointer");
    expect(EFAULT, stat((const char *)8, &status), "stat of a wild pointer");
    close(fd);
    fd = open(missing("created"), O_RDWR | O_CREAT, 0640);
    check(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0640, "create");
    check(unlink(missing("created")) == 0, "unlink");
    close(fd);
    check(chdir("/usr") == 0 && (folder = open("lib", O_RDONLY | O_DIRECTORY)) >= 0, "/usr/lib");
    expect(ENOENT, access("missing-here", R_OK), "access here");
    expect(ENOENT, faccessat(folder, "missing-there", R_OK, 0), "access there");
    close(folder);
}

static void do_libc(off_t unused)
{
    (void)unused;
#ifndef VICTIM_STATIC /* it would need libc's libraries all the same */
    check(getpwuid(0) != NULL, "getpwuid");
#endif
}

/* Whatever it does with the time, glibc looks for the zone first. */
static void do_zone(off_t call)
{
    time_t now = time(NULL);
    struct tm parts = {.tm_year = 100, .tm_mday = 1};
    int done = call == 0   ? localtime(&now) != NULL
               : call == 1 ? localtime_r(&now, &parts) != NULL
               : call == 2 ? gmtime(&now) != NULL
               : call == 3 ? gmtime_r(&now, &parts) != NULL
                           : mktime(&parts) != -1;
    check(done, "time");
}

/* A child of nobody, which reads after its parent has ended, and says so by a file of its own. */
static void do_daemon(off_t page)
{
    char done[4096];
    if (fork() != 0)
        return;
    check(daemon(1, 0) == 0, "daemon");
    usleep(300000);
    do_pread(page);
    touch_map(page + 20);
    snprintf(done, sizeof done, "%s.done", data);
    close(open(done, O_WRONLY | O_CREAT, 0600));
    _exit(0);
}

static void do_request(off_t version)
{
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    int n = snprintf(buffer, sizeof buffer, "GET /%jd/runtime/invocation/%s HTTP/1.1\r\n",
                     (intmax_t)version, version ? "next" : "nix");
    struct iovec vector = {buffer, (size_t)n};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t sent = version % 4 == 0   ? write(ends[0], buffer, (size_t)n)
                   : version % 4 == 1 ? writev(ends[0], &vector, 1)
                   : version % 4 == 2 ? sendmsg(ends[0], &message, 0)
                                      : send(ends[0], buffer, (size_t)n, 0);
    check(sent == n, "send");
}

/* ---- files that are met for the first time in threads, their children and a signal handler ----
 */

enum { STORM_THREADS = 4 };
static long storm_files;
static _Atomic long storm_next;

static void storm_read(void)
{
    char name[4096], byte;
    long file = storm_next++;
    if (file >= storm_files)
        return;
    snprintf(name, sizeof name, "%s/%ld", data, file);
    int fd = open(name, O_RDONLY);
    check(fd >= 0 && pread(fd, &byte, 1, 0) == 1, name);
    close(fd);
}

static void storm_alarm(int number)
{
    (void)number;
    storm_read();
}

static void *storm_thread(void *unused)
{
    (void)unused;
    while (storm_next < storm_files) {
        storm_read();
        pid_t pid = fork();
        if (pid == 0) {
            storm_read();
            _exit(0);
        }
        wait_for(pid);
    }
    return NULL;
}

static void do_storm(off_t files)
{
    pthread_t threads[STORM_THREADS];
    struct sigaction action = {.sa_handler = storm_alarm, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 300}, {0, 300}};
    storm_files = files;
    check(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0,
          "setitimer");
    for (int i = 0; i < STORM_THREADS; i++)
        check(pthread_create(&threads[i], NULL, storm_thread, NULL) == 0, "pthread_create");
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* The call is the last instruction of do_last(): it would return into the next function. */
__attribute__((noinline, noreturn)) static void read_last(off_t page)
{
    do_pread(page);
    exit(0);
}

__attribute__((noinline)) static void do_last(off_t page)
{
    read_last(page);
}

static const struct way {
    const char *name;
    void (*run)(off_t page);
} ways[] = {
    {"read", do_read},
    {"readv", do_readv},
    {"pread", do_pread},
    {"preadv", do_preadv},
    {"preadv2", do_preadv2},
    {"sendfile", do_sendfile},
    {"splice", do_splice},
    {"copy", do_copy},
    {"dup", do_dup},
    {"map", do_map},
    {"unmap", do_unmap},
    {"stdio", do_stdio},
    {"stream", do_stream_left_open},
    {"fork", do_fork},
    {"fork_kill", do_fork_kill},
    {"vfork", do_vfork},
    {"spawn", do_spawn},
    {"exec", do_exec},
    {"execlp", do_execlp},
    {"exit_now", do_exit_now},
    {"quick_exit", do_quick_exit},
    {"kill", do_kill},
    {"sleep", do_sleep},
    {"dlopen", do_dlopen},
    {"list", do_list},
    {"look", do_look},
    {"libc", do_libc},
    {"zone", do_zone},
    {"write", do_write},
    {"unlink", do_unlink},
    {"rename", do_rename},
    {"close_all", do_close_all},
    {"daemon", do_daemon},
    {"request", do_request},
    {"storm", do_storm},
    {"last", do_last},
};

static void run(const char *name, off_t page)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(ways[i].name, name) == 0) {
            ways[i].run(page);
            return;
        }
    }
    errx(99, "%s: no such way", name);
}

int main(int argc, char **argv)
{
    self = argv[0];
    data = getenv("DATA");
    for (int i = 1; i < argc; i++) {
        char *colon = strchr(argv[i], ':');
        if (strcmp(argv[i], "--") == 0) {
            execvp(argv[i + 1], argv + i + 1);
            err(99, "%s", argv[i + 1]);
        } else if (strncmp(argv[i], "await:", 6) == 0) {
            while (access(argv[i] + 6, F_OK) != 0)
                usleep(1000);
        } else if (strncmp(argv[i], "PATH=", 5) == 0) {
            data = argv[i] + 5;
        } else if (colon) {
            *colon = '\0';
            run(argv[i], atol(colon + 1));
        } else {
            return atoi(argv[i]);
        }
    }
    return 0;
}
