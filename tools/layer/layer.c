/*
 * layer.c: coldboost layer, a Lambda layer as a zip file.
 *
 * A program of its own behind "coldboost layer": libarchive and the ten libraries behind it would
 * otherwise be loaded by every coldboost run. The same input gives the same bytes: order, times and
 * owners are fixed, the zip is made in memory and written whole or not at all.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "layer_licence.h"
#include "profile/merge.h"
#include "profile/profile_read.h"
#include "profile/store_files.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_PART_BYTES (64u << 20)
#define OLDEST_GLIBC   26        /* 2.26: Amazon Linux 2; musl has no versions */
#define ZIP_EPOCH      315532800 /* 1980-01-01: the earliest that a zip file can say */
#define RELR_TAG       36        /* DT_RELR: loaders before glibc 2.36 skip these relocations */

static const char help[] =
    "Usage: coldboost layer -o LAYER.zip [-p PROFILE... | --store FOLDER] [--record]\n"
    "                       [--arch x86_64|arm64] [--build FOLDER]\n"
    "\n"
    "Makes an AWS Lambda layer. Unpacked at /opt, as Lambda does it, it holds\n"
    "  coldboost-wrapper       for AWS_LAMBDA_EXEC_WRAPPER=/opt/coldboost-wrapper\n"
    "  lib/libcoldboost.so     for LD_PRELOAD=/opt/lib/libcoldboost.so where there is no wrapper\n"
    "  coldboost/profile.cbp   found without being named, or with --store\n"
    "  coldboost/store/        the same for each start of its own\n"
    "  coldboost/LICENSE\n"
    "The same input always gives the same bytes. A library that would not load on Amazon Linux 2\n"
    "(glibc 2.26) is refused.\n"
    "\n"
    "  -o, --output=FILE      the zip file to write; - for standard output\n"
    "  -p, --profile=PROFILE  a file made by 'coldboost record' or 'coldboost merge'; several are\n"
    "                         united as by 'coldboost merge'; without one the layer has none, and\n"
    "                         the function may bring its own as coldboost.cbp in its folder\n"
    "  --store=FOLDER         carry all profiles that 'coldboost run' keeps in this folder\n"
    "  --record               add what COLDBOOST_RECORD needs: coldboost/coldboost-record and\n"
    "                         coldboost/libcoldboost-record.so\n"
    "  --arch=x86_64|arm64    the function's architecture (default: this machine's)\n"
    "  --build=FOLDER         where libcoldboost.so and coldboost-wrapper for it are: a build "
    "folder\n"
    "                         of coldboost, or the library folder of an installation (default:\n"
    "                         this one's; for another architecture build-aarch64 or build-x86_64\n"
    "                         beside this one's build folder)\n"
    "  -h, --help             print this and exit\n"
    "\n"
    "Example:\n"
    "  coldboost layer -o layer.zip -p app.cbp\n"
    "  aws lambda publish-layer-version --layer-name coldboost --zip-file fileb://layer.zip\n";

struct architecture {
    const char *name; /* as AWS has it */
    const char *build;
    uint16_t machine;
};

static const struct architecture architectures[] = {
    {"x86_64", "build-x86_64", EM_X86_64},
    {"arm64", "build-aarch64", EM_AARCH64},
};

#if defined(__aarch64__)
#define HOST_ARCHITECTURE (&architectures[1])
#else
#define HOST_ARCHITECTURE (&architectures[0])
#endif

struct part {
    const char *path; /* in the zip */
    mode_t mode;
    const uint8_t *bytes;
    size_t size;
};

struct parts {
    struct part *all;
    size_t count;
};

static const struct architecture *find_architecture(const char *name)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].name, name) == 0)
            return &architectures[i];
    fail_usage("layer", "'%s' is not an architecture of Lambda: x86_64 or arm64", name);
}

/* Where to look without --build: the build tree or installation of this very program. */
static char *default_folder(const struct architecture *architecture)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        fail(EXIT_FAILED, "cannot read /proc/self/exe: %s; mount /proc", strerror(errno));
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    if (architecture != HOST_ARCHITECTURE)
        return xasprintf("%s/../../%s", self, architecture->build);
    char *library = xasprintf("%s/../preload/libcoldboost.so", self);
    bool in_build_tree = access(library, F_OK) == 0;
    free(library);
    return in_build_tree ? xasprintf("%s/..", self) : xasprintf("%s/../" COLDBOOST_LIBDIR, self);
}

static const char *machine_name(unsigned machine)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (architectures[i].machine == machine)
            return architectures[i].name;
    return "neither x86_64 nor arm64";
}

static Elf *open_elf(const char *path, const struct part *part,
                     const struct architecture *architecture, GElf_Half type)
{
    elf_version(EV_CURRENT);
    /* libelf asks for char *, but does not write in memory that was only opened to be read. */
    Elf *elf = elf_memory((char *)(uintptr_t)part->bytes, part->size);
    GElf_Ehdr header;
    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
        gelf_getclass(elf) != ELFCLASS64 || header.e_type != type)
        fail(EXIT_FAILED, "%s: not a 64-bit ELF %s; build coldboost again", path,
             type == ET_DYN ? "shared object" : "program");
    if (header.e_machine != architecture->machine)
        fail(EXIT_FAILED,
             "%s: made for %s, not for %s; give --arch, or --build with a build for it", path,
             machine_name(header.e_machine), architecture->name);
    return elf;
}

static bool is_old_enough(const char *version)
{
    int minor, end = 0;
    return strncmp(version, "GLIBC_2.", 8) == 0 &&
           (sscanf(version + 8, "%d%n", &minor, &end) == 1) && minor <= OLDEST_GLIBC &&
           (version[8 + end] == '\0' || version[8 + end] == '.');
}

/* Every version of every library that the object asks its loader for. */
static void check_versions(const char *path, Elf_Data *data, size_t strings, Elf *elf)
{
    GElf_Verneed need;
    int at = 0;
    while (gelf_getverneed(data, at, &need)) {
        GElf_Vernaux version;
        int next = at + (int)need.vn_aux;
        for (unsigned i = 0; i < need.vn_cnt && gelf_getvernaux(data, next, &version); i++) {
            const char *name = elf_strptr(elf, strings, version.vna_name);
            if (!name || !is_old_enough(name))
                fail(EXIT_FAILED,
                     "%s: needs %s, glibc 2.%d has nothing newer than GLIBC_2.%d; build it for an "
                     "older system",
                     path, name ? name : "a version without a name", OLDEST_GLIBC, OLDEST_GLIBC);
            next += (int)version.vna_next;
        }
        if (!need.vn_next)
            return;
        at += (int)need.vn_next;
    }
}

static void check_dynamic(const char *path, Elf_Data *data, size_t strings, Elf *elf)
{
    GElf_Dyn entry;
    for (int i = 0; gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
        if (entry.d_tag == DT_NEEDED)
            fail(EXIT_FAILED, "%s: needs %s; a layer's library must stand alone: build it again",
                 path, elf_strptr(elf, strings, entry.d_un.d_val));
        if (entry.d_tag == RELR_TAG)
            fail(EXIT_FAILED,
                 "%s: has relocations in DT_RELR, which glibc 2.%d does not know; link it with "
                 "-z nopack-relative-relocs",
                 path, OLDEST_GLIBC);
    }
}

/* What has no version is taken from anywhere: only a weak reference may find nothing. */
static void check_symbols(const char *path, Elf_Data *data, const GElf_Shdr *section, Elf *elf)
{
    GElf_Sym symbol;
    for (int i = 1; (GElf_Xword)i < section->sh_size / section->sh_entsize; i++)
        if (gelf_getsym(data, i, &symbol) && symbol.st_shndx == SHN_UNDEF &&
            GELF_ST_BIND(symbol.st_info) != STB_WEAK)
            fail(EXIT_FAILED, "%s: needs the symbol %s; a layer's library must stand alone", path,
                 elf_strptr(elf, section->sh_link, symbol.st_name));
}

/* The first section of a type, with its contents; NULL if there is none. */
static Elf_Data *find_section(Elf *elf, GElf_Word type, GElf_Shdr *header)
{
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));)
        if (gelf_getshdr(section, header) && header->sh_type == type)
            return elf_getdata(section, NULL);
    return NULL;
}

/* Exits with a message if a loader as old as Amazon Linux 2's would not load the library. */
static void check_library(const char *path, const struct part *part,
                          const struct architecture *architecture)
{
    Elf *elf = open_elf(path, part, architecture, ET_DYN);
    GElf_Shdr header;
    Elf_Data *data = find_section(elf, SHT_GNU_verneed, &header);
    if (data)
        check_versions(path, data, header.sh_link, elf);
    data = find_section(elf, SHT_DYNAMIC, &header);
    if (!data)
        fail(EXIT_FAILED, "%s: has no dynamic section to check; build coldboost again", path);
    check_dynamic(path, data, header.sh_link, elf);
    data = find_section(elf, SHT_DYNSYM, &header);
    if (data && header.sh_entsize)
        check_symbols(path, data, &header, elf);
    elf_end(elf);
}

static void check_program(const char *path, const struct part *part,
                          const struct architecture *architecture)
{
    Elf *elf = open_elf(path, part, architecture, ET_EXEC);
    size_t count = 0;
    GElf_Phdr segment;
    elf_getphdrnum(elf, &count);
    for (size_t i = 0; i < count; i++)
        if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_INTERP)
            fail(EXIT_FAILED, "%s: is not static; build coldboost again", path);
    elf_end(elf);
}

/* Call stacks are for people and stay at home: a merged profile has none. */
static struct part profile_part(char *const *paths, size_t count, const char *output)
{
    struct part part = {.path = "coldboost/profile.cbp", .mode = 0644};
    struct profile profile;
    uint8_t *bytes = read_profile(paths[0], &profile, &part.size);
    if (count > 1 || profile.header->extra_bytes) {
        struct merge_sources sources = {NULL, 0};
        struct merge_totals totals;
        for (size_t i = 0; i < count; i++)
            merge_add_file(&sources, paths[i]);
        free(bytes);
        bytes = merge_all(&sources, 0, output, &part.size, &totals);
    }
    part.bytes = bytes;
    return part;
}

/* Adds each start that has a profile. What is known of it goes along, but not what has become of
 * its starts here. */
static void add_store(struct parts *parts, const char *path)
{
    size_t count;
    struct stored_profile *stored = store_files_load(path, &count);
    for (size_t i = 0; i < count; i++) {
        char *name = xasprintf("coldboost/store/%s.cbp", stored[i].name);
        *GROW(parts->all, parts->count) =
            (struct part){name, 0644, stored[i].bytes, stored[i].size};
        name = xasprintf("coldboost/store/%s.log", stored[i].name);
        *GROW(parts->all, parts->count) =
            (struct part){name, 0644, (const uint8_t *)&stored[i].state, sizeof stored[i].state};
    }
}

static const struct built {
    const char *name;
    const char *in_build, *installed; /* where it is, in either folder */
    const char *in_zip;
    void (*check)(const char *, const struct part *, const struct architecture *);
} built_parts[] = {
    {"coldboost-wrapper", "tools", "coldboost", "coldboost-wrapper", check_program},
    {"libcoldboost.so", "preload", ".", "lib/libcoldboost.so", check_library},
    /* With --record: */
    {"coldboost-record", "tools", "coldboost", "coldboost/coldboost-record", check_program},
    {"libcoldboost-record.so", "preload", ".", "coldboost/libcoldboost-record.so", check_library},
};
enum { WITHOUT_RECORD = 2, BUILT_PARTS = sizeof built_parts / sizeof *built_parts };

/* FOLDER/IN_BUILD/NAME of a build folder, or FOLDER/INSTALLED/NAME; NULL if it is in neither. */
static char *find_part(const char *folder, const struct built *built)
{
    const char *const folders[] = {built->in_build, built->installed};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = xasprintf("%s/%s/%s", folder, folders[i], built->name);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static struct part built_part(const struct built *built, const char *folder,
                              const struct architecture *architecture)
{
    struct part part = {.path = built->in_zip, .mode = 0755};
    char *path = find_part(folder, built);
    if (!path)
        fail(EXIT_FAILED, "%s: has no %s for %s; build coldboost for it and give --build FOLDER",
             folder, built->name, architecture->name);
    part.bytes = read_file(path, MAX_PART_BYTES, &part.size);
    built->check(path, &part, architecture);
    free(path);
    return part;
}

static void check_archive(struct archive *zip, la_ssize_t result)
{
    if (result < ARCHIVE_OK)
        fail(EXIT_FAILED, "cannot make the zip: %s", archive_error_string(zip));
}

static void add_part(struct archive *zip, const struct part *part)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        fail(EXIT_FAILED, "out of memory");
    archive_entry_set_pathname(entry, part->path);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, part->mode);
    archive_entry_set_size(entry, (la_int64_t)part->size);
    archive_entry_set_mtime(entry, ZIP_EPOCH, 0);
    check_archive(zip, archive_write_header(zip, entry));
    check_archive(zip, archive_write_data(zip, part->bytes, part->size));
    archive_entry_free(entry);
}

static bool write_zip(const char *output, const struct parts *parts)
{
    size_t capacity = 4096, size = 0;
    for (size_t i = 0; i < parts->count; i++) /* deflate's worst, and headers */
        capacity += parts->all[i].size + parts->all[i].size / 1000 + 1024;
    void *bytes = xmalloc(capacity);
    /* A zip entry's time is local time. */
    setenv("TZ", "UTC", 1);
    tzset();
    struct archive *zip = archive_write_new();
    if (!zip)
        fail(EXIT_FAILED, "out of memory");
    check_archive(zip, archive_write_set_format_zip(zip));
    check_archive(zip, archive_write_set_bytes_in_last_block(zip, 1));
    check_archive(zip, archive_write_open_memory(zip, bytes, capacity, &size));
    for (size_t i = 0; i < parts->count; i++)
        add_part(zip, &parts->all[i]);
    check_archive(zip, archive_write_close(zip));
    bool written = output_write(output, bytes, size);
    archive_write_free(zip);
    free(bytes);
    return written;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'}, {"profile", required_argument, NULL, 'p'},
        {"store", required_argument, NULL, 's'},  {"arch", required_argument, NULL, 'a'},
        {"build", required_argument, NULL, 'b'},  {"record", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *output = NULL, *folder = NULL, *arch = NULL, *store = NULL;
    size_t built_count = WITHOUT_RECORD;
    char **profiles = xmalloc((size_t)argc * sizeof *profiles);
    size_t profile_count = 0;
    for (int c; (c = next_option(argc, argv, "o:p:h", long_options, help)) != -1;) {
        if (c == 'o')
            output = optarg;
        else if (c == 'p')
            profiles[profile_count++] = optarg;
        else if (c == 's')
            store = optarg;
        else if (c == 'a')
            arch = optarg;
        else if (c == 'b')
            folder = optarg;
        else
            built_count = BUILT_PARTS;
    }
    if (!output)
        fail_usage("layer", "no output given: -o LAYER.zip");
    if (optind < argc)
        fail_usage("layer", "'%s' is no option", argv[optind]);
    if (store && profile_count)
        fail_usage("layer", "-p or --store: where there is a profile, no store is looked at");
    output_check(output);

    const struct architecture *architecture = arch ? find_architecture(arch) : HOST_ARCHITECTURE;
    if (!folder)
        folder = default_folder(architecture);
    struct parts parts = {NULL, 0};
    *GROW(parts.all, parts.count) = (struct part){
        "coldboost/LICENSE", 0644, (const uint8_t *)LICENCE_TEXT, sizeof LICENCE_TEXT - 1};
    if (profile_count)
        *GROW(parts.all, parts.count) = profile_part(profiles, profile_count, output);
    if (store)
        add_store(&parts, store);
    for (size_t i = 0; i < built_count; i++)
        *GROW(parts.all, parts.count) = built_part(&built_parts[i], folder, architecture);
    bool written = write_zip(output, &parts);
    free(parts.all);
    free(profiles);
    return written ? EXIT_SUCCESS : EXIT_FAILED;
}
