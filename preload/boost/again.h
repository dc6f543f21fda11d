/*
 * again.h: has a start recorded which the store knows nothing of.
 */
#pragma once

#include "start/request.h"

/*
 * Executes the program again, once, through coldboost, where that is installed and may record:
 * same process, arguments and environment. At the time of the constructor nothing of the program
 * has run. Returns if it is not to be, with everything as it was.
 */
void again_to_record(const struct request *request);
