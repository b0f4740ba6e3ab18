#include "api/http/route.h"

#include <stdio.h>
#include <string.h>

/* Matches one path; fills parameters as far as it gets. */
static bool path_matches(const char *pattern, const char *path, struct route_match *match)
{
	size_t n_parameters = 0;

	match->too_long = false;
	while (*pattern && *pattern != '*' && *path) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		size_t length = strcspn(path, "/");

		if (length == 0 || n_parameters == ROUTE_PARAMETERS_MAX)
			return false;
		if (length >= WIRE_NAME_SIZE) {
			match->too_long = true;
		} else {
			memcpy(match->parameters[n_parameters], path, length);
			match->parameters[n_parameters][length] = '\0';
		}
		n_parameters++;
		path += length;
		pattern = strchr(pattern, '}') + 1;
	}
	return *pattern == '*' || (!*pattern && !*path);
}

static bool method_matches(const struct route *route, const char *method)
{
	if (strcmp(route->method, "*") == 0)
		return true;
	if (strcmp(method, "HEAD") == 0 && !(route->flags & ROUTE_EXACT))
		return strcmp(route->method, "GET") == 0;
	return strcmp(route->method, method) == 0;
}

void route_find(const struct route_table *table, const char *method, const char *path,
	struct route_match *ret_match)
{
	ret_match->route = NULL;
	ret_match->path_known = false;
	for (size_t i = 0; i < table->n; i++) {
		const struct route *route = &table->routes[i];

		if (!path_matches(route->pattern, path, ret_match))
			continue;
		ret_match->path_known = true;
		if (!method_matches(route, method))
			continue;
		ret_match->route = route;
		return;
	}
}

void route_allowed(const struct route_table *table, const char *path, char *ret_text, size_t size)
{
	struct route_match match;
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < table->n && used < size; i++) {
		const struct route *route = &table->routes[i];

		if (!path_matches(route->pattern, path, &match))
			continue;
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s, ", route->method,
			method_matches(route, "HEAD") ? ", HEAD" : "");
	}
	if (used < size)
		snprintf(ret_text + used, size - used, "OPTIONS");
}
