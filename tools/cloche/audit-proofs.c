/* audit verify, proof, checkpoint, keys, stream: what cloche-verify needs, and cloche-verify
 * itself. */
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

static int make_directory(struct client *client, const char *directory)
{
	struct failure why = {0};

	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return EXIT_CODE_DONE;
	failure_set(&why, -errno, "output", "%s cannot be made: %s.", directory, strerror(errno));
	return call_failed(client, &why);
}

static int save_keys(struct client *client, const char *directory, const json_t *answer)
{
	int code = make_directory(client, directory);
	const json_t *row;
	size_t i;

	if (code)
		return code;
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

/* ---- stream */

/* The sequence of the END among the lines; 0: there is none. */
static uint64_t end_of_stream(const struct http_answer *answer)
{
	const char *line = answer->body, *stop = line + answer->size, *feed;
	uint64_t sequence = 0;

	while (line < stop && (feed = memchr(line, '\n', (size_t)(stop - line)))) {
		_cleanup_json_ json_t *record = NULL;
		const char *type;

		if (memmem(line, (size_t)(feed - line), "sandbox.end", 11))
			record = json_loadb(line, (size_t)(feed - line), 0, NULL);
		type = json_string_value(json_object_get(record, "type"));
		if (type && strcmp(type, "sandbox.end") == 0 &&
			json_is_object(json_object_get(record, "audit")))
			sequence = print_number(record, "seq");
		line = feed + 1;
	}
	return sequence;
}

/* The records, and the proof of the END that binds them. */
static int save_stream(struct client *client, const char *directory, const char *records_path)
{
	_cleanup_(http_answer_fini) struct http_answer records = {0}, proof = {0};
	char path[CALL_PATH_SIZE] = "/v1/audit/proof", file[4096], number[32];
	int code = fetch(client, records_path, &records);
	uint64_t sequence = code ? 0 : end_of_stream(&records);

	if (code)
		return code;
	if (sequence == 0) {
		print_error("The log has no end of this sandbox: nothing binds its records yet.");
		return EXIT_CODE_FAILED;
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)sequence);
	call_query(path, "seq", number);
	code = fetch(client, path, &proof);
	if (code == EXIT_CODE_DONE)
		code = make_directory(client, directory);
	snprintf(file, sizeof(file), "%s/records.jsonl", directory);
	if (code == EXIT_CODE_DONE)
		code = save(client, file, records.body, records.size);
	snprintf(file, sizeof(file), "%s/proofs.jsonl", directory);
	return code ? code : save(client, file, proof.body, proof.size);
}

int command_audit_stream(struct client *client, const struct arguments *arguments)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	_cleanup_json_ json_t *keys = NULL;
	const char *directory = arguments_text(arguments, "output");
	char path[CALL_PATH_SIZE] = "/v1/audit", file[4096];
	int code;

	if (arguments->n_words != 1 || arguments->n_rest || !directory)
		return call_misused(client, "audit stream wants one sandbox, and --output DIR.");
	if (strlen(directory) >= sizeof(file) - 32 ||
		call_query(path, "sandbox", arguments->words[0]) < 0)
		return call_misused(client, "That is no sandbox, or no directory.");
	code = save_stream(client, directory, path);
	if (code == EXIT_CODE_DONE)
		code = fetch(client, "/v1/audit/keys", &answer);
	if (code)
		return code;
	keys = json_loadb(answer.body, answer.size, 0, NULL);
	snprintf(file, sizeof(file), "%s/keys", directory);
	return save_keys(client, file, keys);
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
