#include "start/store.h"

#include "replay/profile.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

static const char *name(const char *executable, const char *script, const char *argument)
{
    static struct store_entry entry;
    char *arguments[] = {(char *)(uintptr_t)argument, NULL};
    store_name(executable, script, arguments, &entry);
    return entry.name;
}

/* What the name should be: parts, and the hash of all that the start is. */
static const char *expected(const char *parts, uint64_t hash)
{
    static char text[STORE_NAME_BYTES];
    snprintf(text, sizeof text, "%s-%016" PRIx64, parts, hash);
    return text;
}

static uint64_t both(const char *executable, const char *argument)
{
    return profile_hash(executable) * 0x9e3779b97f4a7c15u ^ profile_hash(argument);
}

Test(store, names_a_start_by_its_last_parts)
{
    cr_expect_str_eq(name("/usr/bin/perl", NULL, "-V"),
                     expected("perl", profile_hash("/usr/bin/perl")));
    cr_expect_str_eq(name("/usr/bin/perl", NULL, "/srv/a b.pl"),
                     expected("perl-a_b.pl", both("/usr/bin/perl", "/srv/a b.pl")));
    cr_expect_str_eq(name("/usr/bin/git", NULL, "/nowhere/folder/"),
                     expected("git-folder_", both("/usr/bin/git", "/nowhere/folder/")));
    cr_expect_str_eq(name("/usr/bin/perl", "/srv/app", "status"),
                     expected("perl-app", both("/usr/bin/perl", "/srv/app")));
}

Test(store, names_all_starts_of_an_executable)
{
    struct store_entry entry;
    char *arguments[] = {NULL};
    store_name("/usr/bin/perl", NULL, arguments, &entry);
    cr_expect_str_eq(entry.general, expected("perl-any", profile_hash("/usr/bin/perl")));
}
