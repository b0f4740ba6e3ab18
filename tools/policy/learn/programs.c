/* What was executed is what may be: programs, scripts and, by their own records, the interpreters
 * of these. Files of which a policy can say that lie in the template and do not change, so nothing
 * is said where a run executed what it wrote itself.
 *
 * Once `directory_after` lie right below a directory it is that directory, but none in which the
 * run wrote, or in which an execution was denied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/policy/learn/places.h"

static bool is_execution(const struct tally_row *row)
{
	return row->act.kind == POLICY_ACT_EXECUTE && row->n > 0;
}

static bool is_write(const struct tally_row *row)
{
	return row->act.kind == POLICY_ACT_WRITE && row->n > 0 && row->allowed;
}

static int gather(const struct tally *tally, struct learnt_places *places)
{
	places->closed = calloc(tally->n + 1, sizeof(*places->closed));
	for (size_t i = 0; i < tally->n; i++)
		places->n += is_execution(&tally->rows[i]) && tally->rows[i].allowed;
	places->items = calloc(places->n + 1, sizeof(*places->items));
	if (!places->closed || !places->items)
		return -ENOMEM;
	places->n = 0;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (is_execution(row) && row->allowed) {
			struct learnt_place *place = &places->items[places->n++];

			strcpy(place->path, row->act.name);
			place->support = support_of(row);
		} else if (is_write(row) ||
			   (is_execution(row) && !tally_get(tally, &row->act, true))) {
			places->closed[places->n_closed++] = row->act.name;
		}
	}
	learnt_places_close(places);
	learnt_places_collapse(places);
	return 0;
}

/* Whether the run could have made it: a place of what is writable is around it, or it was written.
 */
static bool was_written(const struct tally *tally, const struct learnt_place *place, json_t *files)
{
	struct policy_act act = {.kind = POLICY_ACT_WRITE, .is_name = true};
	json_t *each;
	size_t i;

	strcpy(act.name, place->path);
	if (tally_get(tally, &act, true))
		return true;
	json_array_foreach(json_object_get(files, "writable"), i, each)
	{
		const char *path = json_string_value(json_object_get(each, "path"));

		if (learnt_lies_in(place->path, path))
			return true;
	}
	return learnt_is_own_place(place->path);
}

static bool any_denied(const struct tally *tally)
{
	for (size_t i = 0; i < tally->n; i++)
		if (is_execution(&tally->rows[i]) && !tally->rows[i].allowed)
			return true;
	return false;
}

static bool made_memory_files(const struct tally *tally)
{
	struct policy_act act = {
		.kind = POLICY_ACT_SYSCALL, .is_name = true, .name = POLICY_CALL_MEMORY_FILE};

	return tally_get(tally, &act, true);
}

static enum learnt_programs judge(
	const struct log_reading *reading, const struct learnt_places *places, json_t *files)
{
	if (places->n == 0 && reading->n_programs_unknown == 0 && !any_denied(&reading->tally))
		return LEARNT_PROGRAMS_NONE;
	for (size_t i = 0; i < places->n; i++)
		if (was_written(&reading->tally, &places->items[i], files))
			return LEARNT_PROGRAMS_WRITTEN;
	if (made_memory_files(&reading->tally))
		return LEARNT_PROGRAMS_WRITTEN;
	return reading->n_programs_unknown ? LEARNT_PROGRAMS_UNKNOWN : LEARNT_PROGRAMS_SAID;
}

json_t *learnt_programs(const struct log_reading *reading, json_t *files, uint32_t directory_after,
	enum learnt_programs *ret_programs)
{
	struct learnt_places places = {0};
	json_t *programs = NULL;

	if (gather(&reading->tally, &places) == 0) {
		*ret_programs = judge(reading, &places, files);
		programs = json_null();
	}
	if (programs && *ret_programs == LEARNT_PROGRAMS_SAID) {
		int r = learnt_places_generalise(&places, directory_after, POLICY_PROGRAMS_MAX);

		if (places.n > POLICY_PROGRAMS_MAX)
			*ret_programs = LEARNT_PROGRAMS_MANY;
		else
			programs =
				r < 0 ? NULL
				      : json_pack("{s:s, s:o}", "description",
						"learnt; no log tells from where code was mapped: "
						"the usual directories of libraries",
						"allow", learnt_places_write(&places));
	}
	learnt_places_fini(&places);
	return programs;
}
