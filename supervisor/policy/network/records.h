/* Inside the policy room: rules such as {"name": "example.org", "records": ["MX", "TXT"]}. */
#pragma once

#include "supervisor/policy/network/name.h"
#include "supervisor/policy/read/reader.h"

/* A rule that has "records": its name, and which. `rule` is zeroed. */
int policy_read_records(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule);
#define POLICY_RECORDS_TEXT_SIZE 16
/* "MX, TXT". */
const char *policy_records_format(uint8_t records, char ret_text[POLICY_RECORDS_TEXT_SIZE]);
/* The canonical list; NULL without memory. */
json_t *policy_write_records(uint8_t records);
