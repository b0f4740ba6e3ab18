#include "tools/policy/findings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cloche/print.h"
#include "tools/policy/file.h"

#define RULE_ID "policy"
#define ERROR "error"

struct place {
	const char *file;
	int line, column; /* 0: not known */
	const char *pointer;
};

int findings_init(struct findings *findings, enum findings_form form)
{
	*findings = (struct findings){.form = form, .list = json_array()};
	return findings->list ? 0 : -ENOMEM;
}

void findings_fini(struct findings *findings)
{
	json_decref(findings->list);
}

/* "file:line:column: /json/pointer"; each part but the first may be missing. */
static void read_place(const char *path, const struct failure *why, struct place *place)
{
	size_t length = strlen(path);
	const char *rest = why->location;

	*place = (struct place){.file = path, .pointer = ""};
	if (strncmp(rest, path, length) != 0 || rest[length] != ':')
		return;
	if (sscanf(rest + length, ":%d:%d", &place->line, &place->column) != 2)
		place->line = place->column = 0;
	rest = strstr(rest + length, ": ");
	if (rest && rest[2] == '/')
		place->pointer = rest + 2;
}

/* JSON's severities and SARIF's levels have the same names. */
static json_t *as_json(const struct place *place, const char *severity, const struct failure *why)
{
	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", place->file, "line", place->line,
		"column", place->column, "pointer", place->pointer, "severity", severity, "message",
		why->sentence);
}

/* A path as the relative reference that SARIF wants (RFC 3986). */
static json_t *as_uri(const char *path)
{
	char *text = malloc(3 * strlen(path) + 1), *end = text;
	json_t *uri;

	if (!text)
		return NULL;
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/-._~", *path))
			*end++ = *path;
		else
			end += sprintf(end, "%%%02X", (unsigned char)*path);
	}
	*end = '\0';
	uri = json_string(text);
	free(text);
	return uri;
}

static json_t *as_sarif(const struct place *place, const char *severity, const struct failure *why)
{
	json_t *physical = json_pack("{s:{s:o}}", "artifactLocation", "uri", as_uri(place->file));
	json_t *where = json_pack("{s:o}", "physicalLocation", physical);

	if (place->line > 0)
		json_object_set_new(physical, "region",
			json_pack("{s:i, s:i}", "startLine", place->line, "startColumn",
				place->column));
	if (*place->pointer)
		json_object_set_new(where, "logicalLocations",
			json_pack("[{s:s}]", "fullyQualifiedName", place->pointer));
	return json_pack("{s:s, s:s, s:{s:s}, s:[o]}", "ruleId", RULE_ID, "level", severity,
		"message", "text", why->sentence, "locations", where);
}

static int note(struct findings *findings, const char *path, const char *severity,
	const struct failure *why)
{
	struct place place;
	json_t *row = NULL;

	read_place(path, why, &place);
	switch (findings->form) {
	case FINDINGS_TEXT:
		policy_file_complain(path, strcmp(severity, ERROR) == 0 ? "" : "warning: ", why);
		return 0;
	case FINDINGS_JSON:
		row = as_json(&place, severity, why);
		break;
	case FINDINGS_SARIF:
		row = as_sarif(&place, severity, why);
		break;
	}
	return json_array_append_new(findings->list, row) < 0 ? -ENOMEM : 0;
}

int findings_add(struct findings *findings, const char *path, const struct failure *why)
{
	findings->n++;
	return note(findings, path, ERROR, why);
}

int findings_warn(struct findings *findings, const char *path, const struct failure *why)
{
	return note(findings, path, "warning", why);
}

static json_t *sarif_log(const struct findings *findings)
{
	return json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:[{s:s, s:{s:s}}]}}, s:O}]}", "$schema",
		"https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool",
		"driver", "name", "cloche policy check", "version", CLOCHE_VERSION, "rules", "id",
		RULE_ID, "shortDescription", "text", "A policy that cloched would refuse.",
		"results", findings->list);
}

int findings_print(const struct findings *findings)
{
	json_t *root = NULL;
	char *text;

	switch (findings->form) {
	case FINDINGS_TEXT:
		return 0;
	case FINDINGS_JSON:
		root = json_pack("{s:I, s:O}", "checked", (json_int_t)findings->n_files, "findings",
			findings->list);
		break;
	case FINDINGS_SARIF:
		root = sarif_log(findings);
		break;
	}
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (!text)
		return -ENOMEM;
	print_verbatim(text, strlen(text));
	free(text);
	return 0;
}
