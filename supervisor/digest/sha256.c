#include "supervisor/digest/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

int sha256(const void *data, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES])
{
	return EVP_Digest(data, size_bytes, ret_digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int sha256_hex(const void *data, size_t size_bytes, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_BYTES];
	int r = sha256(data, size_bytes, digest);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}
