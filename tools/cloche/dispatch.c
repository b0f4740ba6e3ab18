#include "tools/cloche/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

static void help_options(const struct option_form *forms)
{
	for (; forms && forms->name; forms++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", forms->name, forms->value ? " " : "",
			forms->value ? forms->value : "");
		printf("  %-24s %s%s\n", left, forms->help, forms->many ? " (repeatable)" : "");
	}
}

static int help_command(const struct command *command)
{
	printf("cloche %s%s%s: %s.\n", command->name, *command->usage ? " " : "", command->usage,
		command->summary);
	if (command->options) {
		printf("\nOptions:\n");
		help_options(command->options);
	}
	if (command->offline) {
		printf("\nIt needs neither the daemon nor a key. Also:\n");
		help_options(offline_options);
		return EXIT_CODE_DONE;
	}
	printf("\nFor every command:\n");
	help_options(command_options);
	return EXIT_CODE_DONE;
}

/* Commands whose first word is `group`, or all if NULL. Returns their number. */
static size_t help_list(FILE *stream, const char *group)
{
	size_t n = 0;

	for (size_t i = 0; i < command_table_size; i++) {
		const struct command *command = &command_table[i];
		size_t length = strcspn(command->name, " ");

		if (group &&
			(strlen(group) != length || strncmp(command->name, group, length) != 0))
			continue;
		fprintf(stream, "  %-18s %s\n", command->name, command->summary);
		n++;
	}
	return n;
}

static int help_all(void)
{
	printf("cloche COMMAND [options]: sandboxes for code that nobody vouches for.\n\n");
	help_list(stdout, NULL);
	printf("\nFor every command:\n");
	help_options(command_options);
	printf("\n'cloche COMMAND --help' says what a command takes; cloche(1) says more.\n");
	return EXIT_CODE_DONE;
}

/* Where the `n`-th word before "--" stands, past the options for every command and their values;
 * argc if there is none. */
static int word_find(int argc, char *const *argv, int from)
{
	for (int i = from; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return argc;
		if (strncmp(argv[i], "--", 2) != 0)
			return i;
		for (const struct option_form *form = command_options; form->name; form++)
			if (form->value && strcmp(argv[i] + 2, form->name) == 0)
				i++;
	}
	return argc;
}

static const struct command *command_find(const char *first, const char *second, bool *ret_two)
{
	for (size_t i = 0; i < command_table_size; i++) {
		const char *name = command_table[i].name;
		size_t length = strcspn(name, " ");

		if (strlen(first) != length || strncmp(name, first, length) != 0)
			continue;
		*ret_two = name[length] == ' ';
		if (!*ret_two || (second && strcmp(name + length + 1, second) == 0))
			return &command_table[i];
	}
	return NULL;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int command_missing(const char *first, const char *second)
{
	bool help = second && is_help(second);

	if (second && !help)
		print_error("There is no command \"%s %s\".", first, second);
	if (help_list(help ? stdout : stderr, first) > 0)
		return help ? EXIT_CODE_DONE : EXIT_CODE_USAGE;
	if (!second || help)
		print_error("There is no command \"%s\".", first);
	fprintf(stderr, "'cloche --help' lists the commands.\n");
	return EXIT_CODE_USAGE;
}

static int client_open(
	struct client *client, const struct arguments *arguments, struct failure *why)
{
	const char *url = arguments_text(arguments, "url");
	int r;

	if (!url)
		url = getenv("CLOCHE_URL");
	if (!url || !*url)
		url = HTTP_DEFAULT_URL;
	r = key_find(&client->key, arguments_text(arguments, "key-file"), why);
	return r < 0 ? r : http_open(url, client->key.text, &client->http, why);
}

static int command_call(const struct command *command, int argc, char *const *argv)
{
	_cleanup_(arguments_fini) struct arguments arguments = {0};
	struct client client = {.command = command};
	struct failure why = {0};
	int code;

	if (arguments_read(&arguments, argc, argv, command->options, command_options, &why) < 0)
		return call_misused(&client, "%s", why.sentence);
	if (arguments_flag(&arguments, "help"))
		return help_command(command);
	client.json = arguments_flag(&arguments, "json");
	if (!command->offline && client_open(&client, &arguments, &why) < 0)
		return call_failed(&client, &why);
	code = command->handler(&client, &arguments);
	http_free(client.http);
	explicit_bzero(&client.key, sizeof(client.key));
	if (fflush(stdout) != 0 || ferror(stdout)) {
		print_error("Standard output cannot be written: %s.", strerror(errno));
		return code ? code : command->failure_code;
	}
	return code;
}

/* Hands over the command line without the words of the command's name. */
static int dispatch_command(
	const struct command *command, int argc, char *const *argv, int first, int second)
{
	_cleanup_free_ char **rest = calloc((size_t)argc + 1, sizeof(*rest));
	int n = 0;

	if (!rest)
		return EXIT_CODE_FAILED;
	for (int i = 1; i < argc; i++)
		if (i != first && i != second)
			rest[n++] = argv[i];
	return command_call(command, n, rest);
}

int dispatch(int argc, char *const *argv)
{
	int first = word_find(argc, argv, 1);
	int second = word_find(argc, argv, first + 1);
	const struct command *command;
	bool two = false;

	for (int i = 1; i < first; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			printf("cloche %s\n", CLOCHE_VERSION);
			return EXIT_CODE_DONE;
		}
		if (is_help(argv[i]))
			return help_all();
	}
	if (first >= argc) {
		help_all();
		return EXIT_CODE_USAGE;
	}
	if (is_help(argv[first])) {
		command = second < argc ? command_find(argv[second], NULL, &two) : NULL;
		return command ? help_command(command) : help_all();
	}
	command = command_find(argv[first], second < argc ? argv[second] : NULL, &two);
	if (command)
		return dispatch_command(command, argc, argv, first, two ? second : -1);
	for (int i = first + 1; i < argc && second >= argc; i++)
		if (is_help(argv[i]))
			return command_missing(argv[first], argv[i]);
	return command_missing(argv[first], second < argc ? argv[second] : NULL);
}
