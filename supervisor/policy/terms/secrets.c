/* Names only: a policy lies under version control, where no secret belongs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"

/* As a shell takes them (POSIX.1, 3.231 Name). */
bool policy_secret_valid(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t length = strlen(name), first = strspn(name, letters);

	if (length == 0 || length >= POLICY_SECRET_SIZE || first == 0)
		return false;
	for (size_t i = first; i < length; i++)
		if (!strchr(letters, name[i]) && (name[i] < '0' || name[i] > '9'))
			return false;
	return true;
}

static int read_secret(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *value, struct policy *policy)
{
	const char *name = json_string_value(value);
	char text[POLICY_SPOT_SIZE];

	if (name && strchr(name, '='))
		return policy_fail(reader, at, -EINVAL,
			"Name the variable and leave its value out: a policy holds no secrets. The "
			"value comes with the request, in \"env\".");
	if (!name || !policy_secret_valid(name))
		return policy_fail(reader, at, -EINVAL,
			"A secret is the name of a variable, up to %d letters, digits and _, such "
			"as "
			"\"OPENAI_API_KEY\".",
			POLICY_SECRET_SIZE - 1);
	for (size_t i = 0; i < policy->n_secrets; i++) {
		const struct policy_place first = {at->outer, NULL, i};

		if (strcmp(policy->secrets[i], name) == 0)
			return policy_fail(reader, at, -EINVAL,
				"\"%s\" is in this list twice; it is first at %s. Take one away.",
				name, policy_describe_place(reader, &first, text));
	}
	strcpy(policy->secrets[policy->n_secrets++], name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int policy_read_secrets(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *list, struct policy *policy)
{
	const struct policy_place place = {root, "secrets", 0};
	size_t n = json_array_size(list);

	if (!list)
		return 0;
	if (!json_is_array(list))
		return policy_fail(reader, &place, -EINVAL,
			"This is a list of names of variables, such as [\"OPENAI_API_KEY\"].");
	if (n > POLICY_SECRETS_MAX)
		return policy_fail(reader, &place, -E2BIG,
			"The list has %zu secrets, and %d are allowed.", n, POLICY_SECRETS_MAX);
	policy->secrets = calloc(n + 1, sizeof(*policy->secrets));
	if (!policy->secrets)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {&place, NULL, i};
		int r = read_secret(reader, &at, json_array_get(list, i), policy);

		if (r < 0)
			return r;
	}
	qsort(policy->secrets, n, sizeof(*policy->secrets), compare_names);
	return 0;
}

json_t *policy_write_secrets(const struct policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->n_secrets; i++)
		if (json_array_append_new(list, json_string(policy->secrets[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

int meet_secrets(struct meeting *meeting)
{
	const struct policy *sides[] = {meeting->bound, meeting->request};
	struct policy *both = meeting->policy;

	both->secrets =
		calloc(sides[0]->n_secrets + sides[1]->n_secrets + 1, sizeof(*both->secrets));
	if (!both->secrets)
		return -ENOMEM;
	for (size_t side = 0; side < ARRAY_SIZE(sides); side++)
		for (size_t i = 0; i < sides[side]->n_secrets; i++)
			if (side == 0 || !policy_wants_secret(sides[0], sides[1]->secrets[i]))
				strcpy(both->secrets[both->n_secrets++], sides[side]->secrets[i]);
	qsort(both->secrets, both->n_secrets, sizeof(*both->secrets), compare_names);
	if (both->n_secrets > POLICY_SECRETS_MAX)
		return failure_set(meeting->why, -E2BIG, "meet of policies",
			"\"%s\" and \"%s\" want more than %d secrets together.", sides[0]->name,
			sides[1]->name, POLICY_SECRETS_MAX);
	return 0;
}
