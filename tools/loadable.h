/*
 * loadable.h: whether a command can be started with a preloaded object.
 */
#ifndef CB_LOADABLE_H
#define CB_LOADABLE_H

/*
 * Finds the command as execvp(3) would and looks at the program that will really run, which for a
 * script is its interpreter. Returns the command's path, which is the caller's to free. Exits with
 * EXIT_NOT_FOUND or EXIT_CANNOT_EXECUTE and a message that names the reason if it cannot be
 * executed or cannot be preloaded: it is static, of another architecture, or runs with a
 * set-user-ID.
 */
char *find_command(const char *name);

#endif
