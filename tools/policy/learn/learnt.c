#include "tools/policy/learn/learnt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/policy/learn/parts.h"

void support_add(struct support *support, const struct support *more)
{
	support->n += more->n;
	if (!support->first || strcmp(more->first, support->first) < 0)
		support->first = more->first;
	if (!support->last || strcmp(more->last, support->last) > 0)
		support->last = more->last;
}

struct support support_of(const struct tally_row *row)
{
	return (struct support){row->n, row->first, row->last};
}

const char *support_format(const struct support *support, char ret_text[SUPPORT_TEXT_SIZE])
{
	snprintf(ret_text, SUPPORT_TEXT_SIZE, "%" PRIu64 "x, first %s, last %s", support->n,
		support->first, support->last);
	return ret_text;
}

/* Takes the section. */
static int add(json_t *document, const char *key, json_t *section)
{
	if (section && !json_is_null(section))
		return json_object_set_new(document, key, section);
	return section ? 0 : -1;
}

static int fill(const struct log_reading *reading, const struct learnt_options *options,
	struct learnt *learnt)
{
	const struct tally *tally = &reading->tally;
	json_t *document = learnt->document;
	int r = add(document, "network", learnt_network(tally, options->wildcard_after));

	if (r == 0)
		r = add(document, "syscalls", learnt_calls(tally));
	if (r == 0 && log_sandboxes_unrecorded(&reading->sandboxes) == 0)
		r = add(document, "files",
			learnt_files(tally, options->directory_after, &learnt->files));
	if (r == 0)
		r = add(document, "executables",
			learnt_programs(reading, json_object_get(document, "files"),
				options->directory_after, &learnt->programs));
	return r < 0 ? -ENOMEM : 0;
}

int learnt_policy(const struct log_reading *reading, const struct learnt_options *options,
	struct learnt *ret_learnt)
{
	struct learnt learnt = {.files = LEARNT_FILES_UNRECORDED,
		.document = json_pack("{s:i, s:s, s:s}", "version", 1, "name", options->name,
			"description", "Learnt from recorded runs; review each rule before use.")};
	int r = learnt.document ? fill(reading, options, &learnt) : -ENOMEM;

	if (r < 0)
		json_decref(learnt.document);
	else
		*ret_learnt = learnt;
	return r;
}
