/*
 * lifetime.h: when a recording ends in this process, and goes on in another.
 */
#ifndef CB_LIFETIME_H
#define CB_LIFETIME_H

/* In a child of fork: takes part as a process of its own. */
void record_child(void);

/* The last chance to look: this process image is about to end. */
void record_end(void);

/* The same, and nothing that this process does later is noted, nor any system call made for it. */
void record_stop(void);

#endif
