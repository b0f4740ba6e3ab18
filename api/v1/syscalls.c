/* GET /v1/sandboxes/{id}/syscalls. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/routes.h"
#include "supervisor/base/utf8.h"

/* A call that has no name goes by its number. */
static void write_row(struct writer *writer, const struct wire_syscall_row *row)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, row->number);
	json_write_name(writer, row->number == UINT32_MAX ? "foreign"
				: row->name[0]            ? row->name
							  : number);
	json_write_open(writer, '{');
	json_write_number(writer, "calls", row->calls);
	json_write_number(writer, "refused", row->refused);
	json_write_close(writer, '}');
}

static int on_counts(struct request *request, const struct answer *answer)
{
	struct writer *writer = &request->answer;
	struct wire_syscall_row row;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_SYSCALLS_REPLY) < 0)
		return -EPROTO;
	json_write_open(writer, '{');
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		if (answer_rows_take(&rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.name) ||
			!utf8_is_valid(row.name, strlen(row.name)))
			return -EPROTO;
		write_row(writer, &row);
	}
	json_write_close(writer, '}');
	if (rows.left)
		return -EPROTO;
	respond_json(request, 200);
	return ANSWER_LAST;
}

void syscalls_of_sandbox(struct request *request)
{
	struct wire_sandbox_ref ref = {.caller = request->caller};

	if (!body_take_sandbox(request))
		return;
	ref.sandbox = request->sandbox;
	request_ask(request, WIRE_API_SYSCALLS, &ref, sizeof(ref), NULL, 0, on_counts);
}
