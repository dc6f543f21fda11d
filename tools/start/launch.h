/*
 * launch.h: what a program is started with: a profile, and an object in front of it.
 */
#pragma once

/*
 * The profile to use, as an absolute path and the caller's to free: the named one,
 * or where find_profile_path() finds one. NULL if none of them is set and
 * none is found (*path is NULL), or if there is nothing at *path (errno says why).
 */
char *look_for_profile(const char *named, const char **path);

/* The same, but exits with a message if there is nothing at the path. */
char *find_profile(const char *named);

/* Puts the object into this process's LD_PRELOAD, in front of what is there. */
void preload_object(const char *object);
