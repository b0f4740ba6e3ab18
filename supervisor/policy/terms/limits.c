#include <errno.h>
#include <string.h>

#include "supervisor/policy/read/reader.h"

#define MIB (1024ULL * 1024)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

/* The disk is memory too, so it stays below that. The first one holds when none is named. */
static const struct {
	const char *name;
	struct policy_limits limits;
} classes[] = {
	{"small", {512 * MIB, 256 * MIB, 1000, 128, 1024}},
	{"medium", {2 * GIB, 1 * GIB, 2000, 512, 4096}},
	{"large", {8 * GIB, 4 * GIB, 4000, 2048, 16384}},
};

static int read_class(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_limits *limits)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < ARRAY_SIZE(classes); i++) {
		if (strcmp(name, classes[i].name) != 0)
			continue;
		*limits = classes[i].limits;
		return 0;
	}
	return policy_fail(reader, place, -EINVAL,
		"A class is \"small\", \"medium\" or \"large\"; each key beside it counts before "
		"it.");
}

static int read_limit(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *value, struct policy_limits *limits)
{
	if (strcmp(at->key, "memory") == 0)
		return policy_read_bytes(
			reader, at, value, 8 * MIB, 16 * TIB, &limits->memory_bytes);
	if (strcmp(at->key, "disk") == 0)
		return policy_read_bytes(reader, at, value, 1 * MIB, 16 * TIB, &limits->disk_bytes);
	if (strcmp(at->key, "cpu") == 0)
		return policy_read_cpu(reader, at, value, &limits->cpu_millis);
	if (strcmp(at->key, "pids") == 0)
		/* PID 1, a shell and its child; PID_MAX_LIMIT of the kernel. */
		return policy_read_count(reader, at, value, 4, 4194304, &limits->pids);
	/* The most is the default of /proc/sys/fs/nr_open. */
	return policy_read_count(reader, at, value, 16, 1048576, &limits->open_files);
}

int policy_read_limits(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_limits *limits)
{
	static const char *const keys[] = {
		"class", "memory", "cpu", "pids", "disk", "open_files", "description", NULL};
	const struct policy_place place = {root, "resources", 0}, class = {&place, "class", 0};
	const json_t *member;
	const char *key;
	json_t *each;
	int r;

	*limits = classes[0].limits;
	if (!value)
		return 0;
	r = policy_check_keys(reader, &place, value, keys);
	member = json_object_get(value, "class");
	if (r == 0 && member)
		r = read_class(reader, &class, member, limits);
	if (r == 0)
		r = policy_check_description(reader, &place, value);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)value, key, each)
	{
		const struct policy_place at = {&place, key, 0};

		if (strcmp(key, "class") == 0 || strcmp(key, "description") == 0)
			continue;
		r = read_limit(reader, &at, each, limits);
		if (r < 0)
			return r;
	}
	return 0;
}
