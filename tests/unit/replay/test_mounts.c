#include "replay/mounts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char table[] =
    "24 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
    "25 24 0:22 / /proc rw,nosuid shared:2 - proc proc rw\n"
    "30 24 0:30 / /home/u/far rw shared:3 master:1 - fuse.sshfs fuse:/not/this rw\n"
    "31 24 0:31 / /mnt/with\\040blank\\134 rw - fuseblk /dev/sda1 rw,fuse\n"
    "32 24 0:32 / /mnt/fuse rw - tmpfs fuse rw\n"
    "33 30 0:33 / /home/u/far/near rw shared:5 - fuse portal rw\n"
    "34 24 0:34 / /f rw - f2fs /dev/sdb rw\n"
    "35 24 0:35 / /fus rw - fus x rw";

static struct mounts parse(const char *text, size_t piece)
{
    static struct mounts mounts;
    mounts = (struct mounts){.used = 0};
    for (size_t at = 0, size = strlen(text); at < size; at += piece)
        mounts_parse(&mounts, text + at, size - at < piece ? size - at : piece);
    return mounts;
}

static bool may_hang(const struct mounts *mounts, const char *path)
{
    return mounts_may_hang(mounts, path, "/usr/bin/program");
}

Test(mounts, that_may_hang_are_those_of_fuse)
{
    for (size_t piece = 1; piece <= sizeof table; piece += piece < 40 ? 1 : 97) {
        struct mounts mounts = parse(table, piece);
        cr_assert(may_hang(&mounts, "/home/u/far"), "pieces of %zu", piece);
        cr_assert(may_hang(&mounts, "/home/u/far/a/b"));
        cr_assert(may_hang(&mounts, "/mnt/with blank\\/a"));
        static const char *const others[] = {
            "/",    "/home/u/farther", "/home/u",   "/proc", "/mnt/fuse/a", "/mnt/with",
            "/f/a", "/fus/a",          "/not/this", "",      "/usr/lib/a"};
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            cr_assert(!may_hang(&mounts, others[i]), "%s", others[i]);
    }
}

Test(mounts, of_the_program_itself_may_not)
{
    struct mounts mounts = parse(table, sizeof table);
    const char *program = "/home/u/far/bin/program";
    cr_assert(!mounts_may_hang(&mounts, "/home/u/far/lib/a", program));
    cr_assert(!mounts_may_hang(&mounts, "/home/u/far/nearer", program));
    cr_assert(mounts_may_hang(&mounts, "/home/u/far/near/a", program), "another one below it");
    cr_assert(mounts_may_hang(&mounts, "/mnt/with blank\\/a", program));
    cr_assert(mounts_may_hang(&mounts, "/home/u/far/a", "/home/u/far/near/program"));
}

Test(mounts, of_a_root_folder_hold_everything_else)
{
    struct mounts mounts = parse("1 0 0:1 / / rw - fuse.snapshotter s rw\n"
                                 "2 1 0:2 / /data rw - fuse.bucket b rw\n",
                                 7);
    cr_assert(!may_hang(&mounts, "/usr/lib/a"));
    cr_assert(may_hang(&mounts, "/data/a"));
    cr_assert(!may_hang(&mounts, "/database"));
    cr_assert(mounts_may_hang(&mounts, "/usr/lib/a", "/data/program"));
}

Test(mounts, that_are_too_many_are_all_suspected)
{
    static char text[100 * 80];
    size_t at = 0;
    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "9 1 0:9 / /m/%030d rw - %s x rw\n", i,
                               i < 50 ? "fuse" : "ext4");
    struct mounts mounts = parse(text, 512);
    cr_assert(!mounts.too_many, "what is no FUSE needs no room");
    cr_assert(may_hang(&mounts, "/m/000000000000000000000000000049/a"));
    cr_assert(!may_hang(&mounts, "/m/000000000000000000000000000050/a"));
    memcpy(strstr(text, "ext4"), "fuse", 4);
    for (char *type; (type = strstr(text, "ext4"));)
        memcpy(type, "fuse", 4);
    mounts = parse(text, 512);
    cr_assert(mounts.too_many && may_hang(&mounts, "/anything"));
}

Test(mounts, may_be_any_bytes)
{
    static const char *const lines[] = {
        "",
        "\n\n",
        " ",
        "a b c d  f - fuse",
        "1 2 3 4 /a\\",
        "1 2 3 4 /a\\9z\\\\\\ x - fuse",
        "1 2 3 4  5 - fuse\n1 2 3 4 5 6 - fuse",
        "- - - - - - - - - fuse -",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct mounts mounts = parse(lines[i], 3);
        may_hang(&mounts, "/a");
        may_hang(&mounts, "");
    }
    static char longest[3 * MOUNTS_BYTES];
    memset(longest, '/', sizeof longest - 1);
    memcpy(longest, "1 2 3 4 ", 8);
    memcpy(longest + sizeof longest - 20, " rw - fuse x rw\n", 17);
    struct mounts mounts = parse(longest, 1000);
    cr_assert(mounts.too_many);
}

/* A directory entry of the kernel's: inode and offset, then length, type and name. */
static bool is_server(const char *name, unsigned *seen)
{
    uint8_t entries[64] = {[16] = 24, [19] = '.', [24 + 16] = 40};
    snprintf((char *)entries + 24 + 19, sizeof entries - 24 - 19, "%s", name);
    return mounts_name_server(entries, sizeof entries, seen);
}

Test(mounts, are_not_read_where_no_device_is_a_servers)
{
    static const char *const disks[] = {"253:0", "7:12", "btrfs-1", "10:0", "overlay-3"};
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof disks / sizeof *disks; i++)
        cr_expect(!is_server(disks[i], &seen), "%s", disks[i]);
    cr_expect_eq(seen, 5, "names that are no folder's own: %u", seen);
    cr_expect(is_server("0:52", &seen));
    cr_expect(is_server("8:1-fuseblk", &seen));
    const uint8_t endless[64] = {0};
    cr_expect(mounts_name_server(endless, sizeof endless, &seen));
    cr_expect(!mounts_name_server(endless, 0, &seen));
}

Test(mounts, are_read_from_the_kernel)
{
    struct mounts mounts = {.used = 0};
    mounts_read(&mounts);
    cr_assert(!mounts_may_hang(&mounts, "/proc/self", "/proc/self/exe"));
    cr_assert_eq(mounts.field, 0, "the last line has an end");
}
