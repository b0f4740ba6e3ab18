#include "api/export/transfers.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"

#define CONNECT_TIMEOUT_MS 10000L
#define TOTAL_TIMEOUT_MS 30000L
#define ANSWER_BYTES_MAX 65536 /* of a body that nobody reads */
#define RETRY_AFTER_MAX 3600

struct transfers {
	struct loop *loop;
	CURLM *multi;
	struct curl_blob ca;
	struct loop_source *timer;
	struct transfer *first;
};

struct transfer {
	struct transfers *transfers;
	struct transfer *next, **place;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct abi_address address;
	uint16_t port;
	size_t answer_bytes;
	char error[CURL_ERROR_SIZE];
	transfer_callback done;
	void *userdata;
};

/* What is watched for one of libcurl's sockets. */
struct watch {
	struct transfers *transfers;
	struct loop_source *source;
	int fd;
};

static void collect(struct transfers *transfers);

static void on_ready(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct watch *watch = userdata;
	struct transfers *transfers = watch->transfers;
	int mask = 0, running;

	if (events & (EPOLLIN | EPOLLHUP))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	curl_multi_socket_action(transfers->multi, watch->fd, mask, &running);
	collect(transfers); /* `watch` may be gone */
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	struct transfers *transfers = userdata;
	int running;

	curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(transfers);
}

static int on_timeout(CURLM *multi _unused_, long timeout_ms, void *userdata)
{
	struct transfers *transfers = userdata;

	if (timeout_ms < 0)
		loop_timer_disarm(transfers->timer);
	else
		loop_timer_arm(transfers->timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static int on_socket(CURL *easy _unused_, curl_socket_t fd, int what, void *userdata, void *watched)
{
	struct transfers *transfers = userdata;
	struct watch *watch = watched;
	uint32_t events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (watch)
			loop_source_free(watch->source);
		free(watch);
		curl_multi_assign(transfers->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (watch)
		return loop_source_set_events(watch->source, events) < 0 ? -1 : 0;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -1;
	*watch = (struct watch){.transfers = transfers, .fd = fd};
	if (loop_add_fd(transfers->loop, fd, events, on_ready, watch, &watch->source) < 0) {
		free(watch);
		return -1;
	}
	curl_multi_assign(transfers->multi, fd, watch);
	return 0;
}

int transfers_new(
	struct loop *loop, const char *ca, size_t ca_size, struct transfers **ret_transfers)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));

	if (!transfers)
		return -ENOMEM;
	transfers->loop = loop;
	if (ca_size > 0) {
		transfers->ca = (struct curl_blob){.data = malloc(ca_size), .len = ca_size};
		if (transfers->ca.data)
			memcpy(transfers->ca.data, ca, ca_size);
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		transfers->multi = curl_multi_init();
	if (!transfers->multi || (ca_size > 0 && !transfers->ca.data) ||
		loop_add_timer(loop, on_timer, transfers, &transfers->timer) < 0) {
		transfers_free(transfers);
		return -ENOMEM;
	}
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	*ret_transfers = transfers;
	return 0;
}

struct transfers *transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return NULL;
	while (transfers->first)
		transfer_cancel(transfers->first);
	curl_multi_cleanup(transfers->multi);
	loop_source_free(transfers->timer);
	free(transfers->ca.data);
	free(transfers);
	return NULL;
}

static bool address_is(const struct curl_sockaddr *address, const struct transfer *transfer)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;
	struct abi_address found = {.bytes = {[10] = 0xff, [11] = 0xff}};
	uint16_t port;

	if (address->family == AF_INET) {
		memcpy(found.bytes + 12, &v4->sin_addr, 4);
		port = ntohs(v4->sin_port);
	} else if (address->family == AF_INET6) {
		memcpy(found.bytes, &v6->sin6_addr, 16);
		port = ntohs(v6->sin6_port);
	} else {
		return false;
	}
	return port == transfer->port && memcmp(&found, &transfer->address, sizeof(found)) == 0;
}

/* The last word on where a connection goes: nothing but the address that was vetted. */
static curl_socket_t open_socket(
	void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct transfer *transfer = userdata;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || address->socktype != SOCK_STREAM ||
		!address_is(address, transfer))
		return CURL_SOCKET_BAD;
	fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t drop_answer(char *data _unused_, size_t one, size_t n, void *userdata)
{
	struct transfer *transfer = userdata;

	transfer->answer_bytes += one * n;
	return transfer->answer_bytes > ANSWER_BYTES_MAX ? 0 : one * n;
}

/* "::ADDRESS:PORT": whatever the URL's host is (CURLOPT_CONNECT_TO(3)). */
static void connect_where(const struct transfer *transfer, char *ret_text, size_t size)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *bytes = transfer->address.bytes;
	bool is_v4 = memcmp(bytes, mapped, sizeof(mapped)) == 0;
	char address[INET6_ADDRSTRLEN];

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? bytes + 12 : bytes, address, sizeof(address));
	snprintf(ret_text, size, is_v4 ? "::%s:%u" : "::[%s]:%u", address, transfer->port);
}

static bool set_numbers(CURL *easy)
{
	static const struct {
		CURLoption option;
		long value;
	} rows[] = {{CURLOPT_FOLLOWLOCATION, 0}, {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
		{CURLOPT_NOSIGNAL, 1}, {CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS},
		{CURLOPT_TIMEOUT_MS, TOTAL_TIMEOUT_MS}, {CURLOPT_POST, 1},
		{CURLOPT_SSL_VERIFYPEER, 1}, {CURLOPT_SSL_VERIFYHOST, 2}};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ok = ok && curl_easy_setopt(easy, rows[i].option, rows[i].value) == CURLE_OK;
	return ok;
}

static bool set_where(struct transfer *transfer, const char *url)
{
	CURL *easy = transfer->easy;

	return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECT_TO, transfer->connect_to) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK;
}

/* Who is trusted comes from memory: the process cannot open files. */
static bool set_trust(struct transfer *transfer)
{
	CURL *easy = transfer->easy;
	struct curl_blob *ca = &transfer->transfers->ca;

	return curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       (ca->len == 0 || curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, ca) == CURLE_OK);
}

static bool set_content(struct transfer *transfer, const struct transfer_config *config)
{
	CURL *easy = transfer->easy;
	curl_off_t size = (curl_off_t)config->body_size;

	return curl_easy_setopt(easy, CURLOPT_POSTFIELDS, config->body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, "cloche/" CLOCHE_VERSION) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop_answer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *text, bool *failed)
{
	struct curl_slist *longer = curl_slist_append(list, text);

	*failed |= !longer;
	return longer ? longer : list;
}

int transfer_start(struct transfers *transfers, const struct transfer_config *config,
	struct transfer **ret_transfer)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));
	bool failed = false;
	char where[80];

	if (!transfer)
		return -ENOMEM;
	transfer->transfers = transfers;
	transfer->address = config->address;
	transfer->port = config->port;
	transfer->done = config->done;
	transfer->userdata = config->userdata;
	transfer->place = &transfers->first;
	transfer->next = transfers->first;
	if (transfer->next)
		transfer->next->place = &transfer->next;
	transfers->first = transfer;
	connect_where(transfer, where, sizeof(where));
	transfer->connect_to = add_header(NULL, where, &failed);
	for (const char *const *each = config->headers; *each; each++)
		transfer->headers = add_header(transfer->headers, *each, &failed);
	/* Without "Expect: 100-continue", which not every receiver knows. */
	transfer->headers = add_header(transfer->headers, "Expect:", &failed);
	transfer->easy = curl_easy_init();
	if (failed || !transfer->easy || !set_numbers(transfer->easy) ||
		!set_where(transfer, config->url) || !set_trust(transfer) ||
		!set_content(transfer, config) ||
		curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK) {
		transfer_cancel(transfer);
		return -ENOMEM;
	}
	*ret_transfer = transfer;
	return 0;
}

struct transfer *transfer_cancel(struct transfer *transfer)
{
	if (!transfer)
		return NULL;
	*transfer->place = transfer->next;
	if (transfer->next)
		transfer->next->place = transfer->place;
	if (transfer->easy) {
		curl_multi_remove_handle(transfer->transfers->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->connect_to);
	free(transfer);
	return NULL;
}

static void finish(struct transfer *transfer, CURLcode code)
{
	struct transfer_result result = {0};
	transfer_callback done = transfer->done;
	void *userdata = transfer->userdata;
	curl_off_t after = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &result.status);
	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &after);
	if (after > 0)
		result.retry_after_seconds =
			after < RETRY_AFTER_MAX ? (uint64_t)after : RETRY_AFTER_MAX;
	if (code != CURLE_OK) {
		result.status = 0;
		snprintf(result.error, sizeof(result.error), "%.150s",
			transfer->error[0] ? transfer->error : curl_easy_strerror(code));
	}
	transfer_cancel(transfer);
	done(&result, userdata);
}

/* A callback may start and cancel transfers. */
static void collect(struct transfers *transfers)
{
	const CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(transfers->multi, &left))) {
		struct transfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		if (transfer)
			finish(transfer, message->data.result);
	}
}
