#include <errno.h>
#include <string.h>

#include "supervisor/policy/network/prefix.h"
#include "supervisor/policy/read/reader.h"

/* A name where an address belongs is the likeliest mistake, so it gets its own sentence. */
static bool looks_like_name(const char *text)
{
	bool letters = false;

	for (; *text; text++) {
		if (*text == ':' || *text == '/')
			return false;
		letters |= (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
	}
	return letters;
}

static int refuse_text(
	const struct policy_reader *reader, const struct policy_place *place, const char *text)
{
	char brief[POLICY_SHORT_SIZE];

	policy_shorten(text, brief);
	if (looks_like_name(text))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is a name; a rule for one has \"name\" in the place of \"cidr\".",
			brief);
	return policy_fail(reader, place, -EINVAL,
		"\"%s\" is no address; write \"203.0.113.0/24\", \"2001:db8::/32\" or one address.",
		brief);
}

static int refuse_host_bits(const struct policy_reader *reader, const struct policy_place *place,
	const char *text, const struct abi_cidr_key *prefix, const struct abi_cidr_key *network)
{
	const struct abi_cidr_key one = {128, prefix->address};
	char wide[POLICY_PREFIX_TEXT_SIZE], whole[POLICY_PREFIX_TEXT_SIZE],
		brief[POLICY_SHORT_SIZE];

	return policy_fail(reader, place, -EINVAL,
		"\"%s\" has bits behind its prefix; write \"%s\" for the network or \"%s\" for the "
		"one "
		"address.",
		policy_shorten(text, brief), prefix_format(network, wide),
		prefix_format(&one, whole));
}

int policy_read_cidr(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const struct special_range *special;
	struct abi_cidr_key prefix, network;
	char text[POLICY_PREFIX_TEXT_SIZE];

	if (!json_is_string(value))
		return policy_fail(
			reader, place, -EINVAL, "An address is text such as \"203.0.113.0/24\".");
	if (prefix_parse(json_string_value(value), &prefix) < 0)
		return refuse_text(reader, place, json_string_value(value));
	network = prefix_network(&prefix);
	if (prefix_compare(&prefix, &network) != 0)
		return refuse_host_bits(reader, place, json_string_value(value), &prefix, &network);
	special = special_never(&prefix);
	if (special)
		return policy_fail(reader, place, -EINVAL,
			"No rule can open %s (%s): such addresses mean something inside a sandbox "
			"only. Give the service another one.",
			prefix_format(&prefix, text), special->name);
	rule->address = prefix.address;
	rule->prefix_bits = (uint8_t)prefix.prefix_bits;
	return 0;
}
