/*
 * replay.c: what is read of a working set, and when.
 *
 * The leader validates the profile, looks whether the files are in memory already if it is told to,
 * and if not reads them together with its workers. It is a process of its own, a thread of the
 * program, or the program itself, as the plan says.
 *
 * This runs inside other people's programs. It must never
 *   - touch the program's memory, beyond two mappings of its own and the plan's result;
 *   - run libc code, or outlive its budgets;
 *   - ask for what may hang, where the program would have to wait for that.
 */
#include "replay/replay.h"

#include "base/sys.h"
#include "base/text.h"
#include "replay/budget.h"
#include "replay/mounts.h"
#include "replay/threads.h"

#define PATH_BYTES 4096

/* Behind it in its mapping: the stacks, then a rank for each of the profile's files. */
struct replay {
    struct threads threads; /* the first: it stands for all of this in what the threads run */
    struct working_set set;
    struct mounts mounts;
    uint32_t *ranks;
    char executable[PATH_BYTES];
};

/* What the calling thread has read from storage, in bytes; 0 if nobody asks. */
static uint64_t storage_bytes(const struct replay_plan *plan)
{
    struct rusage usage;
    if (!plan->counts_storage)
        return 0;
    sys_usage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_inblock * 512;
}

static void count_storage_bytes(const struct replay_plan *plan, uint64_t before)
{
    __atomic_add_fetch(&plan->result->storage_bytes, storage_bytes(plan) - before,
                       __ATOMIC_RELAXED);
}

static void run_scout(void *argument);

static void work(struct replay *replay)
{
    while (working_set_read_run(&replay->set))
        /* All that may be: where the wait is for the store, many can wait at once. */
        while (working_set_is_slow(&replay->set) && threads_may_grow(&replay->threads))
            threads_start_worker(&replay->threads, run_scout);
}

static void run_worker(void *argument)
{
    struct replay *replay = argument;
    work(replay);
    count_storage_bytes(&replay->threads.plan, 0);
    sys_exit_thread();
}

static void run_scout(void *argument)
{
    struct replay *replay = argument;
    while (working_set_touch_chunk(&replay->set)) {
    }
    run_worker(replay);
}

static enum replay_state read_all(struct replay *replay)
{
    const struct replay_plan *plan = &replay->threads.plan;
    struct working_set *set = &replay->set;
    working_set_sort(set, replay->ranks, (struct profile_range *)(uintptr_t)set->profile.ranges);
    uint64_t before = storage_bytes(plan);
    for (unsigned i = 1; i < plan->workers; i++)
        threads_start_worker(&replay->threads, run_worker);
    work(replay);
    threads_join(&replay->threads);
    count_storage_bytes(plan, before);
    plan->result->budget_hits = working_set_budget_hits(set);
    return plan->result->budget_hits ? STATE_BUDGET : STATE_DONE;
}

static enum replay_state lead(void *argument)
{
    struct replay *replay = argument;
    const struct replay_plan *plan = &replay->threads.plan;
    struct working_set *set = &replay->set;
    const struct loaded_profile *loaded = plan->profile;
    if (plan->is_checked ? !profile_view(loaded->bytes, loaded->size, &set->profile)
                         : profile_parse(loaded->bytes, loaded->size, &set->profile) != 0)
        return STATE_BAD_PROFILE;
    set->section = profile_find(&set->profile, replay->executable);
    if (!set->section)
        return STATE_BAD_PROFILE;
    plan->result->ranges_total = set->section->range_count;
    if (plan->mode == MODE_PROCESS) { /* the program's folder may be unmounted or removed */
        sys_chdir("/");
    } else {
        mounts_read(&replay->mounts);
        set->mounts = &replay->mounts;
        set->executable = replay->executable;
    }
    if (plan->looks && working_set_is_resident(set))
        return STATE_SKIPPED;
    if (set->budget_bytes == BUDGET_BY_MEMORY)
        set->budget_bytes = budget_by_memory(plan->granted_bytes);
    return read_all(replay);
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static struct replay *make(const struct replay_plan *plan)
{
    size_t stacks = round_up(sizeof(struct replay));
    size_t ranks = stacks + threads_stack_bytes(plan->most_workers);
    size_t bytes = ranks + plan->profile->header.file_count * sizeof(uint32_t);
    /* A thread's memory stays while the program runs, which may be near its limit; two processes
     * must not share their stacks. */
    struct replay *replay = sys_map(bytes, plan->mode == MODE_THREAD ? MAP_SHARED : MAP_PRIVATE);
    if (!replay)
        return NULL;
    replay->threads.mapped_bytes = bytes;
    replay->threads.stacks = (uint8_t *)replay + stacks;
    replay->threads.plan = *plan;
    replay->threads.lead = lead;
    replay->set.counters = &plan->result->counters;
    replay->set.budget_bytes = plan->budget_bytes;
    replay->set.deadline_ns = plan->deadline_ns;
    replay->set.only_asks = plan->only_asks;
    replay->ranks = (uint32_t *)(void *)((uint8_t *)replay + ranks);
    text_append(replay->executable, PATH_BYTES, 0, plan->executable);
    return replay;
}

/* Counts this process's threads, as the links of a folder; 0 without /proc. */
static uint32_t thread_links(void)
{
    struct sys_status status = {.links = 0};
    return sys_stat(AT_FDCWD, "/proc/self/task", &status) == 0 ? status.links : 0;
}

/*
 * A worker that threads_join() has seen end is still a thread for a moment, and a program of two
 * threads may not enter a user namespace. Gives up after 10 ms: the program may have made one.
 */
static enum replay_state lead_alone(struct replay *replay)
{
    uint32_t before = replay->threads.plan.most_workers > 1 ? thread_links() : 0;
    enum replay_state state = lead(replay);
    for (int i = 0; before && i < 100 && thread_links() > before; i++)
        sys_sleep_ns(100000);
    return state;
}

bool replay_has_copy(const struct replay_plan *plan)
{
    return plan->mode == MODE_PROCESS && !plan->leaves_memory;
}

enum replay_state replay_here(const struct replay_plan *plan)
{
    struct replay *replay = make(plan);
    if (!replay)
        return STATE_NONE;
    enum replay_state state = lead_alone(replay);
    sys_unmap(replay, replay->threads.mapped_bytes);
    return state;
}

static long start_sync(const struct replay_plan *plan)
{
    enum replay_state state = replay_here(plan);
    if (state == STATE_NONE)
        return -ENOMEM;
    plan->ended(state);
    return 0;
}

static long start_beside(const struct replay_plan *plan)
{
    struct replay *replay = make(plan);
    if (!replay)
        return -ENOMEM;
    /* A thread unmaps the replay when it is done, perhaps before this returns. */
    size_t bytes = replay->threads.mapped_bytes;
    long error = threads_start_leader(&replay->threads);
    if (error < 0 || replay_has_copy(plan))
        sys_unmap(replay, bytes);
    return error;
}

int replay_start(const struct replay_plan *plan)
{
    long error = plan->mode == MODE_SYNC ? start_sync(plan) : start_beside(plan);
    if (error < 0 || plan->mode == MODE_SYNC || replay_has_copy(plan))
        profile_unload(plan->profile);
    return error < 0 ? (int)error : 0;
}
