/* The files of a made log, and what is handed out of it: notes, keys, proofs. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/harness/check.h"
#include "tests/harness/made-log.h"

static const char *text_of(const uint8_t *bytes, size_t size, char *ret_text)
{
	EVP_EncodeBlock((unsigned char *)ret_text, bytes, (int)size);
	return ret_text;
}

static void hash_of_key(
	const struct made_log *log, void *key, uint8_t ret_public[33], uint8_t ret_hash[4])
{
	uint8_t input[128], hash[32];
	size_t size = strlen(log->origin), public_size = 32;

	ret_public[0] = 1;
	EVP_PKEY_get_raw_public_key(key, ret_public + 1, &public_size);
	memcpy(input, log->origin, size);
	input[size++] = '\n';
	memcpy(input + size, ret_public, 33);
	EVP_Digest(input, size + 33, hash, NULL, EVP_sha256(), NULL);
	memcpy(ret_hash, hash, 4);
}

static void vkey_of(const struct made_log *log, void *key, char ret_text[static 160])
{
	uint8_t public[33], hash[4];
	char base64[64];

	hash_of_key(log, key, public, hash);
	snprintf(ret_text, 160, "%s+%02x%02x%02x%02x+%s", log->origin, hash[0], hash[1], hash[2],
		hash[3], text_of(public, sizeof(public), base64));
}

void made_log_vkey(const struct made_log *log, size_t key, char ret_text[static 160])
{
	vkey_of(log, log->keys[key], ret_text);
}

/* Adds the empty line and the signature. */
static size_t sign(const struct made_log *log, void *key, char *text, size_t room)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[68], public[33];
	size_t size = 64, used = strlen(text);
	char base64[128];

	hash_of_key(log, key, public, signature);
	CHECK(EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1);
	CHECK(EVP_DigestSign(context, signature + 4, &size, (uint8_t *)text, used) == 1);
	EVP_MD_CTX_free(context);
	return used + (size_t)snprintf(text + used, room - used, "\n\xe2\x80\x94 %s %s\n",
			      log->origin, text_of(signature, sizeof(signature), base64));
}

size_t made_log_sign(
	const struct made_log *log, const struct made_note *note, char *ret_text, size_t room)
{
	size_t place = (size_t)(note - log->notes) + 1;
	char base64[64], number[32] = "";
	uint8_t root[32];

	made_log_root(log, 0, note->size, root);
	if (log->numbered && place > log->n_unnumbered)
		snprintf(number, sizeof(number), "number %zu\n",
			place - log->n_unnumbered + log->number_gap);
	snprintf(ret_text, room,
		"%s\n%" PRIu64 "\n%s\n%stime %" PRIu64 "\nreason %s\nlost %" PRIu64
		"\nevents seen 9 emitted 9 dropped 0\nprograms none\npolicies none\n",
		log->origin, note->size, text_of(root, 32, base64), number, note->time_ns,
		note->reason, note->lost);
	return sign(log, log->keys[note->key], ret_text, room);
}

static FILE *create(const char *directory, const char *name)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(path, "w");
	CHECK(file != NULL);
	return file;
}

static void write_segments(const struct made_log *log, const char *directory)
{
	char name[64];

	for (size_t i = 0; i < log->n_segments; i++) {
		uint64_t end = i + 1 < log->n_segments ? log->segments[i + 1] : log->n_lines + 1;
		FILE *file;

		if (log->removed[i])
			continue;
		snprintf(name, sizeof(name), "log/%020" PRIu64 ".jsonl", log->segments[i]);
		file = create(directory, name);
		for (uint64_t sequence = log->segments[i]; sequence < end; sequence++)
			fprintf(file, "%s\n", log->lines[sequence - 1]);
		fclose(file);
	}
}

static void write_notes(const struct made_log *log, const char *directory)
{
	char name[64], text[2048];
	FILE *file;

	for (size_t i = 0; i < log->n_segments; i++) {
		snprintf(name, sizeof(name), "checkpoints/%020" PRIu64 ".notes", log->segments[i]);
		file = create(directory, name);
		for (size_t j = 0; j < log->n_notes; j++)
			if (log->notes[j].segment == i) {
				made_log_sign(log, &log->notes[j], text, sizeof(text));
				fprintf(file, "%s\n", text);
			}
		fclose(file);
	}
	file = create(directory, "checkpoint");
	if (log->n_notes) {
		made_log_sign(log, &log->notes[log->n_notes - 1], text, sizeof(text));
		fputs(text, file);
	}
	fclose(file);
}

static void tile_name(unsigned level, uint64_t index, unsigned width, char *ret_name, size_t room)
{
	char partial[16] = "";

	if (width < 256)
		snprintf(partial, sizeof(partial), ".p/%u", width);
	if (index < 1000)
		snprintf(ret_name, room, "tile/%u/%03" PRIu64 "%s", level, index, partial);
	else if (index < 1000000)
		snprintf(ret_name, room, "tile/%u/x%03" PRIu64 "/%03" PRIu64 "%s", level,
			index / 1000, index % 1000, partial);
	else
		CHECK_FAIL("a made log is never so large");
}

static void write_tiles(const struct made_log *log, const char *directory, uint64_t size)
{
	uint64_t span = 1;
	char name[64];

	for (unsigned level = 0; size / span > 0; level++, span *= 256) {
		uint64_t n = size / span;

		for (uint64_t first = 0; first < n; first += 256) {
			unsigned width = n - first < 256 ? (unsigned)(n - first) : 256;
			uint8_t hash[32];
			FILE *file;

			tile_name(level, first / 256, width, name, sizeof(name));
			file = create(directory, name);
			for (uint64_t i = first; i < first + width; i++) {
				made_log_root(log, i * span, (i + 1) * span, hash);
				fwrite(hash, sizeof(hash), 1, file);
			}
			fclose(file);
		}
	}
}

static void write_keys(const struct made_log *log, const char *directory)
{
	char name[64], vkey[160], text[1024];

	for (size_t i = 0; i < log->n_keys; i++) {
		FILE *file;

		made_log_vkey(log, i, vkey);
		snprintf(name, sizeof(name), "keys/%06zu.pub", i + 1);
		file = create(directory, name);
		fprintf(file, "%s\n", vkey);
		fclose(file);
		if (i == 0)
			continue;
		snprintf(text, sizeof(text),
			"cloche key certificate v1\n%s\nepoch %zu\nkey %s\nsize %" PRIu64
			"\ntime %" PRIu64 "\n",
			log->origin, i + 1, vkey, log->since[i], log->time_ns);
		sign(log, log->certifiers[i], text, sizeof(text));
		snprintf(name, sizeof(name), "keys/%06zu.cert", i + 1);
		file = create(directory, name);
		fputs(text, file);
		fclose(file);
	}
}

void made_log_write(const struct made_log *log, const char *directory)
{
	write_segments(log, directory);
	write_notes(log, directory);
	write_keys(log, directory);
	for (size_t i = 0; i < log->n_notes; i++)
		if (!log->sparse || i + 1 == log->n_notes)
			write_tiles(log, directory, log->notes[i].size);
}

static void put_hash(char **text, size_t *room, const uint8_t hash[32], bool first)
{
	char base64[64];
	int n = snprintf(*text, *room, "%s\"%s\"", first ? "" : ",", text_of(hash, 32, base64));

	*text += n;
	*room -= (size_t)n;
}

/* RFC 9162 2.1.3.1, word for word: PATH(m, D[start:end]). */
static void put_path(const struct made_log *log, uint64_t m, uint64_t start, uint64_t end,
	char **text, size_t *room, bool *first)
{
	uint8_t hash[32];
	uint64_t k = 1;

	if (end - start == 1)
		return;
	while (k * 2 < end - start)
		k *= 2;
	if (m < k) {
		put_path(log, m, start, start + k, text, room, first);
		made_log_root(log, start + k, end, hash);
	} else {
		put_path(log, m - k, start + k, end, text, room, first);
		made_log_root(log, start, start + k, hash);
	}
	put_hash(text, room, hash, *first);
	*first = false;
}

static void put_escaped(char **text, size_t *room, const char *value)
{
	for (; *value && *room > 8; value++) {
		bool escaped = *value == '\n' || *value == '"' || *value == '\\';
		int n = snprintf(
			*text, *room, "%s%c", escaped ? "\\" : "", *value == '\n' ? 'n' : *value);

		*text += n;
		*room -= (size_t)n;
	}
}

void made_log_proof(const struct made_log *log, uint64_t sequence, const struct made_note *note,
	char *ret_text, size_t room)
{
	char base64[64], signed_note[2048];
	uint8_t leaf[32];
	bool first = true;
	int n;

	made_log_root(log, sequence - 1, sequence, leaf);
	n = snprintf(ret_text, room,
		"{\"seq\":%" PRIu64 ",\"leaf_index\":%" PRIu64 ",\"tree_size\":%" PRIu64
		",\"leaf_hash\":\"%s\",\"hashes\":[",
		sequence, sequence - 1, note->size, text_of(leaf, 32, base64));
	ret_text += n;
	room -= (size_t)n;
	put_path(log, sequence - 1, 0, note->size, &ret_text, &room, &first);
	n = snprintf(ret_text, room, "],\"checkpoint\":\"");
	ret_text += n;
	room -= (size_t)n;
	made_log_sign(log, note, signed_note, sizeof(signed_note));
	put_escaped(&ret_text, &room, signed_note);
	n = snprintf(ret_text, room, "\",\"record\":\"");
	ret_text += n;
	room -= (size_t)n;
	put_escaped(&ret_text, &room, log->lines[sequence - 1]);
	snprintf(ret_text, room, "\"}\n");
}

/* RFC 9162 2.1.4.1: SUBPROOF(m, D[start:end], b). */
static void put_subproof(const struct made_log *log, uint64_t m, uint64_t start, uint64_t end,
	bool whole, char **text, size_t *room, bool *first)
{
	uint8_t hash[32];
	uint64_t k = 1;

	if (m == end - start && whole)
		return;
	if (m == end - start) {
		made_log_root(log, start, end, hash);
	} else {
		while (k * 2 < end - start)
			k *= 2;
		if (m <= k) {
			put_subproof(log, m, start, start + k, whole, text, room, first);
			made_log_root(log, start + k, end, hash);
		} else {
			put_subproof(log, m - k, start + k, end, false, text, room, first);
			made_log_root(log, start, start + k, hash);
		}
	}
	put_hash(text, room, hash, *first);
	*first = false;
}

void made_log_consistency(
	const struct made_log *log, uint64_t from, uint64_t to, char *ret_text, size_t room)
{
	bool first = true;
	int n = snprintf(
		ret_text, room, "{\"from\":%" PRIu64 ",\"to\":%" PRIu64 ",\"hashes\":[", from, to);

	ret_text += n;
	room -= (size_t)n;
	if (from > 0)
		put_subproof(log, from, 0, to, true, &ret_text, &room, &first);
	snprintf(ret_text, room, "]}\n");
}
