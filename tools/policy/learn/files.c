/* What was written becomes what is writable, and all else read-only. A path of a policy is a mount,
 * so it must be there when a sandbox is made:
 *
 * - a file that was there already is writable by itself; where something was made, renamed or taken
 *   away it is the directory, and where that one was made too, the directory around the topmost
 * one;
 * - what lies in a place of a program's own (/tmp, its home, …) is not there in another sandbox, so
 * it is the whole place;
 * - once `directory_after` paths lie right below a directory it is that directory, and so upwards,
 *   but for directories right below /; after fewer, if a policy may not name so many;
 * - neither becomes a directory in which a write was denied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "tools/policy/learn/places.h"

#define WRITABLE_MAX (POLICY_PATHS_MAX - 1) /* beside "/" */

static const char *const own_places[] = {
	"/home/sandbox", "/root", "/run", "/tmp", "/var/tmp", "/workspace"};

bool learnt_is_own_place(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_places); i++)
		if (learnt_lies_in(path, own_places[i]))
			return true;
	return false;
}

struct writes {
	struct learnt_places places; /* closed: what was denied */
	const char **made;           /* directories that were made; sorted */
	size_t n_made;
};

static int compare_made(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool was_made(const struct writes *writes, const char *path)
{
	return bsearch(&path, writes->made, writes->n_made, sizeof(*writes->made), compare_made);
}

/* Out of what was made, and over what is a program's own. */
static void settle(const struct writes *writes, char path[POLICY_PATH_SIZE])
{
	char above[POLICY_PATH_SIZE];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t length = (size_t)(slash - path);

		memcpy(above, path, length);
		above[length] = '\0';
		if (was_made(writes, above)) {
			strcpy(path, above);
			break;
		}
	}
	if (was_made(writes, path))
		learnt_go_up(path);
	for (size_t i = 0; i < ARRAY_SIZE(own_places); i++)
		if (learnt_lies_in(path, own_places[i]) &&
			!learnt_places_is_closed(&writes->places, own_places[i]))
			strcpy(path, own_places[i]);
}

static bool is_write(const struct tally_row *row)
{
	return row->act.kind == POLICY_ACT_WRITE && row->n > 0;
}

/* Directories that were made and writes that were denied: what the others are held against. */
static int gather_bounds(const struct tally *tally, struct writes *writes)
{
	struct learnt_places *places = &writes->places;

	writes->made = calloc(tally->n + 1, sizeof(*writes->made));
	places->closed = calloc(tally->n + 1, sizeof(*places->closed));
	if (!writes->made || !places->closed)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (is_write(row) && row->allowed && row->made_directory)
			writes->made[writes->n_made++] = row->act.name;
		if (is_write(row) && !row->allowed && !tally_get(tally, &row->act, true))
			places->closed[places->n_closed++] = row->act.name;
	}
	qsort(writes->made, writes->n_made, sizeof(*writes->made), compare_made);
	learnt_places_close(places);
	return 0;
}

static int gather(const struct tally *tally, struct writes *writes)
{
	struct learnt_places *places = &writes->places;
	size_t n = 0;

	if (gather_bounds(tally, writes) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++)
		n += is_write(&tally->rows[i]);
	places->items = calloc(n + 1, sizeof(*places->items));
	if (!places->items)
		return -ENOMEM;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];
		struct learnt_place *place = &places->items[places->n];

		if (!is_write(row) || !row->allowed)
			continue;
		strcpy(place->path, row->act.name);
		if (row->in_directory)
			learnt_go_up(place->path);
		settle(writes, place->path);
		place->support = support_of(row);
		places->n++;
	}
	learnt_places_collapse(places);
	return 0;
}

static enum learnt_files judge(const struct learnt_places *places)
{
	if (places->n > 0 && places->items[0].path[1] == '\0')
		return LEARNT_FILES_ROOT;
	return places->n > WRITABLE_MAX ? LEARNT_FILES_MANY : LEARNT_FILES_SAID;
}

static json_t *write_files(const struct learnt_places *places)
{
	json_t *files = json_pack("{s:[s]}", "read_only", "/");

	if (places->n > 0)
		json_object_set_new(files, "writable", learnt_places_write(places));
	return files;
}

json_t *learnt_files(
	const struct tally *tally, uint32_t directory_after, enum learnt_files *ret_files)
{
	struct writes writes = {0};
	json_t *files = NULL;

	if (gather(tally, &writes) == 0 &&
		learnt_places_generalise(&writes.places, directory_after, WRITABLE_MAX) == 0) {
		*ret_files = judge(&writes.places);
		files = *ret_files == LEARNT_FILES_SAID ? write_files(&writes.places) : json_null();
	}
	learnt_places_fini(&writes.places);
	free(writes.made);
	return files;
}
