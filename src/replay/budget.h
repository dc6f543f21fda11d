/*
 * budget.h: how much a replay may page in.
 */
#pragma once

#include <stdint.h>

#define BUDGET_BY_MEMORY UINT64_MAX /* no number of bytes is set: half of the memory */

/* What has ended a replay early, as bits. Telemetry records hold them. */
enum budget_hit { BUDGET_BYTES = 1, BUDGET_TIME = 2 };

/*
 * Half of the smallest of: the machine's memory, what is available of it now, the memory limit of
 * this process's control group, and granted_bytes (0: nothing is known to be granted). In bytes.
 * Opens and closes up to three files.
 */
uint64_t budget_by_memory(uint64_t granted_bytes);
