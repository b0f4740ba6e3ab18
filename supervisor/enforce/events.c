#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "supervisor/enforce/state.h"

static int on_record(void *context, void *data, size_t size)
{
	struct enforce *enforce = context;
	const struct abi_event_header *event = data;

	if (size >= sizeof(*event) && event->version == ABI_VERSION && event->size <= size)
		enforce->callback(event, enforce->userdata);
	/* libbpf has moved on past this record: stopping here loses nothing. */
	return ++enforce->n_consumed < ENFORCE_EVENTS_BATCH ? 0 : -ECANCELED;
}

int events_open(struct enforce *enforce)
{
	enforce->ring = ring_buffer__new(enforce->events_fd, on_record, enforce, NULL);
	return enforce->ring ? 0 : -errno;
}

int enforce_events_fd(const struct enforce *enforce)
{
	return ring_buffer__epoll_fd(enforce->ring);
}

int enforce_events_consume(struct enforce *enforce, enforce_event_callback callback, void *userdata)
{
	int r;

	enforce->callback = callback;
	enforce->userdata = userdata;
	enforce->n_consumed = 0;
	r = ring_buffer__consume(enforce->ring);
	image_collect(enforce);
	if (r < 0 && r != -ECANCELED)
		return r;
	return enforce->n_consumed;
}

uint64_t enforce_events_lost(const struct enforce *enforce)
{
	_cleanup_free_ struct abi_emitted *rows =
		calloc((size_t)enforce->n_cpus, sizeof(struct abi_emitted));
	const uint32_t zero = 0;
	uint64_t lost = 0;

	if (!rows || bpf_map_lookup_elem(enforce->emitted_fd, &zero, rows) < 0)
		return 0;
	for (int i = 0; i < enforce->n_cpus; i++)
		lost += rows[i].lost;
	return lost;
}
