#include "supervisor/digest/ed25519.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct ed25519_key {
	EVP_PKEY *pkey;
	uint8_t public[ED25519_PUBLIC_BYTES];
};

int ed25519_key_new(const uint8_t secret[ED25519_SECRET_BYTES], struct ed25519_key **ret_key)
{
	struct ed25519_key *key = calloc(1, sizeof(*key));
	size_t size_bytes = sizeof(key->public);

	if (!key)
		return -ENOMEM;
	key->pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_SECRET_BYTES);
	if (!key->pkey || EVP_PKEY_get_raw_public_key(key->pkey, key->public, &size_bytes) != 1) {
		ed25519_key_free(key);
		return -EIO;
	}
	*ret_key = key;
	return 0;
}

struct ed25519_key *ed25519_key_free(struct ed25519_key *key)
{
	if (!key)
		return NULL;
	EVP_PKEY_free(key->pkey);
	free(key);
	return NULL;
}

void ed25519_key_public(const struct ed25519_key *key, uint8_t ret_public[ED25519_PUBLIC_BYTES])
{
	memcpy(ret_public, key->public, ED25519_PUBLIC_BYTES);
}

int ed25519_sign(const struct ed25519_key *key, const void *data, size_t size_bytes,
	uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t signature_bytes = ED25519_SIGNATURE_BYTES;
	bool done = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestSign(context, ret_signature, &signature_bytes, data, size_bytes) == 1;

	EVP_MD_CTX_free(context);
	return done ? 0 : -EIO;
}

bool ed25519_verify(const uint8_t public[ED25519_PUBLIC_BYTES], const void *data, size_t size_bytes,
	const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	EVP_PKEY *pkey =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED25519_PUBLIC_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
		    EVP_DigestVerify(
			    context, signature, ED25519_SIGNATURE_BYTES, data, size_bytes) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good;
}
