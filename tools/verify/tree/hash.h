/* The hashes of the log: RFC 9162's tree, and the chain of one sandbox's records. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_SIZE 32
#define HASH_TEXT_SIZE 45 /* base64, with NUL */

struct hash {
	uint8_t bytes[HASH_SIZE];
};

static inline bool hash_equal(const struct hash *one, const struct hash *other)
{
	return memcmp(one->bytes, other->bytes, HASH_SIZE) == 0;
}

/* SHA-256 of the bytes as they are. */
void hash_bytes(const void *bytes, size_t size, struct hash *ret_hash);
/* RFC 9162 2.1.1: SHA-256(0x00 || line), SHA-256(0x01 || left || right). `ret_hash` may be one of
 * the inputs. */
void hash_leaf(const void *line, size_t size, struct hash *ret_hash);
void hash_node(const struct hash *left, const struct hash *right, struct hash *ret_hash);
/* The head after one more record: SHA-256(head || leaf). */
void hash_chain(struct hash *head, const struct hash *leaf);

/* For people: base64, as checkpoints have it. */
const char *hash_text(const struct hash *hash, char ret_text[static HASH_TEXT_SIZE]);
