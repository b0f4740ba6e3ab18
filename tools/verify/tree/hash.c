/* OpenSSL's own SHA-256 calls, which 3.0 marks as deprecated: for inputs as short as ours, what
 * EVP does around them takes longer than the hash. They cannot fail. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tools/verify/tree/hash.h"

#include <openssl/sha.h>

#include "tools/verify/notes/base64.h"

void hash_bytes(const void *bytes, size_t size, struct hash *ret_hash)
{
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, bytes, size);
	SHA256_Final(ret_hash->bytes, &context);
}

void hash_leaf(const void *line, size_t size, struct hash *ret_hash)
{
	static const uint8_t prefix = 0;
	SHA256_CTX context;

	SHA256_Init(&context);
	SHA256_Update(&context, &prefix, 1);
	SHA256_Update(&context, line, size);
	SHA256_Final(ret_hash->bytes, &context);
}

void hash_node(const struct hash *left, const struct hash *right, struct hash *ret_hash)
{
	uint8_t input[1 + 2 * HASH_SIZE];

	input[0] = 1;
	memcpy(input + 1, left->bytes, HASH_SIZE);
	memcpy(input + 1 + HASH_SIZE, right->bytes, HASH_SIZE);
	hash_bytes(input, sizeof(input), ret_hash);
}

void hash_chain(struct hash *head, const struct hash *leaf)
{
	uint8_t input[2 * HASH_SIZE];

	memcpy(input, head->bytes, HASH_SIZE);
	memcpy(input + HASH_SIZE, leaf->bytes, HASH_SIZE);
	hash_bytes(input, sizeof(input), head);
}

const char *hash_text(const struct hash *hash, char ret_text[static HASH_TEXT_SIZE])
{
	base64_write(hash->bytes, HASH_SIZE, ret_text);
	return ret_text;
}
