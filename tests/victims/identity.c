/*
 * identity.c: programs that become somebody else, or move somewhere else, in their first moments.
 * Some of it the kernel allows to a process of one thread only.
 */
#include "victims.h"

#include "../support/look.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

/* By name as most programs do, or past libc, where nobody can see beforehand that they will. */
#ifdef NAMESPACES_BY_NAME
#define UNSHARE(flags)   unshare(flags)
#define SETNS(fd, flags) setns(fd, flags)
#else
#define UNSHARE(flags)   syscall(SYS_unshare, flags)
#define SETNS(fd, flags) syscall(SYS_setns, fd, flags)
#endif

static void needs_root(void)
{
    if (geteuid() != 0) {
        errno = EPERM;
        cannot("needs root");
    }
}

static void print_identity(void)
{
    uid_t ids[3];
    gid_t groups[3];
    getresuid(&ids[0], &ids[1], &ids[2]);
    getresgid(&groups[0], &groups[1], &groups[2]);
    printf("uid %d %d %d gid %d %d %d, groups %d\n", (int)ids[0], (int)ids[1], (int)ids[2],
           (int)groups[0], (int)groups[1], (int)groups[2], getgroups(0, NULL));
}

static void set_uid(void)
{
    needs_root();
    TRY(setgroups(0, NULL));
    TRY(setgid(NOBODY));
    TRY(setuid(NOBODY));
    print_identity();
    TRY(setuid(0));
    TRY(open("/etc/shadow", O_RDONLY));
}

static void set_uid_and_back(void)
{
    needs_root();
    TRY(seteuid(NOBODY));
    print_identity();
    TRY(seteuid(0));
    TRY(setresuid(NOBODY, NOBODY, 0));
    TRY(setresuid(0, 0, 0));
    print_identity();
}

static pthread_barrier_t changed;

static void *look_when_changed(void *uid)
{
    pthread_barrier_wait(&changed);
    *(uid_t *)uid = (uid_t)syscall(SYS_getuid);
    return NULL;
}

/* The C library must tell all its threads, and need not know of ours. */
static void set_uid_with_threads(void)
{
    needs_root();
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    uid_t uids[THREADS];
    pthread_barrier_init(&changed, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, look_when_changed, &uids[i]) != 0)
            cannot("no thread");
    TRY(setuid(NOBODY));
    pthread_barrier_wait(&changed);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        printf("thread %d: %d\n", i, (int)uids[i]);
    }
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    TRY(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    TRY(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    TRY(syscall(SYS_capset, &header, none));
    TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    TRY(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
}

static void rename_itself(void)
{
    char name[20] = "";
    TRY(prctl(PR_SET_NAME, "renamed", 0, 0, 0));
    TRY(prctl(PR_GET_NAME, name, 0, 0, 0));
    printf("name %s\n", name);
}

static void move_around(void)
{
    TRY(chdir("/tmp"));
    umask(0123);
    print_process();
    TRY(chdir("/"));
    umask(022);
}

/* The paths that a replay opens are then others; in this one, FIFOs. */
static void change_root(void)
{
    char folder[] = "/tmp/victim-XXXXXX", path[64];
    needs_root();
    if (!mkdtemp(folder))
        cannot("no folder");
    snprintf(path, sizeof path, "%s/fifo", folder);
    TRY(mkfifo(path, 0600));
    int root = open("/", O_RDONLY | O_DIRECTORY);
    TRY(chroot(folder));
    TRY(chdir("/"));
    TRY(open("/etc/passwd", O_RDONLY));
    TRY(open("/fifo", O_RDONLY | O_NONBLOCK));
    TRY(unlink("/fifo"));
    TRY(fchdir(root));
    TRY(chroot("."));
    TRY(rmdir(folder));
}

static void unshare_parts(void)
{
    TRY(UNSHARE(CLONE_FS | CLONE_FILES));
    TRY(UNSHARE(CLONE_SYSVSEM));
    needs_root();
    TRY(UNSHARE(CLONE_NEWUTS | CLONE_NEWIPC));
    TRY(UNSHARE(CLONE_NEWNS));
    TRY(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    TRY(UNSHARE(CLONE_NEWPID));
    pid_t child = fork();
    if (child == 0)
        _exit(getpid() == 1 ? 5 : 6);
    printf("process 1: %d\n", status_of(child) >> 8);
}

/* What was mounted and left again is free to be unmounted. */
static void mount_and_unmount(void)
{
    char folder[] = "/tmp/victim-XXXXXX";
    needs_root();
    TRY(UNSHARE(CLONE_NEWNS));
    TRY(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    if (!mkdtemp(folder))
        cannot("no folder");
    TRY(mount("none", folder, "tmpfs", 0, "size=64k"));
    TRY(chdir(folder));
    TRY(chdir("/"));
    TRY(umount(folder));
    TRY(rmdir(folder));
}

static void unshare_user(void)
{
    TRY(UNSHARE(CLONE_NEWUSER));
}

static void unshare_threads(void)
{
    TRY(UNSHARE(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
}

static void join_mount_namespace(void)
{
    needs_root();
    int fd = open("/proc/self/ns/mnt", O_RDONLY);
    TRY(SETNS(fd, CLONE_NEWNS));
    close(fd);
    fd = open("/proc/self/ns/uts", O_RDONLY);
    TRY(SETNS(fd, 0));
    close(fd);
}

/* A child makes a user namespace; its parent enters it. */
static void join_user_namespace(void)
{
    int pipes[2];
    char byte, path[64];
    if (pipe(pipes) != 0)
        cannot("no pipe");
    pid_t child = fork();
    if (child == 0) {
        if (UNSHARE(CLONE_NEWUSER) != 0 || write(pipes[1], "u", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1)
        cannot("no user namespace");
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)child);
    int fd = open(path, O_RDONLY);
    TRY(SETNS(fd, CLONE_NEWUSER));
    close(fd);
    close(pipes[0]);
    kill(child, SIGKILL);
    printf("child: %d\n", status_of(child));
}

const struct victim identity_victims[] = {
    {"setuid", set_uid, 0},
    {"setuid before main", set_uid, BEFORE_MAIN},
    {"seteuid and back", set_uid_and_back, 0},
    {"setuid with threads", set_uid_with_threads, 0},
    {"drop capabilities", drop_capabilities, 0},
    {"rename itself", rename_itself, 0},
    {"chdir and umask", move_around, 0},
    {"chroot", change_root, 0},
    {"unshare parts", unshare_parts, 0},
    {"mount and unmount", mount_and_unmount, 0},
    {"unshare user", unshare_user, 0},
    {"unshare user before main", unshare_user, BEFORE_MAIN},
    {"unshare threads", unshare_threads, 0},
    {"setns", join_mount_namespace, 0},
    {"setns user", join_user_namespace, 0},
    {NULL, NULL, 0},
};
