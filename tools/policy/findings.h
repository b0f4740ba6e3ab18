/* What is wrong with files, for a person, a program, or a code review (SARIF 2.1.0). */
#pragma once

#include <jansson.h>

#include "supervisor/base/failure.h"

enum findings_form {
	FINDINGS_TEXT, /* "file:line:column: /pointer: sentence" on standard error, as they come */
	FINDINGS_JSON,
	FINDINGS_SARIF,
};

struct findings {
	enum findings_form form;
	json_t *list; /* owned; what is printed at the end */
	size_t n, n_files;
};

/* Returns 0 or -ENOMEM. */
int findings_init(struct findings *findings, enum findings_form form);
void findings_fini(struct findings *findings);

/* Notes what `why` says about `path`. Returns 0 or -ENOMEM. */
int findings_add(struct findings *findings, const char *path, const struct failure *why);
/* The same of what is no error: it fails nothing. */
int findings_warn(struct findings *findings, const char *path, const struct failure *why);
/* Prints the list, unless it is text. Returns 0 or -ENOMEM. */
int findings_print(const struct findings *findings);
