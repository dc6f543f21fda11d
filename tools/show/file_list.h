/*
 * file_list.h: the files of a profile in the order of their first touch, as other programs want
 * them who lay out an image.
 */
#pragma once

#include "replay/profile.h"

/* The form of that name: squashfs, estargz or nydus; NULL: names alone. Returns NULL if unknown. */
const struct file_list_form *file_list_find(const char *name);

/*
 * Prints to stdout the regular files whose pages are read, each once. Of several executables those
 * that were touched first stand first.
 */
void file_list_print(const struct profile *profile, const struct file_list_form *form);
