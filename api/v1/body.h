/* The JSON object of a request's body, and the sandbox of its path. What is wrong is responded. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/http/request.h"
#include "api/text/fields.h"

/* Parses the body into `*ret_object` (owned; NULL for an empty body). Returns false when it is no
 * JSON object. */
bool body_parse(struct request *request, json_t **ret_object);

/* For requests that say all by their path: true if the body is empty or an object without keys. */
bool body_take_none(struct request *request);

/* Responds with the error of `fields`, if there is one, and returns false then. */
bool body_accept(struct request *request, const struct wire_api_error *error);

static inline void cleanup_json(json_t **value)
{
	json_decref(*value);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Reads the sandbox's id in the path into request->sandbox. */
bool body_take_sandbox(struct request *request);
