/* Every command and option that the client knows is in its manual and in both completions. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "tests/harness/check.h"
#include "tools/cloche/command.h"

/* Run from the root of the repository, as make does. */
static char *file_read(const char *path)
{
	char *text = NULL;
	size_t size;

	if (fd_read_file_at(AT_FDCWD, path, 1 << 20, &text, &size) < 0)
		CHECK_FAIL("%s cannot be read", path);
	return text;
}

/* True if `word` is in the text with no letter or dash on either side. */
static bool has_word(const char *text, const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++)
		if ((at == text || !strchr(letters, at[-1])) &&
			(!at[length] || !strchr(letters, at[length])))
			return true;
	return false;
}

static void check_names(const char *path, const char *dashes)
{
	_cleanup_free_ char *text = file_read(path);
	char word[64];

	for (size_t i = 0; i < command_table_size; i++) {
		const struct command *command = &command_table[i];
		const char *second = strchr(command->name, ' ');

		snprintf(word, sizeof(word), "%.*s", (int)strcspn(command->name, " "),
			command->name);
		if (!has_word(text, word) || (second && !has_word(text, second + 1)))
			CHECK_FAIL("%s lacks the command %s", path, command->name);
		for (const struct option_form *form = command->options; form && form->name;
			form++) {
			snprintf(word, sizeof(word), "%s%s", dashes, form->name);
			if (!strstr(text, word))
				CHECK_FAIL("%s lacks %s of %s", path, word, command->name);
		}
	}
}

TEST(cli_manual_names_every_command_and_option)
{
	check_names("tools/man/cloche.1", "Fl -");
}

TEST(cli_completions_name_every_command_and_option)
{
	check_names("tools/completion/cloche.bash", "--");
	check_names("tools/completion/_cloche", "--");
}

TEST(cli_words_are_looked_for_whole)
{
	CHECK(has_word("run create", "run"));
	CHECK(has_word("create run", "run"));
	CHECK(!has_word("prune runs", "run"));
	CHECK(!has_word("--run-dir", "run"));
}
