/*
 * link.c: coldboost link and coldboost unlink: names, and systemd's services, that start boosted.
 *
 * A link to this program whose name is another's starts the next program of that name in PATH
 * through the store (front.c). A drop-in does the same for a service: its own ExecStart, with
 * "coldboost run" in front.
 */
#include "cli/command.h"
#include "cli/output.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char link_help[] =
    "Usage: coldboost link [--dir DIR] NAME…\n"
    "       coldboost link --systemd [--dir DIR] UNIT…\n"
    "\n"
    "Makes a link to coldboost for each NAME, such as node or python3. Whoever starts NAME then\n"
    "starts the next program of that name in PATH as 'coldboost run' does, with the same "
    "arguments.\n"
    "DIR must stand in PATH before the program's own folder.\n"
    "\n"
    "With --systemd it writes a drop-in for each service, by which the unit's own commands start\n"
    "through coldboost, with a cache folder of the unit as the store. Then: systemctl "
    "daemon-reload.\n"
    "\n"
    "  -d, --dir=DIR   where to; otherwise ~/.local/bin, root's /usr/local/bin, and for units\n"
    "                  /etc/systemd/system\n"
    "  -s, --systemd   services instead of names\n"
    "  -h, --help      print this and exit\n";

static const char unlink_help[] = "Usage: coldboost unlink [--dir DIR] NAME…\n"
                                  "       coldboost unlink --systemd [--dir DIR] UNIT…\n"
                                  "\n"
                                  "Removes what 'coldboost link' has made, and nothing else.\n"
                                  "\n"
                                  "  -d, --dir=DIR   as for 'coldboost link'\n"
                                  "  -s, --systemd   services instead of names\n"
                                  "  -h, --help      print this and exit\n";

#define DROP_IN "coldboost.conf"

struct link_options {
    const char *folder;
    bool systemd;
    char **names;
};

static char *default_folder(bool systemd)
{
    const char *home = getenv("HOME");
    if (systemd)
        return xstrdup("/etc/systemd/system");
    if (geteuid() == 0)
        return xstrdup("/usr/local/bin");
    if (!home || *home != '/')
        fail(EXIT_FAILED, "HOME names no folder; say where the links are to be: --dir DIR");
    return xasprintf("%s/.local/bin", home);
}

static struct link_options parse(int argc, char **argv, const char *help)
{
    static const struct option long_options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"systemd", no_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *command = strchr(argv[0], ' ') + 1;
    struct link_options options = {.folder = NULL};
    for (int c; (c = next_option(argc, argv, "d:sh", long_options, help)) != -1;)
        if (c == 'd')
            options.folder = optarg;
        else
            options.systemd = true;
    options.names = argv + optind;
    if (optind == argc)
        fail_usage(command, "no name given");
    for (char **name = options.names; *name; name++)
        if (strchr(*name, '/') || !**name || **name == '.')
            fail_usage(command, "%s: a name is needed, not a path", *name);
    if (!options.folder)
        options.folder = default_folder(options.systemd);
    return options;
}

/* ---- links ------------------------------------------------------------------------------------
 */

static char *own_path(void)
{
    char *front = look_for_component("coldboost");
    if (!front)
        fail(EXIT_FAILED, "coldboost is not installed beside this program");
    return front;
}

/* Whether there is a link of ours; one that leads elsewhere is somebody's. */
static bool is_own_link(const char *path, const char *own)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return strcmp(target, own) == 0;
}

/* What the name starts once the link is there: the program must come later in PATH. */
static void warn_of_order(const char *folder, const char *name)
{
    const char *path = getenv("PATH");
    bool ours_came = false;
    for (const char *at = path ? path : ""; *at;) {
        size_t length = strcspn(at, ":");
        char *program = xasprintf("%.*s/%s", (int)length, at, name);
        bool ours = strlen(folder) == length && strncmp(at, folder, length) == 0;
        bool found = !ours && access(program, X_OK) == 0;
        ours_came = ours_came || ours;
        if (found && !ours_came)
            warn("%s stands before %s in PATH, or that is not in it: %s does not start by the link",
                 program, folder, name);
        free(program);
        if (found)
            return;
        at += length + (at[length] == ':');
    }
    warn("there is no other %s in PATH: the link starts nothing yet", name);
}

static bool make_link(const char *folder, const char *name)
{
    char *own = own_path(), *path = xasprintf("%s/%s", folder, name);
    bool made = is_own_link(path, own) || symlink(own, path) == 0;
    if (!made)
        warn("%s: %s", path,
             errno == EEXIST ? "there is a file of that name; choose another folder"
                             : strerror(errno));
    else
        warn_of_order(folder, name);
    free(own);
    free(path);
    return made;
}

static bool remove_link(const char *folder, const char *name)
{
    char *own = own_path(), *path = xasprintf("%s/%s", folder, name);
    bool is_own = is_own_link(path, own);
    bool removed = is_own && unlink(path) == 0;
    if (!removed)
        warn("%s: %s", path, is_own ? strerror(errno) : "no link that 'coldboost link' has made");
    free(own);
    free(path);
    return removed;
}

/* ---- services ---------------------------------------------------------------------------------
 */

static const char *const unit_folders[] = {"/etc/systemd/system", "/run/systemd/system",
                                           "/usr/local/lib/systemd/system",
                                           "/usr/lib/systemd/system", "/lib/systemd/system"};
enum { UNIT_FOLDERS = sizeof unit_folders / sizeof *unit_folders };

static char *read_unit(const char *unit, char path[PATH_MAX])
{
    char *text = NULL;
    size_t size;
    for (size_t i = 0; i < UNIT_FOLDERS && !text; i++) {
        snprintf(path, PATH_MAX, "%s/%s", unit_folders[i], unit);
        text = read_text(path, &size);
    }
    return text;
}

/* Cuts off the first line, with what it is continued by; NULL at the end, and of no text. */
static char *next_line(char **text)
{
    char *line = *text, *end = line;
    if (!line || !*line)
        return NULL;
    while ((end = strchr(end, '\n')) && end > line && end[-1] == '\\')
        end++;
    *text = end ? end + 1 : line + strlen(line);
    if (end)
        *end = '\0';
    return line;
}

/* Whether a line sets ExecStart: to what stands behind it, which may be empty. NULL: it does not.
 */
static const char *exec_start(const char *line)
{
    const char *at = line + strspn(line, " \t");
    if (strncmp(at, "ExecStart", 9) != 0)
        return NULL;
    at += 9;
    at += strspn(at, " \t");
    if (*at != '=')
        return NULL;
    at++;
    return at + strspn(at, " \t");
}

static bool sets_exec_start(const char *path)
{
    size_t size;
    char *text = read_text(path, &size), *rest = text, *line;
    bool found = false;
    while (!found && (line = next_line(&rest)))
        found = exec_start(line);
    free(text);
    return found;
}

/* Another drop-in that sets the commands: which of two wins goes by their names. NULL: none. */
static char *other_drop_in(const char *unit)
{
    char *found = NULL;
    for (size_t i = 0; i < UNIT_FOLDERS && !found; i++) {
        char *pattern = xasprintf("%s/%s.d/*.conf", unit_folders[i], unit);
        glob_t paths;
        if (glob(pattern, GLOB_NOSORT, NULL, &paths) == 0) {
            for (size_t k = 0; k < paths.gl_pathc && !found; k++)
                if (strcmp(strrchr(paths.gl_pathv[k], '/') + 1, DROP_IN) != 0 &&
                    sets_exec_start(paths.gl_pathv[k]))
                    found = xstrdup(paths.gl_pathv[k]);
            globfree(&paths);
        }
        free(pattern);
    }
    return found;
}

/*
 * The command with coldboost in front. What systemd takes from the first characters (@, -, :, +, !)
 * stays in front; with @ the second word is the program's own name, which coldboost cannot give.
 */
static void print_command(FILE *out, const char *command, const char *own, const char *unit)
{
    size_t prefix = strspn(command, "@-:+!|");
    bool is_named = memchr(command, '@', prefix);
    if (is_named)
        warn("%s: a command that names its own argv[0] (@) stays as it is", unit);
    fprintf(out, "ExecStart=%.*s%s%s%s\n", (int)prefix, command, is_named ? "" : own,
            is_named ? "" : " run -- ", command + prefix);
}

/* The drop-in's text for a unit with that content; NULL if it has no command. */
static char *boosted_unit(const char *unit, char *content, const char *own)
{
    char *text;
    size_t size, commands = 0;
    FILE *out = open_memstream(&text, &size);
    char *name = xasprintf("coldboost-%.*s", (int)strcspn(unit, "."), unit);
    if (!out)
        fail(EXIT_FAILED, "out of memory");
    for (char *at = name; *at; at++)
        if (*at == '@' || *at == '\\')
            *at = '-';
    fprintf(out,
            "# Made by 'coldboost link --systemd %s'; 'coldboost unlink --systemd' removes it.\n"
            "[Service]\nCacheDirectory=%s\nEnvironment=COLDBOOST_STORE=%%C/%s\nExecStart=\n",
            unit, name, name);
    for (char *line; (line = next_line(&content));) {
        const char *value = exec_start(line);
        if (value && *value) {
            print_command(out, value, own, unit);
            commands++;
        }
    }
    free(name);
    if (fclose(out) != 0)
        fail(EXIT_FAILED, "out of memory");
    if (commands)
        return text;
    free(text);
    return NULL;
}

/* The same for a unit of systemd's; NULL after a message. */
static char *compose(const char *unit, const char *own)
{
    char path[PATH_MAX], *text = NULL;
    char *content = read_unit(unit, path), *other = other_drop_in(unit);
    if (!content)
        warn("%s: there is no such unit in systemd's folders", unit);
    else if (other)
        warn("%s: it sets ExecStart for %s; put 'coldboost run --' in front of the command there",
             other, unit);
    else if (!(text = boosted_unit(unit, content, own)))
        warn("%s: it has no ExecStart; a service is needed", path);
    free(other);
    free(content);
    return text;
}

static char *drop_in(const char *folder, const char *unit)
{
    return xasprintf("%s/%s.d/%s", folder, unit, DROP_IN);
}

static bool link_unit(const char *folder, const char *unit)
{
    char *own = own_path(), *text = compose(unit, own), *path = drop_in(folder, unit);
    bool made = text && output_write(path, text, strlen(text));
    if (made)
        printf("%s\n", path);
    free(own);
    free(text);
    free(path);
    return made;
}

static bool unlink_unit(const char *folder, const char *unit)
{
    char *path = drop_in(folder, unit);
    bool removed = unlink(path) == 0;
    if (!removed)
        warn("%s/%s.d/%s: %s", folder, unit, DROP_IN, strerror(errno));
    *strrchr(path, '/') = '\0';
    if (removed)
        rmdir(path); /* unless there are others */
    free(path);
    return removed;
}

static int each(const struct link_options *options, bool (*do_it)(const char *, const char *))
{
    bool all = true;
    for (char **name = options->names; *name; name++)
        all = do_it(options->folder, *name) && all;
    return all ? EXIT_SUCCESS : EXIT_FAILED;
}

int command_link(int argc, char **argv)
{
    struct link_options options = parse(argc, argv, link_help);
    return each(&options, options.systemd ? link_unit : make_link);
}

int command_unlink(int argc, char **argv)
{
    struct link_options options = parse(argc, argv, unlink_help);
    return each(&options, options.systemd ? unlink_unit : remove_link);
}
