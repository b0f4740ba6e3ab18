/* The rows of shares: how much of the rings each sandbox may have, and what it lost of its records.
 * The programs write to them while we read, so each word is read and written by itself. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/state.h"

#define RATE_MAX 1000000
#define BURST_MIN 100

static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static size_t table_size(void)
{
	return whole_pages((ABI_SLOTS_MAX + 1) * sizeof(struct abi_emission));
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void set_rate(struct abi_emission_class *row, uint64_t per_second, uint64_t burst)
{
	uint64_t interval_ns = NS_PER_SECOND / per_second;

	store(&row->interval_ns, interval_ns);
	store(&row->burst_ns, interval_ns * burst);
}

static void set_usual_rates(struct abi_emission *row)
{
	set_rate(&row->classes[ABI_CLASS_SECURITY], ENFORCE_SECURITY_RATE, ENFORCE_SECURITY_BURST);
	set_rate(&row->classes[ABI_CLASS_BULK], ENFORCE_BULK_RATE,
		ENFORCE_BULK_RATE / ENFORCE_BULK_BURST_PART);
}

/* What was told before by an earlier process is not told again. */
static void add_up_reported(struct enforce *enforce)
{
	for (uint32_t i = 0; i <= ABI_SLOTS_MAX; i++)
		for (unsigned int class = 0; class < ABI_CLASSES; class ++)
			for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
				enforce->events.n_reported +=
					enforce->emissions[i].classes[class].reported[loss];
}

int emission_table_open(struct enforce *enforce)
{
	void *rows = mmap(
		NULL, table_size(), PROT_READ | PROT_WRITE, MAP_SHARED, enforce->emissions_fd, 0);
	void *reader = mmap(NULL, whole_pages(sizeof(struct abi_reader)), PROT_READ | PROT_WRITE,
		MAP_SHARED, enforce->reader_fd, 0);

	if (rows != MAP_FAILED)
		enforce->emissions = rows;
	if (reader != MAP_FAILED)
		enforce->reader = reader;
	if (rows == MAP_FAILED || reader == MAP_FAILED)
		return -errno;
	set_usual_rates(&enforce->emissions[ABI_EMISSION_NOBODY]);
	add_up_reported(enforce);
	return 0;
}

void emission_table_close(struct enforce *enforce)
{
	if (enforce->emissions)
		munmap(enforce->emissions, table_size());
	if (enforce->reader)
		munmap(enforce->reader, whole_pages(sizeof(struct abi_reader)));
	enforce->emissions = NULL;
	enforce->reader = NULL;
}

/* The sum over all rows stays the kernel's total: what the slot's last sandbox lost becomes
 * nobody's, told or not. */
static void hand_over(struct abi_emission_class *from, struct abi_emission_class *to)
{
	for (unsigned int loss = 0; loss < ABI_LOSSES; loss++) {
		__atomic_fetch_add(&to->reported[loss], from->reported[loss], __ATOMIC_ACQ_REL);
		__atomic_fetch_add(&to->dropped[loss],
			__atomic_exchange_n(&from->dropped[loss], 0, __ATOMIC_ACQ_REL),
			__ATOMIC_ACQ_REL);
		store(&from->reported[loss], 0);
	}
	store(&from->seen, 0);
	store(&from->paid_until_ns, 0);
}

void emission_take(struct enforce *enforce, uint32_t slot, uint64_t sandbox)
{
	struct abi_emission *row = &enforce->emissions[slot];

	for (unsigned int class = 0; class < ABI_CLASSES; class ++)
		hand_over(&row->classes[class],
			&enforce->emissions[ABI_EMISSION_NOBODY].classes[class]);
	set_usual_rates(row);
	store(&row->sandbox, sandbox);
}

int enforce_slot_set_rate(struct enforce *enforce, uint32_t slot, uint32_t per_second)
{
	uint32_t burst = per_second / ENFORCE_BULK_BURST_PART;

	if (!slot_is_taken(enforce, slot) || per_second < 1 || per_second > RATE_MAX)
		return -EINVAL;
	set_rate(&enforce->emissions[slot].classes[ABI_CLASS_BULK], per_second,
		burst < BURST_MIN ? BURST_MIN : burst);
	return 0;
}

static void tell_row(struct enforce *enforce, struct abi_emission *row, bool named,
	enforce_loss_callback callback, void *userdata)
{
	for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
		struct abi_emission_class *counts = &row->classes[class];

		for (unsigned int loss = 0; loss < ABI_LOSSES; loss++) {
			uint64_t n = load(&counts->dropped[loss]) - counts->reported[loss];

			if (n == 0)
				continue;
			callback(named ? row->sandbox : 0, class, loss, n, userdata);
			store(&counts->reported[loss], counts->reported[loss] + n);
			enforce->events.n_reported += n;
		}
	}
}

static void tell_unaccounted(
	struct enforce *enforce, enforce_loss_callback callback, void *userdata)
{
	for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
		struct event_ring *ring = &enforce->events.rings[class];
		uint64_t n = enforce->reader->unaccounted[class] - ring->n_told;

		if (n > 0)
			callback(0, class, ABI_LOSS_UNACCOUNTED, n, userdata);
		ring->n_told += n;
	}
}

void enforce_events_losses(struct enforce *enforce, enforce_loss_callback callback, void *userdata)
{
	struct abi_emitted sum;
	uint64_t n_dropped = 0;

	tell_unaccounted(enforce, callback, userdata);
	if (events_read_counts(enforce, &sum) < 0)
		return;
	for (unsigned int class = 0; class < ABI_CLASSES; class ++)
		for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
			n_dropped += sum.classes[class].dropped[loss];
	if (n_dropped == enforce->events.n_reported)
		return;
	for (uint32_t slot = 0; slot <= ABI_SLOTS_MAX; slot++)
		tell_row(enforce, &enforce->emissions[slot], slot != ABI_EMISSION_NOBODY, callback,
			userdata);
}
