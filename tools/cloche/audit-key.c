/* audit rotate-key: a new key to sign the audit log with. */
#include <stdio.h>

#include "tools/cloche/call.h"
#include "tools/cloche/command.h"
#include "tools/cloche/print.h"

int command_audit_rotate_key(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "audit rotate-key takes options only.");
	code = call_json(client, "POST", "/v1/audit/rotate-key", NULL, &answer);
	if (code == 0 && !client->json)
		printf("%s\n", print_member(answer, "key"));
	return code;
}
