/* supervisor/tlog/note.c, checkpoint.c, keys.c: what is signed, by whom, and what a crash leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/digest/base64.h"
#include "supervisor/tlog/checkpoint.h"
#include "supervisor/tlog/keys.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static char directory[64];
static int state_fd, dir_fd;
static struct keys keys;

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/cloche-test-keys-XXXXXX");
	CHECK(mkdtemp(directory));
	state_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(fd_make_dir_at(state_fd, "audit", 0700), 0);
	dir_fd = openat(state_fd, "audit", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(keys_create(dir_fd, state_fd, "cloche/test/0011223344556677", &keys, NULL), 0);
}

static void end(void)
{
	keys_fini(&keys);
	close(dir_fd);
	close(state_fd);
	audit_scene_remove_tree(directory);
}

static int reopen(void)
{
	struct failure why = {};

	keys_fini(&keys);
	keys = (struct keys){};
	return keys_open(dir_fd, state_fd, &keys, &why);
}

/* Checks a note by libcrypto alone, from the text of the verifier key. */
static bool is_signed(const char *note, const char *vkey)
{
	const char *end = strstr(note, "\n\n\xe2\x80\x94 "),
		   *plus = strchr(strchr(vkey, '+') + 1, '+');
	unsigned char key[36], signature[72];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *pkey;
	bool good;

	CHECK(end && plus);
	CHECK_INT(EVP_DecodeBlock(key, (const unsigned char *)plus + 1, 44), 33);
	CHECK_INT(key[0], 1);
	CHECK(EVP_DecodeBlock(signature, (const unsigned char *)strrchr(note, ' ') + 1, 92) >= 68);
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key + 1, 32);
	good = EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
	       EVP_DigestVerify(context, signature + 4, 64, (const unsigned char *)note,
		       (size_t)(end + 1 - note)) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(pkey);
	return good;
}

static const struct checkpoint sample = {
	.origin = "cloche/test/0011223344556677",
	.size = 42,
	.root = {1, 2, 3},
	.number = 6,
	.time_ns = 1769904000000000042,
	.reason = CHECKPOINT_SECOND,
	.lost = 7,
	.events_seen = 10,
	.events_emitted = 8,
	.events_dropped = 2,
	.programs = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
};
static const char sample_text[] =
	"cloche/test/0011223344556677\n42\n"
	"AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	"number 6\ntime 1769904000000000042\nreason second\nlost 7\n"
	"events seen 10 emitted 8 dropped 2\n"
	"programs 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
	"policies none\n";

TEST(a_checkpoint_is_written_as_stated_and_read_back)
{
	struct checkpoint back = {};
	char text[CHECKPOINT_SIZE];

	checkpoint_write(&sample, text);
	CHECK_TEXT(text, sample_text);
	CHECK_INT(checkpoint_parse(text, strlen(text), &back), 0);
	CHECK(memcmp(&back, &sample, sizeof(back)) == 0);
}

TEST(a_checkpoint_without_a_number_is_one_of_an_older_version)
{
	struct checkpoint older = sample, back = {};
	char text[CHECKPOINT_SIZE];

	older.number = 0;
	checkpoint_write(&older, text);
	CHECK(!strstr(text, "number"));
	CHECK_INT(checkpoint_parse(text, strlen(text), &back), 0);
	CHECK(memcmp(&back, &older, sizeof(back)) == 0);
}

TEST(a_checkpoint_of_another_form_is_refused)
{
	static const struct {
		const char *from, *to;
	} edits[] = {{"number 6", "number 0"}, {"number 6", "number 06"}, {"number 6", "number"},
		{"number 6\n", "number 6\nnumber 6\n"}, {"number 6\n", "\n"}, {"\n42\n", "\n042\n"},
		{"\n42\n", "\n-42\n"}, {"\n42\n", "\n 42\n"}, {"AQID", "AQI="}, {"A=\n", "B=\n"},
		{"second", "seconds"}, {"lost 7", "lost  7"}, {"lost 7\n", ""}, {"none\n", "none"},
		{"none\n", "none\nmore\n"}, {"policies none", "policies 00"},
		{"seen 10", "seen 99999999999999999999999"}};
	struct checkpoint back = {.size = 5};

	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		const char *found = strstr(sample_text, edits[i].from);
		char text[CHECKPOINT_SIZE];

		CHECK(found);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(found - sample_text), sample_text,
			edits[i].to, found + strlen(edits[i].from));
		CHECK_INT(checkpoint_parse(text, strlen(text), &back), -EINVAL);
	}
	CHECK_INT(back.size, 5);
	CHECK_INT(checkpoint_parse(sample_text, sizeof(sample_text), &back), -EINVAL);
	CHECK_INT(checkpoint_parse("", 0, &back), -EINVAL);
}

TEST(a_note_verifies_by_the_key_that_is_published_and_not_when_a_byte_changed)
{
	char note[NOTE_SIZE], *vkey = NULL;
	size_t text_bytes = 0;

	begin();
	CHECK_INT(note_sign(keys.key, keys.verifier.name, sample_text, note), 0);
	CHECK_INT(fd_read_file_at(dir_fd, "keys/000001.pub", 256, &vkey, NULL), 0);
	CHECK(strncmp(vkey, "cloche/test/0011223344556677+", 29) == 0);
	CHECK(vkey[strlen(vkey) - 1] == '\n');
	CHECK(is_signed(note, vkey));
	CHECK(note_verify(&keys.verifier, note, &text_bytes));
	CHECK_INT(text_bytes, strlen(sample_text));
	for (size_t i = 0; note[i]; i++) {
		note[i] ^= 1;
		CHECK(!note_verify(&keys.verifier, note, &text_bytes));
		note[i] ^= 1;
	}
	strcat(note, "\n");
	CHECK(!note_verify(&keys.verifier, note, &text_bytes));
	free(vkey);
	end();
}

/* The example in the documentation of golang.org/x/mod/sumdb/note. */
TEST(a_note_that_others_signed_verifies_and_their_key_reads)
{
	static const char vkey[] =
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
	static const char note[] =
		"If you think cryptography is the answer to your problem,\n"
		"then you don't know what your problem is.\n"
		"\n"
		"\xe2\x80\x94 PeterNeumann "
		"x08go/ZJkuBS9UG/"
		"SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6R"
		"yyBwJnAM=\n";
	char wrong[sizeof(vkey)], again[NOTE_VKEY_SIZE];
	struct note_verifier verifier = {};
	size_t text_bytes;

	CHECK_INT(note_vkey_parse(vkey, &verifier), 0);
	note_vkey(&verifier, again);
	CHECK_TEXT(again, vkey);
	CHECK(note_verify(&verifier, note, &text_bytes));
	memcpy(wrong, vkey, sizeof(wrong));
	wrong[13] = '0';
	CHECK_INT(note_vkey_parse(wrong, &verifier), -EINVAL);
	CHECK_INT(note_vkey_parse("", &verifier), -EINVAL);
	CHECK_INT(note_vkey_parse("a+b", &verifier), -EINVAL);
	CHECK_INT(note_vkey_parse("+c74f20a3+AR", &verifier), -EINVAL);
}

TEST(the_secret_is_private_and_outside_of_what_is_public)
{
	struct stat info;

	begin();
	CHECK_INT(fstatat(state_fd, "audit-key", &info, 0), 0);
	CHECK_INT(info.st_mode & 07777, 0600);
	CHECK_INT(info.st_size, 32);
	CHECK_INT(reopen(), 0);
	CHECK_INT(keys.epoch, 1);
	end();
}

TEST(a_new_epoch_is_certified_by_the_old_key_and_the_old_secret_is_gone)
{
	char *before = NULL, *after = NULL, *note = NULL, *old = NULL, *new = NULL, expected[512];
	size_t text_bytes;
	struct note_verifier first;
	int fd;

	begin();
	first = keys.verifier;
	fd = openat(state_fd, "audit-key", O_RDONLY);
	CHECK_INT(fd_read_file_at(state_fd, "audit-key", 64, &before, NULL), 0);
	CHECK_INT(keys_rotate(&keys, 99, NULL), 0);
	CHECK_INT(keys.epoch, 2);
	CHECK_INT(fd_read_file_at(state_fd, "audit-key", 64, &after, NULL), 0);
	CHECK(memcmp(before, after, 32) != 0);
	/* The bytes of the file that was there were overwritten. */
	CHECK_INT(pread(fd, after, 32, 0), 32);
	CHECK(memcmp(before, after, 32) != 0);
	close(fd);
	CHECK(faccessat(state_fd, "audit-key.new", F_OK, 0) < 0);
	CHECK_INT(fd_read_file_at(dir_fd, "keys/000002.cert", NOTE_SIZE, &note, NULL), 0);
	CHECK_INT(fd_read_file_at(dir_fd, "keys/000001.pub", 256, &old, NULL), 0);
	CHECK_INT(fd_read_file_at(dir_fd, "keys/000002.pub", 256, &new, NULL), 0);
	CHECK(is_signed(note, old) && !is_signed(note, new));
	CHECK(note_verify(&first, note, &text_bytes));
	snprintf(expected, sizeof(expected),
		"cloche key certificate v1\ncloche/test/0011223344556677\nepoch 2\nkey %ssize 99\n"
		"time ",
		new);
	CHECK(strncmp(note, expected, strlen(expected)) == 0);
	CHECK_INT(reopen(), 0);
	CHECK_INT(keys.epoch, 2);
	free(before);
	free(after);
	free(note);
	free(old);
	free(new);
	end();
}

/* Copies a file of the state directory, as a crash between two steps would have left it. */
static void copy(const char *from, const char *to)
{
	char *data = NULL;
	size_t size_bytes;
	int fd;

	CHECK_INT(fd_read_file_at(state_fd, from, 4096, &data, &size_bytes), 0);
	fd = openat(state_fd, to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK_INT(write(fd, data, size_bytes), size_bytes);
	close(fd);
	free(data);
}

TEST(a_change_that_a_crash_cut_short_is_undone_or_completed)
{
	begin();
	copy("audit-key", "old");
	CHECK_INT(keys_rotate(&keys, 1, NULL), 0);
	/* After the public key was written, before the new secret took its place. */
	copy("audit-key", "audit-key.new");
	copy("old", "audit-key");
	CHECK_INT(reopen(), 0);
	CHECK_INT(keys.epoch, 2);
	CHECK(faccessat(state_fd, "audit-key.new", F_OK, 0) < 0);
	/* The old secret half overwritten. */
	copy("audit-key", "audit-key.new");
	close(openat(state_fd, "audit-key", O_WRONLY | O_TRUNC));
	CHECK_INT(reopen(), 0);
	CHECK_INT(keys.epoch, 2);
	/* Before the public key was written: the certificate goes too. */
	copy("old", "audit-key.new");
	copy("audit/keys/000002.cert", "audit/keys/000003.cert");
	CHECK_INT(reopen(), 0);
	CHECK_INT(keys.epoch, 2);
	CHECK(faccessat(state_fd, "audit-key.new", F_OK, 0) < 0);
	CHECK(faccessat(dir_fd, "keys/000003.cert", F_OK, 0) < 0);
	end();
}

TEST(a_secret_that_is_not_the_newest_keys_is_refused)
{
	begin();
	copy("audit-key", "old");
	CHECK_INT(keys_rotate(&keys, 1, NULL), 0);
	copy("old", "audit-key");
	CHECK_INT(reopen(), -EBADMSG);
	CHECK_INT(unlinkat(state_fd, "audit-key", 0), 0);
	CHECK_INT(reopen(), -EBADMSG);
	CHECK_INT(unlinkat(dir_fd, "keys/000001.pub", 0), 0);
	CHECK_INT(reopen(), -ENOENT);
	end();
}

TEST(base64_has_one_text_for_each_value)
{
	uint8_t bytes[4];

	CHECK_INT(base64_decode("AQIDBA==", 8, bytes, 4), 0);
	CHECK_INT(bytes[3], 4);
	CHECK_INT(base64_decode("AQIDBB==", 8, bytes, 4), -EINVAL);
	CHECK_INT(base64_decode("AQIDBA=", 7, bytes, 4), -EINVAL);
	CHECK_INT(base64_decode("AQID BA=", 8, bytes, 4), -EINVAL);
	CHECK_INT(base64_decode("AQIDBAUG", 8, bytes, 4), -EINVAL);
}
