#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/names/service.h"

/* Obsolete ways to ask for everything (RFC 1035, 3.2.3). */
#define TYPE_MAILB 253
#define TYPE_MAILA 254

bool bucket_take(struct bucket *bucket, uint32_t per_second, uint32_t burst)
{
	uint64_t now_ns = clock_monotonic_ns();
	double gained = (double)(now_ns - bucket->filled_ns) / NS_PER_SECOND * per_second;

	bucket->n_tokens += gained;
	if (bucket->filled_ns == 0 || bucket->n_tokens > burst)
		bucket->n_tokens = burst;
	bucket->filled_ns = now_ns;
	if (bucket->n_tokens < 1)
		return false;
	bucket->n_tokens -= 1;
	return true;
}

/* ---- answers */

/* Returns 0 or -errno: nobody takes the record now. */
static int report(struct names_service *service, const struct question *question, uint16_t rcode,
	enum answer_reason reason, const struct answer_size *told)
{
	const struct names_config *config = &service->names->config;
	struct wire_gate_dns line = {.sandbox = service->sandbox,
		.type = question->type,
		.rcode = rcode,
		.error = (uint16_t)reason,
		.over_tcp = question->over_tcp,
		.n_records = told ? told->n : 0,
		.records_bytes = told ? told->bytes : 0};

	if (question->has_name)
		snprintf(line.name, sizeof(line.name), "%s", question->name);
	return config->report(config->userdata, &line);
}

/* Nothing is answered that is not recorded: the client asks again, and is held back until then. */
void query_answer(struct names_service *service, const struct asker *asker,
	const struct question *question, const struct answer_size *told, const uint8_t *message,
	size_t size_bytes)
{
	if (report(service, question, QUESTION_NOERROR, ANSWER_NONE, told) < 0)
		service_hold(service);
	else
		service_send(service, asker, message, size_bytes);
}

void query_refuse(struct names_service *service, const struct asker *asker,
	const struct question *question, uint16_t rcode, enum answer_reason reason,
	const char *text)
{
	uint8_t message[ANSWER_SIZE_MAX];
	size_t size_bytes;

	if (answer_refuse(question, rcode, reason, text, message, &size_bytes) < 0)
		return;
	if (report(service, question, rcode, reason, NULL) < 0)
		service_hold(service);
	else
		service_send(service, asker, message, size_bytes);
}

/* NOERROR: with the synthetic address, or with nothing if another type was asked for. */
static void answer(struct names_service *service, const struct asker *asker,
	const struct question *question, const struct wire_gate_ticket *ticket)
{
	struct abi_address address = question->type == QUESTION_A ? ticket_address4(ticket->index)
								  : ticket_address6(ticket->index);
	uint8_t message[ANSWER_SIZE_MAX];
	size_t size_bytes;
	int r;

	if (question->type == QUESTION_A || question->type == QUESTION_AAAA)
		r = answer_address(
			question, &address, NAMES_ANSWER_TTL_SECONDS, message, &size_bytes);
	else
		r = answer_empty(question, message, &size_bytes);
	if (r < 0)
		return;
	query_answer(service, asker, question, NULL, message, size_bytes);
}

static void refuse_name(struct names_service *service, const struct asker *asker,
	const struct question *question, const struct wire_gate_ticket *ticket)
{
	char text[ANSWER_TEXT_MAX + 1];

	if (ticket->error == -EACCES) {
		snprintf(text, sizeof(text),
			"not allowed by policy \"%s\" of this sandbox; ask for a rule "
			"{\"name\": \"%s\"}",
			ticket->policy_name, question->name);
		query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_BLOCKED, text);
		return;
	}
	if (ticket->error == -ENOSPC) {
		snprintf(text, sizeof(text), "this sandbox used %d names, more it may not",
			ABI_TICKETS_PER_SANDBOX_MAX);
		query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_PROHIBITED, text);
		return;
	}
	query_refuse(service, asker, question, QUESTION_SERVFAIL, ANSWER_OTHER,
		"the policy of this sandbox could not be asked");
}

/* By what the policy says of the name. Records of a name whose addresses are allowed are none,
 * without a rule for them; texts are refused even so, that a program which tries is told. */
static void settle(struct names_service *service, const struct asker *asker,
	const struct question *question, const struct wire_gate_ticket *ticket)
{
	uint32_t record = record_of(question->type);

	if (record & ticket->records)
		records_ask(service, asker, question);
	else if (record && (ticket->error == -EACCES || question->type == QUESTION_TXT))
		records_refuse(service, asker, question, ticket->policy_name);
	else if (ticket->error == 0)
		answer(service, asker, question, ticket);
	else
		refuse_name(service, asker, question, ticket);
}

/* ---- questions that wait */

static void release(struct waiting *waiting)
{
	struct names_service *service = waiting->service;

	TAILQ_REMOVE(&service->waiting, waiting, in_service);
	TAILQ_REMOVE(&service->names->waiting, waiting, in_names);
	service->n_waiting--;
	if (waiting->asker.stream)
		stream_count_waiting(waiting->asker.stream, -1);
	free(waiting);
}

static bool is_asked(const struct names_service *service, const char *name)
{
	const struct waiting *waiting;

	TAILQ_FOREACH(waiting, &service->waiting, in_service)
	if (strcmp(waiting->question.name, name) == 0)
		return true;
	return false;
}

/* cloched is asked once for all who wait for a name. */
static int ask(struct names_service *service, const char *name)
{
	const struct names_config *config = &service->names->config;
	struct wire_gate_name message = {.sandbox = service->sandbox};

	if (is_asked(service, name))
		return 0;
	snprintf(message.name, sizeof(message.name), "%s", name);
	return config->ask(config->userdata, &message);
}

static int wait_for_ticket(
	struct names_service *service, const struct asker *asker, const struct question *question)
{
	struct waiting *waiting;
	int r;

	if (service->n_waiting >= WAITING_MAX)
		return -EBUSY;
	waiting = malloc(sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	r = ask(service, question->name);
	if (r < 0) {
		free(waiting);
		return r;
	}
	waiting->service = service;
	waiting->since_ns = clock_monotonic_ns();
	waiting->asker = *asker;
	waiting->question = *question;
	TAILQ_INSERT_TAIL(&service->waiting, waiting, in_service);
	TAILQ_INSERT_TAIL(&service->names->waiting, waiting, in_names);
	service->n_waiting++;
	if (asker->stream)
		stream_count_waiting(asker->stream, 1);
	names_want_tick(service->names);
	return 0;
}

void query_take_ticket(struct names_service *service, const struct wire_gate_ticket *ticket)
{
	struct waiting *waiting = TAILQ_FIRST(&service->waiting), *next;

	for (; waiting; waiting = next) {
		next = TAILQ_NEXT(waiting, in_service);
		if (strcmp(waiting->question.name, ticket->name) != 0)
			continue;
		settle(service, &waiting->asker, &waiting->question, ticket);
		release(waiting);
	}
}

void query_expire(struct names *names, uint64_t now_ns)
{
	struct waiting *waiting;

	while ((waiting = TAILQ_FIRST(&names->waiting)) &&
		waiting->since_ns + names->config.ask_timeout_ms * NS_PER_MS <= now_ns) {
		query_refuse(waiting->service, &waiting->asker, &waiting->question,
			QUESTION_SERVFAIL, ANSWER_OTHER,
			"the policy of this sandbox was not told in time");
		release(waiting);
	}
}

void query_forget(struct names_service *service, const struct stream *stream)
{
	struct waiting *waiting = TAILQ_FIRST(&service->waiting), *next;

	for (; waiting; waiting = next) {
		next = TAILQ_NEXT(waiting, in_service);
		if (!stream || waiting->asker.stream == stream)
			release(waiting);
	}
}

/* ---- judging */

/* Types that carry whatever the other side likes, and that no rule can name: nothing is answered to
 * them, so that nothing can be carried, and a program that tries is told. */
static bool is_refused_type(uint16_t type)
{
	return type == QUESTION_NULL || type == QUESTION_ANY || type == QUESTION_AXFR ||
	       type == QUESTION_IXFR || type == TYPE_MAILB || type == TYPE_MAILA;
}

static void judge(
	struct names_service *service, const struct asker *asker, const struct question *question)
{
	const struct wire_gate_ticket *ticket;

	if (is_refused_type(question->type)) {
		query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_PROHIBITED,
			"this sandbox's resolver answers no questions of this type");
		return;
	}
	if (!question->is_plain || question->name[0] == '\0') {
		query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_BLOCKED,
			"no rule can allow this name");
		return;
	}
	ticket = tickets_by_name(service->tickets, question->name);
	if (ticket)
		settle(service, asker, question, ticket);
	else if (wait_for_ticket(service, asker, question) < 0)
		query_refuse(service, asker, question, QUESTION_SERVFAIL, ANSWER_OTHER,
			"too many questions of this sandbox wait already");
}

/* Answered, because a client that hears nothing asks again; recorded once a second, because the
 * record is shared by all. */
static void refuse_flood(
	struct names_service *service, const struct asker *asker, const struct question *question)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint8_t message[ANSWER_SIZE_MAX];
	size_t size_bytes;

	if (answer_refuse(question, QUESTION_REFUSED, ANSWER_PROHIBITED,
		    "too many queries of this sandbox at once; ask again in a second", message,
		    &size_bytes) < 0)
		return;
	service_send(service, asker, message, size_bytes);
	if (service->flood_told_ns && now_ns - service->flood_told_ns < NS_PER_SECOND)
		return;
	service->flood_told_ns = now_ns;
	report(service, question, QUESTION_REFUSED, ANSWER_PROHIBITED, NULL);
}

int query_take(struct names_service *service, const struct asker *asker, const uint8_t *message,
	size_t size_bytes)
{
	const struct names_config *config = &service->names->config;
	const uint32_t rate = config->queries_per_second, burst = config->queries_burst;
	bool in_time = bucket_take(&service->queries, rate, burst);
	struct question question;
	int r;

	if (!in_time && !bucket_take(&service->refusals, rate, rate)) {
		service_hold(service);
		return 0;
	}
	r = question_parse(message, size_bytes, asker->stream, &question);
	if (r < 0)
		return r;
	if (!in_time)
		refuse_flood(service, asker, &question);
	else if (r > 0)
		query_refuse(service, asker, &question, (uint16_t)r, ANSWER_NONE, NULL);
	else
		judge(service, asker, &question);
	return 0;
}
