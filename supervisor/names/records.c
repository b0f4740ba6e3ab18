/* Records beside addresses, where a rule names them: asked for at the host's resolvers, because
 * unlike an address they say something only if they are the real ones. A query therefore leaves the
 * machine, for a name that the policy has in full, at a rate that carries little, and what comes
 * back is rebuilt and bounded. The names in it get no rights by it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/names/service.h"
#include "supervisor/resolve/ask.h"

struct lookup {
	struct names_service *service;
	TAILQ_ENTRY(lookup) in_service;
	struct asker asker;
	struct question question;
	struct ask *ask;
	struct reply_records records;
};

static const struct {
	uint16_t type;
	uint32_t record;
	const char *word;
} record_types[] = {{QUESTION_MX, WIRE_GATE_RECORD_MX, "MX"},
	{QUESTION_SRV, WIRE_GATE_RECORD_SRV, "SRV"}, {QUESTION_TXT, WIRE_GATE_RECORD_TXT, "TXT"}};

uint32_t record_of(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(record_types); i++)
		if (record_types[i].type == type)
			return record_types[i].record;
	return 0;
}

static const char *record_word(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(record_types); i++)
		if (record_types[i].type == type)
			return record_types[i].word;
	return "";
}

static void release(struct lookup *lookup)
{
	struct names_service *service = lookup->service;

	TAILQ_REMOVE(&service->lookups, lookup, in_service);
	service->n_lookups--;
	service->names->n_lookups--;
	if (lookup->asker.stream)
		stream_count_waiting(lookup->asker.stream, -1);
	ask_free(lookup->ask);
	free(lookup);
}

/* A refusal that says why there is no answer now. */
static void fail(struct lookup *lookup, enum answer_reason reason, const char *text)
{
	query_refuse(lookup->service, &lookup->asker, &lookup->question, QUESTION_SERVFAIL, reason,
		text);
}

static void tell(struct lookup *lookup, uint32_t ttl_seconds)
{
	const struct answer_size told = {lookup->records.n, lookup->records.size};
	uint8_t message[ANSWER_SIZE_MAX];
	size_t size_bytes;

	if (ttl_seconds < RECORDS_TTL_MIN_SECONDS)
		ttl_seconds = RECORDS_TTL_MIN_SECONDS;
	if (ttl_seconds > RECORDS_TTL_MAX_SECONDS)
		ttl_seconds = RECORDS_TTL_MAX_SECONDS;
	if (answer_records(
		    &lookup->question, &lookup->records, ttl_seconds, message, &size_bytes) == 0)
		query_answer(lookup->service, &lookup->asker, &lookup->question, &told, message,
			size_bytes);
}

static void on_answer(struct ask *ask _unused_, const struct reply_answer *answer, void *userdata)
{
	struct lookup *lookup = userdata;

	switch (answer->error) {
	case 0:
		tell(lookup, answer->ttl_seconds);
		break;
	case -ENODATA:
		query_refuse(lookup->service, &lookup->asker, &lookup->question, QUESTION_NOERROR,
			ANSWER_NONE, NULL);
		break;
	case -ENOENT:
		query_refuse(lookup->service, &lookup->asker, &lookup->question, QUESTION_NXDOMAIN,
			ANSWER_NONE, NULL);
		break;
	case -EMSGSIZE:
		fail(lookup, ANSWER_PROHIBITED, "the answer is larger than a sandbox may have");
		break;
	default:
		fail(lookup, ANSWER_NETWORK_ERROR, "the host's resolvers gave no answer");
		break;
	}
	release(lookup);
}

/* Returns 0 or -errno. */
static int begin(
	struct names_service *service, const struct asker *asker, const struct question *question)
{
	const struct names_config *config = &service->names->config;
	struct lookup *lookup;
	int r;

	if (service->n_lookups >= LOOKUPS_PER_SERVICE_MAX ||
		service->names->n_lookups >= LOOKUPS_MAX || !config->has_fds(config->userdata, 1))
		return -EBUSY;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	lookup->service = service;
	lookup->asker = *asker;
	lookup->question = *question;
	r = ask_new(service->names->loop, config->resolvers, config->n_resolvers,
		lookup->question.name, question->type, on_answer, lookup, &lookup->ask);
	if (r < 0) {
		free(lookup);
		return r;
	}
	ask_want_records(lookup->ask, &lookup->records);
	TAILQ_INSERT_TAIL(&service->lookups, lookup, in_service);
	service->n_lookups++;
	service->names->n_lookups++;
	if (asker->stream)
		stream_count_waiting(asker->stream, 1);
	return 0;
}

void records_ask(
	struct names_service *service, const struct asker *asker, const struct question *question)
{
	if (!bucket_take(&service->records, RECORDS_PER_SECOND, RECORDS_BURST))
		query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_PROHIBITED,
			"too many queries for records of this sandbox at once; ask again in a "
			"second");
	else if (begin(service, asker, question) < 0)
		query_refuse(service, asker, question, QUESTION_SERVFAIL, ANSWER_OTHER,
			"too many questions of this sandbox wait already");
}

void records_refuse(struct names_service *service, const struct asker *asker,
	const struct question *question, const char *policy_name)
{
	char text[ANSWER_TEXT_MAX + 1];

	snprintf(text, sizeof(text),
		"not allowed by policy \"%s\" of this sandbox; ask for a rule {\"name\": \"%s\", "
		"\"records\": [\"%s\"]}",
		policy_name, question->name, record_word(question->type));
	query_refuse(service, asker, question, QUESTION_REFUSED, ANSWER_BLOCKED, text);
}

void records_forget(struct names_service *service, const struct stream *stream)
{
	struct lookup *lookup = TAILQ_FIRST(&service->lookups), *next;

	for (; lookup; lookup = next) {
		next = TAILQ_NEXT(lookup, in_service);
		if (!stream || lookup->asker.stream == stream)
			release(lookup);
	}
}

void names_swapped(struct names_service *service)
{
	while (!TAILQ_EMPTY(&service->lookups)) {
		fail(TAILQ_FIRST(&service->lookups), ANSWER_OTHER,
			"the policy of this sandbox changed meanwhile; ask again");
		release(TAILQ_FIRST(&service->lookups));
	}
}
