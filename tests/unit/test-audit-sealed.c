/* supervisor/audit seal.c, retain.c: what is signed and when, what goes, and a full disk. */
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

static void reopen(int expected)
{
	struct failure why = {};

	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, &why), expected);
}

TEST(a_new_log_begins_with_a_checkpoint_of_nothing)
{
	struct checkpoint checkpoint;

	begin((struct audit_config){.instance = "test"});
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK_INT(checkpoint.size, 0);
	CHECK_INT(checkpoint.reason, CHECKPOINT_START);
	CHECK(strncmp(checkpoint.origin, "cloche/test/", 12) == 0);
	CHECK_INT(strlen(checkpoint.origin), 28);
	end();
}

TEST(a_stop_signs_all_and_a_start_goes_on)
{
	struct checkpoint checkpoint;

	begin((struct audit_config){});
	fill(700);
	log_.audit = audit_free(log_.audit);
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK(checkpoint.size == 700 && checkpoint.reason == CHECKPOINT_STOP);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK(checkpoint.size == 700 && checkpoint.reason == CHECKPOINT_START);
	fill(1);
	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 701);
	CHECK(!audit_scene_last_of(&log_, "audit.recovered"));
	end();
}

TEST(the_history_has_every_checkpoint_in_order_of_size)
{
	char *text, *history, *note, *stop;
	uint64_t size = 0;
	int n = 0;

	begin((struct audit_config){});
	fill(2500);
	log_.audit = audit_free(log_.audit);
	text = audit_scene_text(&log_);
	history = audit_scene_read(&log_, "audit/checkpoints/00000000000000000001.notes");
	for (note = history; *note; note = stop + 2, n++) {
		struct checkpoint checkpoint;
		char copy[NOTE_SIZE];

		stop = strstr(strstr(note, "\n\n") + 2, "\n\n");
		CHECK(stop);
		snprintf(copy, sizeof(copy), "%.*s", (int)(stop + 1 - note), note);
		checkpoint = audit_scene_check_note(&log_, copy, text, 1);
		CHECK(checkpoint.size >= size && checkpoint.size - size <= 1024);
		size = checkpoint.size;
	}
	CHECK_INT(size, 2500);
	CHECK(n >= 4);
	free(history);
	free(text);
	end();
}

TEST(new_records_are_signed_within_a_second_and_an_idle_log_at_its_heartbeat)
{
	struct checkpoint checkpoint;

	begin((struct audit_config){.heartbeat_ns = 1});
	fill(3);
	audit_scene_settle(&log_);
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK(checkpoint.size == 3 && checkpoint.reason == CHECKPOINT_SECOND);
	while (audit_scene_newest(&log_, 1).reason != CHECKPOINT_HEARTBEAT)
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 3);
	end();
}

static void tell_state(struct audit_enforcement *ret_state, void *userdata)
{
	*ret_state = (struct audit_enforcement){.events_seen = 5, .events_emitted = 4};
	ret_state->events_dropped = 1;
	memset(ret_state->policies, 'a', 64);
	*(int *)userdata += 1;
}

TEST(a_policy_in_force_is_signed_with_the_state_at_once)
{
	struct checkpoint checkpoint;
	int n = 0;

	begin((struct audit_config){});
	audit_set_enforcement(log_.audit, tell_state, &n);
	fill(1);
	audit_policy_changed(log_.audit);
	audit_policy_changed(log_.audit);
	audit_scene_settle(&log_);
	CHECK_INT(n, 1);
	checkpoint = audit_scene_newest(&log_, 1);
	CHECK_INT(checkpoint.reason, CHECKPOINT_POLICY);
	CHECK(checkpoint.events_seen == 5 && checkpoint.events_emitted == 4 &&
		checkpoint.events_dropped == 1);
	CHECK(strspn(checkpoint.policies, "a") == 64 && checkpoint.programs[0] == '\0');
	end();
}

TEST(a_change_of_key_is_recorded_and_signed_by_the_new_one)
{
	struct failure why = {};
	char vkey[AUDIT_VKEY_SIZE];
	json_t *record;

	begin((struct audit_config){});
	fill(5);
	CHECK_INT(audit_rotate_key(log_.audit, &why), 0);
	CHECK_INT(audit_key_epoch(log_.audit), 2);
	audit_scene_settle(&log_);
	CHECK_INT(audit_scene_newest(&log_, 2).reason, CHECKPOINT_KEY);
	CHECK_INT(audit_scene_newest(&log_, 2).size, 6);
	audit_key_text(log_.audit, vkey);
	record = audit_scene_last_of(&log_, "audit.key");
	CHECK_INT(audit_scene_number(record, "epoch"), 2);
	CHECK_TEXT(json_string_value(json_object_get(record, "key")), vkey);
	json_decref(record);
	reopen(0);
	CHECK_INT(audit_scene_newest(&log_, 2).size, 6);
	end();
}

TEST(a_key_that_is_old_enough_is_changed_by_itself)
{
	begin((struct audit_config){.key_age_ns = 1});
	while (audit_key_epoch(log_.audit) < 2)
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	audit_scene_settle(&log_);
	CHECK(audit_scene_newest(&log_, audit_key_epoch(log_.audit)).size >= 1);
	end();
}

static void put(const char *name, char *text)
{
	int fd = open(audit_scene_path(&log_, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(text);
}

TEST(a_kill_between_a_new_key_and_its_first_checkpoint_is_recovered)
{
	static const char name[] = "audit/checkpoints/00000000000000000001.notes";
	char *note, *history;

	begin((struct audit_config){});
	fill(5);
	audit_scene_settle(&log_);
	note = audit_scene_read(&log_, "audit/checkpoint");
	history = audit_scene_read(&log_, name);
	CHECK_INT(audit_rotate_key(log_.audit, &(struct failure){}), 0);
	log_.audit = audit_free(log_.audit);
	put("audit/checkpoint", note);
	put(name, history);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	CHECK_INT(audit_scene_newest(&log_, 2).size, 7);
	audit_scene_check_numbers(&log_);
	end();
}

TEST(the_oldest_segments_go_when_all_are_too_large_and_a_signed_record_says_so)
{
	char *text, hex[SHA256_HEX_SIZE], *first;
	json_t *record;
	struct stat info;
	uint64_t n_kept;

	begin((struct audit_config){.segment_bytes = 5000, .keep_bytes = 12000});
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, NULL), 0);
	fill(40);
	first = audit_scene_read(&log_, "audit/log/00000000000000000001.jsonl");
	sha256_hex(first, strlen(first), hex);
	fill(160);
	while (audit_first_sequence(log_.audit) == 1)
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	CHECK_INT(stat(audit_scene_path(&log_, "audit/log/00000000000000000001.jsonl"), &info), -1);
	for (size_t i = 0; (record = audit_scene_record(&log_, i)); i++) {
		if (json_object_get(record, "first_seq") &&
			audit_scene_number(record, "first_seq") == 1)
			break;
		json_decref(record);
	}
	CHECK(record);
	CHECK_INT(audit_scene_number(record, "bytes"), strlen(first));
	CHECK_TEXT(json_string_value(json_object_get(record, "sha256")), hex);
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "size");
	CHECK(audit_sealed_size(log_.audit) >= (uint64_t)audit_scene_number(record, "seq"));
	json_decref(record);
	free(first);
	/* Reading and restarting do without what is gone. */
	text = malloc(1 << 20);
	for (int i = 0; i < 2; i++) {
		struct audit_query query = {};
		size_t used;
		uint32_t n;
		bool more = true;

		n_kept = 0;
		while (more) {
			CHECK_INT(audit_read(log_.audit, &query, text, 1 << 20, &used, &n,
					  &query.after, &more),
				0);
			n_kept += n;
		}
		CHECK_INT(n_kept,
			audit_last_sequence(log_.audit) - audit_first_sequence(log_.audit) + 1);
		reopen(0);
	}
	free(text);
	fill(1);
	audit_sandbox_end(log_.audit, &someone, json_pack("{s:s}", "reason", "deleted"));
	record = audit_scene_last_of(&log_, "sandbox.end");
	CHECK_INT(audit_scene_number(json_object_get(record, "audit"), "records"), 202);
	CHECK(json_is_string(json_object_get(json_object_get(record, "audit"), "head")));
	json_decref(record);
	end();
}

TEST(segments_go_at_their_age)
{
	json_t *record;

	begin((struct audit_config){.segment_bytes = 5000, .keep_age_ns = 1});
	fill(100);
	while (audit_first_sequence(log_.audit) == 1)
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	record = audit_scene_last_of(&log_, "audit.retention");
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "age");
	json_decref(record);
	end();
}

/* A file size limit is a full disk for one process. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(on_a_full_disk_no_sandbox_begins_and_ends_are_told_later)
{
	const struct audit_subject other = {.sandbox = 0x52, .tenant = 3};
	struct stat info;
	json_t *record;

	signal(SIGXFSZ, SIG_IGN);
	begin((struct audit_config){});
	CHECK_INT(audit_sandbox_begin(log_.audit, &someone, NULL), 0);
	fill(20);
	audit_scene_settle(&log_);
	CHECK_INT(stat(log_.segment_path, &info), 0);
	limit_files((rlim_t)info.st_size);
	CHECK(audit_sandbox_begin(log_.audit, &other, NULL) < 0);
	CHECK(!audit_is_writable(log_.audit));
	audit_sandbox_end(log_.audit, &someone, json_pack("{s:s}", "reason", "deleted"));
	limit_files(RLIM_INFINITY);
	while (!audit_is_writable(log_.audit))
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	record = audit_scene_last_of(&log_, "sandbox.end");
	CHECK(record);
	CHECK_INT(audit_scene_number(record, "sandbox_seq"), 22);
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "deleted");
	json_decref(record);
	record = audit_scene_last_of(&log_, "audit.lost");
	CHECK_INT(audit_scene_number(record, "lost"), 2);
	json_decref(record);
	audit_scene_check_end(&log_, "sb-0000000000000051");
	CHECK_INT(audit_sandbox_begin(log_.audit, &other, NULL), 0);
	audit_scene_settle(&log_);
	CHECK_INT(audit_scene_newest(&log_, 1).lost, 2);
	reopen(0);
	CHECK_INT(audit_n_lost(log_.audit), 2);
	end();
}

TEST(a_checkpoint_that_cannot_be_written_pauses_new_sandboxes_until_it_can)
{
	begin((struct audit_config){});
	fill(1);
	audit_scene_settle(&log_);
	/* A directory in the place of the file that the checkpoint is written to first. */
	CHECK_INT(mkdir(audit_scene_path(&log_, "audit/checkpoint.tmp"), 0700), 0);
	fill(1);
	while (audit_is_writable(log_.audit))
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	CHECK_INT(audit_scene_newest(&log_, 1).size, 1);
	CHECK_INT(rmdir(audit_scene_path(&log_, "audit/checkpoint.tmp")), 0);
	audit_scene_settle(&log_);
	CHECK(audit_is_writable(log_.audit));
	CHECK_INT(audit_scene_newest(&log_, 1).size, 2);
	end();
}

/* A directory in the place of the newest checkpoint: the history is appended to, again and again,
 * and nothing is published. */
TEST(notes_of_a_batch_that_is_tried_again_are_in_the_history_once)
{
	char *checkpoint;

	begin((struct audit_config){});
	fill(1);
	audit_scene_settle(&log_);
	checkpoint = audit_scene_read(&log_, "audit/checkpoint");
	CHECK_INT(unlink(audit_scene_path(&log_, "audit/checkpoint")), 0);
	CHECK_INT(mkdir(audit_scene_path(&log_, "audit/checkpoint"), 0700), 0);
	for (int i = 0; i < 3; i++) {
		fill(2000);
		while (log_.audit->seal.phase == SEAL_IDLE || !log_.audit->seal.failing)
			CHECK_INT(loop_run_once(log_.loop, -1), 0);
		while (log_.audit->seal.phase != SEAL_IDLE)
			CHECK_INT(loop_run_once(log_.loop, -1), 0);
	}
	CHECK_INT(rmdir(audit_scene_path(&log_, "audit/checkpoint")), 0);
	put("audit/checkpoint", checkpoint);
	audit_scene_settle(&log_);
	CHECK(audit_scene_check_numbers(&log_) > 6);
	end();
}

TEST(an_unsigned_log_of_before_is_set_aside_with_its_digest)
{
	static const char old[] = "{\"v\":1,\"seq\":1}\n";
	char hex[SHA256_HEX_SIZE];
	json_t *record;
	int fd;

	begin((struct audit_config){});
	log_.audit = audit_free(log_.audit);
	fd = open(audit_scene_path(&log_, "audit/audit.jsonl"), O_WRONLY | O_CREAT, 0600);
	CHECK_INT(write(fd, old, strlen(old)), strlen(old));
	close(fd);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	sha256_hex(old, strlen(old), hex);
	record = audit_scene_last_of(&log_, "audit.previous");
	CHECK_TEXT(json_string_value(json_object_get(record, "file")), "audit.jsonl.old");
	CHECK_INT(audit_scene_number(record, "bytes"), strlen(old));
	CHECK_TEXT(json_string_value(json_object_get(record, "sha256")), hex);
	json_decref(record);
	free(audit_scene_read(&log_, "audit/audit.jsonl.old"));
	end();
}
