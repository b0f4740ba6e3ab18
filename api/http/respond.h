/* Answers: JSON, text, nothing, or a problem (RFC 9457). Each sends its request on its way. */
#pragma once

#include "api/http/request.h"

/* Before one of those below. At most REQUEST_HEADERS_MAX; `name` must be a constant. */
void respond_header(struct request *request, const char *name, const char *format, ...)
	_printf_(3, 4);

/* Any number of those, with names and values of any length, which are copied. */
void respond_header_text(struct request *request, const char *name, const char *value);

/* Before one of those below, or stream_begin(): sends it packed if the client takes that and there
 * is memory for it. Problems are never packed. */
void respond_packed(struct request *request);

/* Sends request->answer as what `content_type` (a constant) says. */
void respond(struct request *request, unsigned status, const char *content_type);
void respond_json(struct request *request, unsigned status);
void respond_empty(struct request *request, unsigned status);

/* Drops what was written into request->answer. */
void respond_error(struct request *request, const struct wire_api_error *error);
void respond_problem(struct request *request, enum wire_api_code code, const char *format, ...)
	_printf_(3, 4);
/* With a status that no code of cloched stands for: 405, 415, 501, 502, 504. */
void respond_status(struct request *request, unsigned status, const char *detail);
