/*
 * zlib.h: when our crc32 may answer for zlib's.
 */
#pragma once

#include <stdbool.h>

/* From the constructor: remembers which objects were there at the start. Never allow means that
 * calls are passed on wherever there is somebody to pass them to. */
void zlib_set_up(bool allow);
