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
#include <fuse_lowlevel.h>
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

/* A name of the source, from the first look at it to the end. Hard links are files of their own. */
struct node {
    struct node *next;
    char *path; /* below the source */
    int fd;     /* from its first read on; -1 before */
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
static struct node *nodes[BUCKETS];
static uint64_t arriving, generation;
static struct slowfs_statistics statistics;

/* --- Chunks --- */

static void free_node(struct node *node)
{
    if (node->fd >= 0)
        close(node->fd);
    free(node->path);
    free(node->chunks);
    free(node);
}

static struct node **bucket_of(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3;
    return &nodes[hash % BUCKETS];
}

/* Takes the path. NULL without memory. */
static struct node *node_of(char *path)
{
    if (!path)
        return NULL;
    pthread_mutex_lock(&lock);
    struct node **bucket = bucket_of(path), *node = *bucket;
    while (node && strcmp(node->path, path) != 0)
        node = node->next;
    if (!node && (node = malloc(sizeof *node))) {
        *node = (struct node){.next = *bucket, .path = path, .fd = -1};
        *bucket = node;
        path = NULL;
    }
    free(path);
    pthread_mutex_unlock(&lock);
    return node;
}

/* With the lock held; 0 or errno. */
static int open_node(struct node *node)
{
    struct stat status;
    if (node->fd >= 0)
        return 0;
    int fd = openat(options.source, node->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    node->chunk_count = ((size_t)status.st_size + options.chunk_bytes - 1) / options.chunk_bytes;
    node->chunks = calloc(node->chunk_count + 1, 1);
    if (!node->chunks) {
        close(fd);
        return ENOMEM;
    }
    node->fd = fd;
    return 0;
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
static void touch(const struct node *node, size_t chunk)
{
    uint8_t *state = &node->chunks[chunk];
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
        let_arrive(node->fd, chunk);
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
        for (struct node *node = nodes[i]; node; node = node->next)
            if (node->chunks)
                memset(node->chunks, ABSENT, node->chunk_count);
    generation++;
    statistics.chunks = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* --- The file system --- */

static struct node root = {.path = (char[]){"."}, .fd = -1};

static struct node *node_at(fuse_ino_t id)
{
    return id == FUSE_ROOT_ID ? &root
                              : (struct node *)(uintptr_t)id; // NOLINT(performance-no-int-to-ptr)
}

static void slow_init(void *context, struct fuse_conn_info *connection)
{
    (void)context;
    connection->max_background = BACKGROUND;
    connection->congestion_threshold = BACKGROUND;
    connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS;
}

static void slow_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry = {.attr_timeout = CACHE_SECONDS, .entry_timeout = CACHE_SECONDS};
    char *path;
    if (asprintf(&path, "%s/%s", node_at(parent)->path, name) < 0) {
        fuse_reply_err(request, ENOMEM);
        return;
    }
    if (fstatat(options.source, path, &entry.attr, AT_SYMLINK_NOFOLLOW) != 0) {
        int error = errno;
        free(path);
        if (error == ENOENT)
            fuse_reply_entry(request, &entry); /* node 0: remember that there is none */
        else
            fuse_reply_err(request, error);
        return;
    }
    entry.ino = (fuse_ino_t)(uintptr_t)node_of(path);
    if (entry.ino)
        fuse_reply_entry(request, &entry);
    else
        fuse_reply_err(request, ENOMEM);
}

static void slow_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    (void)info;
    struct stat status;
    if (fstatat(options.source, node_at(id)->path, &status, AT_SYMLINK_NOFOLLOW) != 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_attr(request, &status, CACHE_SECONDS);
}

static void slow_readlink(fuse_req_t request, fuse_ino_t id)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(options.source, node_at(id)->path, target, sizeof target - 1);
    if (length < 0) {
        fuse_reply_err(request, errno);
        return;
    }
    target[length] = 0;
    fuse_reply_readlink(request, target);
}

/* "Never ask again": a warm open() shall cost no more here than on a disk. The kernel then keeps
 * contents and listings in its caches. */
static void slow_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
    (void)id;
    (void)info;
    fuse_reply_err(request, ENOSYS);
}

static void slow_readdir(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                         struct fuse_file_info *info)
{
    (void)info;
    int fd = openat(options.source, node_at(id)->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    char *buffer = malloc(size);
    if (folder && buffer) {
        size_t used = 0;
        seekdir(folder, offset); /* the source's own cookies serve any descriptor */
        for (struct dirent *entry; (entry = readdir(folder));) {
            struct stat status = {.st_ino = entry->d_ino, .st_mode = (mode_t)DTTOIF(entry->d_type)};
            size_t bytes = fuse_add_direntry(request, buffer + used, size - used, entry->d_name,
                                             &status, entry->d_off);
            if (bytes > size - used)
                break;
            used += bytes;
        }
        fuse_reply_buf(request, buffer, used);
    } else {
        fuse_reply_err(request, errno);
    }
    free(buffer);
    if (folder)
        closedir(folder);
    else if (fd >= 0)
        close(fd);
}

static void slow_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset,
                      struct fuse_file_info *info)
{
    (void)info;
    struct node *node = node_at(id);
    pthread_mutex_lock(&lock);
    int error = open_node(node);
    if (!error) {
        statistics.reads++;
        uint64_t end = (uint64_t)offset + size;
        for (uint64_t chunk = (uint64_t)offset / options.chunk_bytes;
             chunk * options.chunk_bytes < end && chunk < node->chunk_count; chunk++)
            touch(node, chunk);
    }
    pthread_mutex_unlock(&lock);
    if (error) {
        fuse_reply_err(request, error);
        return;
    }
    struct fuse_bufvec content = FUSE_BUFVEC_INIT(size);
    content.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    content.buf[0].fd = node->fd;
    content.buf[0].pos = offset;
    fuse_reply_data(request, &content, 0);
}

static void slow_statfs(fuse_req_t request, fuse_ino_t id)
{
    (void)id;
    struct statvfs status;
    if (fstatvfs(options.source, &status) != 0)
        fuse_reply_err(request, errno);
    else
        fuse_reply_statfs(request, &status);
}

static void slow_ioctl(fuse_req_t request, fuse_ino_t id, unsigned int command, void *argument,
                       struct fuse_file_info *info, unsigned int flags, const void *in,
                       size_t in_bytes, size_t out_bytes)
{
    (void)id;
    (void)argument;
    (void)info;
    (void)in;
    (void)in_bytes;
    struct slowfs_statistics copy;
    bool known = flags & FUSE_IOCTL_DIR;
    if (known && command == SLOWFS_FORGET) {
        forget_chunks();
        fuse_reply_ioctl(request, 0, NULL, 0);
    } else if (known && command == SLOWFS_STATISTICS && out_bytes == sizeof copy) {
        pthread_mutex_lock(&lock);
        copy = statistics;
        pthread_mutex_unlock(&lock);
        fuse_reply_ioctl(request, 0, &copy, sizeof copy);
    } else {
        fuse_reply_err(request, ENOTTY);
    }
}

static const struct fuse_lowlevel_ops operations = {
    .init = slow_init,
    .lookup = slow_lookup,
    .getattr = slow_getattr,
    .readlink = slow_readlink,
    .open = slow_open,
    .read = slow_read,
    .opendir = slow_open,
    .readdir = slow_readdir,
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

static int serve(struct fuse_session *session, const char *mountpoint, bool foreground)
{
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(loop, THREADS);
    fuse_loop_cfg_set_idle_threads(loop, THREADS);
    int failed = fuse_session_mount(session, mountpoint) != 0;
    if (!failed) {
        failed = fuse_daemonize(foreground) != 0 || fuse_set_signal_handlers(session) != 0 ||
                 fuse_session_loop_mt(session, loop) < 0;
        fuse_remove_signal_handlers(session);
        fuse_session_unmount(session);
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
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (!session)
        return 1;
    int failed = serve(session, mountpoint, foreground);
    fuse_session_destroy(session);
    fuse_opt_free_args(&arguments);
    close(options.source);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct node *node = nodes[i], *next; node; node = next) {
            next = node->next;
            free_node(node);
        }
    }
    return failed;
}
