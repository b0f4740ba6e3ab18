/* POST /v1/sandboxes/{id}/code: source text in one of the languages of the templates. */
#include <string.h>

#include "api/v1/exec.h"
#include "api/v1/routes.h"

struct language {
	const char *name, *program, *flag;
};

static const struct language languages[] = {
	{"python", "python3", "-c"},
	{"node", "node", "-e"},
	{"shell", "sh", "-c"},
};

static const struct language *read_language(struct fields *fields)
{
	const char *name;

	if (!fields_string(fields, "language", &name, NULL)) {
		fields_refuse(fields, "language", "is missing; it is python, node or shell");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(languages); i++)
		if (strcmp(languages[i].name, name) == 0)
			return &languages[i];
	fields_refuse(fields, "language", "must be python, node or shell");
	return NULL;
}

static void read_code(struct fields *fields, struct wire_strings *tail)
{
	const struct language *language = read_language(fields);
	const char *code;
	size_t size;

	if (!fields_string(fields, "code", &code, &size)) {
		fields_refuse(fields, "code", "is missing; it is the source text to run");
		return;
	}
	if (size > EXEC_CODE_MAX) {
		fields_refuse(fields, "code",
			"is %zu bytes long; at most %d are allowed: send a larger program as stdin "
			"of exec",
			size, EXEC_CODE_MAX);
		fields->error->code = WIRE_CODE_TOO_LARGE;
		return;
	}
	if (!language)
		return;
	if (wire_strings_add(tail, language->program) < 0 ||
		wire_strings_add(tail, language->flag) < 0 || wire_strings_add(tail, code) < 0)
		fields_refuse(fields, "code", "does not fit; send less");
}

void code_run(struct request *request)
{
	exec_take(request, read_code);
}
