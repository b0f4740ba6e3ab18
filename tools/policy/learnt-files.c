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
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "tools/policy/learnt-parts.h"

#define WRITABLE_MAX (POLICY_PATHS_MAX - 1) /* beside "/" */

static const char *const own_places[] = {
	"/home/sandbox", "/root", "/run", "/tmp", "/var/tmp", "/workspace"};

struct place {
	char path[POLICY_PATH_SIZE];
	struct support support;
};

struct places {
	struct place *items; /* each in front of what lies in it */
	size_t n;
	const char **made; /* directories that were made, sorted the same way */
	const char **denied;
	size_t n_made, n_denied;
};

/* As strcmp() would with '/' before all else: then a directory and what lies in it are neighbours.
 */
static int compare_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	if (*a == *b)
		return 0;
	if (*a == '/' || *b == '/')
		return *a == '\0' ? -1 : *b == '\0' ? 1 : *a == '/' ? -1 : 1;
	return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

static int compare_places(const void *a, const void *b)
{
	return compare_text(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static int compare_paths(const void *a, const void *b)
{
	return compare_text(*(const char *const *)a, *(const char *const *)b);
}

static bool lies_in(const char *path, const char *around)
{
	size_t length = strlen(around);

	return strncmp(path, around, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* To the directory around; "/" stays. */
static void go_up(char path[POLICY_PATH_SIZE])
{
	char *slash = strrchr(path, '/');

	slash[slash == path] = '\0';
}

static bool is_below_root(const char *path)
{
	return strrchr(path, '/') == path;
}

/* Whether one of the paths, which are sorted, is `directory` or lies in it. */
static bool any_in(const char **paths, size_t n, const char *directory)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_text(paths[middle], directory) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && lies_in(paths[low], directory);
}

static bool was_made(const struct places *places, const char *path)
{
	return bsearch(&path, places->made, places->n_made, sizeof(*places->made), compare_paths);
}

/* Out of what was made, and over what is a program's own. */
static void settle(const struct places *places, char path[POLICY_PATH_SIZE])
{
	char above[POLICY_PATH_SIZE];

	for (char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		size_t length = slash == path ? 0 : (size_t)(slash - path);

		if (length == 0)
			continue;
		memcpy(above, path, length);
		above[length] = '\0';
		if (was_made(places, above)) {
			go_up(above);
			strcpy(path, above);
			break;
		}
	}
	if (was_made(places, path))
		go_up(path);
	for (size_t i = 0; i < ARRAY_SIZE(own_places); i++)
		if (lies_in(path, own_places[i]) &&
			!any_in(places->denied, places->n_denied, own_places[i]))
			strcpy(path, own_places[i]);
}

/* Sorts, and leaves of what lies in one another the outer ones. */
static void collapse(struct places *places)
{
	size_t kept = 0;

	qsort(places->items, places->n, sizeof(*places->items), compare_places);
	for (size_t i = 0; i < places->n; i++) {
		if (kept > 0 && lies_in(places->items[i].path, places->items[kept - 1].path))
			support_add(&places->items[kept - 1].support, &places->items[i].support);
		else
			places->items[kept++] = places->items[i];
	}
	places->n = kept;
}

struct above {
	char path[POLICY_PATH_SIZE];
	size_t index;
};

static int compare_above(const void *a, const void *b)
{
	return strcmp(((const struct above *)a)->path, ((const struct above *)b)->path);
}

/* Replaces those that many others lie beside by their directory. Returns whether any were, or -1
 * when memory is out. */
static int generalise_once(struct places *places, size_t after)
{
	_cleanup_free_ struct above *above = calloc(places->n + 1, sizeof(*above));
	int changed = 0;

	if (!above)
		return -1;
	for (size_t i = 0; i < places->n; i++) {
		strcpy(above[i].path, places->items[i].path);
		go_up(above[i].path);
		above[i].index = i;
	}
	qsort(above, places->n, sizeof(*above), compare_above);
	for (size_t first = 0, end; first < places->n; first = end) {
		for (end = first + 1; end < places->n && !compare_above(&above[first], &above[end]);
			end++)
			;
		if (end - first < after || is_below_root(above[first].path) ||
			any_in(places->denied, places->n_denied, above[first].path))
			continue;
		for (size_t i = first; i < end; i++)
			strcpy(places->items[above[i].index].path, above[i].path);
		changed = 1;
	}
	collapse(places);
	return changed;
}

static int generalise(struct places *places, size_t after)
{
	int changed = after ? 1 : 0;

	while (changed == 1)
		changed = generalise_once(places, after);
	while (changed == 0 && places->n > WRITABLE_MAX && after > 2) {
		after = after / 2 > 2 ? after / 2 : 2;
		do
			changed = generalise_once(places, after);
		while (changed == 1);
	}
	return changed;
}

static bool is_write(const struct tally_row *row)
{
	return row->act.kind == POLICY_ACT_WRITE && row->n > 0;
}

/* Directories that were made and writes that were denied: what the others are held against. */
static int gather_bounds(const struct tally *tally, struct places *places)
{
	places->made = calloc(tally->n + 1, sizeof(*places->made));
	places->denied = calloc(tally->n + 1, sizeof(*places->denied));
	if (!places->made || !places->denied)
		return -1;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (is_write(row) && row->allowed && row->made_directory)
			places->made[places->n_made++] = row->act.name;
		if (is_write(row) && !row->allowed && !tally_get(tally, &row->act, true))
			places->denied[places->n_denied++] = row->act.name;
	}
	qsort(places->made, places->n_made, sizeof(*places->made), compare_paths);
	qsort(places->denied, places->n_denied, sizeof(*places->denied), compare_paths);
	return 0;
}

static int gather(const struct tally *tally, struct places *places)
{
	size_t n = 0;

	if (gather_bounds(tally, places) < 0)
		return -1;
	for (size_t i = 0; i < tally->n; i++)
		n += is_write(&tally->rows[i]);
	places->items = calloc(n + 1, sizeof(*places->items));
	if (!places->items)
		return -1;
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];
		struct place *place = &places->items[places->n];

		if (!is_write(row) || !row->allowed)
			continue;
		strcpy(place->path, row->act.name);
		if (row->in_directory)
			go_up(place->path);
		settle(places, place->path);
		place->support = support_of(row);
		places->n++;
	}
	collapse(places);
	return 0;
}

static json_t *write_files(const struct places *places)
{
	json_t *writable = json_array(), *files;
	char text[SUPPORT_TEXT_SIZE];

	for (size_t i = 0; i < places->n; i++)
		json_array_append_new(writable,
			json_pack("{s:s, s:o}", "path", places->items[i].path, "description",
				json_sprintf("learnt: %s",
					support_format(&places->items[i].support, text))));
	files = json_pack("{s:[s]}", "read_only", "/");
	if (json_array_size(writable) > 0)
		json_object_set(files, "writable", writable);
	json_decref(writable);
	return files;
}

json_t *learnt_files(
	const struct tally *tally, uint32_t directory_after, enum learnt_files *ret_files)
{
	struct places places = {0};
	json_t *files = NULL;

	if (gather(tally, &places) == 0 && generalise(&places, directory_after) == 0) {
		*ret_files = places.n > 0 && places.items[0].path[1] == '\0' ? LEARNT_FILES_ROOT
			     : places.n > WRITABLE_MAX                       ? LEARNT_FILES_MANY
									     : LEARNT_FILES_SAID;
		files = *ret_files == LEARNT_FILES_SAID ? write_files(&places) : json_null();
	}
	free(places.items);
	free(places.made);
	free(places.denied);
	return files;
}
