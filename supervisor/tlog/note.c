#include "supervisor/tlog/note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/digest/base64.h"
#include "supervisor/digest/sha256.h"

#define ALGORITHM_ED25519 0x01
#define KEY_HASH_BYTES 4

struct typed_key {
	uint8_t algorithm;
	uint8_t public[ED25519_PUBLIC_BYTES];
};

struct signature {
	uint8_t key_hash[KEY_HASH_BYTES];
	uint8_t bytes[ED25519_SIGNATURE_BYTES];
};

static int key_hash_of(const char *name, const uint8_t public[ED25519_PUBLIC_BYTES],
	uint8_t ret_hash[KEY_HASH_BYTES])
{
	uint8_t text[NOTE_NAME_SIZE + 2 + ED25519_PUBLIC_BYTES], digest[SHA256_BYTES];
	size_t length = strlen(name);
	int r;

	memcpy(text, name, length);
	text[length] = '\n';
	text[length + 1] = ALGORITHM_ED25519;
	memcpy(text + length + 2, public, ED25519_PUBLIC_BYTES);
	r = sha256(text, length + 2 + ED25519_PUBLIC_BYTES, digest);
	if (r == 0)
		memcpy(ret_hash, digest, KEY_HASH_BYTES);
	return r;
}

void note_vkey(const struct note_verifier *verifier, char ret_vkey[NOTE_VKEY_SIZE])
{
	struct typed_key key = {.algorithm = ALGORITHM_ED25519};
	char text[BASE64_SIZE(sizeof(key))];
	uint8_t hash[KEY_HASH_BYTES] = {0};

	memcpy(key.public, verifier->public, sizeof(key.public));
	base64_encode(&key, sizeof(key), text);
	key_hash_of(verifier->name, verifier->public, hash);
	snprintf(ret_vkey, NOTE_VKEY_SIZE, "%s+%02x%02x%02x%02x+%s", verifier->name, hash[0],
		hash[1], hash[2], hash[3], text);
}

int note_vkey_parse(const char *vkey, struct note_verifier *ret_verifier)
{
	const char *plus = strchr(vkey, '+'), *text = plus ? strchr(plus + 1, '+') : NULL;
	struct note_verifier verifier = {0};
	struct typed_key key;
	char again[NOTE_VKEY_SIZE];

	if (!text || plus == vkey || (size_t)(plus - vkey) >= sizeof(verifier.name))
		return -EINVAL;
	memcpy(verifier.name, vkey, (size_t)(plus - vkey));
	if (base64_decode(text + 1, strcspn(text + 1, "\n"), &key, sizeof(key)) < 0 ||
		key.algorithm != ALGORITHM_ED25519)
		return -EINVAL;
	memcpy(verifier.public, key.public, sizeof(verifier.public));
	note_vkey(&verifier, again);
	if (strncmp(again, vkey, strlen(again)) != 0)
		return -EINVAL;
	*ret_verifier = verifier;
	return 0;
}

int note_sign(
	const struct ed25519_key *key, const char *name, const char *text, char ret_note[NOTE_SIZE])
{
	struct signature signature;
	uint8_t public[ED25519_PUBLIC_BYTES];
	char encoded[BASE64_SIZE(sizeof(signature))];
	int r = ed25519_sign(key, text, strlen(text), signature.bytes);

	ed25519_key_public(key, public);
	if (r == 0)
		r = key_hash_of(name, public, signature.key_hash);
	if (r < 0)
		return r;
	base64_encode(&signature, sizeof(signature), encoded);
	if (strlen(text) + strlen(name) + sizeof(encoded) + 8 > NOTE_SIZE)
		return -E2BIG;
	snprintf(ret_note, NOTE_SIZE, "%s\n" NOTE_DASH "%s %s\n", text, name, encoded);
	return 0;
}

bool note_verify(const struct note_verifier *verifier, const char *note, size_t *ret_text_bytes)
{
	const char *end = strstr(note, "\n\n" NOTE_DASH),
		   *line = end ? end + 2 + strlen(NOTE_DASH) : NULL;
	size_t name_length = strlen(verifier->name);
	struct signature signature;
	uint8_t hash[KEY_HASH_BYTES];

	if (!line || strncmp(line, verifier->name, name_length) != 0 || line[name_length] != ' ')
		return false;
	line += name_length + 1;
	if (base64_decode(line, strcspn(line, "\n"), &signature, sizeof(signature)) < 0 ||
		strcmp(line + strcspn(line, "\n"), "\n") != 0)
		return false;
	if (key_hash_of(verifier->name, verifier->public, hash) < 0 ||
		memcmp(hash, signature.key_hash, sizeof(hash)) != 0)
		return false;
	*ret_text_bytes = (size_t)(end + 1 - note);
	return ed25519_verify(verifier->public, note, *ret_text_bytes, signature.bytes);
}
