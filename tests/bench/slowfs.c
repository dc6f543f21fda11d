/*
 * slowfs.c: a folder shown again, read-only, as if its files came from a slow store on demand.
 *
 * The first touch of each chunk of a file (512 KiB) costs a set time (3 ms), and a bounded number
 * of chunks arrive at once: how AWS Lambda loads the code of a function ("On-demand container
 * loading in AWS Lambda", USENIX ATC 2023). What has arrived is served at once, from the folder
 * itself. The kernel keeps what it has read in its page cache, across open() too; cold is therefore
 * /proc/sys/vm/drop_caches together with SLOWFS_FORGET.
 *
 * The folder must not change while it is mounted: names, attributes and contents are cached for as
 * long as the kernel likes.
 */
#define FUSE_USE_VERSION 312
#include "slowfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define CACHE_SECONDS 86400
/* One for each request that may wait for a chunk, and some to answer meanwhile. */
#define THREADS    64
#define BACKGROUND 48
#define BUCKETS    4096
#define PIECE_BYTES                                                                                \
    (128u << 10) /* of a readahead() call, which forgets what is beyond its window */

static const char help[] =
    "Usage: slowfs [OPTION]… SOURCE MOUNTPOINT\n"
    "       slowfs --forget MOUNTPOINT\n"
    "       slowfs --statistics MOUNTPOINT\n"
    "\n"
    "Shows SOURCE at MOUNTPOINT, read-only, as if every chunk of a file took its time to arrive\n"
    "when it is first touched. End it with umount or fusermount3 -u.\n"
    "\n"
    "  --latency-us N  microseconds for a chunk, default 3000\n"
    "  --chunk-kib N   size of a chunk, default 512\n"
    "  --parallel N    chunks that arrive at the same time, 1 to 32, default 16\n"
    "  --foreground    stay in the foreground\n"
    "  --forget        every chunk is untouched again (drop the kernel's caches as well)\n"
    "  --statistics    print what was counted\n";

enum state { ABSENT, ARRIVING, HERE };

/* A file of the source, from its first read to the end. Hard links are files of their own. */
struct file {
    struct file *next;
    char *path;
    int fd;
    size_t chunk_count;
    uint8_t *chunks; /* enum state */
};

static struct {
    int source;
    uint64_t latency_us, chunk_bytes, parallel;
} options = {.latency_us = 3000, .chunk_bytes = 512 << 10, .parallel = 16};

/* Everything below is under this lock; `changed` says that a chunk has arrived or was forgotten. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct file *files[BUCKETS];
static uint64_t arriving, generation;
static struct slowfs_statistics statistics;

/* --- Chunks --- */

static void free_file(struct file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->chunks);
    free(file);
}

static struct file **bucket_of(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3;
    return &files[hash % BUCKETS];
}

/* With the lock held. NULL and errno if it cannot be opened. */
static struct file *file_of(const char *path)
{
    struct file **bucket = bucket_of(path);
    for (struct file *file = *bucket; file; file = file->next)
        if (strcmp(file->path, path) == 0)
            return file;
    struct file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    struct stat status;
    file->fd = openat(options.source, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        free_file(file);
        return NULL;
    }
    file->chunk_count = ((size_t)status.st_size + options.chunk_bytes - 1) / options.chunk_bytes;
    file->chunks = calloc(file->chunk_count + 1, 1);
    file->path = strdup(path);
    if (!file->chunks || !file->path) {
        free_file(file);
        errno = ENOMEM;
        return NULL;
    }
    file->next = *bucket;
    *bucket = file;
    return file;
}

static void sleep_until(struct timespec begin, uint64_t us)
{
    begin.tv_sec += (time_t)(us / 1000000);
    begin.tv_nsec += (long)(us % 1000000) * 1000;
    if (begin.tv_nsec >= 1000000000) {
        begin.tv_nsec -= 1000000000;
        begin.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begin, NULL) == EINTR) {
    }
}

/* Without the lock. The source's own disk works while the time passes, so that it adds nothing. */
static void let_arrive(int fd, size_t chunk)
{
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    off_t first = (off_t)(chunk * options.chunk_bytes);
    for (uint64_t done = 0; done < options.chunk_bytes; done += PIECE_BYTES)
        readahead(fd, first + (off_t)done, PIECE_BYTES);
    sleep_until(begin, options.latency_us);
}

/* Returns when the chunk is here; with the lock held before and after. */
static void touch(const struct file *file, size_t chunk)
{
    uint8_t *state = &file->chunks[chunk];
    while (*state != HERE) {
        if (*state == ARRIVING || arriving == options.parallel) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        uint64_t mine = generation;
        *state = ARRIVING;
        statistics.chunks++;
        statistics.delay_us += options.latency_us;
        if (++arriving > statistics.most_at_once)
            statistics.most_at_once = arriving;
        pthread_mutex_unlock(&lock);
        let_arrive(file->fd, chunk);
        pthread_mutex_lock(&lock);
        arriving--;
        /* Forgotten meanwhile: somebody else may be fetching it again, but our reader has it. */
        bool forgotten = mine != generation;
        if (!forgotten)
            *state = HERE;
        pthread_cond_broadcast(&changed);
        if (forgotten)
            return;
    }
}

static void forget_chunks(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct file *file = files[i]; file; file = file->next)
            memset(file->chunks, ABSENT, file->chunk_count);
    generation++;
    statistics.chunks = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* --- The file system --- */

/* Below the source's descriptor. */
static const char *relative(const char *path)
{
    return path[1] ? path + 1 : ".";
}

static void *slow_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    connection->max_background = BACKGROUND;
    connection->congestion_threshold = BACKGROUND;
    config->use_ino = 1;
    config->kernel_cache = 1;
    config->entry_timeout = config->attr_timeout = config->negative_timeout = CACHE_SECONDS;
    return NULL;
}

static int slow_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
    (void)info;
    return fstatat(options.source, relative(path), status, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int slow_readlink(const char *path, char *target, size_t size)
{
    ssize_t length = readlinkat(options.source, relative(path), target, size - 1);
    if (length < 0)
        return -errno;
    target[length] = 0;
    return 0;
}

static int slow_opendir(const char *path, struct fuse_file_info *info)
{
    (void)path;
    info->cache_readdir = 1;
    info->keep_cache = 1;
    return 0;
}

static int slow_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                        struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)info;
    (void)flags;
    int fd = openat(options.source, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat status = {.st_ino = entry->d_ino, .st_mode = (mode_t)entry->d_type << 12};
        fill(buffer, entry->d_name, &status, 0, 0);
    }
    closedir(folder);
    return 0;
}

/* "Never ask again": a warm open() shall cost no more here than on a disk. */
static int slow_open(const char *path, struct fuse_file_info *info)
{
    (void)path;
    (void)info;
    return -ENOSYS;
}

static int slow_read(const char *path, char *buffer, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    (void)info;
    pthread_mutex_lock(&lock);
    const struct file *file = file_of(relative(path));
    if (!file) {
        int error = errno;
        pthread_mutex_unlock(&lock);
        return -error;
    }
    statistics.reads++;
    uint64_t end = (uint64_t)offset + size;
    for (uint64_t chunk = (uint64_t)offset / options.chunk_bytes;
         chunk * options.chunk_bytes < end && chunk < file->chunk_count; chunk++)
        touch(file, chunk);
    pthread_mutex_unlock(&lock);
    ssize_t length = pread(file->fd, buffer, size, offset);
    return length < 0 ? -errno : (int)length;
}

static int slow_statfs(const char *path, struct statvfs *status)
{
    (void)path;
    return fstatvfs(options.source, status) ? -errno : 0;
}

static int slow_ioctl(const char *path, unsigned int command, void *argument,
                      struct fuse_file_info *info, unsigned int flags, void *data)
{
    (void)path;
    (void)argument;
    (void)info;
    if (!(flags & FUSE_IOCTL_DIR))
        return -ENOTTY;
    if (command == SLOWFS_FORGET) {
        forget_chunks();
        return 0;
    }
    if (command != SLOWFS_STATISTICS)
        return -ENOTTY;
    pthread_mutex_lock(&lock);
    memcpy(data, &statistics, sizeof statistics);
    pthread_mutex_unlock(&lock);
    return 0;
}

static const struct fuse_operations operations = {
    .init = slow_init,
    .getattr = slow_getattr,
    .readlink = slow_readlink,
    .opendir = slow_opendir,
    .readdir = slow_readdir,
    .open = slow_open,
    .read = slow_read,
    .statfs = slow_statfs,
    .ioctl = slow_ioctl,
};

/* --- The command line --- */

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < least || value > most) {
        fprintf(stderr, "slowfs: %s: '%s' is not a number from %llu to %llu\n", name, text,
                (unsigned long long)least, (unsigned long long)most);
        exit(2);
    }
    return value;
}

static int control(const char *mountpoint, unsigned long command)
{
    struct slowfs_statistics counted = {0};
    int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, command, &counted) != 0) {
        fprintf(stderr, "slowfs: %s: %s\n", mountpoint,
                errno == ENOTTY ? "not a slowfs mount" : strerror(errno));
        return 1;
    }
    close(fd);
    if (command == SLOWFS_STATISTICS)
        printf("chunks %llu\nreads %llu\ndelay_us %llu\nmost_at_once %llu\n",
               (unsigned long long)counted.chunks, (unsigned long long)counted.reads,
               (unsigned long long)counted.delay_us, (unsigned long long)counted.most_at_once);
    return fflush(stdout) != 0;
}

static int serve(struct fuse *fuse, const char *mountpoint, bool foreground)
{
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(loop, THREADS);
    fuse_loop_cfg_set_idle_threads(loop, THREADS);
    int failed = fuse_mount(fuse, mountpoint) != 0;
    if (!failed) {
        failed = fuse_daemonize(foreground) != 0 ||
                 fuse_set_signal_handlers(fuse_get_session(fuse)) != 0 ||
                 fuse_loop_mt(fuse, loop) < 0;
        fuse_remove_signal_handlers(fuse_get_session(fuse));
        fuse_unmount(fuse);
    }
    fuse_loop_cfg_destroy(loop);
    return failed;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"latency-us", required_argument, NULL, 'l'},
        {"chunk-kib", required_argument, NULL, 'c'},
        {"parallel", required_argument, NULL, 'p'},
        {"foreground", no_argument, NULL, 'f'},
        {"forget", required_argument, NULL, 'F'},
        {"statistics", required_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool foreground = false;
    for (int c; (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        switch (c) {
        case 'l':
            options.latency_us = number("--latency-us", optarg, 0, 10000000);
            break;
        case 'c':
            options.chunk_bytes = number("--chunk-kib", optarg, 4, 1 << 20) << 10;
            break;
        case 'p':
            options.parallel = number("--parallel", optarg, 1, THREADS / 2);
            break;
        case 'f':
            foreground = true;
            break;
        case 'F':
            return control(optarg, SLOWFS_FORGET);
        case 'S':
            return control(optarg, SLOWFS_STATISTICS);
        default:
            fputs(help, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (argc - optind != 2) {
        fputs(help, stderr);
        return 2;
    }
    const char *source = argv[optind], *mountpoint = argv[optind + 1];
    options.source = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (options.source < 0) {
        fprintf(stderr, "slowfs: %s: %s\n", source, strerror(errno));
        return 1;
    }
    struct rlimit descriptors = {0};
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);

    char *words[] = {
        argv[0], (char[]){"-o"},
        geteuid() == 0 ? (char[]){"ro,default_permissions,fsname=slowfs,subtype=slowfs,allow_other"}
                       : (char[]){"ro,default_permissions,fsname=slowfs,subtype=slowfs"},
        NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(3, words);
    struct fuse *fuse = fuse_new(&arguments, &operations, sizeof operations, NULL);
    if (!fuse)
        return 1;
    int failed = serve(fuse, mountpoint, foreground);
    fuse_destroy(fuse);
    fuse_opt_free_args(&arguments);
    close(options.source);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct file *file = files[i], *next; file; file = next) {
            next = file->next;
            free_file(file);
        }
    }
    return failed;
}
