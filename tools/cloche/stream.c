#include "tools/cloche/stream.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/base64.h"
#include "tools/cloche/call.h"

static int lines_keep(struct stream_lines *lines, const char *data, size_t size)
{
	if (lines->size + size > STREAM_LINE_MAX)
		return -EFBIG;
	if (lines->size + size > lines->room) {
		size_t room = (lines->size + size) * 2;
		char *larger = realloc(lines->buffer, room);

		if (!larger)
			return -ENOMEM;
		lines->buffer = larger;
		lines->room = room;
	}
	memcpy(lines->buffer + lines->size, data, size);
	lines->size += size;
	return 0;
}

int stream_on_data(const char *data, size_t size, void *userdata)
{
	struct stream_lines *lines = userdata;

	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t taken = end ? (size_t)(end - data) : size;
		int r = lines_keep(lines, data, taken);

		if (r < 0)
			return r;
		if (!end)
			return 0;
		if (lines->size > 0)
			r = lines->on_line(lines->buffer, lines->size, lines->userdata);
		lines->size = 0;
		if (r < 0)
			return r;
		data += taken + 1;
		size -= taken + 1;
	}
	return 0;
}

void stream_lines_fini(struct stream_lines *lines)
{
	free(lines->buffer);
	lines->buffer = NULL;
	lines->size = lines->room = 0;
}

static int output_write(int fd, const json_t *line)
{
	const json_t *data = json_object_get(line, "data");
	const char *encoding = json_string_value(json_object_get(line, "encoding"));
	_cleanup_free_ void *bytes = NULL;
	size_t size;
	int r;

	if (!json_is_string(data))
		return -EPROTO;
	if (!encoding || strcmp(encoding, "utf-8") == 0)
		return fd_write_all(fd, json_string_value(data), json_string_length(data));
	if (strcmp(encoding, "base64") != 0)
		return -EPROTO;
	r = base64_decode(json_string_value(data), json_string_length(data), &bytes, &size);
	if (r < 0)
		return r == -EINVAL ? -EPROTO : r;
	return fd_write_all(fd, bytes, size);
}

int stream_on_command_line(const char *text, size_t size, void *userdata)
{
	struct stream_command *command = userdata;
	_cleanup_json_ json_t *line = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
	const char *type = json_string_value(json_object_get(line, "type"));
	const char *word;

	if (!type)
		return -EPROTO;
	if (strcmp(type, "stdout") == 0)
		return output_write(command->stdout_fd, line);
	if (strcmp(type, "stderr") == 0)
		return output_write(command->stderr_fd, line);
	if (strcmp(type, "truncated") == 0) {
		word = json_string_value(json_object_get(line, "stream"));
		command->stdout_truncated |= word && strcmp(word, "stdout") == 0;
		command->stderr_truncated |= word && strcmp(word, "stderr") == 0;
	}
	if (strcmp(type, "error") == 0) {
		word = json_string_value(json_object_get(line, "detail"));
		snprintf(command->problem, sizeof(command->problem), "%s", word ? word : "");
	}
	if (strcmp(type, "exit") == 0 && !command->exit)
		command->exit = json_incref(line);
	return 0;
}

void stream_command_fini(struct stream_command *command)
{
	json_decref(command->exit);
	command->exit = NULL;
}

/* "SIGKILL" → 9; 0 if there is no such signal. */
static int signal_number(const char *name)
{
	if (!name || strncmp(name, "SIG", 3) != 0)
		return 0;
	for (int number = 1; number < NSIG; number++) {
		const char *known = sigabbrev_np(number);

		if (known && strcmp(known, name + 3) == 0)
			return number;
	}
	if (strncmp(name, "SIGRTMIN+", 9) == 0)
		return SIGRTMIN + atoi(name + 9);
	return atoi(name + 3) > 0 && atoi(name + 3) < NSIG ? atoi(name + 3) : 0;
}

static int signal_code(const char *name)
{
	int number = signal_number(name);

	return EXIT_CODE_SIGNAL + (number ? number : SIGKILL);
}

int stream_exit_code(const json_t *end, char *sentence, size_t size)
{
	const char *reason = json_string_value(json_object_get(end, "reason"));
	const char *killer = json_string_value(json_object_get(end, "signal"));
	const json_t *code = json_object_get(end, "exit_code");
	bool no_forks = json_is_true(json_object_get(end, "pids_limit_hit"));

	sentence[0] = '\0';
	if (!reason)
		reason = "";
	if (strcmp(reason, "timeout") == 0) {
		snprintf(
			sentence, size, "The command took longer than its timeout and was killed.");
		return EXIT_CODE_TIMEOUT;
	}
	if (strcmp(reason, "oom") == 0) {
		snprintf(sentence, size,
			"The command used more memory than the sandbox may have and was killed; "
			"--memory asks for more, up to the policy's limit.");
		return signal_code(killer);
	}
	if (strcmp(reason, "killed") == 0) {
		snprintf(sentence, size, "The command was killed by request.");
		return signal_code(killer);
	}
	if (strcmp(reason, "sandbox_ended") == 0) {
		snprintf(sentence, size, "The sandbox ended while the command ran.");
		return signal_code(killer);
	}
	if (killer) {
		snprintf(sentence, size, "The command was ended by %s.", killer);
		return signal_code(killer);
	}
	if (!json_is_integer(code)) {
		snprintf(sentence, size, "The daemon did not say how the command ended.");
		return EXIT_CODE_OWN;
	}
	if (no_forks)
		snprintf(sentence, size,
			"The sandbox reached its limit of processes while the command ran.");
	return (int)json_integer_value(code) & 255;
}
