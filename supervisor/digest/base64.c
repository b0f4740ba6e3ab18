#include "supervisor/digest/base64.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define DECODED_MAX 256

void base64_encode(const void *data, size_t size_bytes, char *ret_text)
{
	ret_text[0] = '\0';
	EVP_EncodeBlock((unsigned char *)ret_text, data, (int)size_bytes);
}

int base64_decode(const char *text, size_t length, void *ret_data, size_t size_bytes)
{
	unsigned char decoded[DECODED_MAX + 3];
	char again[BASE64_SIZE(DECODED_MAX)];

	if (size_bytes > DECODED_MAX || length != BASE64_SIZE(size_bytes) - 1)
		return -EINVAL;
	if (EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)length) < (int)size_bytes)
		return -EINVAL;
	/* One text for each value: libcrypto passes over blanks and stray bits. */
	base64_encode(decoded, size_bytes, again);
	if (memcmp(again, text, length) != 0)
		return -EINVAL;
	memcpy(ret_data, decoded, size_bytes);
	return 0;
}
