#include "supervisor/policy/acts/act.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/acts/act-call.h"
#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/network/prefix.h"

#define STAGE "read act"

static const struct verb {
	const char *word, *example;
	enum policy_act_kind kind;
} verbs[] = {
	{"connect", "connect pypi.org:443", POLICY_ACT_CONNECT},
	{"send", "send 203.0.113.7:123", POLICY_ACT_SEND},
	{"resolve", "resolve pypi.org", POLICY_ACT_RESOLVE},
	{"inbound", "inbound 8000", POLICY_ACT_INBOUND},
	{"syscall", "syscall ptrace", POLICY_ACT_SYSCALL},
	{"read", "read /etc/passwd", POLICY_ACT_READ},
	{"write", "write /workspace/out", POLICY_ACT_WRITE},
	{"open", "open /dev/ptmx", POLICY_ACT_OPEN},
	{"execute", "execute /usr/bin/git", POLICY_ACT_EXECUTE},
	{"use", "use memory 512MiB", POLICY_ACT_USE},
	{"omit", "omit OPENAI_API_KEY", POLICY_ACT_OMIT},
};

static const char *const queries[] = {[POLICY_QUERY_ADDRESS] = "",
	[POLICY_QUERY_A] = "A",
	[POLICY_QUERY_AAAA] = "AAAA",
	[POLICY_QUERY_MX] = "MX",
	[POLICY_QUERY_SRV] = "SRV",
	[POLICY_QUERY_TXT] = "TXT",
	[POLICY_QUERY_HTTPS] = "HTTPS"};

const char *policy_query_name(enum policy_query query)
{
	return queries[query];
}

static int refuse(struct failure *why, const struct verb *verb, const char *sentence)
{
	return failure_set(
		why, -EINVAL, STAGE, "%s Write, for example, \"%s\".", sentence, verb->example);
}

static int read_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long port;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* As a program asks for it: case and a dot at the end say nothing. */
static int read_host(const char *text, size_t length, struct policy_act *act)
{
	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length == 0 || length >= POLICY_HOST_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		act->name[i] = (char)tolower((unsigned char)text[i]);
	act->name[length] = '\0';
	act->is_name = true;
	return name_is_host(act->name) && !name_ends_in_number(act->name) ? 0 : -EINVAL;
}

static bool read_address(const char *text, size_t length, struct policy_act *act)
{
	struct abi_cidr_key whole;
	char address[64];

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (strchr(address, '/') || prefix_parse(address, &whole) < 0)
		return false;
	act->address = whole.address;
	return true;
}

/* "host:port", "1.2.3.4:port", "[2001:db8::1]:port" */
static int read_destination(
	const char *text, const struct verb *verb, struct policy_act *act, struct failure *why)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!colon || read_port(colon + 1, &act->port) < 0)
		return refuse(why, verb, "A port from 1 to 65535 is missing after a colon.");
	if (text[0] == '[') {
		if (length > 2 && text[length - 1] == ']' &&
			read_address(text + 1, length - 2, act))
			return 0;
		return refuse(why, verb, "What stands in [] is no address.");
	}
	if (memchr(text, ':', length))
		return refuse(why, verb, "An IPv6 address stands in [].");
	if (read_address(text, length, act) || read_host(text, length, act) == 0)
		return 0;
	return refuse(why, verb, "This is neither a host's name nor an address.");
}

static int read_syscall(const char *text, const struct verb *verb, const struct policy_calls *calls,
	struct policy_act *act, struct failure *why)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	const char *sentence;
	int level = POLICY_CALL_STRICT;

	if (length == 0 || length >= POLICY_CALL_NAME_SIZE || (text[length] && text[length] != ' '))
		return refuse(why, verb, "There is no such system call.");
	memcpy(act->name, text, length);
	act->name[length] = '\0';
	if (calls)
		level = calls->level(act->name);
	if (level < 0)
		return refuse(why, verb, "There is no such system call.");
	act->call_level = (uint8_t)level;
	sentence = act_read_arguments(text + length, act);
	return sentence ? failure_set(why, -EINVAL, STAGE,
				  "%s Write, for example, \"syscall socket AF_VSOCK\" or "
				  "\"syscall ioctl 1=0x5412\".",
				  sentence)
			: 0;
}

/* "pypi.org", "example.org MX" */
static int read_query(
	const char *text, const struct verb *verb, struct policy_act *act, struct failure *why)
{
	size_t length = strcspn(text, " ");
	const char *type = text + length + strspn(text + length, " ");

	if (read_host(text, length, act) < 0)
		return refuse(why, verb, "This is no host's name.");
	if (text[length] == '\0')
		return 0;
	for (size_t i = POLICY_QUERY_A; i < ARRAY_SIZE(queries); i++) {
		if (strcmp(type, queries[i]) != 0)
			continue;
		act->query = (enum policy_query)i;
		return 0;
	}
	return refuse(why, verb,
		"Behind the name stands nothing, or a type: A, AAAA, MX, SRV, TXT or HTTPS.");
}

static int read_path(
	const char *text, const struct verb *verb, struct policy_act *act, struct failure *why)
{
	if (!policy_path_is_normal(text))
		return refuse(why, verb,
			"A path is absolute, without \"//\", \".\", \"..\" and no / at its end.");
	if (policy_path_owner(text))
		return refuse(why, verb, "What is at /proc, /sys and /dev no policy decides on.");
	strcpy(act->name, text);
	return 0;
}

static int read_device(
	const char *text, const struct verb *verb, struct policy_act *act, struct failure *why)
{
	if (!policy_device_find(text, &act->device))
		return refuse(why, verb,
			"A sandbox has the devices null, zero, full, random, urandom, tty and ptmx "
			"in /dev at most.");
	strcpy(act->name, text);
	return 0;
}

static int read_object(const char *text, const struct verb *verb, const struct policy_calls *calls,
	struct policy_act *act, struct failure *why)
{
	switch (act->kind) {
	case POLICY_ACT_CONNECT:
	case POLICY_ACT_SEND:
		return read_destination(text, verb, act, why);
	case POLICY_ACT_RESOLVE:
		return read_query(text, verb, act, why);
	case POLICY_ACT_INBOUND:
		if (read_port(text, &act->port) < 0)
			return refuse(why, verb, "A port is a number from 1 to 65535.");
		return 0;
	case POLICY_ACT_SYSCALL:
		return read_syscall(text, verb, calls, act, why);
	case POLICY_ACT_READ:
	case POLICY_ACT_WRITE:
	case POLICY_ACT_EXECUTE:
		return read_path(text, verb, act, why);
	case POLICY_ACT_OPEN:
		return read_device(text, verb, act, why);
	case POLICY_ACT_USE:
		return policy_term_parse(text, &act->term, &act->amount, why);
	case POLICY_ACT_OMIT:
		if (!policy_secret_valid(text))
			return refuse(why, verb, "This is no name of a variable.");
		strcpy(act->name, text);
		return 0;
	}
	return -EINVAL;
}

int policy_act_parse(const char *text, const struct policy_calls *calls, struct policy_act *ret_act,
	struct failure *why)
{
	size_t length = strcspn(text, " ");

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		struct policy_act act = {.kind = verbs[i].kind};
		const char *object = text + length + strspn(text + length, " ");
		int r;

		if (strlen(verbs[i].word) != length || strncmp(text, verbs[i].word, length) != 0)
			continue;
		r = read_object(object, &verbs[i], calls, &act, why);
		if (r == 0)
			*ret_act = act;
		return r;
	}
	return failure_set(why, -EINVAL, STAGE,
		"An act begins with connect, send, resolve, inbound, syscall, read, write, open, "
		"execute, "
		"use or omit, as in \"%s\".",
		verbs[0].example);
}

static const char *word_of(enum policy_act_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (verbs[i].kind == kind)
			return verbs[i].word;
	return "";
}

static void format_address(const struct policy_act *act, char text[POLICY_PREFIX_TEXT_SIZE])
{
	const struct abi_cidr_key whole = {128, act->address};

	prefix_format(&whole, text);
	*strchr(text, '/') = '\0';
}

const char *policy_act_format(const struct policy_act *act, char ret_text[POLICY_ACT_TEXT_SIZE])
{
	char address[POLICY_PREFIX_TEXT_SIZE], amount[POLICY_TERM_TEXT_SIZE];
	const char *word = word_of(act->kind);
	size_t used;

	switch (act->kind) {
	case POLICY_ACT_CONNECT:
	case POLICY_ACT_SEND:
		if (act->is_name) {
			snprintf(ret_text, POLICY_ACT_TEXT_SIZE, "%s %s:%u", word, act->name,
				act->port);
			break;
		}
		format_address(act, address);
		snprintf(ret_text, POLICY_ACT_TEXT_SIZE,
			strchr(address, ':') ? "%s [%s]:%u" : "%s %s:%u", word, address, act->port);
		break;
	case POLICY_ACT_INBOUND:
		snprintf(ret_text, POLICY_ACT_TEXT_SIZE, "%s %u", word, act->port);
		break;
	case POLICY_ACT_RESOLVE:
		snprintf(ret_text, POLICY_ACT_TEXT_SIZE, act->query ? "%s %s %s" : "%s %s", word,
			act->name, policy_query_name(act->query));
		break;
	case POLICY_ACT_SYSCALL:
		used = (size_t)snprintf(ret_text, POLICY_ACT_TEXT_SIZE, "%s %s", word, act->name);
		act_format_arguments(act, ret_text + used, POLICY_ACT_TEXT_SIZE - used);
		break;
	case POLICY_ACT_READ:
	case POLICY_ACT_WRITE:
	case POLICY_ACT_OPEN:
	case POLICY_ACT_EXECUTE:
	case POLICY_ACT_OMIT:
		snprintf(ret_text, POLICY_ACT_TEXT_SIZE, "%s %s", word, act->name);
		break;
	case POLICY_ACT_USE:
		snprintf(ret_text, POLICY_ACT_TEXT_SIZE, "%s %s %s", word,
			policy_term_key(act->term),
			policy_term_format(act->term, act->amount, amount));
		break;
	}
	return ret_text;
}
