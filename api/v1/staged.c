/* DELETE /v1/policies/{name}?stage=shadow, and what versions and sums say of what is staged. */
#include "api/v1/staged.h"

#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/routes.h"
#include "supervisor/wire/strings.h"

int staged_take(struct answer_rows *rows, struct wire_policy_staged *ret_staged)
{
	if (rows->page.n_rows == 0 || answer_rows_take(rows, ret_staged, sizeof(*ret_staged)) < 0 ||
		!WIRE_TEXT_VALID(ret_staged->hash) || !WIRE_TEXT_VALID(ret_staged->file_hash) ||
		!WIRE_TEXT_VALID(ret_staged->commit) || !WIRE_TEXT_VALID(ret_staged->by_key) ||
		!WIRE_TEXT_VALID(ret_staged->error))
		return -EPROTO;
	rows->page.n_rows--;
	return 0;
}

void staged_write(struct writer *writer, const struct wire_policy_staged *staged)
{
	json_write_text(writer, "hash", staged->hash);
	json_write_text(writer, "file_hash", staged->file_hash);
	json_write_text_or_null(writer, "commit", staged->commit);
	json_write_text_or_null(writer, "by_key", staged->by_key);
	json_write_time(writer, "since", staged->time_ns);
	json_write_number(writer, "asked", staged->n_asked);
	json_write_number(writer, "not_asked", staged->n_not_asked);
	json_write_text_or_null(writer, "error", staged->error);
}

static int on_dropped(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void policies_drop(struct request *request)
{
	static const char *const known[] = {"stage", "hash", NULL};
	struct wire_policy_rollback drop = {.caller = request->caller};
	const char *stage;

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_text(request, "hash", drop.hash, sizeof(drop.hash)))
		return;
	stage = request_argument(request, "stage", 0);
	if (!stage || strcmp(stage, "shadow") != 0) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: only a staged version can be dropped, with \"stage=shadow\"; a "
			"policy goes with its file");
		return;
	}
	memcpy(drop.name, request->parameters[0], sizeof(drop.name));
	request_ask(request, WIRE_API_POLICY_DROP, &drop, sizeof(drop), NULL, 0, on_dropped);
}
