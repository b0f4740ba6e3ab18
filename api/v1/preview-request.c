#include <errno.h>
#include <string.h>
#include <strings.h>

#include "api/v1/preview.h"

struct request_walk {
	struct writer *out;
	const char *connection; /* names more that go no further */
	bool refused;
};

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

static void write_header(const char *name, const char *value, void *userdata)
{
	struct request_walk *walk = userdata;

	if (preview_drops(true, name) || preview_list_has(walk->connection, name))
		return;
	if (!*name || strpbrk(name, " \t:") || !is_clean(name) || !is_clean(value)) {
		walk->refused = true;
		return;
	}
	writer_print(walk->out, "%s: %s\r\n", name, value);
}

/* What is behind the prefix, exactly as the client wrote it. */
static const char *target_of(const struct preview *preview)
{
	const char *target = request_target(preview->request);
	size_t size = strlen(preview->prefix);

	if (!target || strncmp(target, preview->prefix, size) != 0 || target[size] != '/')
		return NULL;
	for (const char *c = target; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			return NULL;
	return target + size;
}

static void write_forwarded(struct writer *out, const struct preview *preview)
{
	const struct request *request = preview->request;
	const char *host = request_header(request, "Host"), *remote = request->caller.remote;
	const char *colon = strrchr(remote, ':');

	if (colon && remote[0] != '[')
		writer_print(out, "X-Forwarded-For: %.*s\r\n", (int)(colon - remote), remote);
	if (host && is_clean(host))
		writer_print(out, "X-Forwarded-Host: %s\r\n", host);
	writer_print(out, "X-Forwarded-Proto: http\r\nX-Forwarded-Prefix: %s\r\n", preview->prefix);
}

static bool has_body(const struct request *request)
{
	return request->body_size > 0 || request_header(request, "Content-Length") ||
	       request_header(request, "Transfer-Encoding");
}

int preview_write_request(struct preview *preview)
{
	const struct request *request = preview->request;
	const char *target = target_of(preview),
		   *connection = request_header(request, "Connection");
	struct writer *out = &preview->out;
	struct request_walk walk = {.out = out, .connection = connection ? connection : ""};

	if (!target)
		return -EINVAL;
	writer_print(out, "%s ", request->method);
	preview_write_target(out, target);
	writer_print(out, " HTTP/1.1\r\nHost: localhost:%u\r\n", preview->port);
	request_headers_each(request, write_header, &walk);
	write_forwarded(out, preview);
	if (has_body(request))
		writer_print(out, "Content-Length: %zu\r\n", request->body_size);
	writer_text(out, preview->kind == PREVIEW_WEBSOCKET
				 ? "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
				 : "Connection: close\r\n\r\n");
	if (walk.refused)
		return -EINVAL;
	return out->failed ? -ENOMEM : 0;
}
