/* Why a client's request was not done: the code it becomes on the wire, and a sentence for a
 * person. */
#pragma once

#include "supervisor/base/cleanup.h"
#include "supervisor/wire/api.h"

struct refusal {
	enum wire_api_code code;
	char sentence[512];
};

/* Fills `why`; returns -ECANCELED, so that a caller can `return refuse(…)`. */
int refuse(struct refusal *why, enum wire_api_code code, const char *format, ...) _printf_(3, 4);
