#include "supervisor/digest/hmac.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define BLOCK_BYTES 64 /* of SHA-256 */

static int digest_of(const uint8_t pad[BLOCK_BYTES], const struct hmac_part *parts, size_t n_parts,
	uint8_t ret_digest[SHA256_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int ok = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		 EVP_DigestUpdate(context, pad, BLOCK_BYTES) == 1;

	for (size_t i = 0; i < n_parts && ok; i++)
		ok = EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
	ok = ok && EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return ok ? 0 : -EIO;
}

int hmac_sha256(const void *key, size_t key_size, const struct hmac_part *parts, size_t n_parts,
	uint8_t ret_digest[SHA256_BYTES])
{
	uint8_t inner[BLOCK_BYTES] = {0}, outer[BLOCK_BYTES], middle[SHA256_BYTES];
	const struct hmac_part last = {middle, sizeof(middle)};
	int r = 0;

	if (key_size > BLOCK_BYTES)
		r = sha256(key, key_size, inner);
	else if (key_size)
		memcpy(inner, key, key_size);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	if (r == 0)
		r = digest_of(inner, parts, n_parts, middle);
	if (r == 0)
		r = digest_of(outer, &last, 1, ret_digest);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
	return r;
}
