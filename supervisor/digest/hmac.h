/* HMAC-SHA256 (RFC 2104) by libcrypto. */
#pragma once

#include "supervisor/digest/sha256.h"

struct hmac_part {
	const void *bytes;
	size_t size;
};

/* Of all parts, one after the other. Returns 0, or -EIO when libcrypto fails. */
int hmac_sha256(const void *key, size_t key_size, const struct hmac_part *parts, size_t n_parts,
	uint8_t ret_digest[SHA256_BYTES]);
