/* What /v1/audit and /v1/events can be asked, and in which form they answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/http/request.h"

struct audit_form {
	bool sse;  /* server-sent events, else a line each */
	bool ocsf; /* OCSF events, else the records as they are in the log */
};

struct audit_request {
	struct wire_events_query wire;
	uint64_t n_left; /* records to answer at most; UINT64_MAX: no limit */
	bool follow;     /* goes on with what comes */
	struct audit_form form;
};

#define AUDIT_TYPES_FORM "types or their first parts, separated by commas: network,process.exec"
#define AUDIT_VERDICT_FORM "allow, deny or would_deny"

bool audit_types_valid(const char *types);
bool audit_verdict_valid(const char *verdict);

/* Reads the arguments; `limit_default` is for those who neither follow nor say a limit. Returns
 * false when something was wrong, which is responded. */
bool audit_query_read(
	struct request *request, uint64_t limit_default, struct audit_request *ret_query);
