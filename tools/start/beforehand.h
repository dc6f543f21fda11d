/*
 * beforehand.h: on a cold disk each folder on the way to a file is a wait of its own. The ways to
 * the program, to its profile and to the object that is preloaded have nothing to do with one
 * another, so threads walk two of them while the caller walks the third.
 *
 * They only look: what they find stays in the kernel's memory, where the caller's own look-ups then
 * find it. exec() ends them, and without them everything takes longer and nothing else.
 */
#pragma once

#include <stdbool.h>

/*
 * Looks up a file that lies where the installation has it (installation_find_object() with
 * `called`), and the wanted profile or the store's folder, and begins to read them. Does nothing if
 * the look-up of the wanted one would not have to wait. Linux tells that since 5.12; false if it
 * does not: then nothing has been done. To be called once; no output, no errno, nothing left open.
 */
bool look_beforehand(const char *called, const char *object, const char *wanted);
