/* Texts that ask to be acts. What is read must be written as text that reads as the same act, and
 * a policy has an opinion on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/opinion.h"

static const char document[] =
	"{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[{\"name\":\"*.example.org\"},"
	"{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]},{\"cidr\":\"::/0\",\"protocol\":\"udp\"},"
	"{\"name\":\"a.org\",\"records\":[\"MX\"]}],"
	"\"inbound\":{\"ports\":[8000]}},\"budgets\":{\"connections\":5},\"secrets\":[\"KEY\"],"
	"\"files\":{\"read_only\":[\"/\"],\"writable\":[\"/w\"],\"hidden\":[\"/w/k\"]},"
	"\"syscalls\":{\"deny\":[{\"name\":\"ioctl\",\"args\":[{\"index\":1,\"is\":21522}]}]}}";

static void check_said(int r, const struct failure *why)
{
	BROKEN_IF(r != -EINVAL || strlen(why->sentence) < 10 || why->location[0]);
	for (const char *c = why->sentence; *c; c++)
		BROKEN_IF((unsigned char)*c < 0x20 || *c == 0x7f);
}

static void check_same(const struct policy_act *a, const struct policy_act *b)
{
	BROKEN_IF(a->kind != b->kind || a->query != b->query || a->is_name != b->is_name ||
		  a->port != b->port);
	BROKEN_IF(memcmp(&a->address, &b->address, sizeof(a->address)) != 0);
	BROKEN_IF(a->given != b->given ||
		  memcmp(a->arguments, b->arguments, sizeof(a->arguments)) != 0);
	BROKEN_IF(strcmp(a->name, b->name) != 0 || a->term != b->term || a->amount != b->amount);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), written[POLICY_ACT_TEXT_SIZE];
	struct policy_act act, again;
	struct policy_opinion opinion;
	struct failure why = {0};
	int r;

	BROKEN_IF(!text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	r = policy_act_parse(text, NULL, &act, &why);
	free(text);
	if (r < 0) {
		check_said(r, &why);
		return 0;
	}
	policy_act_format(&act, written);
	BROKEN_IF(policy_act_parse(written, NULL, &again, &why) < 0);
	check_same(&act, &again);
	opinion = opinion_of(document, &act);
	BROKEN_IF(opinion.rule != ABI_RULE_NONE && opinion.rule > 3);
	return 0;
}
