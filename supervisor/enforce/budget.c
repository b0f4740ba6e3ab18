/* Budgets: limits are written here, one word at a time while programs count; what is used is theirs
 * alone but for a slot that nobody uses. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/state.h"

static size_t table_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = ABI_SLOTS_MAX * sizeof(struct abi_budget);

	return (size + page - 1) / page * page;
}

/* The clock that the programs go by. */
static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

int budget_table_open(struct enforce *enforce)
{
	void *table = mmap(
		NULL, table_size(), PROT_READ | PROT_WRITE, MAP_SHARED, enforce->budgets_fd, 0);

	if (table == MAP_FAILED)
		return -errno;
	enforce->budgets = table;
	return 0;
}

void budget_table_close(struct enforce *enforce)
{
	if (enforce->budgets)
		munmap(enforce->budgets, table_size());
	enforce->budgets = NULL;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

#define WORD(member) ((uint64_t *)&(member))

void budget_restart(struct enforce *enforce, uint32_t slot)
{
	struct abi_budget *budget = &enforce->budgets[slot];

	store(WORD(budget->start_ns), boottime_ns());
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		store(WORD(budget->rows[i].base), load(WORD(budget->rows[i].used)));
		store(WORD(budget->rows[i].reported), 0);
	}
}

void budget_clear(struct enforce *enforce, uint32_t slot)
{
	struct abi_budget *budget = &enforce->budgets[slot];

	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		store(WORD(budget->rows[i].limit), 0);
	store(WORD(budget->window_ns), 0);
	budget_restart(enforce, slot);
}

int enforce_slot_set_budgets(struct enforce *enforce, uint32_t slot,
	const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns)
{
	struct abi_budget *budget;

	if (!slot_is_taken(enforce, slot) || window_ns > INT64_MAX)
		return -EINVAL;
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (limits[i] > INT64_MAX)
			return -EINVAL;
	budget = &enforce->budgets[slot];
	if (load(WORD(budget->window_ns)) != window_ns) {
		/* In this order, or a program would find the old start too long ago. */
		store(WORD(budget->start_ns), boottime_ns());
		store(WORD(budget->window_ns), window_ns);
	}
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		struct abi_budget_row *row = &budget->rows[i];

		if (load(WORD(row->limit)) == limits[i])
			continue;
		store(WORD(row->limit), limits[i]);
		store(WORD(row->reported), 0);
	}
	return 0;
}

static uint64_t used_of(const struct abi_budget *budget, const struct abi_budget_row *row)
{
	uint64_t window_ns = load(WORD(budget->window_ns)), limit = load(WORD(row->limit));
	int64_t used = (int64_t)(load(WORD(row->used)) - load(WORD(row->base)));

	/* A window that is over is only rolled by its next use. */
	if (used < 0 || (window_ns && boottime_ns() - load(WORD(budget->start_ns)) >= window_ns))
		return 0;
	/* The packet that did not fit was counted, to use up what was left. */
	return (uint64_t)used > limit ? limit : (uint64_t)used;
}

int enforce_slot_budgets(
	const struct enforce *enforce, uint32_t slot, struct enforce_budgets *ret_budgets)
{
	const struct abi_budget *budget;

	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	budget = &enforce->budgets[slot];
	ret_budgets->window_ns = load(WORD(budget->window_ns));
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		ret_budgets->limits[i] = load(WORD(budget->rows[i].limit));
		ret_budgets->used[i] = used_of(budget, &budget->rows[i]);
	}
	return 0;
}
