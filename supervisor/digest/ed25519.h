/* Ed25519 signatures (RFC 8032) by libcrypto. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ED25519_SECRET_BYTES 32
#define ED25519_PUBLIC_BYTES 32
#define ED25519_SIGNATURE_BYTES 64

struct ed25519_key;

/* From a secret, which may be wiped afterwards. Returns 0, -ENOMEM or -EIO. */
int ed25519_key_new(const uint8_t secret[ED25519_SECRET_BYTES], struct ed25519_key **ret_key);
/* Wipes it. Takes NULL, returns NULL. */
struct ed25519_key *ed25519_key_free(struct ed25519_key *key);
void ed25519_key_public(const struct ed25519_key *key, uint8_t ret_public[ED25519_PUBLIC_BYTES]);
/* Returns 0 or -EIO. */
int ed25519_sign(const struct ed25519_key *key, const void *data, size_t size_bytes,
	uint8_t ret_signature[ED25519_SIGNATURE_BYTES]);
/* False also when libcrypto fails. */
bool ed25519_verify(const uint8_t public[ED25519_PUBLIC_BYTES], const void *data, size_t size_bytes,
	const uint8_t signature[ED25519_SIGNATURE_BYTES]);
