#include "supervisor/base/plain.h"

/* U+2028 to U+202E are E2 80 A8 to AE, U+2066 to U+2069 are E2 81 A6 to A9. */
size_t plain_misleading(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (at[0] == '\0')
		return 0;
	if (at[0] < 0x20 || at[0] == 0x7f)
		return 1;
	if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
		return 2;
	if (at[0] != 0xe2)
		return 0;
	if ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
		(at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9))
		return 3;
	return 0;
}

bool plain_is(const char *text)
{
	for (; *text; text++)
		if (plain_misleading(text))
			return false;
	return true;
}
