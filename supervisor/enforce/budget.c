/* Budgets: limits are written here, one word at a time while programs count; what is used is theirs
 * alone but for a slot that nobody uses. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/state.h"

static size_t table_size(size_t n_rows)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = n_rows * sizeof(struct abi_budget);

	return (size + page - 1) / page * page;
}

/* The clock that the programs go by. */
static uint64_t boottime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static struct abi_budget *map_table(int fd, size_t n_rows)
{
	void *table = mmap(NULL, table_size(n_rows), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return table == MAP_FAILED ? NULL : table;
}

int budget_table_open(struct enforce *enforce)
{
	enforce->budgets = map_table(enforce->budgets_fd, ABI_SLOTS_MAX);
	if (!enforce->budgets)
		return -errno;
	enforce->tenant_budgets = map_table(enforce->tenant_budgets_fd, ABI_TENANT_BUDGETS_MAX);
	return enforce->tenant_budgets ? 0 : -errno;
}

void budget_table_close(struct enforce *enforce)
{
	if (enforce->budgets)
		munmap(enforce->budgets, table_size(ABI_SLOTS_MAX));
	if (enforce->tenant_budgets)
		munmap(enforce->tenant_budgets, table_size(ABI_TENANT_BUDGETS_MAX));
	enforce->budgets = enforce->tenant_budgets = NULL;
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

static void restart(struct abi_budget *budget)
{
	store(WORD(budget->start_ns), boottime_ns());
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		store(WORD(budget->rows[i].base), load(WORD(budget->rows[i].used)));
		store(WORD(budget->rows[i].reported), 0);
	}
}

void budget_restart(struct enforce *enforce, uint32_t slot)
{
	restart(&enforce->budgets[slot]);
}

static void clear(struct abi_budget *budget)
{
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		store(WORD(budget->rows[i].limit), 0);
	store(WORD(budget->window_ns), 0);
	restart(budget);
}

void budget_clear(struct enforce *enforce, uint32_t slot)
{
	clear(&enforce->budgets[slot]);
}

static int set_limits(
	struct abi_budget *budget, const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns)
{
	if (window_ns > INT64_MAX)
		return -EINVAL;
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (limits[i] > INT64_MAX)
			return -EINVAL;
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

static void read_row(const struct abi_budget *budget, struct enforce_budgets *ret_budgets)
{
	ret_budgets->window_ns = load(WORD(budget->window_ns));
	ret_budgets->age_ns = boottime_ns() - load(WORD(budget->start_ns));
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		ret_budgets->limits[i] = load(WORD(budget->rows[i].limit));
		ret_budgets->used[i] = used_of(budget, &budget->rows[i]);
	}
}

int enforce_slot_set_budgets(struct enforce *enforce, uint32_t slot,
	const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	return set_limits(&enforce->budgets[slot], limits, window_ns);
}

int enforce_slot_budgets(
	const struct enforce *enforce, uint32_t slot, struct enforce_budgets *ret_budgets)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	read_row(&enforce->budgets[slot], ret_budgets);
	return 0;
}

/* ---- of tenants */

static struct abi_budget *row_of(const struct enforce *enforce, uint32_t row)
{
	if (row == 0 || row >= ABI_TENANT_BUDGETS_MAX || !enforce->tenant_budgets[row].owner)
		return NULL;
	return &enforce->tenant_budgets[row];
}

int enforce_tenant_take(
	struct enforce *enforce, uint32_t tenant, uint32_t *ret_row, bool *ret_found)
{
	uint32_t free_row = 0;

	if (!tenant)
		return -EINVAL;
	for (uint32_t row = 1; row < ABI_TENANT_BUDGETS_MAX; row++) {
		uint64_t owner = enforce->tenant_budgets[row].owner;

		if (owner == tenant) {
			*ret_row = row;
			*ret_found = true;
			return 0;
		}
		if (!owner && !free_row)
			free_row = row;
	}
	if (!free_row)
		return -ENOSPC;
	clear(&enforce->tenant_budgets[free_row]);
	store(WORD(enforce->tenant_budgets[free_row].owner), tenant);
	*ret_row = free_row;
	*ret_found = false;
	return 0;
}

void enforce_tenant_release(struct enforce *enforce, uint32_t row)
{
	struct abi_budget *budget = row_of(enforce, row);

	if (!budget)
		return;
	clear(budget);
	store(WORD(budget->owner), 0);
}

void enforce_tenant_sweep(
	struct enforce *enforce, bool (*is_known)(uint32_t tenant, void *userdata), void *userdata)
{
	for (uint32_t row = 1; row < ABI_TENANT_BUDGETS_MAX; row++) {
		uint64_t owner = enforce->tenant_budgets[row].owner;

		if (owner && !is_known((uint32_t)owner, userdata))
			enforce_tenant_release(enforce, row);
	}
}

int enforce_tenant_set_budgets(struct enforce *enforce, uint32_t row,
	const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns)
{
	struct abi_budget *budget = row_of(enforce, row);

	return budget ? set_limits(budget, limits, window_ns) : -EINVAL;
}

int enforce_tenant_budgets(
	const struct enforce *enforce, uint32_t row, struct enforce_budgets *ret_budgets)
{
	const struct abi_budget *budget = row_of(enforce, row);

	if (!budget)
		return -EINVAL;
	read_row(budget, ret_budgets);
	return 0;
}

int enforce_tenant_restore(struct enforce *enforce, uint32_t row,
	const uint64_t used[ABI_BUDGET_COUNTERS], uint64_t age_ns)
{
	struct abi_budget *budget = row_of(enforce, row);

	if (!budget)
		return -EINVAL;
	store(WORD(budget->start_ns), boottime_ns() - age_ns);
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		store(WORD(budget->rows[i].base), load(WORD(budget->rows[i].used)) - used[i]);
	return 0;
}

int enforce_slot_set_tenant(struct enforce *enforce, uint32_t slot, uint32_t row)
{
	if (!slot_is_taken(enforce, slot) || (row && !row_of(enforce, row)))
		return -EINVAL;
	__atomic_store_n(&enforce->rows[slot].tenant_budget, (uint16_t)row, __ATOMIC_RELEASE);
	return 0;
}
