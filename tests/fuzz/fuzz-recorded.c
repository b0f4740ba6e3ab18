/* Lines that ask to be records of the audit log. What is read as an act must be one that can be
 * written, and asked about; a line that is no JSON must not be taken for an act. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/acts/members.h"
#include "supervisor/policy/acts/recorded.h"
#include "tests/fuzz/opinion.h"

static const char document[] =
	"{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[{\"name\":\"*.example.org\"},"
	"{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]}],\"inbound\":{\"ports\":[8000]}}}";

static void check_act(const struct policy_act *act)
{
	char text[POLICY_ACT_TEXT_SIZE];
	struct policy_act again;

	policy_act_format(act, text);
	BROKEN_IF(strlen(text) < 6);
	BROKEN_IF((act->kind == POLICY_ACT_CONNECT || act->kind == POLICY_ACT_SEND ||
			  act->kind == POLICY_ACT_INBOUND) &&
		  act->port == 0);
	BROKEN_IF((act->kind == POLICY_ACT_READ || act->kind == POLICY_ACT_WRITE) &&
		  policy_act_parse(text, NULL, &again, NULL) < 0);
	opinion_of(document, act);
}

static void check_record(const struct policy_recorded *record)
{
	json_t *object = json_loadb(record->line, record->size_bytes, 0, NULL);

	BROKEN_IF(!json_is_object(object));
	json_decref(object);
	BROKEN_IF(memchr(record->time, 0, sizeof(record->time)) == NULL);
	BROKEN_IF(record->n_acts > POLICY_RECORDED_ACTS_MAX);
	if (record->kind == POLICY_RECORDED_CREATE) {
		policy_recorded_has_label(record, "job=17");
		policy_recorded_has_label(record, "=");
		return;
	}
	for (size_t i = 0; i < record->n_acts; i++)
		check_act(&record->acts[i].act);
}

/* What the fast way takes, jansson takes too, and both read the same. */
static void check_scan(const char *line, size_t size)
{
	struct members members;
	json_t *object;

	if (!members_scan(line, size, &members))
		return;
	object = json_loadb(line, size, 0, NULL);
	BROKEN_IF(!json_is_object(object));
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = members_find(object, (enum member_key)i);
		const char *text = json_string_value(value);

		BROKEN_IF(!text != !members.list[i].text);
		BROKEN_IF(text && !member_is(&members.list[i], text));
		BROKEN_IF(!value != !members.list[i].is_there);
		BROKEN_IF((json_is_true(value) ? 1 : json_integer_value(value)) !=
			  members.list[i].integer);
	}
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size ? size : 1); /* a block of its own: a sanitizer sees its end */
	struct policy_recorded record;
	int r;

	BROKEN_IF(!line);
	if (size)
		memcpy(line, data, size);
	check_scan(line, size);
	r = policy_recorded_read(line, size, &record);
	if (r == -EBADMSG) {
		char fault[POLICY_RECORDED_FAULT_SIZE];

		policy_recorded_fault(line, size, fault);
	}
	BROKEN_IF(r != 0 && r != -EBADMSG);
	if (r == 0 && record.kind != POLICY_RECORDED_OTHER)
		check_record(&record);
	free(line);
	return 0;
}
