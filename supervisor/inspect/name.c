#include "supervisor/inspect/name.h"

#include <stdint.h>
#include <string.h>

#define LABEL_MAX 63

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool in_label(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool inspect_name_valid(const char *text, size_t length)
{
	size_t n_label = 0;

	if (length > INSPECT_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.') {
			if (n_label == 0)
				return false;
			n_label = 0;
		} else if (!in_label(text[i]) || ++n_label > LABEL_MAX) {
			return false;
		}
	}
	return n_label > 0;
}

bool inspect_name_equal(const char *text, size_t length, const char *name)
{
	if (strlen(name) != length)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (lower(text[i]) != name[i])
			return false;
	}
	return true;
}

void inspect_name_show(const char *text, size_t length, char *ret_shown, size_t size)
{
	if (length > size - 1)
		length = size - 1;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		/* Neither may end a quotation in JSON, where this is shown. */
		ret_shown[i] = c > ' ' && c < 0x7f && c != '"' && c != '\\' ? c : '?';
	}
	ret_shown[length] = '\0';
}
