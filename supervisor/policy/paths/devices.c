#include <errno.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/read/reader.h"

const char *const policy_device_names[POLICY_DEVICES] = {[POLICY_DEVICE_NULL] = "null",
	[POLICY_DEVICE_ZERO] = "zero",
	[POLICY_DEVICE_FULL] = "full",
	[POLICY_DEVICE_RANDOM] = "random",
	[POLICY_DEVICE_URANDOM] = "urandom",
	[POLICY_DEVICE_TTY] = "tty",
	[POLICY_DEVICE_PTMX] = "ptmx"};

bool policy_device_find(const char *path, enum policy_device *ret_device)
{
	if (strncmp(path, "/dev/", strlen("/dev/")) != 0)
		return false;
	for (size_t i = 0; i < POLICY_DEVICES; i++)
		if (strcmp(path + strlen("/dev/"), policy_device_names[i]) == 0) {
			*ret_device = (enum policy_device)i;
			return true;
		}
	return false;
}

static int read_device(const struct policy_reader *reader, const struct policy_place *at,
	const char *name, uint32_t *devices)
{
	for (size_t i = 0; name && i < POLICY_DEVICES; i++) {
		if (strcmp(name, policy_device_names[i]) != 0)
			continue;
		if (*devices & 1U << i)
			return policy_fail(reader, at, -EINVAL,
				"\"%s\" is in this list twice. Take one away.", name);
		*devices |= 1U << i;
		return 0;
	}
	return policy_fail(reader, at, -EINVAL,
		"A sandbox has the devices null, zero, full, random, urandom, tty and ptmx at "
		"most; no "
		"other can be given to it.");
}

int policy_read_devices(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *list, struct policy *policy)
{
	const struct policy_place place = {root, "devices", 0};
	json_t *each;
	size_t i;

	policy->devices = list ? 0 : POLICY_DEVICES_ALL;
	if (list && !json_is_array(list))
		return policy_fail(reader, &place, -EINVAL,
			"This is a list of devices, such as [\"null\", \"urandom\"].");
	json_array_foreach((json_t *)list, i, each)
	{
		const struct policy_place at = {&place, NULL, i};
		int r = read_device(reader, &at, json_string_value(each), &policy->devices);

		if (r < 0)
			return r;
	}
	return 0;
}

json_t *policy_write_devices(const struct policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < POLICY_DEVICES; i++)
		if (policy->devices & 1U << i &&
			json_array_append_new(list, json_string(policy_device_names[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}
