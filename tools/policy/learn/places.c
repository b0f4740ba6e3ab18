#include "tools/policy/learn/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

int learnt_compare_paths(const char *a, const char *b)
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
	return learnt_compare_paths(
		((const struct learnt_place *)a)->path, ((const struct learnt_place *)b)->path);
}

static int compare_closed(const void *a, const void *b)
{
	return learnt_compare_paths(*(const char *const *)a, *(const char *const *)b);
}

bool learnt_lies_in(const char *path, const char *around)
{
	size_t length = strlen(around);

	return strncmp(path, around, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

void learnt_go_up(char path[POLICY_PATH_SIZE])
{
	char *slash = strrchr(path, '/');

	slash[slash == path] = '\0';
}

static bool is_below_root(const char *path)
{
	return strrchr(path, '/') == path;
}

void learnt_places_close(struct learnt_places *places)
{
	qsort(places->closed, places->n_closed, sizeof(*places->closed), compare_closed);
}

bool learnt_places_is_closed(const struct learnt_places *places, const char *directory)
{
	size_t low = 0, high = places->n_closed;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (learnt_compare_paths(places->closed[middle], directory) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < places->n_closed && learnt_lies_in(places->closed[low], directory);
}

void learnt_places_collapse(struct learnt_places *places)
{
	size_t kept = 0;

	qsort(places->items, places->n, sizeof(*places->items), compare_places);
	for (size_t i = 0; i < places->n; i++) {
		if (kept > 0 && learnt_lies_in(places->items[i].path, places->items[kept - 1].path))
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
static int generalise_once(struct learnt_places *places, size_t after)
{
	_cleanup_free_ struct above *above = calloc(places->n + 1, sizeof(*above));
	int changed = 0;

	if (!above)
		return -1;
	for (size_t i = 0; i < places->n; i++) {
		strcpy(above[i].path, places->items[i].path);
		learnt_go_up(above[i].path);
		above[i].index = i;
	}
	qsort(above, places->n, sizeof(*above), compare_above);
	for (size_t first = 0, end; first < places->n; first = end) {
		for (end = first + 1; end < places->n && !compare_above(&above[first], &above[end]);
			end++)
			;
		if (end - first < after || is_below_root(above[first].path) ||
			learnt_places_is_closed(places, above[first].path))
			continue;
		for (size_t i = first; i < end; i++)
			strcpy(places->items[above[i].index].path, above[i].path);
		changed = 1;
	}
	learnt_places_collapse(places);
	return changed;
}

int learnt_places_generalise(struct learnt_places *places, size_t after, size_t n_max)
{
	int changed = after ? 1 : 0;

	while (changed == 1)
		changed = generalise_once(places, after);
	while (changed == 0 && places->n > n_max && after > 2) {
		after = after / 2 > 2 ? after / 2 : 2;
		do
			changed = generalise_once(places, after);
		while (changed == 1);
	}
	return changed < 0 ? -ENOMEM : 0;
}

json_t *learnt_places_write(const struct learnt_places *places)
{
	json_t *list = json_array();
	char text[SUPPORT_TEXT_SIZE];

	for (size_t i = 0; i < places->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o}", "path", places->items[i].path, "description",
				      json_sprintf("learnt: %s",
					      support_format(&places->items[i].support, text))));
	return list;
}

void learnt_places_fini(struct learnt_places *places)
{
	free(places->items);
	free(places->closed);
}
