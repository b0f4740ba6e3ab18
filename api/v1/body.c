#include "api/v1/body.h"

#include "api/http/respond.h"
#include "api/v1/ids.h"

bool body_parse(struct request *request, json_t **ret_object)
{
	json_error_t error;
	json_t *object;

	*ret_object = NULL;
	if (request->body_size == 0)
		return true;
	object = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error);
	request_drop_body(request);
	if (!object) {
		respond_problem(request, WIRE_CODE_INVALID,
			"the body is not JSON: line %d, column %d: %s", error.line, error.column,
			error.text);
		return false;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		respond_problem(request, WIRE_CODE_INVALID, "the body must be a JSON object");
		return false;
	}
	*ret_object = object;
	return true;
}

bool body_accept(struct request *request, const struct wire_api_error *error)
{
	if (error->code == 0)
		return true;
	respond_error(request, error);
	return false;
}

bool body_take_none(struct request *request)
{
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;

	if (!body_parse(request, &object))
		return false;
	fields_begin(&fields, object, "", &error);
	fields_end(&fields);
	return body_accept(request, &error);
}

bool body_take_sandbox(struct request *request)
{
	if (id_read_sandbox(request->parameters[0], &request->sandbox))
		return true;
	respond_problem(request, WIRE_CODE_NOT_FOUND,
		"\"%s\" is no sandbox's id; ids look like sb-0123456789abcdef",
		request->parameters[0]);
	return false;
}
