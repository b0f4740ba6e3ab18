/* Takes records out of the two rings, and proves that none is missing.
 *
 * The programs count what they see before anything else, so seen == consumed + dropped as soon as
 * no program is in the middle of an event. Programs never are for long: what was seen when a ring
 * was emptied must be accounted for when it is emptied a second later. What a reader took counts as
 * consumed only at the next call, when it has been written: what a kill lost in between shows up as
 * unaccounted. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/state.h"

#define PROOF_PERIOD_NS NS_PER_SECOND

static int on_record(void *context, void *data, size_t size)
{
	struct event_ring *ring = context;
	struct events *events = &ring->enforce->events;
	const struct abi_event_header *event = data;

	if (size >= sizeof(*event) && event->version == ABI_VERSION && event->size <= size &&
		event->class == ring->class)
		events->callback(event, events->userdata);
	ring->n_consumed++;
	/* libbpf has moved on past this record: stopping here loses nothing. */
	return ++events->n_batch < ENFORCE_EVENTS_BATCH ? 0 : -ECANCELED;
}

int events_open(struct enforce *enforce)
{
	struct events *events = &enforce->events;
	const int fds[ABI_CLASSES] = {enforce->security_fd, enforce->bulk_fd};

	events->counts = calloc((size_t)enforce->n_cpus, sizeof(struct abi_emitted));
	if (!events->counts)
		return -ENOMEM;
	for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
		struct event_ring *ring = &events->rings[class];

		*ring = (struct event_ring){.enforce = enforce,
			.class = class,
			.n_consumed = enforce->reader->consumed[class],
			.n_told = enforce->reader->unaccounted[class]};
		if (class == 0)
			events->buffer = ring_buffer__new(fds[class], on_record, ring, NULL);
		else if (ring_buffer__add(events->buffer, fds[class], on_record, ring) < 0)
			return -errno;
		if (!events->buffer)
			return -errno;
	}
	return 0;
}

/* What was taken before now has been written since. */
static void settle(struct enforce *enforce)
{
	for (unsigned int class = 0; class < ABI_CLASSES; class ++)
		__atomic_store_n(&enforce->reader->consumed[class],
			enforce->events.rings[class].n_consumed, __ATOMIC_RELEASE);
}

void events_close(struct enforce *enforce)
{
	struct events *events = &enforce->events;

	if (events->buffer && enforce->reader)
		settle(enforce);
	ring_buffer__free(events->buffer);
	free(events->counts);
	events->buffer = NULL;
	events->counts = NULL;
}

int enforce_events_fd(const struct enforce *enforce)
{
	return ring_buffer__epoll_fd(enforce->events.buffer);
}

int events_read_counts(struct enforce *enforce, struct abi_emitted *ret_sum)
{
	const struct abi_emitted *rows = enforce->events.counts;
	struct abi_emitted sum = {};
	const uint32_t zero = 0;
	int r = bpf_map_lookup_elem(enforce->emitted_fd, &zero, enforce->events.counts);

	if (r < 0)
		return r;
	for (int i = 0; i < enforce->n_cpus; i++) {
		sum.packets_refused += rows[i].packets_refused;
		for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
			sum.classes[class].seen += rows[i].classes[class].seen;
			sum.classes[class].emitted += rows[i].classes[class].emitted;
			for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
				sum.classes[class].dropped[loss] +=
					rows[i].classes[class].dropped[loss];
		}
	}
	*ret_sum = sum;
	return 0;
}

static uint64_t all_dropped(const struct abi_emitted_class *counts)
{
	uint64_t n = 0;

	for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
		n += counts->dropped[loss];
	return n;
}

/* Both rings were empty a moment ago. */
static void prove(struct enforce *enforce)
{
	struct events *events = &enforce->events;
	uint64_t now_ns = clock_monotonic_ns();
	struct abi_emitted sum;

	if (now_ns - events->checked_ns < PROOF_PERIOD_NS || events_read_counts(enforce, &sum) < 0)
		return;
	events->checked_ns = now_ns;
	for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
		struct event_ring *ring = &events->rings[class];
		__u64 *unaccounted = &enforce->reader->unaccounted[class];
		uint64_t accounted =
			ring->n_consumed + all_dropped(&sum.classes[class]) + *unaccounted;

		if (ring->n_due > accounted)
			*unaccounted += ring->n_due - accounted;
		ring->n_due = sum.classes[class].seen;
	}
}

int enforce_events_consume(struct enforce *enforce, enforce_event_callback callback, void *userdata)
{
	struct events *events = &enforce->events;
	int r;

	settle(enforce);
	events->callback = callback;
	events->userdata = userdata;
	events->n_batch = 0;
	r = ring_buffer__consume(events->buffer);
	image_collect(enforce);
	audit_collect(enforce);
	if (r < 0 && r != -ECANCELED)
		return r;
	if (r >= 0)
		prove(enforce);
	return events->n_batch;
}

int enforce_events_totals(struct enforce *enforce, struct enforce_events_totals *ret_totals)
{
	struct enforce_events_totals totals = {0};
	struct abi_emitted sum;
	int r = events_read_counts(enforce, &sum);

	if (r < 0)
		return r;
	for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
		struct enforce_events_class *total = &totals.classes[class];

		total->seen = sum.classes[class].seen;
		total->emitted = sum.classes[class].emitted;
		for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
			total->dropped[loss] = sum.classes[class].dropped[loss];
		total->consumed = enforce->events.rings[class].n_consumed;
		total->unaccounted = enforce->reader->unaccounted[class];
	}
	*ret_totals = totals;
	return 0;
}
