/* A tenant checks its sandbox's records without anybody else's; two checkpoints, with a proof or
 * the tiles between them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/verify-scene.h"
#include "tools/verify/log/stream-check.h"
#include "tools/verify/tree/consistency.h"
#include "tools/verify/tree/proof.h"

#define ENDED "sb-000000000000000a"
#define ALIVE "sb-000000000000000c"

struct stream_scene {
	struct verify_scene base;
	int records, proofs;
	struct stream_summary summary;
	struct fault fault;
};

static void stream_begin(struct stream_scene *scene)
{
	verify_scene_begin(&scene->base);
	scene->records = memfd_create("records", MFD_CLOEXEC);
	scene->proofs = memfd_create("proofs", MFD_CLOEXEC);
	CHECK(scene->records >= 0 && scene->proofs >= 0);
}

static void stream_end(struct stream_scene *scene)
{
	close(scene->records);
	close(scene->proofs);
	verify_scene_end(&scene->base);
}

static void put_record(struct stream_scene *scene, uint64_t sequence)
{
	dprintf(scene->records, "%s\n", scene->base.log->lines[sequence - 1]);
}

static void put_proof(struct stream_scene *scene, uint64_t sequence)
{
	const struct made_log *log = scene->base.log;
	static char text[16384];

	made_log_proof(log, sequence, &log->notes[log->n_notes - 1], text, sizeof(text));
	dprintf(scene->proofs, "%s", text);
}

/* Every record of a sandbox but `left_out`; proofs of all, or of the last alone. */
static void put_stream(struct stream_scene *scene, const char *sandbox, uint64_t left_out, bool all)
{
	const struct made_log *log = scene->base.log;
	uint64_t last = 0;

	for (uint64_t sequence = 1; sequence <= log->n_lines; sequence++) {
		if (!strstr(log->lines[sequence - 1], sandbox))
			continue;
		if (sequence != left_out)
			put_record(scene, sequence);
		if (!strstr(log->lines[sequence - 1], "sandbox_seq"))
			continue;
		if (all)
			put_proof(scene, sequence);
		last = sequence;
	}
	if (!all)
		put_proof(scene, last);
}

static enum verdict check_stream(struct stream_scene *scene)
{
	struct keyring keyring;
	enum verdict verdict;
	char keys[96];

	made_log_write(scene->base.log, scene->base.directory);
	lseek(scene->records, 0, SEEK_SET);
	lseek(scene->proofs, 0, SEEK_SET);
	snprintf(keys, sizeof(keys), "%s/keys", scene->base.directory);
	verdict = keyring_open(&keyring, scene->base.vkey, AT_FDCWD, keys, &scene->fault);
	if (!verdict)
		verdict = stream_check(&keyring, scene->records, "records", scene->proofs, "proofs",
			&scene->summary, &scene->fault);
	keyring_fini(&keyring);
	return verdict;
}

static void expect_stream(struct stream_scene *scene, enum fault_kind kind, uint64_t sequence)
{
	CHECK_INT(check_stream(scene), VERDICT_INVALID);
	CHECK_TEXT(fault_name(scene->fault.kind), fault_name(kind));
	CHECK_INT(scene->fault.sequence, sequence);
	stream_end(scene);
}

TEST(verify_stream_of_an_ended_sandbox_needs_the_proof_of_its_end_alone)
{
	struct stream_scene scene;

	stream_begin(&scene);
	put_stream(&scene, ENDED, 0, false);
	CHECK_INT(check_stream(&scene), VERDICT_VALID);
	CHECK_INT(scene.summary.sandbox, 0xa);
	CHECK(scene.summary.ended);
	CHECK_INT(scene.summary.n_proofs, 1);
	CHECK_INT(scene.summary.n_outside, 1);
	CHECK_INT(scene.summary.tree_size, 692);
	CHECK_INT(scene.summary.last_sequence, 301);
	stream_end(&scene);
}

TEST(verify_stream_of_a_living_sandbox_needs_a_proof_of_each_record)
{
	struct stream_scene scene;

	stream_begin(&scene);
	put_stream(&scene, ALIVE, 0, true);
	CHECK_INT(check_stream(&scene), VERDICT_VALID);
	CHECK(!scene.summary.ended);
	CHECK_INT(scene.summary.n_proofs, scene.summary.n_records);
	stream_end(&scene);
	stream_begin(&scene);
	put_stream(&scene, ALIVE, 0, false);
	expect_stream(&scene, FAULT_UNSIGNED, 303);
}

TEST(verify_stream_names_a_record_that_is_missing)
{
	struct stream_scene scene;

	stream_begin(&scene);
	put_stream(&scene, ENDED, 5, false);
	expect_stream(&scene, FAULT_STREAM, 6);
	stream_begin(&scene);
	put_stream(&scene, ENDED, 2, false);
	expect_stream(&scene, FAULT_STREAM, 5);
	stream_begin(&scene);
	put_stream(&scene, ENDED, 301, false);
	expect_stream(&scene, FAULT_STREAM, 304);
}

TEST(verify_stream_names_a_record_that_changed)
{
	struct stream_scene scene;
	char *line;

	stream_begin(&scene);
	line = strdup(scene.base.log->lines[4]);
	put_proof(&scene, 301);
	strstr(line, "\"pid\":7")[6] = '8';
	for (uint64_t sequence = 1; sequence <= 301; sequence++)
		if (sequence == 5)
			dprintf(scene.records, "%s\n", line);
		else if (strstr(scene.base.log->lines[sequence - 1], ENDED))
			put_record(&scene, sequence);
	expect_stream(&scene, FAULT_END, 301);
	free(line);
}

TEST(verify_stream_names_what_is_of_another_sandbox)
{
	struct stream_scene scene;

	stream_begin(&scene);
	put_record(&scene, 2);
	put_record(&scene, 3);
	expect_stream(&scene, FAULT_STREAM, 3);
}

TEST(verify_stream_names_a_proof_that_leads_nowhere)
{
	struct stream_scene scene;

	stream_begin(&scene);
	put_stream(&scene, ENDED, 0, false);
	made_log_replace(scene.base.log, 600, "{\"v\":1,\"seq\":600,\"type\":\"x\"}");
	dprintf(scene.proofs, "{}\n");
	expect_stream(&scene, FAULT_PROOF, 0);
}

/* ---- proofs on their own */

static enum verdict check_one(struct verify_scene *scene, const char *text, struct fault *fault)
{
	struct proof *proof = malloc(sizeof(*proof));
	struct checkpoint checkpoint;
	struct keyring keyring;
	enum verdict verdict;

	CHECK(!proof_read(text, strlen(text), proof));
	CHECK_INT(keyring_open(&keyring, scene->vkey, AT_FDCWD, NULL, fault), VERDICT_VALID);
	verdict = proof_check(&keyring, proof, &checkpoint, fault);
	keyring_fini(&keyring);
	free(proof);
	return verdict;
}

TEST(verify_proof_binds_its_record_to_what_was_signed)
{
	static char text[16384];
	struct verify_scene scene;
	struct fault fault;

	verify_scene_begin(&scene);
	made_log_proof(scene.log, 20, &scene.log->notes[4], text, sizeof(text));
	CHECK_INT(check_one(&scene, text, &fault), VERDICT_VALID);
	strstr(text, "pid\\\":7")[6] = '8';
	CHECK_INT(check_one(&scene, text, &fault), VERDICT_INVALID);
	CHECK_TEXT(fault_name(fault.kind), "record-changed");
	made_log_proof(scene.log, 20, &scene.log->notes[4], text, sizeof(text));
	strstr(text, "\"leaf_index\":19")[14] = '8';
	CHECK_INT(check_one(&scene, text, &fault), VERDICT_INVALID);
	CHECK_TEXT(fault_name(fault.kind), "proof");
	made_log_proof(scene.log, 20, &scene.log->notes[4], text, sizeof(text));
	strstr(text, "lost 0")[5] = '1';
	CHECK_INT(check_one(&scene, text, &fault), VERDICT_INVALID);
	CHECK_TEXT(fault_name(fault.kind), "signature");
	verify_scene_end(&scene);
}

/* Anybody can make a key and have it certify one that is pinned. */
TEST(verify_proof_refuses_a_checkpoint_of_an_elder_of_the_given_key)
{
	static char text[16384];
	struct verify_scene scene;
	struct keyring keyring;
	struct checkpoint checkpoint;
	struct fault fault;
	char keys[96];
	size_t size;

	verify_scene_begin(&scene);
	made_log_write(scene.log, scene.directory);
	snprintf(keys, sizeof(keys), "%s/keys", scene.directory);
	size = made_log_sign(scene.log, &scene.log->notes[4], text, sizeof(text));
	for (size_t key = 0; key < 2; key++) {
		made_log_vkey(scene.log, key, scene.vkey);
		CHECK_INT(keyring_open(&keyring, scene.vkey, AT_FDCWD, keys, &fault), 0);
		CHECK_INT(keyring_check_alone(
				  &keyring, (struct span){text, size}, &checkpoint, &fault),
			key ? VERDICT_INVALID : VERDICT_VALID);
		keyring_fini(&keyring);
	}
	verify_scene_end(&scene);
}

/* ---- two checkpoints */

struct pair {
	struct verify_scene scene;
	struct made_log *other; /* the newer checkpoint is this one's */
	struct checkpoint older, newer;
	struct fault fault;
	char proof[96];
};

static void read_note_of(const struct made_log *log, size_t note, struct checkpoint *ret)
{
	char text[2048];
	struct note parsed;
	size_t size = made_log_sign(log, &log->notes[note], text, sizeof(text));

	CHECK(!note_read((struct span){text, size}, &parsed));
	CHECK(!checkpoint_read(parsed.text, ret));
}

static void pair_begin(struct pair *pair, bool fork)
{
	static char text[16384];

	verify_scene_begin(&pair->scene);
	pair->other = made_log_new(1);
	verify_scene_fill(pair->other);
	if (fork)
		made_log_replace(pair->other, 30, "{\"v\":1,\"seq\":30,\"type\":\"fork\"}");
	made_log_write(pair->other, pair->scene.directory);
	read_note_of(pair->scene.log, 4, &pair->older);
	read_note_of(pair->other, pair->other->n_notes - 1, &pair->newer);
	made_log_consistency(pair->other, pair->older.size, pair->newer.size, text, sizeof(text));
	verify_scene_store(&pair->scene, "proof", text, strlen(text));
	snprintf(pair->proof, sizeof(pair->proof), "%s/proof", pair->scene.directory);
}

static void expect_pair(bool fork, enum verdict expected)
{
	struct pair pair;
	struct consistency_source tiles = {.dir_fd = -1}, proof = {.dir_fd = -1};

	pair_begin(&pair, fork);
	proof.proof = pair.proof;
	tiles.dir_fd = open(pair.scene.directory, O_RDONLY | O_DIRECTORY);
	CHECK_INT(consistency_check(&pair.older, &pair.newer, &proof, &pair.fault), expected);
	if (expected)
		CHECK_TEXT(fault_name(pair.fault.kind), "forked");
	CHECK_INT(consistency_check(&pair.older, &pair.newer, &tiles, &pair.fault), expected);
	if (expected)
		CHECK_TEXT(fault_name(pair.fault.kind), "forked");
	CHECK_INT(consistency_check(&pair.newer, &pair.older, &tiles, &pair.fault), VERDICT_FAILED);
	close(tiles.dir_fd);
	made_log_free(pair.other);
	verify_scene_end(&pair.scene);
}

TEST(verify_consistency_takes_two_checkpoints_of_one_history)
{
	expect_pair(false, VERDICT_VALID);
}

TEST(verify_consistency_names_a_fork)
{
	expect_pair(true, VERDICT_INVALID);
}
