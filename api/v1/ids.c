#include "api/v1/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 16

void id_write_sandbox(uint64_t sandbox, char ret_text[static ID_SIZE])
{
	snprintf(ret_text, ID_SIZE, "sb-%016" PRIx64, sandbox);
}

void id_write_exec(uint64_t exec, char ret_text[static ID_SIZE])
{
	snprintf(ret_text, ID_SIZE, "ex-%016" PRIx64, exec);
}

static bool read_id(const char *text, const char *prefix, size_t digits_min, uint64_t *ret_id)
{
	size_t n_prefix = strlen(prefix), n_digits;

	if (strncmp(text, prefix, n_prefix) != 0)
		return false;
	text += n_prefix;
	n_digits = strspn(text, "0123456789abcdef");
	if (text[n_digits] || n_digits < digits_min || n_digits > ID_DIGITS)
		return false;
	*ret_id = strtoull(text, NULL, 16);
	return *ret_id != 0;
}

bool id_read_sandbox(const char *text, uint64_t *ret_sandbox)
{
	return read_id(text, "sb-", ID_DIGITS, ret_sandbox);
}

bool id_read_exec(const char *text, uint64_t *ret_exec)
{
	return read_id(text, "ex-", 1, ret_exec);
}

void id_write_webhook(uint64_t webhook, char ret_text[static ID_SIZE])
{
	snprintf(ret_text, ID_SIZE, "wh-%016" PRIx64, webhook);
}

bool id_read_webhook(const char *text, uint64_t *ret_webhook)
{
	return read_id(text, "wh-", ID_DIGITS, ret_webhook);
}
