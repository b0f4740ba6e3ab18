/* One call of the API with its answer read, or its problem told: what most handlers do. */
#pragma once

#include "tools/cloche/command.h"

#define CALL_PATH_SIZE 4096

/* Prints "cloche: sentence" for `why` and returns the command's exit code for failures. */
int call_failed(const struct client *client, const struct failure *why);

/* Prints a usage error and where help is; returns the command's exit code for it. */
int call_misused(const struct client *client, const char *format, ...) _printf_(2, 3);

/* Prints what an answer with an error status says (problem+json: its detail, and for 401 where the
 * key was looked for). Returns the exit code, EXIT_CODE_NOT_STARTED for "command". */
int call_refused(const struct client *client, const struct http_answer *answer);

/* Builds a path from pieces that end with NULL; every second piece is data and is encoded:
 * call_path(path, "/v1/sandboxes/", id, "/exec", NULL). Returns 0 or -E2BIG. */
int call_path(char path[static CALL_PATH_SIZE], ...) __attribute__((sentinel));

/* Adds "?name=value" or "&name=value" to a path; does nothing for a NULL value. */
int call_query(char path[static CALL_PATH_SIZE], const char *name, const char *value);

/* Sends `body` (borrowed; may be NULL) and reads the answer: returns 0 and, if it has one, its JSON
 * in
 * `*ret_answer` (NULL otherwise), else an exit code after having said why. With --json the answer
 * is printed as it came. */
int call_json(const struct client *client, const char *method, const char *path, json_t *body,
	json_t **ret_answer);

/* The same with more headers (http.h) and a body that is sent as it is. */
int call_text(const struct client *client, const char *path, const char *const *headers,
	const char *body, json_t **ret_answer);

static inline void call_json_free(json_t **value)
{
	json_decref(*value);
}
#define _cleanup_json_ _cleanup_(call_json_free)
