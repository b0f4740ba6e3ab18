/* Recorded acts, before they are a line of the log: what policy_recorded_read() would say of it. */
#pragma once

#include "bpf/abi/event.h"
#include "supervisor/policy/acts/recorded.h"

/* What the line will say of a system call in words. */
struct policy_event_words {
	const char *call, *refused_by; /* NULL: it has none */
	bool opened;                   /* it is "file.open" */
};

/* Reads an event of the kernel that is whole; `words` of one of a system call, else NULL. There is
 * no line then, nor what stands before its body. Other events are POLICY_RECORDED_OTHER. */
void policy_recorded_event(const struct abi_event_header *event,
	const struct policy_event_words *words, struct policy_recorded *ret_record);

/* An answer of the sandbox's resolver. */
struct policy_recorded_answer {
	const char *name;
	uint16_t type;
	uint8_t rcode;
	int extended_error; /* below 0: none */
	uint32_t n_records;
};
void policy_recorded_query(
	const struct policy_recorded_answer *answer, struct policy_recorded *ret_record);
