/*
 * options_table.h: every COLDBOOST_* environment variable of a user, one row each, and all that is
 * said of it.
 *
 *   OPTION(name, kind, max, field, default, help, choices)
 *
 * The name is what stands behind "COLDBOOST"; max is the greatest value of a NUMBER; the field is
 * that of struct options. A CHOICE has its values in their order, other spellings behind blanks;
 * all other kinds have NULL. `coldboost run --help` prints default and help, and tools/man makes
 * the ENVIRONMENT of coldboost(1) from them, with the words in single quotes as literals.
 *
 * This file is included inside a table, by whoever defines OPTION: it has no include guard.
 */

OPTION("", CHOICE, 0, enabled, "'auto'",
       "'off': do nothing at all; 'auto': replay when the files are not in memory; 'force': replay "
       "always.",
       "off 0 no false", "auto on 1 yes true", "force")

OPTION("_PROFILE", TEXT, 0, profile,
       "'$LAMBDA_TASK_ROOT/coldboost.cbp', then '/opt/coldboost/profile.cbp'",
       "The profile to replay.", NULL)

OPTION("_STORE", TEXT, 0, store,
       "with 'coldboost run' '$XDG_CACHE_HOME/coldboost' or '~/.cache/coldboost', for root "
       "'/var/cache/coldboost'; otherwise '/opt/coldboost/store', which is only read",
       "The folder of profiles that 'coldboost run' keeps, one for each start; a preloaded program "
       "records its first cold starts into it, too. 'off': none.",
       NULL)

OPTION(
    "_MODE", CHOICE, 0, mode, "'auto'",
    "Where the replay runs. 'process': in a process of its own if somebody will reap it, "
    "otherwise as with 'sync'; 'thread': in a thread of the program; 'sync': in threads that end "
    "before the program goes on; 'auto': as 'process', but a preloaded program asks for few files "
    "itself, in 5 ms at most.",
    "process fork", "thread", "sync", "auto")

OPTION("_BUDGET", BYTES, 0, budget_bytes, "half of what memory, the control group and Lambda allow",
       "How many bytes may be paged in: a number, with 'K', 'M' or 'G' behind it for larger units. "
       "'0': none.",
       NULL)

OPTION("_WORKERS", NUMBER, REPLAY_MOST_WORKERS, workers, "8; 16 where storage is slow",
       "How many threads replay, 1 to 16.", NULL)

OPTION(
    "_TELEMETRY", TEXT, 0, telemetry, "none",
    "A file to which each start appends a record; 'emf': one line in CloudWatch's Embedded Metric "
    "Format on standard error instead, from the runtime process of a Lambda function only.",
    NULL)

OPTION("_HOLDOUT", NUMBER, 100, holdout, "0",
       "How many per cent of the starts are left unboosted, by chance, so that 'coldboost report' "
       "can show the difference.",
       NULL)

OPTION("_CRC32", CHOICE, 0, crc32, "'on'",
       "'off': the library's crc32 and crc32_z never answer for zlib's.", "off 0 no false",
       "on 1 yes true")

OPTION("_VERBOSE", CHOICE, 0, verbose, "0",
       "'1': print one line on standard error at the end of the replay, and one for whatever could "
       "not be done or not be understood.",
       "0 off no false", "1 on yes true")

OPTION(
    "_RECORD", TEXT, 0, record, "none",
    "'coldboost-wrapper' records the start instead of boosting it, into this file; 'log': as lines "
    "of text on standard error. 'never': 'coldboost run' records nothing.",
    NULL)
