#include "tools/cloche/arguments.h"

#include <errno.h>

#include "tests/harness/check.h"

static const struct option_form own[] = {
	{"env", "NAME=VALUE", "", true},
	{"timeout", "SECONDS", "", false},
	{"keep", NULL, "", false},
	{0},
};
static const struct option_form shared[] = {{"json", NULL, "", false}, {0}};

/* Reads argv until NULL. */
static int read_all(struct arguments *arguments, char *const *argv, struct failure *why)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return arguments_read(arguments, argc, argv, own, shared, why);
}

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})

TEST(arguments_take_values_apart_or_after_an_equals_sign)
{
	_cleanup_(arguments_fini) struct arguments a = {0};

	CHECK_INT(
		read_all(&a, ARGV("--env", "A=1", "--timeout=3", "--env=B=2", "--json"), NULL), 0);
	CHECK_TEXT(arguments_each(&a, "env", 0), "A=1");
	CHECK_TEXT(arguments_each(&a, "env", 1), "B=2");
	CHECK(!arguments_each(&a, "env", 2));
	CHECK_TEXT(arguments_text(&a, "timeout"), "3");
	CHECK(arguments_flag(&a, "json"));
	CHECK(!arguments_flag(&a, "keep"));
}

TEST(arguments_leave_alone_what_follows_two_dashes)
{
	_cleanup_(arguments_fini) struct arguments a = {0};

	CHECK_INT(read_all(&a, ARGV("sb-1", "--keep", "--", "ls", "--json", "--"), NULL), 0);
	CHECK_INT(a.n_words, 1);
	CHECK_TEXT(a.words[0], "sb-1");
	CHECK_INT(a.n_rest, 3);
	CHECK_TEXT(a.rest[1], "--json");
	CHECK(!arguments_flag(&a, "json"));
}

TEST(arguments_refuse_with_a_sentence)
{
	const struct {
		char *const *argv;
		const char *sentence;
	} rows[] = {
		{(char *[]){"--enb", "x", NULL}, "There is no option --enb."},
		{(char *[]){"--keep=1", NULL}, "--keep takes no value."},
		{(char *[]){"--timeout", NULL}, "--timeout wants SECONDS after it."},
		{(char *[]){"--timeout", "1", "--timeout", "2", NULL}, "--timeout is given twice."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(arguments_fini) struct arguments a = {0};
		struct failure why = {0};

		CHECK_INT(read_all(&a, rows[i].argv, &why), -EINVAL);
		CHECK_TEXT(why.sentence, rows[i].sentence);
	}
}

TEST(arguments_take_a_single_dash_for_a_word)
{
	_cleanup_(arguments_fini) struct arguments a = {0};

	CHECK_INT(read_all(&a, ARGV("-"), NULL), 0);
	CHECK_INT(a.n_words, 1);
	arguments_fini(&a);
	CHECK_INT(read_all(&a, ARGV("-l"), NULL), -EINVAL);
}

TEST(arguments_read_numbers_whole_or_not_at_all)
{
	static const struct {
		char *text;
		int result;
	} rows[] = {{"3", 1}, {"0.5", 1}, {"0", -EINVAL}, {"3s", -EINVAL}, {"", -EINVAL},
		{"nan", -EINVAL}, {"inf", -EINVAL}, {"-1", -EINVAL}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(arguments_fini) struct arguments a = {0};
		struct failure why = {0};
		double value = 77;

		CHECK_INT(read_all(&a, ARGV("--timeout", rows[i].text), NULL), 0);
		CHECK_INT(arguments_number(&a, "timeout", 0.1, &value, &why), rows[i].result);
		CHECK((value == 77) == (rows[i].result < 0));
	}
}
