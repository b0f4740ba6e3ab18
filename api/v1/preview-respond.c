#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/http/respond.h"
#include "api/http/stream.h"
#include "api/v1/preview.h"

/* All previews share the API's origin. Without this one page could script the next sandbox's; with
 * it a page has an origin of its own, which no other page is of. */
#define SANDBOX_DIRECTIVE "sandbox allow-scripts allow-forms allow-modals allow-downloads"

/* The path of a Location, if it stays with the server. */
static const char *local_path(const struct preview *preview, const char *location)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
	char origin[40];

	if (location[0] == '/')
		return location[1] == '/' ? NULL : location;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		size_t size = (size_t)snprintf(
			origin, sizeof(origin), "http://%s:%u/", hosts[i], preview->port);

		if (strncasecmp(location, origin, size) == 0)
			return location + size - 1;
	}
	return NULL;
}

static void write_location(struct preview *preview, const char *name, const char *location)
{
	struct writer moved = {0};
	const char *path = local_path(preview, location);

	if (!path) {
		respond_header_text(preview->request, name, location);
		return;
	}
	writer_print(&moved, "%s%s", preview->prefix, path);
	if (!moved.failed)
		respond_header_text(preview->request, name, moved.bytes);
	writer_fini(&moved);
}

const char *preview_find_header(const struct preview_head *head, const char *wanted)
{
	const char *name = head->headers.bytes, *end = name + head->headers.size;

	while (name < end) {
		const char *value = name + strlen(name) + 1;

		if (strcasecmp(name, wanted) == 0)
			return value;
		name = value + strlen(value) + 1;
	}
	return "";
}

void preview_pass_headers(struct preview *preview, const struct preview_head *head)
{
	const char *connection = preview_find_header(head, "Connection");
	const char *name = head->headers.bytes, *end = name + head->headers.size;

	while (name < end) {
		const char *value = name + strlen(name) + 1;

		if (strcasecmp(name, "Location") == 0 || strcasecmp(name, "Content-Location") == 0)
			write_location(preview, name, value);
		else if (!preview_drops(false, name) && !preview_list_has(connection, name))
			respond_header_text(preview->request, name, value);
		name = value + strlen(value) + 1;
	}
}

int preview_begin_answer(
	struct preview *preview, const struct preview_head *head, void (*drained)(void *userdata))
{
	struct request *request = preview->request;
	bool bodiless = head->status == 204 || head->status == 304;
	int r = stream_begin(request, head->status, NULL, drained, preview);

	if (r < 0)
		return r;
	if (bodiless)
		stream_set_size(request, 0);
	else if (head->has_length)
		stream_set_size(request, head->length);
	preview_pass_headers(preview, head);
	respond_header_text(request, "Content-Security-Policy", SANDBOX_DIRECTIVE);
	respond_header_text(request, "X-Content-Type-Options", "nosniff");
	return request->more_headers.failed ? -ENOMEM : 0;
}
