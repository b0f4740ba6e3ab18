/* syscalls: how often a sandbox made each system call, the most frequent first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

struct line {
	const char *name; /* borrowed from the answer */
	uint64_t calls, refused;
};

static int compare(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	if (left->calls != right->calls)
		return left->calls < right->calls ? 1 : -1;
	return strcmp(left->name, right->name);
}

static int show(json_t *answer)
{
	_cleanup_free_ struct line *lines =
		calloc(json_object_size(answer) + 1, sizeof(struct line));
	char one[PRINT_CELL_SIZE], two[PRINT_CELL_SIZE];
	struct print_table table = {0};
	const char *name;
	json_t *value;
	size_t n = 0;

	if (!lines)
		return EXIT_CODE_FAILED;
	json_object_foreach(answer, name, value)
	{
		lines[n++] = (struct line){
			name, print_number(value, "calls"), print_number(value, "refused")};
	}
	qsort(lines, n, sizeof(*lines), compare);
	print_row(&table, "SYSTEM CALL", "CALLS", "REFUSED", NULL);
	for (size_t i = 0; i < n; i++)
		print_row(&table, lines[i].name, print_count(one, (int64_t)lines[i].calls),
			print_count(two, (int64_t)lines[i].refused), NULL);
	print_table_end(&table);
	return EXIT_CODE_DONE;
}

int command_syscalls(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE];
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "syscalls wants one ID.");
	if (call_path(path, "/v1/sandboxes/", arguments->words[0], "/syscalls", NULL) < 0)
		return call_misused(client, "That is no id.");
	code = call_json(client, "GET", path, NULL, &answer);
	return code || client->json ? code : show(answer);
}
