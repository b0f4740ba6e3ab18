/* The audit of system calls: whose are counted, which become events, and the one program that costs
 * the whole host, attached only while there is somebody to count for. Its link is pinned like the
 * others: what is attached, and for whom, outlives this process and is found again. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/load.h"
#include "supervisor/enforce/pins.h"
#include "supervisor/enforce/state.h"

/* Sandboxes come and go, and to attach and detach reaches every task of the host. */
#define LINGER_NS (2 * NS_PER_SECOND)
/* The kernel's hash has one free element of this size for each CPU, and makes the next when that
 * is taken. */
#define ATTEMPTS 64

static int attach(struct enforce *enforce)
{
	_cleanup_free_ char *program = pins_path(enforce->set_dir, "program-" LOAD_AUDIT_PROGRAM);
	_cleanup_free_ char *link = pins_path(enforce->set_dir, "link-" LOAD_AUDIT_PROGRAM);
	_cleanup_close_ int program_fd = -1, link_fd = -1;

	if (!program || !link)
		return -ENOMEM;
	program_fd = bpf_obj_get(program);
	if (program_fd < 0)
		return program_fd;
	link_fd = bpf_raw_tracepoint_open(NULL, program_fd);
	if (link_fd < 0)
		return link_fd;
	return bpf_obj_pin(link_fd, link);
}

static void detach(const struct enforce *enforce)
{
	_cleanup_free_ char *link = pins_path(enforce->set_dir, "link-" LOAD_AUDIT_PROGRAM);

	if (link)
		unlink(link);
}

static bool is_attached(const struct enforce *enforce)
{
	_cleanup_free_ char *link = pins_path(enforce->set_dir, "link-" LOAD_AUDIT_PROGRAM);
	_cleanup_close_ int fd = link ? bpf_obj_get(link) : -1;

	return fd >= 0;
}

int audit_table_read(struct enforce *enforce)
{
	struct audits *audits = &enforce->audits;
	uint64_t key, *before = NULL;

	audits->n = 0;
	while (bpf_map_get_next_key(enforce->audited_fd, before, &key) == 0) {
		audits->n++;
		before = &key;
	}
	audits->attached = is_attached(enforce);
	audits->idle_since_ns = clock_monotonic_ns();
	if (audits->n == 0 || audits->attached)
		return 0;
	audits->attached = true;
	return attach(enforce);
}

void audit_collect(struct enforce *enforce)
{
	struct audits *audits = &enforce->audits;

	if (!audits->attached || audits->n > 0 ||
		clock_monotonic_ns() - audits->idle_since_ns < LINGER_NS)
		return;
	detach(enforce);
	audits->attached = false;
}

bool enforce_audit_attached(const struct enforce *enforce)
{
	return enforce->audits.attached;
}

int enforce_image_set_audit(
	struct enforce *enforce, uint32_t image, const struct abi_audit_set *set)
{
	if (image == ABI_IMAGE_NONE || image >= ABI_IMAGES_MAX)
		return -EINVAL;
	return bpf_map_update_elem(enforce->audit_sets_fd, &image, set, BPF_ANY);
}

static int add_row(struct enforce *enforce, uint32_t slot, uint64_t cgroup)
{
	_cleanup_free_ struct abi_audited *row = calloc(1, sizeof(*row));
	int r = -ENOMEM;

	if (!row)
		return -ENOMEM;
	row->slot = slot;
	for (int i = 0; i < ATTEMPTS && r == -ENOMEM; i++)
		r = bpf_map_update_elem(enforce->audited_fd, &cgroup, row, BPF_NOEXIST);
	return r;
}

int enforce_audit_begin(struct enforce *enforce, uint32_t slot)
{
	struct audits *audits = &enforce->audits;
	int r;

	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	if (!audits->attached) {
		r = attach(enforce);
		if (r < 0)
			return r;
		audits->attached = true;
		audits->idle_since_ns = clock_monotonic_ns();
	}
	r = add_row(enforce, slot, enforce->cgroups[slot]);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		audits->n++;
	return r == -E2BIG ? -ENOSPC : r;
}

void audit_end(struct enforce *enforce, uint64_t cgroup)
{
	struct audits *audits = &enforce->audits;

	if (bpf_map_delete_elem(enforce->audited_fd, &cgroup) < 0)
		return;
	if (audits->n > 0)
		audits->n--;
	audits->idle_since_ns = clock_monotonic_ns();
}

int enforce_slot_syscalls(
	const struct enforce *enforce, uint32_t slot, struct abi_audited *ret_counts)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	return bpf_map_lookup_elem(enforce->audited_fd, &enforce->cgroups[slot], ret_counts);
}

void audit_add_up(const struct enforce *enforce, uint32_t slot, struct abi_counters *counters)
{
	_cleanup_free_ struct abi_audited *row = calloc(1, sizeof(*row));

	if (!row || enforce_slot_syscalls(enforce, slot, row) < 0)
		return;
	counters->n_syscalls = row->foreign;
	for (unsigned int i = 0; i < ABI_SYSCALLS_MAX; i++) {
		counters->n_syscalls += row->calls[i];
		counters->n_refused += row->refused[i];
	}
}
