/* Ledgers: what lives as long as a slot, but is worked out here and not by the programs. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/pins.h"
#include "supervisor/enforce/state.h"

#define WALK_SHARE 50 /* of the time, one part may go into walking */

static size_t table_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = ABI_SLOTS_MAX * sizeof(struct abi_ledger);

	return (size + page - 1) / page * page;
}

int ledger_table_open(struct enforce *enforce)
{
	_cleanup_free_ char *path = pins_path(enforce->set_dir, "link-cloche_block_living");
	void *table = mmap(
		NULL, table_size(), PROT_READ | PROT_WRITE, MAP_SHARED, enforce->ledgers_fd, 0);

	if (table == MAP_FAILED)
		return -errno;
	enforce->ledgers = table;
	enforce->living_fd = path ? bpf_obj_get(path) : -ENOMEM;
	return enforce->living_fd < 0 ? enforce->living_fd : 0;
}

void ledger_table_close(struct enforce *enforce)
{
	if (enforce->ledgers)
		munmap(enforce->ledgers, table_size());
	enforce->ledgers = NULL;
}

void ledger_clear(struct enforce *enforce, uint32_t slot)
{
	memset(&enforce->ledgers[slot], 0, sizeof(enforce->ledgers[slot]));
}

struct abi_ledger *enforce_slot_ledger(struct enforce *enforce, uint32_t slot)
{
	return slot_is_taken(enforce, slot) ? &enforce->ledgers[slot] : NULL;
}

static void raise_to(__u64 *told, uint64_t now)
{
	if (now > *told)
		*told = now;
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n((const uint64_t *)word, __ATOMIC_ACQUIRE);
}

struct dead {
	uint64_t read_bytes, written_bytes;
};

/* The dead are read before the walk: who ends in between is found by neither, and told next time,
 * instead of by both. */
static void begin_walk(struct enforce *enforce, struct dead *dead)
{
	for (uint32_t slot = 0; slot < ABI_SLOTS_MAX; slot++) {
		struct abi_ledger *row = &enforce->ledgers[slot];

		if (!slot_is_taken(enforce, slot))
			continue;
		dead[slot].read_bytes = load(&row->dead_read_bytes);
		dead[slot].written_bytes = load(&row->dead_written_bytes);
		row->living_read_bytes = row->living_written_bytes = 0;
	}
}

static void end_walk(struct enforce *enforce, const struct dead *dead)
{
	for (uint32_t slot = 0; slot < ABI_SLOTS_MAX; slot++) {
		struct abi_ledger *row = &enforce->ledgers[slot];

		if (!slot_is_taken(enforce, slot))
			continue;
		raise_to(&row->block_read_bytes,
			dead[slot].read_bytes + load(&row->living_read_bytes));
		raise_to(&row->block_written_bytes,
			dead[slot].written_bytes + load(&row->living_written_bytes));
	}
}

static int walk(struct enforce *enforce)
{
	_cleanup_close_ int fd = bpf_iter_create(enforce->living_fd);
	_cleanup_free_ struct dead *dead = calloc(ABI_SLOTS_MAX, sizeof(*dead));
	char nothing[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	if (!dead)
		return -ENOMEM;
	begin_walk(enforce, dead);
	do
		n = read(fd, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	if (n < 0)
		return -errno;
	end_walk(enforce, dead);
	return 0;
}

static int walk_if_due(struct enforce *enforce)
{
	const uint64_t started_ns = clock_monotonic_ns();
	uint64_t took_ns;
	int r;

	if (started_ns < enforce->walk_due_ns)
		return 0;
	r = walk(enforce);
	took_ns = clock_monotonic_ns() - started_ns;
	enforce->walk_due_ns =
		started_ns +
		(took_ns * WALK_SHARE > ENFORCE_WALK_NS ? took_ns * WALK_SHARE : ENFORCE_WALK_NS);
	return r;
}

int enforce_slot_block(struct enforce *enforce, uint32_t slot, uint64_t *ret_read_bytes,
	uint64_t *ret_written_bytes)
{
	struct abi_ledger *row = enforce_slot_ledger(enforce, slot);
	int r = row ? walk_if_due(enforce) : -EINVAL;

	if (r < 0)
		return r;
	raise_to(&row->block_read_bytes, load(&row->dead_read_bytes));
	raise_to(&row->block_written_bytes, load(&row->dead_written_bytes));
	*ret_read_bytes = row->block_read_bytes;
	*ret_written_bytes = row->block_written_bytes;
	return 0;
}
