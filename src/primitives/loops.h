/*
 * loops.h: has gcc align the loops of the file that includes it, before any function.
 *
 * A loop that straddles two lines of code is up to a third slower, by chance. To align those of all
 * files instead would take 2,600 bytes more. For clang, which has no such pragma, see meson.build.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("align-loops=64")
#endif
