/*
 * budget.h: how much a replay may page in.
 */
#ifndef CB_BUDGET_H
#define CB_BUDGET_H

#include <stdint.h>

/*
 * Half of the smallest of: the machine's memory, what is available of it now, the memory limit of
 * this process's control group, and granted_bytes (0: nothing is known to be granted). In bytes.
 * Opens and closes up to three files.
 */
uint64_t budget_by_memory(uint64_t granted_bytes);

#endif
