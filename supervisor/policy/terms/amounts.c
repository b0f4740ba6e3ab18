#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/policy/read/reader.h"

#define CPU_MILLIS_MIN 10      /* cpu.max takes no quota under 1 ms, of a period of 100 ms */
#define CPU_MILLIS_MAX 1024000 /* more CPUs than a machine has */

static const struct {
	const char *name;
	unsigned int shift;
} units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};

/* "512MiB": a whole number without leading zero, then a unit, and nothing else. */
static bool parse_size(const char *text, uint64_t *ret_bytes)
{
	unsigned long long number;
	char *end;

	if (text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	for (size_t i = 0; errno == 0 && i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		*ret_bytes = number > (UINT64_MAX >> units[i].shift) ? UINT64_MAX
								     : number << units[i].shift;
		return true;
	}
	return false;
}

/* What "4GB", "4 GiB" and "4g" may have meant. A unit of 1000 is not guessed at: it is asked about.
 */
static bool guess_size(const char *text, char ret_meant[32])
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	unit += strspn(unit, " ");
	if (text[0] < '1' || text[0] > '9' || digits > 15 || strlen(unit) > 3)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (tolower((unsigned char)unit[0]) != tolower((unsigned char)units[i].name[0]) ||
			unit[1 + strspn(unit + 1, "iIbB")] != '\0')
			continue;
		snprintf(ret_meant, 32, "%.*s%s", (int)digits, text, units[i].name);
		return true;
	}
	return false;
}

static int refuse_size(
	const struct policy_reader *reader, const struct policy_place *place, const char *text)
{
	char brief[POLICY_SHORT_SIZE], meant[32];

	policy_shorten(text, brief);
	if (guess_size(text, meant))
		return policy_fail(reader, place, -EINVAL,
			"\"%s\" is no size; did you mean \"%s\"? Units are KiB, MiB, GiB and TiB, "
			"of "
			"1024.",
			brief, meant);
	return policy_fail(reader, place, -EINVAL,
		"\"%s\" is no size; write \"512MiB\" (units are KiB, MiB, GiB and TiB) or a number "
		"of bytes.",
		brief);
}

const char *policy_format_size(uint64_t bytes, char ret_text[32])
{
	size_t i = ARRAY_SIZE(units);

	while (i > 0 && (bytes & ((1ULL << units[i - 1].shift) - 1)))
		i--;
	if (i > 0)
		snprintf(ret_text, 32, "%llu%s", (unsigned long long)bytes >> units[i - 1].shift,
			units[i - 1].name);
	else
		snprintf(ret_text, 32, "%llu", (unsigned long long)bytes);
	return ret_text;
}

int policy_read_bytes(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint64_t min_bytes, uint64_t max_bytes, uint64_t *ret_bytes)
{
	char least[32], most[32];
	uint64_t bytes;

	if (json_is_string(value)) {
		if (!parse_size(json_string_value(value), &bytes))
			return refuse_size(reader, place, json_string_value(value));
	} else if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);

		bytes = number > 0 ? (uint64_t)number : 0;
	} else {
		return policy_fail(reader, place, -EINVAL,
			"A size is text such as \"512MiB\", or a whole number of bytes.");
	}
	if (bytes < min_bytes || bytes > max_bytes)
		return policy_fail(reader, place, -EINVAL, "The size must lie between %s and %s.",
			policy_format_size(min_bytes, least), policy_format_size(max_bytes, most));
	*ret_bytes = bytes;
	return 0;
}

int policy_read_count(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t min, uint32_t max, uint32_t *ret_count)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < (json_int_t)min || number > (json_int_t)max)
		return policy_fail(reader, place, -EINVAL,
			"This must be a whole number between %u and %u.", min, max);
	*ret_count = (uint32_t)number;
	return 0;
}

/* A number, or text such as "1.5": digits and at most one point. -1 when it is neither. */
static double read_number(const json_t *value)
{
	const char *text = json_string_value(value);
	char *end;
	double number;

	if (!text)
		return json_is_number(value) ? json_number_value(value) : -1;
	if (text[0] < '0' || text[0] > '9' || strspn(text, "0123456789.") != strlen(text))
		return -1;
	number = strtod(text, &end);
	return *end == '\0' && end[-1] != '.' ? number : -1;
}

int policy_read_cpu(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t *ret_millis)
{
	double millis = read_number(value) * 1000, off;
	uint32_t nearest;

	if (!(millis >= CPU_MILLIS_MIN) || !(millis <= CPU_MILLIS_MAX))
		return policy_fail(reader, place, -EINVAL,
			"This must be a number of CPUs between %g and %d, such as 1.5.",
			CPU_MILLIS_MIN / 1000.0, CPU_MILLIS_MAX / 1000);
	nearest = (uint32_t)(millis + 0.5);
	off = millis - nearest;
	if (off > 1e-6 || off < -1e-6)
		return policy_fail(reader, place, -EINVAL,
			"CPUs are counted in thousandths; write at most three decimals.");
	*ret_millis = nearest;
	return 0;
}

static const struct {
	char unit;
	uint32_t seconds;
} time_units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

/* "90s", "1h30m": whole numbers with units, each smaller than the one before. Too much for the
 * field ends as the most that it can hold. */
static bool parse_duration(const char *text, uint32_t *ret_seconds)
{
	uint64_t seconds = 0;
	size_t next = 0;

	if (!*text)
		return false;
	while (*text) {
		unsigned long long number;
		char *end;
		size_t i = next;

		if (*text < '1' || *text > '9')
			return false;
		errno = 0;
		number = strtoull(text, &end, 10);
		while (i < ARRAY_SIZE(time_units) && time_units[i].unit != *end)
			i++;
		if (i == ARRAY_SIZE(time_units))
			return false;
		if (errno || number > UINT32_MAX)
			number = UINT32_MAX;
		seconds += number * time_units[i].seconds;
		next = i + 1;
		text = end + 1;
	}
	*ret_seconds = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
	return true;
}

const char *policy_format_duration(uint32_t seconds, char ret_text[16])
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(time_units) && seconds % time_units[i].seconds != 0)
		i++;
	snprintf(ret_text, 16, "%u%c", seconds / time_units[i].seconds, time_units[i].unit);
	return ret_text;
}

int policy_read_duration(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint32_t min_s, uint32_t max_s, uint32_t *ret_seconds)
{
	const char *text = json_string_value(value);
	char least[16], most[16];
	uint32_t seconds;

	if (!text || !parse_duration(text, &seconds) || seconds < min_s || seconds > max_s)
		return policy_fail(reader, place, -EINVAL,
			"This is a time such as \"90s\", \"15m\", \"1h30m\" or \"7d\", between "
			"\"%s\" "
			"and \"%s\".",
			policy_format_duration(min_s, least), policy_format_duration(max_s, most));
	*ret_seconds = seconds;
	return 0;
}

/* A port without leading zero, up to `*end`. 0 when it is none: port 0 cannot be connected to. */
static unsigned int parse_port(const char *text, char **end)
{
	unsigned long number;

	*end = (char *)text;
	if (text[0] < '1' || text[0] > '9')
		return 0;
	number = strtoul(text, end, 10);
	return number <= UINT16_MAX ? (unsigned int)number : 0;
}

static int parse_range(const char *text, unsigned int *ret_first, unsigned int *ret_last)
{
	char *end;

	*ret_first = parse_port(text, &end);
	if (*ret_first == 0 || *end != '-')
		return -EINVAL;
	*ret_last = parse_port(end + 1, &end);
	return *ret_last == 0 || *end != '\0' ? -EINVAL : 0;
}

static int read_port(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_ports *ret_ports)
{
	char brief[POLICY_SHORT_SIZE];
	unsigned int first, last;

	if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);

		if (number < 1 || number > UINT16_MAX)
			return policy_fail(
				reader, place, -EINVAL, "A port lies between 1 and 65535.");
		first = last = (unsigned int)number;
	} else if (json_is_string(value)) {
		const char *text = json_string_value(value);

		if (parse_range(text, &first, &last) < 0)
			return policy_fail(reader, place, -EINVAL,
				"\"%s\" is no range of ports; write \"8000-8010\", and one port as "
				"a number.",
				policy_shorten(text, brief));
		if (first > last)
			return policy_fail(reader, place, -EINVAL,
				"The range ends before it begins; write \"%u-%u\".", last, first);
	} else {
		return policy_fail(reader, place, -EINVAL,
			"A port is a number, a range of ports is text such as \"8000-8010\".");
	}
	*ret_ports = (struct policy_ports){(uint16_t)first, (uint16_t)last};
	return 0;
}

/* Puts `added` in its place in the sorted row; returns the one that it overlaps, or NULL. */
static const struct policy_ports *insert_sorted(struct policy_rule *rule, struct policy_ports added)
{
	size_t i = rule->n_ports;

	for (size_t j = 0; j < rule->n_ports; j++)
		if (added.first <= rule->ports[j].last && rule->ports[j].first <= added.last)
			return &rule->ports[j];
	for (; i > 0 && rule->ports[i - 1].first > added.first; i--)
		rule->ports[i] = rule->ports[i - 1];
	rule->ports[i] = added;
	rule->n_ports++;
	return NULL;
}

/* `port` is in the range at `at` and in one before it. */
static int refuse_port(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *list, struct policy_ports ports, unsigned int port)
{
	struct policy_place first = {at->outer, NULL, 0};
	char text[POLICY_SPOT_SIZE];

	for (; first.index < at->index; first.index++) {
		struct policy_ports each = {1, 0};

		read_port(reader, &first, json_array_get(list, first.index), &each);
		if (each.first <= ports.last && ports.first <= each.last)
			break;
	}
	return policy_fail(reader, at, -EINVAL,
		"Port %u is in this list twice; it is first at %s. Take one away.", port,
		policy_describe_place(reader, &first, text));
}

int policy_read_ports(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	bool is_name = rule->kind == POLICY_RULE_NAME;
	size_t n = json_array_size(value);
	size_t n_max = is_name ? ABI_TICKET_RANGES_MAX : POLICY_RULE_PORTS_MAX;

	rule->n_ports = 0;
	if (!json_is_array(value) || n == 0)
		return policy_fail(reader, place, -EINVAL,
			"This must be a list with at least one port; leave \"ports\" out for %s.",
			is_name ? "443 and 80" : "all ports");
	if (n > n_max)
		return policy_fail(reader, place, -E2BIG,
			"A rule for %s takes up to %zu ports or ranges of ports; join some to "
			"ranges.",
			is_name ? "a name" : "addresses", n_max);
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		const struct policy_ports *same;
		struct policy_ports ports = {0};
		int r = read_port(reader, &at, json_array_get(value, i), &ports);

		if (r < 0)
			return r;
		same = insert_sorted(rule, ports);
		if (same)
			return refuse_port(reader, &at, value, ports,
				ports.first > same->first ? ports.first : same->first);
	}
	return 0;
}
