/* Names of hosts as people write them: to the form that goes over the wire, and only names that are
 * somebody's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"

/* What is written is longer than what goes over the wire only by UTF-8: four bytes a character. */
#define WRITTEN_MAX ((POLICY_HOST_SIZE + 1) * 4)

void policy_suffixes_free(struct psl_ctx_st **suffixes)
{
	psl_free(*suffixes);
}

static bool is_address(const char *text)
{
	struct in6_addr address;
	char inside[INET6_ADDRSTRLEN + 2];
	size_t length = strlen(text);

	if (text[0] == '[' && length < sizeof(inside) && text[length - 1] == ']') {
		memcpy(inside, text + 1, length - 2);
		inside[length - 2] = '\0';
		text = inside;
	}
	return inet_pton(AF_INET6, text, &address) == 1;
}

static int refuse_written(
	const struct policy_reader *reader, const struct policy_place *place, const char *text)
{
	const char *host = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
	char brief[POLICY_SHORT_SIZE];

	policy_shorten(text, brief);
	if (strlen(text) > WRITTEN_MAX)
		return policy_fail(reader, place, -EINVAL,
			"The name is too long: %zu bytes, and %d are allowed.", strlen(text),
			POLICY_HOST_SIZE - 1);
	if (strcmp(text, "*") == 0)
		return policy_fail(reader, place, -EINVAL,
			"\"*\" would allow every name; write those that are needed, such as "
			"\"*.example.org\".");
	if (strchr(host, '*'))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\": a * stands only for the whole first label, as in "
			"\"*.example.org\".",
			brief);
	if (is_address(host))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is an address; a rule for one has \"cidr\" in the place of "
			"\"name\".",
			brief);
	if (strpbrk(host, "/:@?#"))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is more than a name; write the host's name alone. Its ports go to "
			"\"ports\".",
			brief);
	return 0;
}

/* Names that are ASCII and hold no A-label are what they are: IDNA would refuse some that exist,
 * with "--" in the middle. */
static int to_wire(const char *text, char **ret_host)
{
	uint8_t *wire = NULL;
	char *host = strdup(text);
	bool plain = true;
	int r;

	if (!host)
		return IDN2_MALLOC;
	for (char *c = host; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		plain = plain && (unsigned char)*c < 0x80;
	}
	if (plain && strncmp(host, "xn--", 4) != 0 && !strstr(host, ".xn--")) {
		*ret_host = host;
		return IDN2_OK;
	}
	free(host);
	r = idn2_lookup_u8((const uint8_t *)text, &wire, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (r != IDN2_OK)
		return r;
	host = strdup((const char *)wire);
	idn2_free(wire);
	*ret_host = host;
	return host ? IDN2_OK : IDN2_MALLOC;
}

static bool has_long_label(const char *host)
{
	for (size_t length; *host; host += length + (host[length] == '.')) {
		length = strcspn(host, ".");
		if (length > NAME_LABEL_MAX)
			return true;
	}
	return false;
}

static int check_form(const struct policy_reader *reader, const struct policy_place *place,
	const char *text, const char *host, bool wildcard)
{
	const char *dot = strrchr(host, '.');
	size_t length = strlen(host) + (wildcard ? 2 : 0);
	char brief[POLICY_SHORT_SIZE];

	policy_shorten(text, brief);
	if (has_long_label(host))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" has a label of more than %d characters.", brief, NAME_LABEL_MAX);
	if (length >= POLICY_HOST_SIZE)
		return policy_fail(reader, place, -EINVAL,
			"The name is too long: %zu bytes, and %d are allowed.", length,
			POLICY_HOST_SIZE - 1);
	if (!name_is_host(host))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is no host's name: its labels have letters, digits, - and _, and "
			"neither begin nor end with -.",
			brief);
	if (name_ends_in_number(host))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is an address; a rule for one has \"cidr\" in the place of "
			"\"name\".",
			brief);
	if (strcmp(dot ? dot + 1 : host, "localhost") == 0)
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is the sandbox itself, which is open to it without a rule.", brief);
	return 0;
}

/* A wildcard may stand neither right below a suffix nor above a whole level of them, as
 * "*.compute.amazonaws.com" does: what is there is anybody's. An exact name may be a suffix that is
 * a company's: that is one host, such as s3.amazonaws.com. */
static bool is_anybodys(const psl_ctx_t *suffixes, const char *host, bool wildcard)
{
	char below[POLICY_HOST_SIZE + 8];

	if (!wildcard)
		return psl_is_public_suffix2(
			suffixes, host, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
	snprintf(below, sizeof(below), "cloche.%s", host);
	return psl_is_public_suffix2(suffixes, host, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) ||
	       psl_is_public_suffix2(suffixes, below, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}

static int check_owner(const struct policy_reader *reader, const struct policy_place *place,
	const char *text, const char *host, const struct policy_rule *rule)
{
	char brief[POLICY_SHORT_SIZE];

	policy_shorten(text, brief);
	if (!*reader->suffixes)
		*reader->suffixes = psl_latest(NULL);
	if (!*reader->suffixes)
		return policy_fail(reader, place, -EINVAL,
			"There is no list of public suffixes to check \"%s\" with; install the "
			"package publicsuffix.",
			brief);
	if (is_anybodys(*reader->suffixes, host, rule->wildcard))
		return rule->wildcard
			       ? policy_fail(reader, place, -EINVAL,
					 "\"%s\" is below a public suffix: anybody can have a name "
					 "there. Write a name that somebody owns.",
					 brief)
			       : policy_fail(reader, place, -EINVAL,
					 "\"%s\" is a public suffix, under which names are "
					 "registered, and no host; write a host's name.",
					 brief);
	if (!strchr(host, '.') && !rule->is_private)
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" has no dot: write the whole name, or \"private\": true beside it "
			"if it is a name of your own network.",
			brief);
	return 0;
}

static int refuse_idna(const struct policy_reader *reader, const struct policy_place *place,
	const char *text, int reason)
{
	char brief[POLICY_SHORT_SIZE];

	policy_shorten(text, brief);
	if (reason == IDN2_MALLOC)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	if (reason == IDN2_TOO_BIG_LABEL || reason == IDN2_PUNYCODE_BIG_OUTPUT)
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" has a label of more than %d characters.", brief, NAME_LABEL_MAX);
	if (reason == IDN2_TOO_BIG_DOMAIN)
		return policy_fail(reader, place, -EINVAL,
			"The name is too long: %zu bytes, and %d are allowed.", strlen(text),
			POLICY_HOST_SIZE - 1);
	return policy_fail(
		reader, place, -EINVAL, "\"%s\" is no name that IDNA allows (RFC 5891).", brief);
}

int policy_read_host(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const char *text = json_string_value(value);
	_cleanup_free_ char *host = NULL;
	size_t length;
	int r;

	if (!text)
		return policy_fail(reader, place, -EINVAL, "A name is text such as \"pypi.org\".");
	r = refuse_written(reader, place, text);
	if (r < 0)
		return r;
	rule->wildcard = strncmp(text, "*.", 2) == 0;
	r = to_wire(text + (rule->wildcard ? 2 : 0), &host);
	if (r != IDN2_OK)
		return refuse_idna(reader, place, text, r);
	length = strlen(host);
	if (length > 1 && host[length - 1] == '.')
		host[length - 1] = '\0'; /* the root */
	r = check_form(reader, place, text, host, rule->wildcard);
	if (r == 0)
		r = check_owner(reader, place, text, host, rule);
	if (r < 0)
		return r;
	rule->name = steal_ptr(&host);
	return 0;
}
