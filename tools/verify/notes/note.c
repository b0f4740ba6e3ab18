#include "tools/verify/notes/note.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "tools/verify/notes/base64.h"

#define DASH "\xe2\x80\x94 " /* an em dash and a space begin a signature */
#define ED25519 1            /* the type of key in a verifier key */

static uint32_t key_hash(const struct note_key *key)
{
	uint8_t input[NOTE_NAME_SIZE + 2 + sizeof(key->public)];
	size_t size = strlen(key->name);
	struct hash hash;

	memcpy(input, key->name, size);
	input[size++] = '\n';
	input[size++] = ED25519;
	memcpy(input + size, key->public, sizeof(key->public));
	hash_bytes(input, size + sizeof(key->public), &hash);
	return (uint32_t)hash.bytes[0] << 24 | (uint32_t)hash.bytes[1] << 16 |
	       (uint32_t)hash.bytes[2] << 8 | hash.bytes[3];
}

static bool read_name(struct span text, char ret_name[static NOTE_NAME_SIZE])
{
	if (text.size == 0 || text.size >= NOTE_NAME_SIZE)
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (text.start[i] <= ' ' || text.start[i] == '+' || text.start[i] == 0x7f)
			return false;
	memcpy(ret_name, text.start, text.size);
	ret_name[text.size] = '\0';
	return true;
}

const char *note_key_read(struct span text, struct note_key *ret_key)
{
	const char *end = text.start + text.size;
	const char *plus = memchr(text.start, '+', text.size), *second;
	uint8_t bytes[1 + sizeof(ret_key->public)];
	struct note_key key = {0};
	char hash[9];

	second = plus ? memchr(plus + 1, '+', (size_t)(end - plus - 1)) : NULL;
	if (!second || second - plus != 9 ||
		!read_name((struct span){text.start, (size_t)(plus - text.start)}, key.name))
		return "it is no verifier key (name+hash+key)";
	if (base64_read(second + 1, (size_t)(end - second - 1), bytes, sizeof(bytes)) !=
			(ssize_t)sizeof(bytes) ||
		bytes[0] != ED25519)
		return "the key in it is no Ed25519 key";
	memcpy(key.public, bytes + 1, sizeof(key.public));
	key.hash = key_hash(&key);
	snprintf(hash, sizeof(hash), "%08x", key.hash);
	if (memcmp(hash, plus + 1, 8) != 0)
		return "its hash is not that of its name and key";
	*ret_key = key;
	return NULL;
}

/* Takes one line off the front of `rest`; false if there is no whole one. */
static bool take_line(struct span *rest, struct span *ret_line)
{
	const char *feed = rest->size ? memchr(rest->start, '\n', rest->size) : NULL;

	if (!feed)
		return false;
	*ret_line = (struct span){rest->start, (size_t)(feed - rest->start)};
	rest->size -= ret_line->size + 1;
	rest->start = feed + 1;
	return true;
}

/* "— name base64(hash || signature)" */
static bool read_signature(struct span line, struct note_signature *ret_signature)
{
	struct note_signature signature = {0};
	uint8_t bytes[512];
	const char *space;
	ssize_t size;

	if (line.size < strlen(DASH) || memcmp(line.start, DASH, strlen(DASH)) != 0)
		return false;
	line.start += strlen(DASH);
	line.size -= strlen(DASH);
	space = memchr(line.start, ' ', line.size);
	if (!space || space == line.start)
		return false;
	signature.name = (struct span){line.start, (size_t)(space - line.start)};
	size = base64_read(space + 1, line.size - signature.name.size - 1, bytes, sizeof(bytes));
	if (size < 5)
		return false;
	signature.hash = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			 (uint32_t)bytes[2] << 8 | bytes[3];
	signature.is_ed25519 = size == 4 + (ssize_t)sizeof(signature.bytes);
	if (signature.is_ed25519)
		memcpy(signature.bytes, bytes + 4, sizeof(signature.bytes));
	*ret_signature = signature;
	return true;
}

const char *note_read(struct span bytes, struct note *ret_note)
{
	struct span rest = bytes, line;
	struct note note = {.text.start = bytes.start};

	if (bytes.size > NOTE_BYTES_MAX)
		return "it is longer than any note of ours";
	while (take_line(&rest, &line) && line.size > 0)
		;
	if (rest.start == bytes.start || line.size > 0)
		return "it has no empty line before its signatures";
	note.text.size = (size_t)(line.start - bytes.start);
	if (note.text.size == 0)
		return "it signs nothing";
	while (rest.size > 0) {
		if (note.n_signatures == NOTE_SIGNATURES_MAX)
			return "it has too many signatures";
		if (!take_line(&rest, &line) ||
			!read_signature(line, &note.signatures[note.n_signatures]))
			return "a line after its empty line is no signature";
		note.n_signatures++;
	}
	if (note.n_signatures == 0)
		return "it is not signed";
	*ret_note = note;
	return NULL;
}

static bool verify(const struct note_key *key, struct span text, const uint8_t signature[64])
{
	EVP_PKEY *public = EVP_PKEY_new_raw_public_key(
		EVP_PKEY_ED25519, NULL, key->public, sizeof(key->public));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool right = public && context &&
		     EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
		     EVP_DigestVerify(
			     context, signature, 64, (const uint8_t *)text.start, text.size) == 1;

	EVP_MD_CTX_free(context);
	EVP_PKEY_free(public);
	return right;
}

int note_signed_by(const struct note *note, const struct note_key *key)
{
	for (size_t i = 0; i < note->n_signatures; i++) {
		const struct note_signature *signature = &note->signatures[i];

		if (signature->hash != key->hash || !span_is(signature->name, key->name))
			continue;
		return signature->is_ed25519 && verify(key, note->text, signature->bytes) ? 1 : -1;
	}
	return 0;
}

/* A line "name value"; the value may have spaces. */
static bool take_value(struct span *rest, const char *name, struct span *ret_value)
{
	size_t size = strlen(name);
	struct span line, ahead = *rest;

	if (!take_line(&ahead, &line) || line.size <= size || line.start[size] != ' ' ||
		memcmp(line.start, name, size) != 0)
		return false;
	*rest = ahead;
	*ret_value = (struct span){line.start + size + 1, line.size - size - 1};
	return true;
}

static bool take_number(struct span *rest, const char *name, uint64_t *ret_value)
{
	struct span ahead = *rest, value;

	if (!take_value(&ahead, name, &value) || !span_number(value, ret_value))
		return false;
	*rest = ahead;
	return true;
}

static bool take_word(struct span *value, struct span *ret_word)
{
	const char *space = value->size ? memchr(value->start, ' ', value->size) : NULL;
	size_t size = space ? (size_t)(space - value->start) : value->size;

	*ret_word = (struct span){value->start, size};
	value->start += size + (space ? 1 : 0);
	value->size -= size + (space ? 1 : 0);
	return size > 0 && (!space || value->size > 0);
}

/* "seen 1 emitted 1 dropped 0" */
static bool read_events(struct span value, struct checkpoint *checkpoint)
{
	static const char *const names[] = {"seen", "emitted", "dropped"};
	uint64_t *const counts[] = {&checkpoint->seen, &checkpoint->emitted, &checkpoint->dropped};
	struct span word;

	for (size_t i = 0; i < 3; i++) {
		if (!take_word(&value, &word) || !span_is(word, names[i]))
			return false;
		if (!take_word(&value, &word) || !span_number(word, counts[i]))
			return false;
	}
	return value.size == 0;
}

static bool read_reason(struct span value, struct checkpoint *checkpoint)
{
	static const char *const reasons[] = {
		"start", "records", "second", "policy", "stop", "heartbeat", "rotate", "key"};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (span_is(value, reasons[i])) {
			memcpy(checkpoint->reason, value.start, value.size);
			return true;
		}
	return false;
}

static const char *read_extensions(struct span rest, struct checkpoint *checkpoint)
{
	struct span value;

	if (take_value(&rest, "number", &value) &&
		(!span_number(value, &checkpoint->number) || checkpoint->number == 0))
		return "its number is none";
	if (!take_number(&rest, "time", &checkpoint->time_ns))
		return "it has no line \"time\" where one is expected";
	if (!take_value(&rest, "reason", &value) || !read_reason(value, checkpoint))
		return "it has no line \"reason\" with a known one where one is expected";
	if (!take_number(&rest, "lost", &checkpoint->lost))
		return "it has no line \"lost\" where one is expected";
	if (!take_value(&rest, "events", &value) || !read_events(value, checkpoint))
		return "it has no line \"events\" where one is expected";
	if (!take_value(&rest, "programs", &value) || !take_value(&rest, "policies", &value))
		return "it has no lines \"programs\" and \"policies\" where they are expected";
	return rest.size ? "it has lines that the log does not write" : NULL;
}

const char *checkpoint_read(struct span text, struct checkpoint *ret_checkpoint)
{
	struct checkpoint checkpoint = {0};
	struct span rest = text, line;
	const char *error;

	if (!take_line(&rest, &line) || !read_name(line, checkpoint.origin))
		return "its first line is no origin";
	if (!take_line(&rest, &line) || !span_number(line, &checkpoint.size))
		return "its second line is no tree size";
	if (!take_line(&rest, &line) ||
		base64_read(line.start, line.size, checkpoint.root.bytes, HASH_SIZE) != HASH_SIZE)
		return "its third line is no root hash";
	error = read_extensions(rest, &checkpoint);
	if (!error)
		*ret_checkpoint = checkpoint;
	return error;
}

const char *certificate_read(struct span text, struct certificate *ret_certificate)
{
	struct certificate certificate = {0};
	struct span rest = text, line;
	const char *error;

	if (!take_line(&rest, &line) || !span_is(line, "cloche key certificate v1"))
		return "it is no certificate of a key, version 1";
	if (!take_line(&rest, &line) || !read_name(line, certificate.origin))
		return "its second line is no origin";
	if (!take_number(&rest, "epoch", &certificate.epoch))
		return "it has no line \"epoch\" where one is expected";
	if (!take_value(&rest, "key", &line))
		return "it has no line \"key\" where one is expected";
	error = note_key_read(line, &certificate.key);
	if (error)
		return error;
	if (!take_number(&rest, "size", &certificate.size) ||
		!take_number(&rest, "time", &certificate.time_ns))
		return "it has no lines \"size\" and \"time\" where they are expected";
	if (rest.size)
		return "it has lines that the log does not write";
	*ret_certificate = certificate;
	return NULL;
}
