/* What libmicrohttpd calls while it receives a request and when it is done with one. */
#pragma once

#include <microhttpd.h>

/* MHD_AccessHandlerCallback; `cls` is a struct server. */
enum MHD_Result receive_request(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **context);

/* The callback of MHD_OPTION_URI_LOG_CALLBACK: keeps what the client asked for before it is
 * unescaped. */
void *receive_target(void *cls, const char *target, struct MHD_Connection *mhd);

/* MHD_RequestCompletedCallback. */
void receive_completed(
	void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how);
