/* cloche-api in a child process, between a client and a cloched that the test plays itself. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/http/server.h"
#include "supervisor/wire/api.h"

#define API_KEY "clo_00000001_secret"

struct api {
	pid_t pid;
	int cloched; /* our end of the supervisor's socket */
	char unix_name[108];
	size_t unix_name_size; /* abstract */
	uint16_t port;
};

/* `limits` NULL: those of a process with 1,024 files. */
void api_start(struct api *api, const struct server_limits *limits);
/* Closes the supervisor's socket, if it is open; returns the exit status of the process. */
int api_stop(struct api *api);

struct frame {
	struct wire_header header;
	_Alignas(8) char body[WIRE_FRAME_MAX];
	size_t size;
};

/* Receives the next question, which must be a `type` with a body of at least `size`. Reports of
 * answered requests are passed over, unless they are asked for. */
const void *api_expect(struct api *api, struct frame *frame, uint16_t type, size_t size);
/* True when no question is there. */
bool api_is_quiet(struct api *api);
/* `fds` are closed here when sent. */
void api_answer(struct api *api, const struct frame *question, uint16_t type, const void *body,
	size_t size, const void *tail, size_t tail_size, int *fds, size_t n_fds);
void api_answer_error(
	struct api *api, const struct frame *question, uint32_t code, const char *detail);

/* One with a client, for a test: begun, and ended as it should be. */
struct api_exchange {
	struct api api;
	struct frame question;
	int client;
};
void api_exchange_begin(struct api_exchange *exchange);
void api_exchange_end(struct api_exchange *exchange);

int api_connect(struct api *api);
int api_connect_tcp(struct api *api);
void api_send(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends a request with the key; `body` NULL: none. `headers` are whole lines or "". */
void api_request(
	int fd, const char *method, const char *path, const char *headers, const char *body);

struct response {
	unsigned status;
	char head[8192];
	char *body; /* heap, NUL-terminated */
	size_t body_size;
};

/* Reads one whole answer, with Content-Length or in chunks. */
void api_read(int fd, struct response *response);
void api_response_fini(struct response *response);
/* Reads until `text` was seen, into `buffer`. */
void api_read_until(int fd, const char *text, char *buffer, size_t size);
/* True when the peer closes within the time limit of the socket. */
bool api_is_closed(int fd);
