#include "tools/cloche/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Local daemon: if nobody accepts in this time, nobody will. */
#define CONNECT_TIMEOUT_MS 5000L
#define POLL_MS 60000

struct http {
	CURL *easy;
	CURLM *multi;
	char *socket; /* NULL: TCP */
	char *base;   /* "http://127.0.0.1:8750" */
	char *authorization;
	char error[CURL_ERROR_SIZE];
};

/* What one transfer gathers. */
struct transfer {
	const struct http_request *request;
	CURL *easy;
	struct http_answer answer;
	size_t room;
	int error; /* why the sink stopped it */
};

static void list_free(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static int url_read(struct http *http, const char *url, struct failure *why)
{
	const char *path = NULL;

	if (strncmp(url, "unix://", 7) == 0)
		path = url + 7;
	else if (url[0] == '/')
		path = url;
	if (path) {
		if (path[0] != '/')
			return failure_set(why, -EINVAL, "url",
				"\"%s\" names no socket: unix:///run/cloche/api.sock has three "
				"slashes.",
				url);
		http->socket = strdup(path);
		http->base = strdup("http://localhost");
		return http->socket && http->base ? 0 : -ENOMEM;
	}
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return failure_set(why, -EINVAL, "url",
			"\"%s\" is no address of a daemon: write unix:///run/cloche/api.sock or "
			"http://127.0.0.1:8750.",
			url);
	http->base = strdup(url);
	if (!http->base)
		return -ENOMEM;
	for (size_t n = strlen(http->base); n > 0 && http->base[n - 1] == '/'; n--)
		http->base[n - 1] = '\0';
	return 0;
}

int http_open(const char *url, const char *key, struct http **ret_http, struct failure *why)
{
	struct http *http = calloc(1, sizeof(*http));
	int r = http ? url_read(http, url, why) : -ENOMEM;

	if (r == 0 && *key && asprintf(&http->authorization, "Authorization: Bearer %s", key) < 0) {
		http->authorization = NULL;
		r = -ENOMEM;
	}
	if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		http->easy = curl_easy_init();
		http->multi = curl_multi_init();
	}
	if (r == 0 && (!http->easy || !http->multi))
		r = failure_set(why, -ENOMEM, "http", "libcurl does not start.");
	if (r < 0) {
		http_free(http);
		return r;
	}
	*ret_http = http;
	return 0;
}

const char *http_base(const struct http *http)
{
	return http->socket ? "" : http->base;
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	free(http->socket);
	free(http->base);
	free(http->authorization);
	free(http);
	return NULL;
}

static int answer_grow(struct transfer *transfer, const char *data, size_t size)
{
	struct http_answer *answer = &transfer->answer;

	if (answer->size + size > HTTP_ANSWER_MAX)
		return -EFBIG;
	if (answer->size + size + 1 > transfer->room) {
		size_t room = (answer->size + size + 1) * 2;
		char *larger = realloc(answer->body, room);

		if (!larger)
			return -ENOMEM;
		answer->body = larger;
		transfer->room = room;
	}
	if (size)
		memcpy(answer->body + answer->size, data, size);
	answer->size += size;
	answer->body[answer->size] = '\0';
	return 0;
}

static size_t transfer_on_data(char *data, size_t one, size_t n, void *userdata)
{
	struct transfer *transfer = userdata;
	const struct http_request *request = transfer->request;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (request->on_data && status >= 200 && status < 300)
		transfer->error = request->on_data(data, one * n, request->userdata);
	else
		transfer->error = answer_grow(transfer, data, one * n);
	return transfer->error < 0 ? 0 : n;
}

/* Says which address was tried, why it did not work, and what to run. */
static int failure_from_curl(struct http *http, CURLcode code, struct failure *why)
{
	long number = 0;
	int error;

	curl_easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &number);
	error = number > 0 ? (int)-number : -EIO;
	if (code != CURLE_COULDNT_CONNECT && code != CURLE_OPERATION_TIMEDOUT)
		return failure_set(why, error == -EIO ? -EPROTO : error, "http",
			"The daemon at %s broke off: %s.", http->socket ? http->socket : http->base,
			http->error[0] ? http->error : curl_easy_strerror(code));
	if (http->socket && (error == -EACCES || error == -EPERM))
		return failure_set(why, error, "http",
			"You may not open the daemon's socket %s. Use sudo, or an account that "
			"may.",
			http->socket);
	return failure_set(why, error, "http",
		"No Cloche daemon answers at %s (%s). Start it with 'systemctl start cloche' or "
		"'sudo cloched', or say where it is with --url or $CLOCHE_URL.",
		http->socket ? http->socket : http->base,
		number > 0 ? strerror((int)number) : http->error);
}

static int transfer_wait(struct http *http, struct transfer *transfer, struct failure *why)
{
	struct curl_waitfd interrupt = {
		.fd = transfer->request->interrupt_fd, .events = CURL_WAIT_POLLIN};
	bool may_interrupt = interrupt.fd >= 0;
	int running = 1, left;
	const CURLMsg *message;

	while (running) {
		if (curl_multi_perform(http->multi, &running) != CURLM_OK)
			return failure_set(why, -EIO, "http", "libcurl cannot go on.");
		if (!running)
			break;
		interrupt.revents = 0;
		if (curl_multi_poll(http->multi, &interrupt, may_interrupt, POLL_MS, NULL) !=
			CURLM_OK)
			return failure_set(why, -EIO, "http", "libcurl cannot wait.");
		if (interrupt.revents)
			return failure_set(why, -EINTR, "http", "Interrupted.");
	}
	message = curl_multi_info_read(http->multi, &left);
	if (!message || message->msg != CURLMSG_DONE)
		return failure_set(why, -EIO, "http", "libcurl says nothing of the request.");
	if (transfer->error < 0)
		return transfer->error == -EFBIG
			       ? failure_set(why, -EFBIG, "http",
					 "The answer is larger than %u MiB.", HTTP_ANSWER_MAX >> 20)
			       : transfer->error;
	if (message->data.result != CURLE_OK)
		return failure_from_curl(http, message->data.result, why);
	curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &transfer->answer.status);
	return answer_grow(transfer, NULL, 0);
}

static bool header_add(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (longer)
		*headers = longer;
	return longer;
}

static void request_prepare(struct http *http, const struct http_request *request, const char *url,
	const struct curl_slist *headers, struct transfer *transfer)
{
	CURL *easy = http->easy;

	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	if (http->socket)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->socket);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cloche/" CLOCHE_VERSION);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	if (request->body || strcmp(request->method, "POST") == 0) {
		const char *body = request->body ? request->body : "";

		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	}
}

int http_send(struct http *http, const struct http_request *request, struct http_answer *ret_answer,
	struct failure *why)
{
	_cleanup_(list_free) struct curl_slist *headers = NULL;
	_cleanup_(http_answer_fini) struct http_answer unused = {0};
	_cleanup_free_ char *url = NULL, *accept = NULL;
	struct transfer transfer = {.request = request, .easy = http->easy};
	int r;

	http->error[0] = '\0';
	if (asprintf(&url, "%s%s", http->base, request->path) < 0) {
		url = NULL;
		return failure_set(why, -ENOMEM, "http", "No memory.");
	}
	if (asprintf(&accept, "Accept: %s",
		    request->accept ? request->accept : "application/json") < 0) {
		accept = NULL;
		return failure_set(why, -ENOMEM, "http", "No memory.");
	}
	if (!header_add(&headers, accept) || !header_add(&headers, "Expect:") ||
		/* without a name after it, libcurl leaves its own out */
		!header_add(&headers,
			request->body ? "Content-Type: application/json" : "Content-Type:") ||
		(http->authorization && !header_add(&headers, http->authorization)))
		return failure_set(why, -ENOMEM, "http", "No memory.");
	for (const char *const *each = request->headers; each && *each; each++)
		if (!header_add(&headers, *each))
			return failure_set(why, -ENOMEM, "http", "No memory.");
	request_prepare(http, request, url, headers, &transfer);
	if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK)
		return failure_set(why, -EIO, "http", "libcurl does not take the request.");
	r = transfer_wait(http, &transfer, why);
	curl_multi_remove_handle(http->multi, http->easy);
	if (r < 0) {
		unused = transfer.answer;
		return r;
	}
	*ret_answer = transfer.answer;
	return 0;
}

void http_answer_fini(struct http_answer *answer)
{
	free(answer->body);
	*answer = (struct http_answer){0};
}

int http_encode(char *buffer, size_t size, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t used = strlen(buffer);

	for (; *text; text++) {
		bool keep = strchr(plain, *text) != NULL;

		if (used + (keep ? 1 : 3) >= size)
			return -E2BIG;
		used += (size_t)snprintf(
			buffer + used, size - used, keep ? "%c" : "%%%02X", (unsigned char)*text);
	}
	return 0;
}
