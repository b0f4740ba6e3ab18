/* An answer of 101: the connection stops being HTTP and becomes the handler's. */
#pragma once

#include <stddef.h>

#include "api/http/request.h"

struct MHD_Response;
struct upgrade;

/* The 101 is sent. `fd` (borrowed, does not block) is the client's socket, until upgrade_close();
 * `bytes` (borrowed for the call) came from it already. */
typedef void (*upgrade_taken)(
	struct request *request, int fd, const void *bytes, size_t size, void *userdata);

/* Answers that `protocol` (a constant) is spoken from now on. Returns 0 or -ENOMEM (then nothing is
 * responded). If the client goes away first, `taken` is never called and the request ends. */
int upgrade_begin(
	struct request *request, const char *protocol, upgrade_taken taken, void *userdata);
/* Closes the connection, which ends the request: in this round of the loop, not in this call. The
 * socket must not be watched any more. Any number of times. */
void upgrade_close(struct request *request);

/* For receive.c and request.c. */
struct MHD_Response *upgrade_response(struct request *request);
struct upgrade *upgrade_free(struct upgrade *upgrade);
