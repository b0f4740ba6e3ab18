/* An honest log is valid, whatever happened to its daemon; what the holder of its key could forge
 * is found as far as it can be, or is seen by who kept a checkpoint. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/verify-scene.h"
#include "tools/verify/log/range-check.h"

TEST(verify_log_takes_an_honest_log_and_tells_what_is_in_it)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	scene.options.has_sandbox = true;
	scene.options.sandbox = 0xa;
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	CHECK_TEXT(scene.summary.origin, scene.log->origin);
	CHECK_INT(scene.summary.n_records, 692);
	CHECK_INT(scene.summary.n_signed, 692);
	CHECK_INT(scene.summary.first_kept, 1);
	CHECK_INT(scene.summary.n_segments, 3);
	CHECK_INT(scene.summary.n_checkpoints, scene.log->n_notes);
	CHECK_INT(scene.summary.n_epochs, 2);
	CHECK_INT(scene.summary.n_lost, 7);
	CHECK_INT(scene.summary.n_started, 3);
	CHECK_INT(scene.summary.n_ended, 2);
	CHECK_INT(scene.summary.n_alive, 1);
	CHECK_INT(scene.summary.n_stops, 1);
	CHECK_INT(scene.summary.torn_bytes, 0);
	CHECK(scene.summary.sandbox_started && scene.summary.sandbox_ended);
	verify_scene_end(&scene);
}

/* kill -9: whole lines after the newest checkpoint, then half a one. */
TEST(verify_log_tells_of_records_that_no_checkpoint_covers)
{
	struct verify_scene scene;
	size_t size;
	char *bytes;

	verify_scene_begin(&scene);
	made_log_add(scene.log, "test", "");
	made_log_add(scene.log, "test", "");
	made_log_write(scene.log, scene.directory);
	bytes = verify_scene_load(&scene, SEGMENT_3, &size);
	memcpy(bytes + size, "{\"v\":1,\"seq\":69", 15);
	verify_scene_store(&scene, SEGMENT_3, bytes, size + 15);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	CHECK_INT(scene.summary.n_records, 694);
	CHECK_INT(scene.summary.n_signed, 692);
	CHECK_INT(scene.summary.torn_bytes, 15);
	scene.options.sealed = true;
	verify_scene_expect(&scene, FAULT_UNSIGNED, 693);
	free(bytes);
	verify_scene_end(&scene);
}

TEST(verify_log_takes_a_log_whose_oldest_segments_retention_removed)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_retain(scene.log);
	made_log_note(scene.log, "second");
	made_log_retain(scene.log);
	made_log_note(scene.log, "second");
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	CHECK_INT(scene.summary.first_kept, 601);
	CHECK_INT(scene.summary.n_records, 694);
	verify_scene_remove(&scene, "tile/0/000");
	verify_scene_expect(&scene, FAULT_TILE, 0);
	verify_scene_end(&scene);
}

TEST(verify_log_refuses_a_removal_that_no_retention_explains)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_retain(scene.log);
	scene.log->removed[1] = true;
	made_log_note(scene.log, "second");
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_SEGMENT_MISSING, 1);
	verify_scene_end(&scene);
}

/* ---- what only the holder of the key can do */

TEST(verify_log_names_an_end_forged_with_the_key)
{
	struct verify_scene scene;
	char *line;

	verify_scene_begin(&scene);
	line = strdup(scene.log->lines[300]);
	strstr(line, "\"head\":\"")[8] ^= 1;
	made_log_replace(scene.log, 301, line);
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_END, 301);
	free(line);
	line = strdup(scene.log->lines[300]);
	*strstr(line, "\"head\":\"") = '"', strstr(line, "\"head\":\"")[8] ^= 1;
	strstr(line, "\"records\":")[10] = '9';
	made_log_replace(scene.log, 301, line);
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_END, 301);
	free(line);
	verify_scene_end(&scene);
}

TEST(verify_log_names_a_record_taken_out_of_a_stream_with_the_key)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_replace(scene.log, 450, "{\"v\":1,\"seq\":450,\"time\":\"\",\"type\":\"test\"}");
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_STREAM, 451);
	verify_scene_end(&scene);
}

/* A sandbox that is older than its log; one whose head a crash took. Others may name it. */
TEST(verify_log_takes_streams_that_a_crash_cut)
{
	struct verify_scene scene;
	char *line, *head;

	verify_scene_begin(&scene);
	made_log_sandbox(scene.log, 0xd, "sandbox.adopt");
	made_log_sandbox(scene.log, 0xd, "sandbox.end");
	line = strdup(scene.log->lines[scene.log->n_lines - 1]);
	head = strstr(line, "\"head\":") + 7;
	sprintf(head, "null}}");
	made_log_replace(scene.log, scene.log->n_lines, line);
	made_log_note(scene.log, "second");
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	CHECK_INT(scene.summary.n_headless, 1);
	CHECK_INT(scene.summary.n_started, 4);
	CHECK_INT(scene.summary.n_ended, 3);
	strstr(line, "\"records\":")[10] = '2';
	made_log_replace(scene.log, scene.log->n_lines, line);
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_END, 694);
	free(line);
	verify_scene_end(&scene);
}

/* The twin, a stranger's record about the same sandbox, is in every honest log here. */
TEST(verify_log_names_a_record_of_the_tenant_that_is_not_numbered)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_replace(scene.log, 305,
		"{\"v\":1,\"seq\":305,\"type\":\"api.call\",\"sandbox\":\"sb-000000000000000b\","
		"\"tenant_id\":1}");
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_STREAM, 305);
	verify_scene_end(&scene);
}

TEST(verify_log_names_a_loss_that_is_not_told)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	scene.log->lost++;
	made_log_note(scene.log, "second");
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_LOST, 0);
	verify_scene_end(&scene);
}

TEST(verify_log_names_a_retention_that_skips)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_retain(scene.log);
	made_log_add(scene.log, "audit.retention", ",\"first_seq\":302,\"last_seq\":600");
	made_log_note(scene.log, "second");
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_RETENTION, 694);
	verify_scene_end(&scene);
}

TEST(verify_log_names_a_certificate_by_a_wrong_key)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	scene.log->certifiers[1] = scene.log->keys[1];
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_CERTIFICATE, 0);
	CHECK_TEXT(scene.fault.file, "keys/000002.cert");
	verify_scene_end(&scene);
}

TEST(verify_log_names_a_key_that_signs_out_of_its_time)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_note(scene.log, "second");
	scene.log->notes[scene.log->n_notes - 1].key = 0;
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_SIGNATURE, 0);
	verify_scene_end(&scene);
}

TEST(verify_log_needs_a_key_of_the_log_and_takes_a_later_one)
{
	struct verify_scene scene;
	struct made_log *other = made_log_new(2);

	verify_scene_begin(&scene);
	made_log_write(scene.log, scene.directory);
	made_log_vkey(other, 0, scene.vkey);
	verify_scene_expect(&scene, FAULT_KEY, 0);
	made_log_vkey(scene.log, 1, scene.vkey);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	made_log_free(other);
	verify_scene_end(&scene);
}

/* ---- what only somebody who kept a checkpoint can see */

static void witness(struct verify_scene *scene, const struct made_log *log, size_t note)
{
	static char path[256];
	char text[2048];
	FILE *file;

	snprintf(path, sizeof(path), "%s/witness", scene->directory);
	made_log_sign(log, &log->notes[note], text, sizeof(text));
	file = fopen(path, "w");
	CHECK(file != NULL);
	fputs(text, file);
	fclose(file);
	scene->options.witness = path;
}

TEST(verify_log_rolled_back_with_its_key_is_seen_by_a_witness_alone)
{
	struct verify_scene scene;
	struct made_log *longer = made_log_new(1);

	verify_scene_begin(&scene);
	longer->numbered = true;
	verify_scene_fill(longer);
	made_log_add(longer, "test", "");
	made_log_note(longer, "second");
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	witness(&scene, scene.log, 3);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	CHECK_INT(scene.summary.n_witnessed, 1);
	witness(&scene, longer, longer->n_notes - 1);
	verify_scene_expect(&scene, FAULT_ROLLED_BACK, 0);
	made_log_free(longer);
	verify_scene_end(&scene);
}

/* Notes that were cut off the end with `checkpoint` set back to what is left: no record is missing.
 */
TEST(verify_log_without_its_last_checkpoint_is_seen_by_a_witness_alone)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_note(scene.log, "heartbeat");
	made_log_note(scene.log, "heartbeat");
	made_log_write(scene.log, scene.directory);
	witness(&scene, scene.log, scene.log->n_notes - 1);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	scene.log->n_notes--;
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_ROLLED_BACK, 0);
	scene.options.witness = NULL;
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	verify_scene_end(&scene);
}

TEST(verify_log_with_another_checkpoint_of_the_witness_s_number_is_forked)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_note(scene.log, "heartbeat");
	made_log_write(scene.log, scene.directory);
	scene.log->notes[scene.log->n_notes - 1].time_ns++;
	witness(&scene, scene.log, scene.log->n_notes - 1);
	verify_scene_expect(&scene, FAULT_FORKED, 0);
	verify_scene_end(&scene);
}

TEST(verify_log_takes_numbers_that_begin_after_an_older_version_s_checkpoints)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	scene.log->n_unnumbered = 3;
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	scene.log->n_unnumbered = 0;
	scene.log->number_gap = 1; /* the first has 2 */
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_CHECKPOINT_MISSING, 0);
	scene.log->n_unnumbered = 3;
	made_log_write(scene.log, scene.directory);
	verify_scene_expect(&scene, FAULT_CHECKPOINT_MISSING, 0);
	verify_scene_end(&scene);
}

TEST(verify_log_forked_with_its_key_is_seen_by_a_witness_alone)
{
	struct verify_scene scene;
	struct made_log *fork = made_log_new(1);

	verify_scene_begin(&scene);
	fork->numbered = true;
	made_log_add(fork, "test", "");
	made_log_note(fork, "second");
	made_log_write(scene.log, scene.directory);
	made_log_replace(fork, 2, "{\"v\":1,\"seq\":2,\"time\":\"\",\"type\":\"fork\"}");
	fork->notes[1].size = 150;
	while (fork->n_lines < 150)
		made_log_add(fork, "test", "");
	witness(&scene, fork, 1);
	verify_scene_expect(&scene, FAULT_FORKED, 0);
	made_log_free(fork);
	verify_scene_end(&scene);
}

TEST(verify_log_says_when_no_checkpoint_came_for_too_long)
{
	struct verify_scene scene;

	verify_scene_begin(&scene);
	made_log_write(scene.log, scene.directory);
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	scene.options.max_gap_ns = scene.summary.longest_gap_ns;
	CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);
	scene.options.max_gap_ns--;
	verify_scene_expect(&scene, FAULT_CHECKPOINT_GAP, 0);
	verify_scene_end(&scene);
}

/* ---- a range */

static enum verdict check_part(struct verify_scene *scene, uint64_t from, uint64_t to)
{
	int dir_fd = open(scene->directory, O_RDONLY | O_DIRECTORY);
	struct range_summary summary = {0};
	struct keyring keyring;
	enum verdict verdict = keyring_open(&keyring, scene->vkey, dir_fd, "keys", &scene->fault);

	if (!verdict)
		verdict = range_check(dir_fd, &keyring, from, to, &summary, &scene->fault);
	if (!verdict)
		CHECK_INT(summary.n_records, to - from + 1);
	keyring_fini(&keyring);
	close(dir_fd);
	return verdict;
}

TEST(verify_range_sees_its_records_and_no_others)
{
	struct verify_scene scene;
	size_t size;
	char *bytes;

	verify_scene_begin(&scene);
	made_log_write(scene.log, scene.directory);
	CHECK_INT(check_part(&scene, 1, 692), VERDICT_VALID);
	bytes = verify_scene_load(&scene, SEGMENT_2, &size);
	*strstr(strstr(bytes, "\"seq\":320,"), "pid") = 'P';
	verify_scene_store(&scene, SEGMENT_2, bytes, size);
	free(bytes);
	CHECK_INT(check_part(&scene, 1, 319), VERDICT_VALID);
	CHECK_INT(check_part(&scene, 321, 692), VERDICT_VALID);
	CHECK_INT(check_part(&scene, 250, 650), VERDICT_INVALID);
	CHECK_TEXT(fault_name(scene.fault.kind), "record-changed");
	CHECK_INT(scene.fault.sequence, 320);
	CHECK_INT(check_part(&scene, 692, 693), VERDICT_INVALID);
	CHECK_TEXT(fault_name(scene.fault.kind), "unsigned");
	bytes = verify_scene_load(&scene, "tile/1/000.p/2", &size);
	bytes[40] ^= 1;
	verify_scene_store(&scene, "tile/1/000.p/2", bytes, size);
	free(bytes);
	CHECK_INT(check_part(&scene, 1, 1), VERDICT_INVALID);
	CHECK_TEXT(fault_name(scene.fault.kind), "tile");
	verify_scene_end(&scene);
}
