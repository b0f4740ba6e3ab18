/* SHA-256 (FIPS 180-4) by libcrypto. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX_SIZE 65 /* with the NUL */

/* Returns 0, or -EIO when libcrypto fails. */
int sha256(const void *data, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES]);
int sha256_hex(const void *data, size_t size_bytes, char ret_hex[SHA256_HEX_SIZE]);
void sha256_to_hex(const uint8_t digest[SHA256_BYTES], char ret_hex[SHA256_HEX_SIZE]);

/* For many digests: the algorithm is looked up once, which halves what a short one costs. */
struct sha256_engine;
/* Returns 0, -ENOMEM or -EIO. */
int sha256_engine_new(struct sha256_engine **ret_engine);
/* Takes NULL, returns NULL. */
struct sha256_engine *sha256_engine_free(struct sha256_engine *engine);
/* Begin, add any number of parts, end: one digest at a time. Each returns 0 or -EIO. */
int sha256_begin(struct sha256_engine *engine);
int sha256_add(struct sha256_engine *engine, const void *data, size_t size_bytes);
int sha256_end(struct sha256_engine *engine, uint8_t ret_digest[SHA256_BYTES]);
