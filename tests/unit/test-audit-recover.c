/* supervisor/audit recover.c, resume.c, sandbox.c: what a crash leaves of a log, and what somebody
 * else does to it. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/fd.h"
#include "supervisor/digest/base64.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct audit_scene log_;
static const struct audit_subject someone = {.sandbox = 0x51, .tenant = 3, .tenant_name = "acme"};

static void begin(struct audit_config config)
{
	log_.config = config;
	audit_scene_begin(&log_);
}

static void end(void)
{
	audit_scene_end(&log_);
}

static void fill(int n)
{
	for (int i = 0; i < n; i++)
		audit_record(log_.audit, "a.b", &someone, json_pack("{s:i}", "i", i));
}

/* What a process does that is killed in the middle: `act` runs in a child, which ends at once. */
static void killed(void (*act)(void))
{
	pid_t child;
	int status;

	log_.audit = audit_free(log_.audit);
	child = fork();
	if (child == 0) {
		loop_new(&log_.loop);
		if (audit_open(log_.loop, &log_.config, &log_.audit, NULL) == 0)
			act();
		_exit(0);
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
}

static void settle_only(void)
{
	audit_scene_settle(&log_);
}

static void reopen(int expected)
{
	struct failure why = {};

	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, &why), expected);
}

static void write_seven(void)
{
	audit_sandbox_begin(log_.audit, &someone, NULL);
	fill(6);
}

TEST(whole_lines_after_the_last_checkpoint_are_kept_and_that_is_told)
{
	json_t *record;

	begin((struct audit_config){});
	fill(5);
	killed(write_seven);
	reopen(0);
	record = audit_scene_last_of(&log_, "audit.recovered");
	CHECK(record);
	CHECK_INT(audit_scene_number(record, "seq"), 13);
	CHECK_INT(audit_scene_number(record, "checkpoint_size"), 5);
	CHECK_INT(audit_scene_number(record, "records"), 7);
	CHECK_INT(audit_scene_number(record, "cut_bytes"), 0);
	json_decref(record);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 13);
	CHECK_INT(audit_scene_newest(&log_, 1).reason, CHECKPOINT_START);
	end();
}

TEST(a_kill_without_a_record_is_an_unclean_stop_too)
{
	json_t *record;

	begin((struct audit_config){});
	fill(5);
	audit_scene_settle(&log_);
	killed(settle_only);
	reopen(0);
	record = audit_scene_last_of(&log_, "audit.recovered");
	CHECK(record);
	CHECK_INT(audit_scene_number(record, "records"), 0);
	json_decref(record);
	end();
}

TEST(a_stream_has_dense_numbers_and_its_end_says_count_and_head)
{
	const struct audit_subject stranger = {.sandbox = 0x51, .tenant = 9};
	json_t *record;

	begin((struct audit_config){});
	fill(1); /* before its beginning: not of the stream */
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, json_pack("{s:i}", "x", 1)), 0);
	fill(3);
	audit_record(log_.audit, "api.call", &stranger, NULL);
	audit_record(log_.audit, "daemon.x", NULL, NULL);
	fill(2);
	audit_sandbox_end(log_.audit, &someone, json_pack("{s:s}", "reason", "deleted"));
	fill(1);
	for (int i = 0; i < 9; i++) {
		static const int expected[] = {0, 1, 2, 3, 4, 0, 0, 5, 6};

		record = audit_scene_record(&log_, (size_t)i);
		CHECK_INT(json_integer_value(json_object_get(record, "sandbox_seq")), expected[i]);
		json_decref(record);
	}
	record = audit_scene_last_of(&log_, "sandbox.end");
	CHECK_INT(audit_scene_number(record, "sandbox_seq"), 7);
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "deleted");
	json_decref(record);
	record = audit_scene_record(&log_, 10);
	CHECK(!json_object_get(record, "sandbox_seq"));
	json_decref(record);
	audit_scene_check_end(&log_, "sb-0000000000000051");
	end();
}

static void more_and_rotate(void)
{
	fill(50);
}

TEST(a_stream_goes_on_densely_after_a_kill_also_over_segments)
{
	begin((struct audit_config){.segment_bytes = 1500});
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, NULL), 0);
	fill(20);
	killed(more_and_rotate);
	killed(more_and_rotate);
	reopen(0);
	CHECK_INT(audit_sandbox_adopt(log_.audit, &someone), 0);
	audit_sandbox_sweep(log_.audit);
	fill(2);
	CHECK(!audit_scene_last_of(&log_, "sandbox.end"));
	audit_sandbox_end(log_.audit, &someone, json_pack("{s:s}", "reason", "deleted"));
	audit_scene_check_end(&log_, "sb-0000000000000051");
	end();
}

TEST(a_sandbox_that_is_gone_at_the_start_gets_its_end)
{
	json_t *record;

	begin((struct audit_config){});
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, NULL), 0);
	reopen(0);
	audit_sandbox_sweep(log_.audit);
	record = audit_scene_last_of(&log_, "sandbox.end");
	CHECK(record);
	CHECK_INT(audit_scene_number(record, "sandbox_seq"), 2);
	json_decref(record);
	audit_scene_check_end(&log_, "sb-0000000000000051");
	end();
}

TEST(a_sandbox_that_is_older_than_the_log_is_adopted)
{
	json_t *record;

	begin((struct audit_config){});
	CHECK_INT(audit_sandbox_adopt(log_.audit, &someone), 0);
	audit_sandbox_sweep(log_.audit);
	record = audit_scene_last_of(&log_, "sandbox.adopt");
	CHECK_INT(audit_scene_number(record, "sandbox_seq"), 1);
	json_decref(record);
	CHECK(!audit_scene_last_of(&log_, "sandbox.end"));
	end();
}

TEST(half_a_note_at_the_end_of_the_history_is_cut_off)
{
	static const char name[] = "audit/checkpoints/00000000000000000001.notes";
	char *whole, *after;

	for (size_t cut = 1; cut < 300; cut += 7) {
		begin((struct audit_config){});
		fill(1);
		log_.audit = audit_free(log_.audit);
		whole = audit_scene_read(&log_, name);
		CHECK_INT(truncate(audit_scene_path(&log_, name), (off_t)(strlen(whole) - cut)), 0);
		CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
		after = audit_scene_read(&log_, name);
		/* The first note, and the one of this start, with nothing between. */
		whole[strlen(whole) / 2 - 20] = '\0';
		CHECK(strncmp(after, whole, strlen(whole)) == 0);
		for (const char *note = after; *note;) {
			const char *stop = strstr(strstr(note, "\n\n\xe2\x80\x94") + 2, "\n\n");

			CHECK(stop && strncmp(note, "cloche/default/", 15) == 0);
			note = stop + 2;
		}
		free(whole);
		free(after);
		end();
	}
}

static void settle_more(void)
{
	fill(3);
	audit_scene_settle(&log_);
}

static void fill_segments(void)
{
	fill(200);
	audit_scene_settle(&log_);
	fill(30);
}

TEST(checkpoints_are_numbered_densely_over_restarts_and_kills)
{
	uint64_t n;

	begin((struct audit_config){.segment_bytes = 5000});
	for (int i = 0; i < 3; i++) {
		killed(settle_more);
		killed(fill_segments);
		reopen(0);
	}
	n = audit_scene_check_numbers(&log_);
	CHECK(n > 12);
	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_scene_check_numbers(&log_), n + 1);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	end();
}

static void put(const char *name, const char *text, size_t size_bytes)
{
	int fd = open(audit_scene_path(&log_, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, size_bytes), size_bytes);
	close(fd);
}

/* Killed after the history was appended to, at each byte of that, and before the rename. */
TEST(a_history_that_is_ahead_of_the_checkpoint_is_gone_on_from)
{
	static const char name[] = "audit/checkpoints/00000000000000000001.notes";
	char *older, *shorter, *longer;
	size_t shorter_bytes, longer_bytes;

	begin((struct audit_config){});
	settle_more();
	older = audit_scene_read(&log_, "audit/checkpoint");
	shorter = audit_scene_read(&log_, name);
	killed(settle_more);
	longer = audit_scene_read(&log_, name);
	shorter_bytes = strlen(shorter);
	longer_bytes = strlen(longer);
	for (size_t bytes = longer_bytes; bytes >= shorter_bytes;
		bytes -= bytes % 97 ? bytes % 97 : 97) {
		put("audit/checkpoint", older, strlen(older));
		put(name, longer, bytes);
		reopen(0);
		CHECK(audit_scene_check_numbers(&log_) > 2);
		log_.audit = audit_free(log_.audit);
	}
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	free(older);
	free(shorter);
	free(longer);
	end();
}

/* Killed after the very first note was appended. */
TEST(a_first_checkpoint_that_was_appended_alone_keeps_its_number)
{
	begin((struct audit_config){});
	log_.audit = audit_free(log_.audit);
	CHECK_INT(unlink(audit_scene_path(&log_, "audit/checkpoint")), 0);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	CHECK_INT(audit_scene_check_numbers(&log_), 3);
	end();
}

TEST(a_note_that_somebody_cut_off_the_history_leaves_a_hole_in_the_numbers)
{
	static const char name[] = "audit/checkpoints/00000000000000000001.notes";
	char *text, *note;

	begin((struct audit_config){});
	settle_more();
	log_.audit = audit_free(log_.audit);
	text = audit_scene_read(&log_, name);
	note = strstr(text, "\nnumber 3\n");
	CHECK(note && !strstr(text, "\nnumber 4\n"));
	while (memcmp(note, "cloche/", 7) != 0)
		note--;
	put(name, text, (size_t)(note - text));
	free(text);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	text = audit_scene_read(&log_, name);
	CHECK(!strstr(text, "\nnumber 3\n") && strstr(text, "\nnumber 4\n"));
	free(text);
	end();
}

TEST(tiles_that_are_missing_are_made_again)
{
	char *before, *after;

	begin((struct audit_config){.segment_bytes = 20000});
	fill(1200);
	log_.audit = audit_free(log_.audit);
	before = audit_scene_read(&log_, "audit/tile/0/001");
	CHECK_INT(unlink(audit_scene_path(&log_, "audit/tile/0/001")), 0);
	CHECK_INT(truncate(audit_scene_path(&log_, "audit/tile/0/003"), 0), 0);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	after = audit_scene_read(&log_, "audit/tile/0/001");
	CHECK(memcmp(before, after, TILE_BYTES) == 0);
	free(before);
	free(after);
	before = audit_scene_read(&log_, "audit/tile/0/003");
	free(before);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 1200);
	end();
}

TEST(a_restart_needs_no_state_of_ours_but_segments_keys_and_checkpoint)
{
	begin((struct audit_config){.segment_bytes = 5000});
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, NULL), 0);
	fill(400);
	log_.audit = audit_free(log_.audit);
	audit_scene_remove_tree(audit_scene_path(&log_, "audit/resume"));
	audit_scene_remove_tree(audit_scene_path(&log_, "audit/tile"));
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 401);
	audit_sandbox_end(log_.audit, &someone, json_pack("{s:s}", "reason", "deleted"));
	audit_scene_check_end(&log_, "sb-0000000000000051");
	end();
}

static void flip_byte(const char *path, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char byte;

	CHECK(fd >= 0);
	CHECK_INT(pread(fd, &byte, 1, offset), 1);
	byte ^= 1;
	CHECK_INT(pwrite(fd, &byte, 1, offset), 1);
	close(fd);
}

TEST(a_state_that_was_damaged_is_not_used)
{
	glob_t found;

	begin((struct audit_config){.segment_bytes = 5000});
	fill(300);
	log_.audit = audit_free(log_.audit);
	CHECK_INT(glob(audit_scene_path(&log_, "audit/resume/*"), 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		flip_byte(found.gl_pathv[i], 30);
	globfree(&found);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 300);
	end();
}

/* What follows is done to a log of 300 records in segments of 5,000 bytes; then it must be set
 * aside, and the new one must say so in its first record. */
static void check_set_aside(void (*harm)(void), const char *why)
{
	struct checkpoint checkpoint;
	json_t *record;
	struct stat info;
	char origin[NOTE_NAME_SIZE];

	begin((struct audit_config){.segment_bytes = 5000});
	fill(300);
	log_.audit = audit_free(log_.audit);
	checkpoint = audit_scene_newest(&log_, 1);
	snprintf(origin, sizeof(origin), "%s", checkpoint.origin);
	harm();
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 1);
	record = audit_scene_record(&log_, 0);
	CHECK_TEXT(json_string_value(json_object_get(record, "type")), "audit.broken");
	CHECK(strstr(json_string_value(json_object_get(record, "why")), why));
	if (audit_scene_number(record, "size") > 0) {
		CHECK_INT(audit_scene_number(record, "size"), 300);
		CHECK_TEXT(json_string_value(json_object_get(record, "origin")), origin);
	}
	CHECK_INT(stat(audit_scene_path(
			       &log_, json_string_value(json_object_get(record, "moved_to"))),
			  &info),
		0);
	json_decref(record);
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK(strcmp(checkpoint.origin, origin) != 0);
	CHECK_INT(checkpoint.size, 1);
	end();
}

static void cut_records(void)
{
	glob_t found;
	char *text, *feed;
	int fd;

	CHECK_INT(glob(audit_scene_path(&log_, "audit/log/*"), 0, NULL, &found), 0);
	for (size_t i = found.gl_pathc; i-- > 0;) {
		const char *path = found.gl_pathv[i];
		size_t size_bytes;

		CHECK_INT(fd_read_file_at(AT_FDCWD, path, 1 << 20, &text, &size_bytes), 0);
		if (size_bytes > 0) {
			feed = memrchr(text, '\n', size_bytes - 1);
			fd = open(path, O_WRONLY);
			CHECK_INT(ftruncate(fd, feed ? feed + 1 - text : 0), 0);
			close(fd);
			free(text);
			break;
		}
		free(text);
	}
	globfree(&found);
}

TEST(a_log_that_lost_its_last_record_is_not_continued)
{
	check_set_aside(cut_records, "fewer than the 300");
}

static void remove_last_segment(void)
{
	glob_t found;

	CHECK_INT(glob(audit_scene_path(&log_, "audit/log/*"), 0, NULL, &found), 0);
	CHECK_INT(unlink(found.gl_pathv[found.gl_pathc - 1]), 0);
	globfree(&found);
}

TEST(a_log_that_lost_its_last_segment_is_not_continued)
{
	check_set_aside(remove_last_segment, "fewer than the 300");
}

/* The digit of an "i" near the end: the line stays a record. */
static void edit_newest(void)
{
	glob_t found;
	char *text = NULL;

	CHECK_INT(glob(audit_scene_path(&log_, "audit/log/*"), 0, NULL, &found), 0);
	for (size_t i = found.gl_pathc; i-- > 0 && !text;) {
		CHECK_INT(fd_read_file_at(AT_FDCWD, found.gl_pathv[i], 1 << 20, &text, NULL), 0);
		if (*text)
			flip_byte(found.gl_pathv[i], strstr(text, "\"i\":") + 4 - text);
	}
	free(text);
	globfree(&found);
}

TEST(a_log_whose_newest_segment_was_edited_is_not_continued)
{
	check_set_aside(edit_newest, "not those that its checkpoint covers");
}

static void remove_checkpoint(void)
{
	CHECK_INT(unlink(audit_scene_path(&log_, "audit/checkpoint")), 0);
}

TEST(a_log_without_its_checkpoint_is_not_continued)
{
	check_set_aside(remove_checkpoint, "not there");
}

static void forge_last_note(void)
{
	glob_t found;

	CHECK_INT(glob(audit_scene_path(&log_, "audit/checkpoints/*"), 0, NULL, &found), 0);
	flip_byte(found.gl_pathv[found.gl_pathc - 1], 40);
	globfree(&found);
}

TEST(a_log_whose_history_ends_with_a_forged_note_is_not_continued)
{
	check_set_aside(forge_last_note, "does not end with one of this log");
}

/* The newest checkpoint goes back to the first, and the records after it go: the history tells. */
static void roll_back_checkpoint(void)
{
	char *history = audit_scene_read(&log_, "audit/checkpoints/00000000000000000001.notes");

	put("audit/checkpoint", history,
		(size_t)(strstr(strstr(history, "\n\n") + 2, "\n\n") + 1 - history));
	free(history);
	cut_records();
}

TEST(a_log_shorter_than_its_history_is_not_continued)
{
	check_set_aside(roll_back_checkpoint, "fewer than the 300");
}

static void edit_checkpoint(void)
{
	flip_byte(audit_scene_path(&log_, "audit/checkpoint"), 40);
}

TEST(a_log_with_a_forged_checkpoint_is_not_continued)
{
	check_set_aside(edit_checkpoint, "not one of this log");
}

static void remove_key(void)
{
	CHECK_INT(unlink(audit_scene_path(&log_, "audit-key")), 0);
}

TEST(a_log_whose_secret_is_gone_is_not_continued)
{
	check_set_aside(remove_key, "the secret is not");
}

static void remove_keys(void)
{
	audit_scene_remove_tree(audit_scene_path(&log_, "audit/keys"));
}

TEST(a_log_without_keys_is_not_continued)
{
	check_set_aside(remove_keys, "records and no keys");
}
