#include "tools/cloche/body.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cloche/base64.h"
#include "tools/cloche/call.h"

static int member_text(json_t *body, const char *name, const char *value, struct failure *why)
{
	if (value && json_object_set_new(body, name, json_string(value)) < 0)
		return failure_set(why, -EINVAL, "options", "The value of --%s is no UTF-8.", name);
	return 0;
}

/* 30 is sent as 30, 1.5 as 1.5: the daemon tells integers and reals apart. */
static json_t *number_new(double value)
{
	bool whole = value > -1e15 && value < 1e15 && (double)(json_int_t)value == value;

	return whole ? json_integer((json_int_t)value) : json_real(value);
}

static int member_number(json_t *body, const char *member, const struct arguments *arguments,
	const char *option, double min, struct failure *why)
{
	double value;
	int r = arguments_number(arguments, option, min, &value, why);

	if (r <= 0)
		return r;
	return json_object_set_new(body, member, number_new(value)) < 0
		       ? failure_set(why, -ENOMEM, "options", "No memory.")
		       : 0;
}

/* Sets member "name" of `object` from "name=value"; without "=", the value is our own variable's if
 * `inherit`. */
static int member_pair(
	json_t *object, const char *option, const char *pair, bool inherit, struct failure *why)
{
	const char *equals = strchr(pair, '=');
	_cleanup_free_ char *name = equals ? strndup(pair, (size_t)(equals - pair)) : strdup(pair);
	const char *value = equals ? equals + 1 : inherit ? getenv(pair) : NULL;

	if (!name)
		return failure_set(why, -ENOMEM, "options", "No memory.");
	if (!*name || (!equals && !inherit))
		return failure_set(why, -EINVAL, "options", "--%s wants NAME=VALUE, not \"%s\".",
			option, pair);
	if (!value)
		return failure_set(why, -EINVAL, "options",
			"--%s %s passes on your variable %s, but it is not set.", option, pair,
			pair);
	if (json_object_set_new(object, name, json_string(value)) < 0)
		return failure_set(why, -EINVAL, "options", "--%s %s is no UTF-8.", option, name);
	return 0;
}

static int member_pairs(json_t *body, const char *member, const struct arguments *arguments,
	const char *option, bool inherit, struct failure *why)
{
	_cleanup_json_ json_t *object = json_object();
	const char *pair;

	for (size_t i = 0; (pair = arguments_each(arguments, option, i)); i++) {
		int r = member_pair(object, option, pair, inherit, why);

		if (r < 0)
			return r;
	}
	if (json_object_size(object) && json_object_set(body, member, object) < 0)
		return failure_set(why, -ENOMEM, "options", "No memory.");
	return 0;
}

json_t *body_sandbox(const struct arguments *arguments, struct failure *why)
{
	_cleanup_json_ json_t *body = json_object();
	_cleanup_json_ json_t *limits = json_object();
	int r;

	if ((r = member_text(body, "template", arguments_text(arguments, "template"), why)) < 0 ||
		(r = member_text(body, "policy", arguments_text(arguments, "policy"), why)) < 0 ||
		(r = member_pairs(body, "labels", arguments, "label", false, why)) < 0 ||
		(r = member_text(limits, "memory", arguments_text(arguments, "memory"), why)) < 0 ||
		(r = member_text(limits, "disk", arguments_text(arguments, "disk"), why)) < 0 ||
		(r = member_number(limits, "cpu", arguments, "cpu", 0.001, why)) < 0 ||
		(r = member_number(limits, "pids", arguments, "pids", 1, why)) < 0)
		return NULL;
	if (json_object_size(limits) && json_object_set(body, "limits", limits) < 0)
		return NULL;
	return steal_ptr(&body);
}

int body_env(json_t *body, const struct arguments *arguments, struct failure *why)
{
	return member_pairs(body, "env", arguments, "env", true, why);
}

int body_timeout(json_t *body, const struct arguments *arguments, double extra, struct failure *why)
{
	double seconds;
	int r = arguments_number(arguments, "timeout", 0.001, &seconds, why);

	if (r <= 0)
		return r;
	return json_object_set_new(body, "timeout_seconds", number_new(seconds + extra)) < 0
		       ? failure_set(why, -ENOMEM, "options", "No memory.")
		       : 0;
}

/* Reads to the end, or one byte past the limit. */
static int input_read(int fd, char **ret_data, size_t *ret_size, struct failure *why)
{
	_cleanup_free_ char *data = malloc(BODY_INPUT_MAX + 1);
	size_t size = 0;

	if (!data)
		return failure_set(why, -ENOMEM, "input", "No memory.");
	for (;;) {
		ssize_t n = read(fd, data + size, BODY_INPUT_MAX + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failure_set(why, -errno, "input",
				"Standard input cannot be read: %s.", strerror(errno));
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > BODY_INPUT_MAX)
			return failure_set(why, -EFBIG, "input",
				"Standard input is larger than %u MiB, the most that can be passed "
				"on; "
				"--no-stdin passes none.",
				BODY_INPUT_MAX >> 20);
	}
	*ret_data = steal_ptr(&data);
	*ret_size = size;
	return 0;
}

int body_input(json_t *body, int fd, struct failure *why)
{
	_cleanup_free_ char *data = NULL, *encoded = NULL;
	size_t size = 0;
	json_t *text;
	int r = input_read(fd, &data, &size, why);

	if (r < 0 || size == 0)
		return r;
	/* jansson checks the UTF-8; a NUL is left to base64, as C strings end there on the way */
	text = memchr(data, '\0', size) ? NULL : json_stringn(data, size);
	if (text)
		return json_object_set_new(body, "stdin", text);
	encoded = base64_encode(data, size);
	if (!encoded || json_object_set_new(body, "stdin_base64", json_string(encoded)) < 0)
		return failure_set(why, -ENOMEM, "input", "No memory.");
	return 0;
}

json_t *body_command(const struct arguments *arguments, struct failure *why)
{
	_cleanup_json_ json_t *body = json_object();
	int r;

	json_object_set_new(body, "output_limit_bytes", json_integer(BODY_OUTPUT_LIMIT));
	if ((r = member_text(body, "cwd", arguments_text(arguments, "cwd"), why)) < 0 ||
		(r = member_number(body, "uid", arguments, "uid", 0, why)) < 0 ||
		(r = member_number(body, "gid", arguments, "gid", 0, why)) < 0 ||
		(r = member_number(body, "output_limit_bytes", arguments, "output-limit", 0, why)) <
			0)
		return NULL;
	if (arguments_flag(arguments, "no-stdin") || isatty(STDIN_FILENO))
		return steal_ptr(&body);
	r = body_input(body, STDIN_FILENO, why);
	if (r == -EBADF) /* closed by who started us: nothing to pass on */
		r = 0;
	return r < 0 ? NULL : steal_ptr(&body);
}
