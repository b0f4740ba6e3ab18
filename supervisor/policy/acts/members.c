/* A log has millions of lines, and a tree for each of them costs ten times what is done with it. So
 * a line of the form that nearly all have is looked through once, without memory of its own: an
 * ASCII text, in which a quote ends each string and nothing stands for something else. Any other
 * line is read by jansson, and what both can read means the same (tests/fuzz/fuzz-recorded.c). */
#include "supervisor/policy/acts/members.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <errno.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define DEPTH_MAX 16
#define DIGITS_MAX 18 /* fit into 63 bits */

#define KEY(text)                                                                                  \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

static const struct {
	const char *text;
	size_t length;
} keys[MEMBERS] = {
	[MEMBER_ABI] = KEY("abi"),
	[MEMBER_ABSTRACT] = KEY("abstract"),
	[MEMBER_ADDRESS] = KEY("address"),
	[MEMBER_CREATED] = KEY("created"),
	[MEMBER_DIALLED] = KEY("dialled"),
	[MEMBER_DIRECTORY] = KEY("directory"),
	[MEMBER_ERROR] = KEY("error"),
	[MEMBER_EXTENDED_ERROR] = KEY("extended_error"),
	[MEMBER_LOST] = KEY("lost"),
	[MEMBER_NAME] = KEY("name"),
	[MEMBER_PATH] = KEY("path"),
	[MEMBER_PORT] = KEY("port"),
	[MEMBER_PROTOCOL] = KEY("protocol"),
	[MEMBER_QTYPE] = KEY("qtype"),
	[MEMBER_RCODE] = KEY("rcode"),
	[MEMBER_REASON] = KEY("reason"),
	[MEMBER_RECORDS] = KEY("records"),
	[MEMBER_REFUSED_BY] = KEY("refused_by"),
	[MEMBER_SANDBOX] = KEY("sandbox"),
	[MEMBER_SCRIPT] = KEY("script"),
	[MEMBER_SCRIPT_DIRECTORY] = KEY("script_directory"),
	[MEMBER_SECOND_DIRECTORY] = KEY("second_directory"),
	[MEMBER_SECOND_PATH] = KEY("second_path"),
	[MEMBER_SEQ] = KEY("seq"),
	[MEMBER_SYSCALL] = KEY("syscall"),
	[MEMBER_SYSCALLS] = KEY("syscalls"),
	[MEMBER_TEMPLATE] = KEY("template"),
	[MEMBER_TIME] = KEY("time"),
	[MEMBER_TYPE] = KEY("type"),
	[MEMBER_VERDICT] = KEY("verdict"),
	[MEMBER_WRITABLE] = KEY("writable"),
	[MEMBER_PROCESS_EXE] = KEY("process.exe"),
};

#define PROCESS "process"
#define EXE "exe"
#define ARGUMENTS "arguments"

struct scan {
	const char *at, *end;
};

static bool take(struct scan *scan, char c)
{
	while (scan->at < scan->end && *scan->at == ' ')
		scan->at++;
	if (scan->at == scan->end || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* How many bytes stand for themselves in a text, up to a quote. */
static size_t plain_length(const char *start, const char *end)
{
	const char *at = start;

#ifdef __SSE2__
	/* Sixteen at a time; of signed bytes, those above 0x7f are below ' ', too. */
	for (; end - at >= 16; at += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i_u *)at);
		__m128i control = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
		__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
		__m128i escape = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
		__m128i delete = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
		unsigned int marks = (unsigned int)_mm_movemask_epi8(
			_mm_or_si128(_mm_or_si128(control, quote), _mm_or_si128(escape, delete)));

		if (marks)
			return (size_t)(at - start) + (size_t)__builtin_ctz(marks);
	}
#endif
	while (at < end && *at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - start);
}

static bool scan_text(struct scan *scan, struct member *ret_member)
{
	const char *start;

	if (!take(scan, '"'))
		return false;
	start = scan->at;
	scan->at += plain_length(start, scan->end);
	*ret_member = (struct member){.text = start, .length = (size_t)(scan->at - start)};
	return scan->at < scan->end && *scan->at++ == '"';
}

static bool ends_number(char c)
{
	return c == ',' || c == '}' || c == ']' || c == ' ';
}

/* What is no plain whole number is left to jansson: "1.5", "1e3", "01". */
static bool scan_number(struct scan *scan, struct member *ret_member)
{
	bool negative = *scan->at == '-';
	const char *start = scan->at += negative;
	int64_t number = 0;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' &&
		scan->at - start < DIGITS_MAX)
		number = number * 10 + (*scan->at++ - '0');
	*ret_member = (struct member){.integer = negative ? -number : number};
	return scan->at > start && (*start != '0' || scan->at == start + 1) &&
	       scan->at < scan->end && ends_number(*scan->at);
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

static bool scan_value(struct scan *scan, unsigned int depth, struct member *ret_member);

static bool scan_list(struct scan *scan, unsigned int depth)
{
	struct member element;

	if (take(scan, ']'))
		return true;
	do {
		if (!scan_value(scan, depth, &element))
			return false;
	} while (take(scan, ','));
	return take(scan, ']');
}

struct key_range {
	enum member_key first, last;
};

/* The keys that begin with a letter; {MEMBERS, 0} for none. */
static struct key_range keys_from(char letter)
{
	switch (letter) {
	case 'a':
		return (struct key_range){MEMBER_ABI, MEMBER_ADDRESS};
	case 'c':
		return (struct key_range){MEMBER_CREATED, MEMBER_CREATED};
	case 'd':
		return (struct key_range){MEMBER_DIALLED, MEMBER_DIRECTORY};
	case 'e':
		return (struct key_range){MEMBER_ERROR, MEMBER_EXTENDED_ERROR};
	case 'l':
		return (struct key_range){MEMBER_LOST, MEMBER_LOST};
	case 'n':
		return (struct key_range){MEMBER_NAME, MEMBER_NAME};
	case 'p':
		return (struct key_range){MEMBER_PATH, MEMBER_PROTOCOL};
	case 'q':
		return (struct key_range){MEMBER_QTYPE, MEMBER_QTYPE};
	case 'r':
		return (struct key_range){MEMBER_RCODE, MEMBER_REFUSED_BY};
	case 's':
		return (struct key_range){MEMBER_SANDBOX, MEMBER_SYSCALLS};
	case 't':
		return (struct key_range){MEMBER_TEMPLATE, MEMBER_TYPE};
	case 'v':
		return (struct key_range){MEMBER_VERDICT, MEMBER_VERDICT};
	case 'w':
		return (struct key_range){MEMBER_WRITABLE, MEMBER_WRITABLE};
	default:
		return (struct key_range){MEMBERS, 0};
	}
}

static enum member_key find_key(const struct member *key)
{
	struct key_range range = keys_from(key->length ? key->text[0] : '\0');

	for (size_t i = range.first; i <= range.last; i++)
		if (keys[i].length == key->length &&
			memcmp(keys[i].text, key->text, key->length) == 0)
			return (enum member_key)i;
	return MEMBERS;
}

const char *member_name(enum member_key key)
{
	return keys[key].text;
}

/* The object "process": what it had before, if it is there twice, is gone. */
static bool scan_process(struct scan *scan, struct member *ret_exe)
{
	struct member key, value;

	*ret_exe = (struct member){0};
	if (take(scan, '}'))
		return true;
	do {
		if (!scan_text(scan, &key) || !take(scan, ':') || !scan_value(scan, 1, &value))
			return false;
		if (!member_is(&key, EXE))
			continue;
		*ret_exe = value;
		ret_exe->is_there = true;
	} while (take(scan, ','));
	return take(scan, '}');
}

/* The list "arguments", behind its bracket; what it had before is gone, too. */
static bool scan_arguments(struct scan *scan, struct member *ret_list)
{
	struct member element;
	size_t n = 0;

	if (take(scan, ']'))
		return true;
	do {
		if (!scan_value(scan, 1, &element))
			return false;
		element.is_there = true;
		if (n < MEMBER_ARGUMENTS)
			ret_list[n++] = element;
	} while (take(scan, ','));
	return take(scan, ']');
}

static bool scan_member(struct scan *scan, const struct member *key, struct members *members)
{
	enum member_key which = find_key(key);
	struct member value;

	if (member_is(key, PROCESS)) {
		members->list[MEMBER_PROCESS_EXE] = (struct member){0};
		if (take(scan, '{'))
			return scan_process(scan, &members->list[MEMBER_PROCESS_EXE]);
	} else if (member_is(key, ARGUMENTS)) {
		memset(&members->list[MEMBER_ARGUMENT], 0,
			MEMBER_ARGUMENTS * sizeof(members->list[0]));
		if (take(scan, '['))
			return scan_arguments(scan, &members->list[MEMBER_ARGUMENT]);
	}
	if (!scan_value(scan, 0, &value))
		return false;
	if (which < MEMBERS) {
		members->list[which] = value;
		members->list[which].is_there = true;
	}
	return true;
}

/* Behind the opening brace. */
static bool scan_object(struct scan *scan, unsigned int depth)
{
	struct member key, value;

	if (take(scan, '}'))
		return true;
	do {
		if (!scan_text(scan, &key) || !take(scan, ':') || !scan_value(scan, depth, &value))
			return false;
	} while (take(scan, ','));
	return take(scan, '}');
}

/* The same, of a line. Of a key that is there twice the last one counts, as with jansson. */
static bool scan_line(struct scan *scan, struct members *members)
{
	struct member key;

	if (take(scan, '}'))
		return true;
	do {
		if (!scan_text(scan, &key) || !take(scan, ':') || !scan_member(scan, &key, members))
			return false;
	} while (take(scan, ','));
	return take(scan, '}');
}

static bool scan_value(struct scan *scan, unsigned int depth, struct member *ret_member)
{
	while (scan->at < scan->end && *scan->at == ' ')
		scan->at++;
	*ret_member = (struct member){0};
	if (scan->at == scan->end || depth == DEPTH_MAX)
		return false;
	switch (*scan->at) {
	case '"':
		return scan_text(scan, ret_member);
	case '{':
		scan->at++;
		return scan_object(scan, depth + 1);
	case '[':
		scan->at++;
		return scan_list(scan, depth + 1);
	case 't':
		ret_member->integer = 1;
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan, ret_member);
	}
}

bool members_scan(const char *line, size_t size_bytes, struct members *ret_members)
{
	struct scan scan = {line, line + size_bytes};

	*ret_members = (struct members){0};
	if (!take(&scan, '{') || !scan_line(&scan, ret_members))
		return false;
	while (scan.at < scan.end && (*scan.at == ' ' || *scan.at == '\n' || *scan.at == '\r'))
		scan.at++;
	return scan.at == scan.end;
}

const json_t *members_find(const json_t *json, enum member_key key)
{
	if (key == MEMBER_PROCESS_EXE)
		return json_object_get(json_object_get(json, PROCESS), EXE);
	if (key >= MEMBER_ARGUMENT)
		return json_array_get(json_object_get(json, ARGUMENTS), key - MEMBER_ARGUMENT);
	return json_object_get(json, keys[key].text);
}

static void read_json(const json_t *json, struct members *members)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = members_find(json, (enum member_key)i);

		members->list[i] = (struct member){.text = json_string_value(value),
			.length = json_string_length(value),
			.integer = json_is_true(value) ? 1 : json_integer_value(value),
			.is_there = value};
	}
}

int members_read(const char *line, size_t size_bytes, struct members *ret_members)
{
	json_t *json;

	if (members_scan(line, size_bytes, ret_members))
		return 0;
	*ret_members = (struct members){0};
	json = json_loadb(line, size_bytes, 0, NULL);
	if (!json_is_object(json)) {
		json_decref(json);
		return -EBADMSG;
	}
	read_json(json, ret_members);
	ret_members->json = json;
	return 0;
}

void members_fini(struct members *members)
{
	json_decref(members->json);
	members->json = NULL;
}

void member_copy(const struct member *member, char *ret_text, size_t size)
{
	size_t length = member->length < size ? member->length : size - 1;

	if (length)
		memcpy(ret_text, member->text, length);
	ret_text[length] = '\0';
}
