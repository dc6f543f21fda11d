/*
 * handover.c: both ways to hand a start over. Nothing else reads or writes COLDBOOST_STARTED.
 *
 * In place the pointer to "LD_AUDIT=…" is exchanged for one to a copy, in front of which the struct
 * stands; whoever takes it puts the first pointer back. The program never sees either.
 */
#include "start/handover.h"

#include "base/sys.h"
#include "base/text.h"

#define NOTE_MAGIC UINT64_C(0xe3b91d5c04f7a268)

/* At the beginning of a page, and the text of the variable directly behind it. */
struct handover_note {
    uint64_t magic;
    const char *replaced;
    struct handover handover;
};

static size_t note_bytes(const char *variable)
{
    return sizeof(struct handover_note) + text_length(variable) + 1;
}

void handover_write(const struct handover *handover, char text[HANDOVER_BYTES])
{
    const uint64_t numbers[] = {(uint64_t)sys_getpid(), handover->started_ns, handover->start,
                                handover->arm, handover->executable_hash};
    size_t length = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        length = text_append(text, HANDOVER_BYTES, length, i ? ":" : "");
        length = text_append_number(text, HANDOVER_BYTES, length, numbers[i]);
    }
}

bool handover_parse(const char *text, struct handover *out)
{
    uint64_t process_id = 0;
    uint64_t *const numbers[] = {&process_id, &out->started_ns, &out->start, &out->arm,
                                 &out->executable_hash};
    *out = (struct handover){.started_ns = 0};
    for (size_t i = 0; text && *text && i < sizeof numbers / sizeof *numbers;
         text += *text == ':', i++)
        for (; *text >= '0' && *text <= '9'; text++)
            *numbers[i] = *numbers[i] * 10 + (uint64_t)(*text - '0');
    return process_id != 0 && process_id == (uint64_t)sys_getpid();
}

/* The place of LD_AUDIT in the block, or NULL. */
static const char **find_variable(char *const *envp)
{
    for (; *envp; envp++)
        if (text_after(*envp, "LD_AUDIT="))
            return (const char **)(uintptr_t)envp;
    return NULL;
}

void handover_leave(char *const *envp, const struct handover *handover)
{
    const char **variable = find_variable(envp);
    if (!variable)
        return;
    size_t bytes = note_bytes(*variable);
    struct handover_note *note = sys_map(bytes, MAP_PRIVATE);
    if (!note)
        return;
    *note = (struct handover_note){NOTE_MAGIC, *variable, *handover};
    text_append((char *)(note + 1), bytes - sizeof *note, 0, *variable);
    *variable = (const char *)(note + 1);
}

static bool take_in_place(char *const *envp, struct handover *out)
{
    const char **variable = find_variable(envp);
    if (!variable || (uintptr_t)*variable % 4096 != sizeof(struct handover_note))
        return false;
    /* Any variable may happen to stand there; what is in front of it is then memory, too: the
     * block, or the arguments. */
    struct handover_note *note = (struct handover_note *)(uintptr_t)*variable - 1;
    if (note->magic != NOTE_MAGIC)
        return false;
    size_t bytes = note_bytes(*variable);
    *out = note->handover;
    *variable = note->replaced;
    sys_unmap(note, bytes);
    return true;
}

bool handover_take(char *const *envp, const struct options *options, struct handover *out)
{
    return take_in_place(envp, out) ||
           handover_parse(options_other(options, HANDOVER_VARIABLE), out);
}
