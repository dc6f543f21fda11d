/*
 * manual.h: the pages of the manual.
 */
#pragma once

#include <stdbool.h>

/* Whether the manual has a page of this topic beside those of the commands, such as "lambda". */
bool manual_has_topic(const char *topic);

/*
 * Becomes man(1), showing the page of a command or a topic: the one in the tool's build tree or of
 * its installation. Returns if there is no such page, or no man.
 */
void manual_open(const char *topic);
