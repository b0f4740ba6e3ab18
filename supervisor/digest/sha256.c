#include "supervisor/digest/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct sha256_engine {
	EVP_MD *algorithm;
	EVP_MD_CTX *context;
};

int sha256(const void *data, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES])
{
	return EVP_Digest(data, size_bytes, ret_digest, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

void sha256_to_hex(const uint8_t digest[SHA256_BYTES], char ret_hex[SHA256_HEX_SIZE])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

int sha256_hex(const void *data, size_t size_bytes, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_BYTES];
	int r = sha256(data, size_bytes, digest);

	if (r == 0)
		sha256_to_hex(digest, ret_hex);
	return r;
}

int sha256_engine_new(struct sha256_engine **ret_engine)
{
	struct sha256_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	engine->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	engine->context = EVP_MD_CTX_new();
	if (!engine->algorithm || !engine->context) {
		sha256_engine_free(engine);
		return -EIO;
	}
	*ret_engine = engine;
	return 0;
}

struct sha256_engine *sha256_engine_free(struct sha256_engine *engine)
{
	if (!engine)
		return NULL;
	EVP_MD_CTX_free(engine->context);
	EVP_MD_free(engine->algorithm);
	free(engine);
	return NULL;
}

int sha256_begin(struct sha256_engine *engine)
{
	return EVP_DigestInit_ex2(engine->context, engine->algorithm, NULL) == 1 ? 0 : -EIO;
}

int sha256_add(struct sha256_engine *engine, const void *data, size_t size_bytes)
{
	return EVP_DigestUpdate(engine->context, data, size_bytes) == 1 ? 0 : -EIO;
}

int sha256_end(struct sha256_engine *engine, uint8_t ret_digest[SHA256_BYTES])
{
	return EVP_DigestFinal_ex(engine->context, ret_digest, NULL) == 1 ? 0 : -EIO;
}
