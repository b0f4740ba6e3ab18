#include "api/v1/list.h"

#include <errno.h>

#include "api/http/respond.h"
#include "api/text/json.h"

int list_respond(struct request *request, const struct answer *answer, uint16_t type,
	const char *name, list_row row)
{
	struct writer *writer = &request->answer;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, type) < 0)
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_name(writer, name);
	json_write_open(writer, '[');
	for (uint32_t i = 0; i < rows.page.n_rows; i++)
		if (row(writer, &rows) < 0)
			return -EPROTO;
	json_write_close(writer, ']');
	json_write_close(writer, '}');
	if (rows.left)
		return -EPROTO;
	respond_json(request, 200);
	return ANSWER_LAST;
}
