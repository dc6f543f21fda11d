/*
 * children.h: spares the children of a shell what they would gain nothing from.
 */
#pragma once

/*
 * For the shell that a function starts with, if the profile names no program that the shell may
 * start: takes libcoldboost.so out of LD_PRELOAD and LD_AUDIT, so that they do not load it. Other
 * objects stay, in their order; a variable without any is removed. Changes the block in place: to
 * be called before anybody else has looked at it.
 */
void children_spare(char **envp);
