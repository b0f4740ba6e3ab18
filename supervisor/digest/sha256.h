/* SHA-256 (FIPS 180-4) by libcrypto. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* Returns 0, or -EIO when libcrypto fails. */
int sha256(const void *data, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES]);
int sha256_hex(const void *data, size_t size_bytes, char ret_hex[SHA256_HEX_SIZE]);
