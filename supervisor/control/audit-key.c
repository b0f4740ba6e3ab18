#include "supervisor/base/log.h"
#include "supervisor/control/request.h"
#include "supervisor/wire/audit.h"

void handle_audit_rotate_key(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	struct audit *audit = request->control->core->audit;
	struct wire_audit_key_row row = {0};
	struct failure why = {0};
	int r = audit_rotate_key(audit, &why);

	row.epoch = audit_key_epoch(audit);
	if (r == 0)
		r = audit_key(audit, row.epoch, row.key, row.certificate);
	if (r < 0) {
		log_failure("the audit log's key", &why);
		request_fail(request, WIRE_CODE_UNAVAILABLE, "%s.", why.sentence);
		return;
	}
	request_answer(request, WIRE_API_AUDIT_KEY, &row, sizeof(row), NULL, 0);
}
