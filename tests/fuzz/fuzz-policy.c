/* Texts that ask to be policies: up to three, with a zero byte between them. The first may extend
 * the second, as "b"; it also meets the third. What is read must be written, met and compiled. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/policy.h"
#include "tests/fuzz/fuzz.h"

struct text {
	const char *bytes;
	size_t size;
};

static struct text take_text(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, 0, *size);
	struct text text = {(const char *)*data, end ? (size_t)(end - *data) : *size};

	*data += text.size + (end ? 1 : 0);
	*size -= text.size + (end ? 1 : 0);
	return text;
}

static int read_base(void *userdata, const char *name, char **ret_text, size_t *ret_size,
	char **ret_file, struct failure *why _unused_)
{
	const struct text *base = userdata;

	if (strcmp(name, "b") != 0)
		return -ENOENT;
	*ret_text = malloc(base->size + 1);
	*ret_file = strdup("b.json");
	BROKEN_IF(!*ret_text || !*ret_file);
	if (base->size)
		memcpy(*ret_text, base->bytes, base->size);
	*ret_size = base->size;
	return 0;
}

static void check_said(int r, const struct failure *why)
{
	BROKEN_IF(r != -EINVAL && r != -E2BIG);
	BROKEN_IF(strlen(why->sentence) < 10 || strlen(why->location) < 3);
	for (const char *c = why->sentence; *c; c++)
		BROKEN_IF((unsigned char)*c < 0x20 || *c == 0x7f);
}

static struct policy *read_policy(struct text text, struct text *base)
{
	static const char *const names[] = {"b", NULL};
	const struct policy_context context = {
		.read_base = read_base, .userdata = base, .names = names};
	struct policy *policy = NULL;
	struct failure why = {0};
	char *copy = malloc(text.size + 1); /* a block of its own: a sanitizer sees its end */
	int r;

	BROKEN_IF(!copy);
	if (text.size)
		memcpy(copy, text.bytes, text.size);
	copy = realloc(copy, text.size ? text.size : 1);
	r = policy_parse(copy, text.size, "a.json", base ? &context : NULL, &policy, &why);
	if (r < 0)
		check_said(r, &why);
	free(copy);
	return policy;
}

static void check_form(const struct policy *policy)
{
	struct policy *again =
		read_policy((struct text){policy->canonical, strlen(policy->canonical)}, NULL);

	BROKEN_IF(!again || strcmp(again->hash, policy->hash) != 0);
	policy_unref(again);
}

static void check_image(const struct policy *policy)
{
	struct policy_image *image = NULL;
	struct failure why = {0};
	int r = policy_compile(policy, &image, &why);

	BROKEN_IF(r < 0 && r != -E2BIG);
	policy_image_free(image);
}

/* Whatever the two say, a bound that does not learn allows no less, and is not lost. */
static void check_learning(const struct policy *bound, const struct policy *request)
{
	struct policy *learning = NULL;
	struct failure why = {0};
	int r = policy_meet_learning(bound, request, &learning, &why);

	BROKEN_IF(r < 0 && r != -E2BIG && r != -EINVAL);
	BROKEN_IF(r == 0 && bound->mode == POLICY_MODE_LEARN);
	if (r == 0)
		check_image(learning);
	BROKEN_IF(r == 0 && learning->n_rules != bound->n_rules);
	policy_unref(learning);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text first = take_text(&data, &size), second = take_text(&data, &size);
	struct text third = take_text(&data, &size);
	struct policy *request = read_policy(first, &second), *bound, *both = NULL;
	struct failure why = {0};
	int r;

	if (!request)
		return 0;
	check_form(request);
	check_image(request);
	bound = read_policy(third, NULL);
	if (bound) {
		r = policy_meet(bound, request, &both, &why);
		BROKEN_IF(r < 0 && r != -E2BIG && r != -EINVAL);
		if (r == 0)
			check_image(both);
		check_learning(bound, request);
	}
	policy_unref(both);
	policy_unref(bound);
	policy_unref(request);
	return 0;
}
