/* One condition about one argument of a system call: reading, comparing, asking and writing it. */
#include <errno.h>
#include <string.h>

#include "supervisor/policy/calls/arguments.h"
#include "supervisor/policy/calls/rules.h"

const char *const policy_comparison_names[POLICY_COMPARISONS] = {[POLICY_IS] = "is",
	[POLICY_IS_NOT] = "is_not",
	[POLICY_AT_LEAST] = "at_least",
	[POLICY_AT_MOST] = "at_most"};

static bool is_ordered(const struct policy_condition *condition)
{
	return condition->comparison == POLICY_AT_LEAST || condition->comparison == POLICY_AT_MOST;
}

static int refuse_constant(const struct policy_reader *reader, const struct policy_place *place,
	const struct call_argument *argument, const char *text)
{
	const char *names[64], *nearest = NULL;
	char brief[POLICY_SHORT_SIZE];
	size_t n = 0;

	for (; argument->constants && argument->constants[n].name && n + 1 < ARRAY_SIZE(names); n++)
		names[n] = argument->constants[n].name;
	names[n] = NULL;
	if (n > 0)
		nearest = policy_nearest(text, names);
	policy_shorten(text, brief);
	if (nearest)
		return policy_fail(reader, place, -EINVAL,
			"There is no \"%s\" for \"%s\"; did you mean \"%s\"?", brief,
			argument->word, nearest);
	return policy_fail(reader, place, -EINVAL,
		"No value \"%s\" of \"%s\" is known by name here; write its number, such as 40 or "
		"\"0x28\".",
		brief, argument->word);
}

static bool has_room(const struct call_argument *argument, uint64_t value)
{
	if (argument->bits == 64)
		return true;
	if (argument->is_signed)
		return (int64_t)value >= INT32_MIN && (int64_t)value <= INT32_MAX;
	return value >> argument->bits == 0;
}

/* Of 64 bits. Negative only where the kernel takes it so: elsewhere it is a large number that
 * nobody wrote. */
static int read_bits(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, const struct call_argument *argument, uint64_t *ret_bits)
{
	const char *text = json_string_value(value);
	bool is_negative =
		json_is_integer(value) ? json_integer_value(value) < 0 : text && text[0] == '-';
	int r = -EINVAL;

	if (json_is_integer(value)) {
		*ret_bits = (uint64_t)json_integer_value(value);
		r = 0;
	} else if (text) {
		r = call_value_read(text, argument, ret_bits);
	}
	if (r == -ENOENT)
		return refuse_constant(reader, place, argument, text);
	if (r == -EINVAL)
		return policy_fail(reader, place, -EINVAL,
			"This is a number, or one as text: \"0x5412\", \"0o4000\", \"TIOCSTI\", "
			"\"O_CREAT|O_EXCL\".");
	if (r < 0 || is_negative > argument->is_signed ||
		(argument->is_signed && is_negative != ((int64_t)*ret_bits < 0)) ||
		!has_room(argument, *ret_bits))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is a %snumber of %u bits, which is all that the kernel reads of "
			"it; "
			"this does not fit.",
			argument->word, argument->is_signed ? "signed " : "", argument->bits);
	return 0;
}

static int read_mask(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, const struct call_argument *argument,
	struct policy_condition *condition)
{
	const struct policy_place at = {place, "mask", 0};
	const uint64_t all =
		argument->bits == 64 ? UINT64_MAX : (UINT64_C(1) << argument->bits) - 1;
	struct call_argument bits = *argument;
	int r;

	if (!value && argument->is_flags)
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" holds flags, and some that the kernel passes over; with one of "
			"these any "
			"comparison of the whole is missed. Say which bits count, as in \"mask\": "
			"1, "
			"\"is\": 1.",
			argument->word);
	if (!value)
		return 0;
	if (is_ordered(condition))
		return policy_fail(
			reader, &at, -EINVAL, "\"mask\" goes with \"is\" and \"is_not\" only.");
	bits.is_signed = false;
	r = read_bits(reader, &at, value, &bits, &condition->mask);
	if (r < 0)
		return r;
	if (condition->mask == 0)
		return policy_fail(reader, &at, -EINVAL, "No bit counts; a mask has at least one.");
	if (condition->mask != all)
		return 0;
	if (argument->is_flags)
		return policy_fail(
			reader, &at, -EINVAL, "All bits count; name those that the rule is about.");
	condition->mask = 0;
	return 0;
}

static int read_value(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, const struct call_argument *argument,
	struct policy_condition *condition)
{
	const struct policy_place at = {place, policy_comparison_names[condition->comparison], 0};
	uint64_t least = argument->is_signed ? UINT64_C(1) << 63 : 0, most = ~least;
	int r;

	if (argument->bits == 32) {
		least = argument->is_signed ? (uint64_t)INT32_MIN : 0;
		most = argument->is_signed ? INT32_MAX : UINT32_MAX;
	}
	if (argument->is_flags && is_ordered(condition))
		return policy_fail(reader, &at, -EINVAL,
			"\"%s\" holds flags, which have no order; use \"mask\" with \"is\" or "
			"\"is_not\".",
			argument->word);
	r = read_bits(reader, &at, value, argument, &condition->value);
	if (r < 0)
		return r;
	if ((condition->comparison == POLICY_AT_LEAST && condition->value == least) ||
		(condition->comparison == POLICY_AT_MOST && condition->value == most))
		return policy_fail(reader, &at, -EINVAL, "Every number is; take this away.");
	return 0;
}

static int refuse_argument(
	const struct policy_reader *reader, const struct policy_place *place, const char *call)
{
	char list[CALL_ARGUMENTS_TEXT_SIZE];

	if (!call_arguments_list(call, list)[0])
		return policy_fail(reader, place, -EINVAL,
			"A filter can judge no argument of \"%s\": it sees numbers, not what they "
			"point to or "
			"stand for. Deny the call, by its name alone.",
			call);
	return policy_fail(reader, place, -EINVAL,
		"Of \"%s\" a filter can judge %s: it sees numbers, not what others point to or "
		"stand "
		"for.",
		call, list);
}

static int find_comparison(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, struct policy_condition *condition)
{
	size_t n = 0;

	for (size_t i = 0; i < POLICY_COMPARISONS; i++)
		if (json_object_get(object, policy_comparison_names[i])) {
			condition->comparison = (uint8_t)i;
			n++;
		}
	return n == 1 ? 0
		      : policy_fail(reader, place, -EINVAL,
				"A condition has one of \"is\", \"is_not\", \"at_least\" and "
				"\"at_most\".");
}

int call_condition_read(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, const char *call, struct policy_condition *condition)
{
	static const char *const keys[] = {
		"index", "mask", "is", "is_not", "at_least", "at_most", NULL};
	const struct policy_place at = {place, "index", 0};
	const struct call_argument *argument;
	const json_t *index = json_object_get(object, "index");
	int r = policy_check_keys(reader, place, object, keys);

	if (r < 0)
		return r;
	if (!json_is_integer(index) || json_integer_value(index) < 0 ||
		json_integer_value(index) >= POLICY_CALL_ARGUMENTS)
		return policy_fail(reader, index ? &at : place, -EINVAL,
			"\"index\" is the number of an argument, from 0 to %d.",
			POLICY_CALL_ARGUMENTS - 1);
	argument = call_argument_find(call, (unsigned int)json_integer_value(index));
	if (!argument)
		return refuse_argument(reader, &at, call);
	condition->index = argument->index;
	condition->is_wide = argument->bits == 64;
	condition->is_signed = argument->is_signed;
	r = find_comparison(reader, place, object, condition);
	if (r == 0)
		r = read_value(reader, place,
			json_object_get(object, policy_comparison_names[condition->comparison]),
			argument, condition);
	if (r == 0)
		r = read_mask(reader, place, json_object_get(object, "mask"), argument, condition);
	if (r == 0 && condition->mask && (condition->value & ~condition->mask))
		r = policy_fail(reader, place, -EINVAL,
			"The value has bits that \"mask\" has not, so the condition says nothing.");
	return r;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

int call_condition_compare(const void *a, const void *b)
{
	const struct policy_condition *left = a, *right = b;
	int order = (int)left->index - (int)right->index;

	if (order == 0)
		order = (int)left->comparison - (int)right->comparison;
	if (order == 0)
		order = compare_numbers(left->mask, right->mask);
	return order ? order : compare_numbers(left->value, right->value);
}

static bool is_below(const struct policy_condition *a, const struct policy_condition *b)
{
	return a->is_signed ? (int64_t)a->value < (int64_t)b->value : a->value < b->value;
}

/* What is wrong with two conditions of one argument, or NULL. */
const char *call_condition_fault(const struct policy_condition *a, const struct policy_condition *b)
{
	uint64_t both = (a->mask ? a->mask : UINT64_MAX) & (b->mask ? b->mask : UINT64_MAX);

	if (a->comparison == b->comparison &&
		(is_ordered(a) || (a->mask == b->mask && a->value == b->value)))
		return "is about the same; take one of the two away";
	if ((a->comparison == POLICY_IS && !a->mask) || (b->comparison == POLICY_IS && !b->mask))
		return "is about this argument too, of which \"is\" says all there is to say; take "
		       "one away";
	if (a->comparison == POLICY_IS && b->comparison == POLICY_IS &&
		((a->value ^ b->value) & both))
		return "is at odds with this one: never do both hold";
	if (a->comparison + b->comparison == POLICY_IS + POLICY_IS_NOT && a->mask == b->mask)
		return a->value == b->value
			       ? "is at odds with this one: never do both hold"
			       : "and this one say one thing twice; take the \"is_not\" away";
	if ((a->comparison == POLICY_AT_LEAST && b->comparison == POLICY_AT_MOST &&
		    is_below(b, a)) ||
		(a->comparison == POLICY_AT_MOST && b->comparison == POLICY_AT_LEAST &&
			is_below(a, b)))
		return "is at odds with this one: never do both hold";
	return NULL;
}

/* A JSON integer has 63 bits. */
static json_t *write_number(uint64_t value, bool is_signed)
{
	return is_signed || value <= INT64_MAX ? json_integer((json_int_t)value)
					       : json_sprintf("0x%llx", (unsigned long long)value);
}

json_t *call_condition_write(const struct policy_condition *condition)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "index", json_integer(condition->index));

	if (condition->mask)
		r |= json_object_set_new(object, "mask", write_number(condition->mask, false));
	r |= json_object_set_new(object, policy_comparison_names[condition->comparison],
		write_number(condition->value, condition->is_signed));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

bool policy_condition_holds(const struct policy_condition *condition, uint64_t argument)
{
	const uint64_t all = condition->is_wide ? UINT64_MAX : UINT32_MAX;
	const uint64_t mask = condition->mask ? condition->mask : all;
	/* Moves the least of signed numbers to 0. */
	const uint64_t shift = !condition->is_signed ? 0
			       : condition->is_wide  ? UINT64_C(1) << 63
						     : UINT64_C(1) << 31;
	const uint64_t left = (argument + shift) & all, right = (condition->value + shift) & all;

	switch ((enum policy_comparison)condition->comparison) {
	case POLICY_IS:
		return (argument & mask) == (condition->value & mask);
	case POLICY_IS_NOT:
		return (argument & mask) != (condition->value & mask);
	case POLICY_AT_LEAST:
		return left >= right;
	case POLICY_AT_MOST:
		return left <= right;
	}
	return false;
}
