#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "supervisor/enforce/load.h"
#include "supervisor/enforce/pins.h"
#include "supervisor/enforce/place.h"
#include "supervisor/enforce/state.h"

struct map_handle {
	const char *name;
	int *fd;
};

/* Opens the maps of the set in force. 0 or -errno. */
static int open_maps(struct enforce *enforce)
{
	const struct map_handle handles[] = {
		{"slots", &enforce->slots_fd},
		{"id2slot", &enforce->id2slot_fd},
		{"counters", &enforce->counters_fd},
		{"exact", &enforce->exact_fd},
		{"cidrs", &enforce->cidrs_fd},
		{"security", &enforce->security_fd},
		{"bulk", &enforce->bulk_fd},
		{"emissions", &enforce->emissions_fd},
		{"reader", &enforce->reader_fd},
		{"emitted", &enforce->emitted_fd},
		{"audited", &enforce->audited_fd},
		{"audit_sets", &enforce->audit_sets_fd},
		{"images", &enforce->images_fd},
		{"tickets", &enforce->tickets_fd},
		{"budgets", &enforce->budgets_fd},
		{"ledgers", &enforce->ledgers_fd},
		{"tenant_budgets", &enforce->tenant_budgets_fd},
		{"shadows", &enforce->shadows_fd},
		{"datagrams", &enforce->datagrams_fd},
		{"destinations", &enforce->destinations_fd},
		{"datagram_hands", &enforce->hands_fd},
	};

	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		int fd = pins_open_map(enforce->set_dir, handles[i].name, false);

		if (fd < 0)
			return fd;
		*handles[i].fd = fd;
	}
	return 0;
}

static bool can_adopt(const char *set_dir, const struct abi_meta *wanted)
{
	_cleanup_close_ int fd = pins_open_map(set_dir, "meta", true);
	struct abi_meta found;
	const uint32_t zero = 0;

	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &found) < 0)
		return false;
	return memcmp(&found, wanted, sizeof(found)) == 0 &&
	       load_links_alive(set_dir, wanted->cgroup);
}

/* The name holds what must be the same for a set to be taken over. */
static char *name_set(const char *pin_dir, const struct abi_meta *meta)
{
	uint64_t digest = meta->digest ^ meta->cgroup * 0x9e3779b97f4a7c15ULL ^ meta->level;
	char *path;

	if (asprintf(&path, "%s/set-%u-%016llx", pin_dir, meta->version,
		    (unsigned long long)digest) < 0)
		return NULL;
	return path;
}

static int map_rows(struct enforce *enforce)
{
	void *rows = mmap(
		NULL, slot_rows_size(), PROT_READ | PROT_WRITE, MAP_SHARED, enforce->slots_fd, 0);

	if (rows == MAP_FAILED)
		return -errno;
	enforce->rows = rows;
	return 0;
}

static int take_over(struct enforce *enforce, struct failure *why)
{
	int r = open_maps(enforce);

	if (r < 0)
		return failure_set(why, r, "open BPF maps", "a map is not pinned in %s: %s",
			enforce->set_dir, strerror(-r));
	enforce->n_cpus = libbpf_num_possible_cpus();
	r = enforce->n_cpus < 0 ? enforce->n_cpus : map_rows(enforce);
	if (r == 0)
		r = budget_table_open(enforce);
	if (r == 0)
		r = ledger_table_open(enforce);
	if (r == 0)
		r = emission_table_open(enforce);
	if (r == 0)
		r = slot_table_read(enforce);
	if (r == 0)
		r = ticket_table_read(enforce);
	if (r == 0)
		r = image_table_read(enforce);
	if (r == 0)
		r = audit_table_read(enforce);
	if (r == 0)
		r = events_open(enforce);
	if (r < 0)
		return failure_set(why, r, "open BPF maps", "cannot read the maps in %s: %s",
			enforce->set_dir, strerror(-r));
	return 0;
}

static int ensure_set(const struct enforce_config *config, struct enforce *enforce,
	bool *ret_adopted, struct failure *why)
{
	struct abi_meta meta = {.version = ABI_VERSION, .complete = 1, .digest = load_digest()};
	struct cgroup_place place;
	int r = place_find(config->cgroup_dir, &place, why);

	if (r < 0)
		return r;
	meta.cgroup = place.id;
	meta.level = place.level;
	enforce->set_dir = name_set(config->pin_dir, &meta);
	if (!enforce->set_dir)
		return -ENOMEM;
	*ret_adopted = can_adopt(enforce->set_dir, &meta);
	if (*ret_adopted)
		return 0;
	r = pins_remove_set(enforce->set_dir);
	if (r < 0)
		return failure_set(why, r, "unpin BPF set", "cannot remove %s: %s",
			enforce->set_dir, strerror(-r));
	return load_set(enforce->set_dir, config->cgroup_dir, &meta, why);
}

static struct enforce *enforce_new(const char *pin_dir)
{
	struct enforce *enforce = calloc(1, sizeof(*enforce));

	if (!enforce)
		return NULL;
	enforce->slots_fd = enforce->id2slot_fd = enforce->counters_fd = enforce->exact_fd = -1;
	enforce->cidrs_fd = enforce->security_fd = enforce->bulk_fd = enforce->emissions_fd = -1;
	enforce->reader_fd = enforce->emitted_fd = enforce->images_fd = enforce->tickets_fd = -1;
	enforce->budgets_fd = enforce->ledgers_fd = enforce->living_fd = -1;
	enforce->datagrams_fd = enforce->destinations_fd = enforce->hands_fd = -1;
	enforce->tenant_budgets_fd = enforce->shadows_fd = -1;
	enforce->audited_fd = enforce->audit_sets_fd = -1;
	enforce->pin_dir = strdup(pin_dir);
	return enforce->pin_dir ? enforce : enforce_free(enforce);
}

int enforce_open(const struct enforce_config *config, struct enforce **ret_enforce,
	bool *ret_adopted, struct failure *why)
{
	struct enforce *enforce = NULL;
	bool adopted = false;
	int r = pins_prepare(config->pin_dir, why);

	if (r < 0)
		return r;
	enforce = enforce_new(config->pin_dir);
	if (!enforce)
		return -ENOMEM;
	r = ensure_set(config, enforce, &adopted, why);
	if (r == 0)
		r = take_over(enforce, why);
	if (r < 0) {
		enforce_free(enforce);
		return r;
	}
	/* The new set denies everything already when the old one lets go. */
	pins_remove_others(config->pin_dir, enforce->set_dir);
	*ret_enforce = enforce;
	*ret_adopted = adopted;
	return 0;
}

struct enforce *enforce_free(struct enforce *enforce)
{
	if (!enforce)
		return NULL;
	events_close(enforce);
	image_table_fini(enforce);
	budget_table_close(enforce);
	ledger_table_close(enforce);
	emission_table_close(enforce);
	if (enforce->rows)
		munmap(enforce->rows, slot_rows_size());
	cleanup_close(&enforce->slots_fd);
	cleanup_close(&enforce->id2slot_fd);
	cleanup_close(&enforce->counters_fd);
	cleanup_close(&enforce->exact_fd);
	cleanup_close(&enforce->cidrs_fd);
	cleanup_close(&enforce->security_fd);
	cleanup_close(&enforce->bulk_fd);
	cleanup_close(&enforce->emissions_fd);
	cleanup_close(&enforce->reader_fd);
	cleanup_close(&enforce->emitted_fd);
	cleanup_close(&enforce->audited_fd);
	cleanup_close(&enforce->audit_sets_fd);
	cleanup_close(&enforce->images_fd);
	cleanup_close(&enforce->tickets_fd);
	cleanup_close(&enforce->budgets_fd);
	cleanup_close(&enforce->ledgers_fd);
	cleanup_close(&enforce->living_fd);
	cleanup_close(&enforce->tenant_budgets_fd);
	cleanup_close(&enforce->datagrams_fd);
	cleanup_close(&enforce->destinations_fd);
	cleanup_close(&enforce->hands_fd);
	cleanup_close(&enforce->shadows_fd);
	free(enforce->set_dir);
	free(enforce->pin_dir);
	free(enforce);
	return NULL;
}

int enforce_remove(struct enforce *enforce)
{
	int r = pins_remove_others(enforce->pin_dir, NULL);

	if (r < 0)
		return r;
	return rmdir(enforce->pin_dir) < 0 ? -errno : 0;
}

static int open_for_gate(const struct enforce *enforce, const char *map, int *ret_fd)
{
	int fd = pins_open_map(enforce->set_dir, map, true);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

int enforce_flows_fd(struct enforce *enforce, int *ret_fd)
{
	return open_for_gate(enforce, "flows", ret_fd);
}

int enforce_datagrams_fd(struct enforce *enforce, int *ret_fd)
{
	return open_for_gate(enforce, "datagrams", ret_fd);
}
