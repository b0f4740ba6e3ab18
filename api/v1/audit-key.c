/* /v1/audit/rotate-key: a new key to sign the audit log with. */
#include <errno.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/routes.h"
#include "supervisor/wire/audit.h"
#include "supervisor/wire/strings.h"

static int on_rotated(struct request *request, const struct answer *answer)
{
	const struct wire_audit_key_row *key = answer->body;
	struct writer *writer = &request->answer;

	if (answer->type != WIRE_API_AUDIT_KEY || answer->size != sizeof(*key) ||
		!WIRE_TEXT_VALID(key->key) || !WIRE_TEXT_VALID(key->certificate))
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_number(writer, "epoch", key->epoch);
	json_write_text(writer, "key", key->key);
	json_write_text(writer, "certificate", key->certificate);
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

void audit_key_rotate(struct request *request)
{
	if (body_take_none(request))
		request_ask(request, WIRE_API_AUDIT_ROTATE_KEY, &request->caller,
			sizeof(request->caller), NULL, 0, on_rotated);
}
