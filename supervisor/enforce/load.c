#include "supervisor/enforce/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bpf/cloche.skel.h"
#include "supervisor/enforce/pins.h"
#include "supervisor/enforce/variant.h"

uint64_t load_digest(void)
{
	/* FNV-1a: tells builds apart, defends against nobody. */
	uint64_t digest = 0xcbf29ce484222325ULL;
	size_t size;
	const unsigned char *bytes = cloche_bpf__elf_bytes(&size);

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * 0x100000001b3ULL;
	return digest;
}

/* libbpf says more than errno does: its last warning goes into the failure's sentence. The buffer
 * is the one global of this room because libbpf's hook takes no argument of ours. */
static char last_warning[160];

_printf_(2, 0) static int keep_warning(
	enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN)
		vsnprintf(last_warning, sizeof(last_warning), format, arguments);
	return 0;
}

static int refuse(struct failure *why, int r, const char *stage)
{
	last_warning[strcspn(last_warning, "\n")] = '\0';
	return failure_set(
		why, r, stage, "%s%s%s", strerror(-r), last_warning[0] ? ": " : "", last_warning);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* One batch, because each single update of a map in a map waits for RCU: 12 ms on 6.18. */
static int put_tries(int outer_fd, uint32_t *indexes, int *fds)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t n = ABI_IMAGES_MAX;
	int r = bpf_map_update_batch(outer_fd, indexes, fds, &n, &options);

	if (r == 0)
		return 0;
	for (uint32_t i = 0; i < ABI_IMAGES_MAX; i++) {
		r = bpf_map_update_elem(outer_fd, &indexes[i], &fds[i], BPF_ANY);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Makes every image's trie now, so that none is put into the outer map later. */
static int make_tries(int outer_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	uint32_t indexes[ABI_IMAGES_MAX];
	int fds[ABI_IMAGES_MAX];
	int r = 0;

	memset(fds, 0xff, sizeof(fds));
	for (uint32_t i = 0; i < ABI_IMAGES_MAX && r == 0; i++) {
		indexes[i] = i;
		fds[i] = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "cloche_cidr",
			sizeof(struct abi_cidr_key), sizeof(struct abi_cidr_value),
			ABI_CIDR_RULES_MAX, &options);
		if (fds[i] < 0)
			r = fds[i];
	}
	if (r == 0)
		r = put_tries(outer_fd, indexes, fds);
	close_all(fds, ABI_IMAGES_MAX);
	return r;
}

static int pin_at(
	const char *set_dir, const char *prefix, const char *name, char *ret_path, size_t size)
{
	int written = snprintf(ret_path, size, "%s/%s-%s", set_dir, prefix, name);

	return written < 0 || (size_t)written >= size ? -ENAMETOOLONG : 0;
}

static int attach(const struct bpf_program *program, const char *set_dir, int cgroup_fd)
{
	bool tracing = bpf_program__type(program) == BPF_PROG_TYPE_TRACING;
	struct bpf_link *link = tracing ? bpf_program__attach(program)
					: bpf_program__attach_cgroup(program, cgroup_fd);
	char path[512];
	int r;

	if (!link)
		return -errno;
	r = pin_at(set_dir, "link", bpf_program__name(program), path, sizeof(path));
	if (r == 0)
		r = bpf_link__pin(link, path);
	/* Closes our descriptor; the pin keeps the link. */
	bpf_link__destroy(link);
	return r;
}

/* bpf_object__pin_maps() of libbpf 1.1 would do it, but takes a dot anywhere in the path for one in
 * the name (the maps behind const data have one), which bpffs refuses. */
static int pin_maps(struct cloche_bpf *skeleton, const char *set_dir)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skeleton->obj)
	{
		_cleanup_free_ char *path = pins_path(set_dir, bpf_map__name(map));
		int r;

		if (!path)
			return -ENOMEM;
		for (char *dot = path + strlen(set_dir); (dot = strchr(dot, '.'));)
			*dot = '_';
		r = bpf_map__pin(map, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int pin_programs(struct cloche_bpf *skeleton, const char *set_dir)
{
	struct bpf_program *program;
	char path[512];

	bpf_object__for_each_program(program, skeleton->obj)
	{
		int r;

		if (!bpf_program__autoload(program))
			continue;
		r = pin_at(set_dir, "program", bpf_program__name(program), path, sizeof(path));
		if (r == 0)
			r = bpf_program__pin(program, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_attached_by_load(const struct bpf_program *program)
{
	return bpf_program__autoload(program) &&
	       strcmp(bpf_program__name(program), LOAD_AUDIT_PROGRAM) != 0;
}

static int attach_all(
	struct cloche_bpf *skeleton, const char *set_dir, int cgroup_fd, struct failure *why)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		int r = is_attached_by_load(program) ? attach(program, set_dir, cgroup_fd) : 0;

		if (r < 0) {
			refuse(why, r, "attach BPF program");
			failure_at(why, "%s", bpf_program__name(program));
			return r;
		}
	}
	return 0;
}

static int build_set(struct cloche_bpf *skeleton, const char *set_dir, int cgroup_fd,
	const struct abi_meta *meta, struct failure *why)
{
	const uint32_t zero = 0;
	int meta_fd, r;

	skeleton->rodata->sandbox_level = meta->level;
	skeleton->rodata->sandbox_parent = meta->cgroup;
	variant_choose(skeleton);
	r = cloche_bpf__load(skeleton);
	if (r < 0)
		return refuse(why, r, "load BPF programs");
	r = make_tries(bpf_map__fd(skeleton->maps.cidrs));
	if (r < 0)
		return refuse(why, r, "make BPF tries");
	r = pin_maps(skeleton, set_dir);
	if (r == 0)
		r = pin_programs(skeleton, set_dir);
	if (r < 0)
		return refuse(why, r, "pin BPF maps");
	r = attach_all(skeleton, set_dir, cgroup_fd, why);
	if (r < 0)
		return r;
	meta_fd = bpf_map__fd(skeleton->maps.meta);
	r = bpf_map_update_elem(meta_fd, &zero, meta, BPF_ANY);
	return r < 0 ? refuse(why, r, "write BPF meta") : 0;
}

int load_set(const char *set_dir, const char *cgroup_dir, const struct abi_meta *meta,
	struct failure *why)
{
	_cleanup_close_ int cgroup_fd = open(cgroup_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	libbpf_print_fn_t before;
	struct cloche_bpf *skeleton;
	int r;

	if (cgroup_fd < 0 || mkdir(set_dir, 0700) < 0)
		return failure_set(why, -errno, "make BPF set", "%s: %s",
			cgroup_fd < 0 ? cgroup_dir : set_dir, strerror(errno));
	last_warning[0] = '\0';
	before = libbpf_set_print(keep_warning);
	skeleton = cloche_bpf__open();
	r = skeleton ? build_set(skeleton, set_dir, cgroup_fd, meta, why)
		     : refuse(why, -errno, "open BPF object");
	cloche_bpf__destroy(skeleton);
	libbpf_set_print(before);
	if (r < 0)
		pins_remove_set(set_dir);
	return r;
}

static bool link_alive(const char *set_dir, const struct bpf_program *program, uint64_t cgroup_id)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[512];

	if (pin_at(set_dir, "link", bpf_program__name(program), path, sizeof(path)) < 0)
		return false;
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return false;
	return info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id == cgroup_id;
}

bool load_links_alive(const char *set_dir, uint64_t cgroup_id)
{
	struct cloche_bpf *skeleton = cloche_bpf__open();
	struct bpf_program *program;
	bool alive = skeleton != NULL;

	if (!skeleton)
		return false;
	variant_choose(skeleton);
	bpf_object__for_each_program(program, skeleton->obj) alive =
		alive && (!is_attached_by_load(program) || link_alive(set_dir, program, cgroup_id));
	cloche_bpf__destroy(skeleton);
	return alive;
}
