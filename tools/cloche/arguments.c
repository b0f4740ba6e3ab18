#include "tools/cloche/arguments.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct option_form *form_find(
	const struct option_form *forms, const char *name, size_t length)
{
	for (; forms && forms->name; forms++)
		if (strlen(forms->name) == length && memcmp(forms->name, name, length) == 0)
			return forms;
	return NULL;
}

static int option_add(struct arguments *arguments, const struct option_form *form,
	const char *value, struct failure *why)
{
	if (!form->many && (arguments_flag(arguments, form->name)))
		return failure_set(why, -EINVAL, "options", "--%s is given twice.", form->name);
	if (arguments->n_options == ARGUMENTS_OPTIONS_MAX)
		return failure_set(
			why, -EINVAL, "options", "More than %d options.", ARGUMENTS_OPTIONS_MAX);
	arguments->options[arguments->n_options++] =
		(struct option_given){.form = form, .value = value};
	return 0;
}

/* Reads the option at argv[*index] and moves past its value. */
static int option_read(struct arguments *arguments, int argc, char *const *argv, int *index,
	const struct option_form *own, const struct option_form *shared, struct failure *why)
{
	const char *name = argv[*index] + 2;
	const char *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_form *form = form_find(own, name, length);

	if (!form)
		form = form_find(shared, name, length);
	if (!form)
		return failure_set(
			why, -EINVAL, "options", "There is no option --%.*s.", (int)length, name);
	if (!form->value && equals)
		return failure_set(why, -EINVAL, "options", "--%s takes no value.", form->name);
	if (!form->value)
		return option_add(arguments, form, NULL, why);
	if (equals)
		return option_add(arguments, form, equals + 1, why);
	if (*index + 1 >= argc)
		return failure_set(why, -EINVAL, "options", "--%s wants %s after it.", form->name,
			form->value);
	return option_add(arguments, form, argv[++*index], why);
}

int arguments_read(struct arguments *arguments, int argc, char *const *argv,
	const struct option_form *own, const struct option_form *shared, struct failure *why)
{
	arguments->words = calloc((size_t)argc + 1, sizeof(*arguments->words));
	if (!arguments->words)
		return failure_set(why, -ENOMEM, "options", "No memory.");
	for (int i = 0; i < argc; i++) {
		int r;

		if (strcmp(argv[i], "--") == 0) {
			arguments->rest = argv + i + 1;
			arguments->n_rest = (size_t)(argc - i - 1);
			break;
		}
		if (strcmp(argv[i], "-h") == 0)
			return failure_set(why, -EINVAL, "options", "Help is --help.");
		if (strncmp(argv[i], "--", 2) != 0) {
			/* "-" is standard input, a word */
			if (argv[i][0] == '-' && argv[i][1])
				return failure_set(why, -EINVAL, "options",
					"There is no option %s; options have two dashes, and what "
					"belongs to the command follows \"--\".",
					argv[i]);
			arguments->words[arguments->n_words++] = argv[i];
			continue;
		}
		r = option_read(arguments, argc, argv, &i, own, shared, why);
		if (r < 0)
			return r;
	}
	return 0;
}

void arguments_fini(struct arguments *arguments)
{
	free(arguments->words);
	*arguments = (struct arguments){0};
}

const char *arguments_text(const struct arguments *arguments, const char *name)
{
	return arguments_each(arguments, name, 0);
}

bool arguments_flag(const struct arguments *arguments, const char *name)
{
	for (size_t i = 0; i < arguments->n_options; i++)
		if (strcmp(arguments->options[i].form->name, name) == 0)
			return true;
	return false;
}

const char *arguments_each(const struct arguments *arguments, const char *name, size_t index)
{
	for (size_t i = 0; i < arguments->n_options; i++)
		if (strcmp(arguments->options[i].form->name, name) == 0 && index-- == 0)
			return arguments->options[i].value;
	return NULL;
}

int arguments_number(const struct arguments *arguments, const char *name, double min, double *ret,
	struct failure *why)
{
	const char *text = arguments_text(arguments, name);
	char *end;
	double value;

	if (!text)
		return 0;
	value = strtod(text, &end);
	if (end == text || *end || !isfinite(value) || value < min)
		return failure_set(why, -EINVAL, "options",
			"--%s wants a number of at least %g, not \"%s\".", name, min, text);
	*ret = value;
	return 1;
}
