#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/reader.h"

#define STAGE "read policy"

static int read_syscall(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, char *ret_name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *name = json_string_value(value);
	char brief[POLICY_SHORT_SIZE];

	if (!name)
		return policy_fail(reader, place, -EINVAL,
			"A system call is given by its name, such as \"execveat\".");
	if (name[0] == '\0' || strlen(name) >= 32 || strspn(name, letters) != strlen(name) ||
		(reader->known && !reader->known(name)))
		return policy_fail(reader, place, -EINVAL,
			"There is no system call \"%s\"; see syscalls(2) for their names.",
			policy_shorten(name, brief));
	strcpy(ret_name, name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Whether the name at `at` is also before it. */
static int check_twice(const struct policy_reader *reader, const struct policy_place *at,
	const char (*names)[32], size_t i)
{
	for (size_t j = 0; j < i; j++) {
		const struct policy_place first = {at->outer, NULL, j};
		char text[POLICY_SPOT_SIZE];

		if (strcmp(names[j], names[i]) == 0)
			return policy_fail(reader, at, -EINVAL,
				"\"%s\" is in this list twice; it is first at %s. Take one away.",
				names[i], policy_describe_place(reader, &first, text));
	}
	return 0;
}

static int read_denied(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return policy_fail(
			reader, place, -EINVAL, "This must be a list of names of system calls.");
	if (n > POLICY_SYSCALLS_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The list has %zu system calls, and %d are allowed.", n,
			POLICY_SYSCALLS_MAX);
	policy->syscalls_denied = calloc(n ? n : 1, sizeof(*policy->syscalls_denied));
	if (!policy->syscalls_denied)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		char *name = policy->syscalls_denied[i];
		int r = read_syscall(reader, &at, json_array_get(list, i), name);

		if (r < 0)
			return r;
		r = check_twice(reader, &at, (const char(*)[32])policy->syscalls_denied, i);
		if (r < 0)
			return r;
	}
	policy->n_syscalls_denied = n;
	qsort(policy->syscalls_denied, n, sizeof(*policy->syscalls_denied), compare_names);
	return 0;
}

int policy_read_syscalls(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *syscalls, struct policy *policy)
{
	static const char *const keys[] = {"deny", "description", NULL};
	const struct policy_place place = {root, "syscalls", 0}, deny = {&place, "deny", 0};
	const json_t *list;
	int r;

	if (!syscalls)
		return 0;
	r = policy_check_keys(reader, &place, syscalls, keys);
	if (r == 0)
		r = policy_check_description(reader, &place, syscalls);
	if (r < 0)
		return r;
	list = json_object_get(syscalls, "deny");
	return list ? read_denied(reader, &deny, list, policy) : 0;
}
