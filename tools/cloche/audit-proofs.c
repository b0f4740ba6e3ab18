/* audit verify, proof, checkpoint, keys: what cloche-verify needs, and cloche-verify itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

#define VERIFY "cloche-verify"
#define VERIFY_ARGUMENTS_MAX 16
#define LOG_DEFAULT "/var/lib/cloche/audit"
#define EPOCH_MAX 999999

/* Answers as they came: a proof or a note is worth its bytes. */
static int fetch(struct client *client, const char *path, struct http_answer *answer)
{
	struct http_request request = {.method = "GET", .path = path, .interrupt_fd = -1};
	struct failure why = {0};

	if (http_send(client->http, &request, answer, &why) < 0)
		return call_failed(client, &why);
	return answer->status >= 300 ? call_refused(client, answer) : EXIT_CODE_DONE;
}

static int save(struct client *client, const char *path, const char *bytes, size_t size)
{
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct failure why = {0};
	int r = fd < 0 ? -errno : fd_write_all(fd, bytes, size);

	if (r == 0)
		return EXIT_CODE_DONE;
	failure_set(&why, r, "output", "%s cannot be written: %s.", path, strerror(-r));
	return call_failed(client, &why);
}

int command_audit_checkpoint(struct client *client, const struct arguments *arguments)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "audit checkpoint takes no words.");
	code = fetch(client, "/v1/audit/checkpoint", &answer);
	if (code == EXIT_CODE_DONE)
		print_verbatim(answer.body, answer.size);
	return code;
}

int command_audit_proof(struct client *client, const struct arguments *arguments)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	const char *output = arguments_text(arguments, "output");
	char path[CALL_PATH_SIZE] = "/v1/audit/proof";
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "audit proof wants one sequence.");
	if (call_query(path, "seq", arguments->words[0]) < 0 ||
		call_query(path, "size", arguments_text(arguments, "size")) < 0)
		return call_misused(client, "That is no sequence.");
	code = fetch(client, path, &answer);
	if (code)
		return code;
	if (output)
		return save(client, output, answer.body, answer.size);
	print_verbatim(answer.body, answer.size);
	return EXIT_CODE_DONE;
}

/* ---- keys */

static int save_key(struct client *client, const char *directory, const json_t *row)
{
	const char *key = json_string_value(json_object_get(row, "key"));
	const char *certificate = json_string_value(json_object_get(row, "certificate"));
	uint64_t epoch = print_number(row, "epoch");
	char path[4096], line[256];
	int code;

	if (!key || epoch == 0 || epoch > EPOCH_MAX || strlen(key) >= sizeof(line) - 1) {
		print_error("The daemon's answer is no list of keys.");
		return EXIT_CODE_FAILED;
	}
	snprintf(line, sizeof(line), "%s\n", key);
	snprintf(path, sizeof(path), "%s/%06u.pub", directory, (unsigned)epoch);
	code = save(client, path, line, strlen(line));
	if (code || !certificate)
		return code;
	snprintf(path, sizeof(path), "%s/%06u.cert", directory, (unsigned)epoch);
	return save(client, path, certificate, strlen(certificate));
}

static int save_keys(struct client *client, const char *directory, const json_t *answer)
{
	struct failure why = {0};
	int code = EXIT_CODE_DONE;
	const json_t *row;
	size_t i;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST) {
		failure_set(&why, -errno, "output", "%s cannot be made: %s.", directory,
			strerror(errno));
		return call_failed(client, &why);
	}
	json_array_foreach(json_object_get(answer, "keys"), i, row)
	{
		code = save_key(client, directory, row);
		if (code)
			break;
	}
	return code;
}

int command_audit_keys(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	const char *directory = arguments_text(arguments, "save");
	const json_t *row;
	char plain[256];
	size_t i;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "audit keys takes no words.");
	code = call_json(client, "GET", "/v1/audit/keys", NULL, &answer);
	if (code)
		return code;
	if (directory)
		return save_keys(client, directory, answer);
	if (client->json)
		return EXIT_CODE_DONE;
	json_array_foreach(json_object_get(answer, "keys"), i, row)
		printf("%s\n", print_plain(plain, sizeof(plain), print_member(row, "key")));
	return EXIT_CODE_DONE;
}

/* ---- verify */

/* The one beside this program; else what the shell would find. */
static void run_verify(char *const *argv)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof(VERIFY) - 1);
	char *slash = size > 0 ? memrchr(path, '/', (size_t)size) : NULL;

	if (slash) {
		memcpy(slash + 1, VERIFY, sizeof(VERIFY));
		execv(path, argv);
	}
	execvp(VERIFY, argv);
}

int command_audit_verify(struct client *client, const struct arguments *arguments)
{
	static const char *const passed[] = {"key", "witness", "max-gap", "sandbox"};
	char *argv[VERIFY_ARGUMENTS_MAX] = {(char *)VERIFY, (char *)"log"};
	char options[ARRAY_SIZE(passed)][16];
	struct failure why = {0};
	size_t n = 2;

	if (arguments->n_words > 1 || arguments->n_rest)
		return call_misused(client, "audit verify wants one directory.");
	if (!arguments_text(arguments, "key"))
		return call_misused(
			client, "--key is needed: a key that does not come from the log.");
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
		const char *value = arguments_text(arguments, passed[i]);

		if (!value)
			continue;
		snprintf(options[i], sizeof(options[i]), "--%s", passed[i]);
		argv[n++] = options[i];
		argv[n++] = (char *)value;
	}
	if (arguments_flag(arguments, "sealed"))
		argv[n++] = (char *)"--sealed";
	if (client->json)
		argv[n++] = (char *)"--json";
	argv[n++] = (char *)"--";
	argv[n++] = (char *)(arguments->n_words ? arguments->words[0] : LOG_DEFAULT);
	run_verify(argv);
	failure_set(&why, -errno, "verify", VERIFY " cannot be started: %s.", strerror(errno));
	return call_failed(client, &why);
}
