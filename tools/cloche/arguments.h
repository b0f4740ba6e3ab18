/* What was typed after a command: options by name, the words, and the command line after "--". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/base/failure.h"

#define ARGUMENTS_OPTIONS_MAX 256

struct option_form {
	const char *name;  /* "template"; written --template */
	const char *value; /* what is expected, for the help: "NAME"; NULL: a flag */
	const char *help;
	bool many; /* may be given more than once */
};

struct option_given {
	const struct option_form *form;
	const char *value; /* NULL for a flag */
};

/* Starts zeroed. Borrows argv. */
struct arguments {
	struct option_given options[ARGUMENTS_OPTIONS_MAX];
	size_t n_options;
	const char **words; /* owned; what is no option, in order */
	size_t n_words;
	char *const *rest; /* after "--"; NULL-terminated like argv */
	size_t n_rest;
};

/* Reads argv[0..argc) by the rows of `own` and `shared` (each ends with a zeroed row; may be NULL):
 * --name VALUE, --name=VALUE, --flag, words, "--". Returns 0 or -EINVAL with a sentence in `why`.
 */
int arguments_read(struct arguments *arguments, int argc, char *const *argv,
	const struct option_form *own, const struct option_form *shared, struct failure *why);
void arguments_fini(struct arguments *arguments);

/* The value given last, or NULL. */
const char *arguments_text(const struct arguments *arguments, const char *name);
bool arguments_flag(const struct arguments *arguments, const char *name);
/* The value of the `index`-th --name, or NULL past the last. */
const char *arguments_each(const struct arguments *arguments, const char *name, size_t index);
/* A decimal number from `min` up. Returns 0 with `*ret` untouched when the option is absent, 1 when
 * it was given, -EINVAL with a sentence otherwise. */
int arguments_number(const struct arguments *arguments, const char *name, double min, double *ret,
	struct failure *why);
