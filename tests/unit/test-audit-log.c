/* supervisor/audit open.c, append.c: dense numbers over restarts, a torn end, a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/fd.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct audit_scene log_;

static void begin(void)
{
	audit_scene_begin(&log_);
}

static void reopen(void)
{
	audit_scene_reopen(&log_);
}

static void end(void)
{
	audit_scene_end(&log_);
}

static void append_bytes(const char *bytes, size_t size_bytes)
{
	int fd = open(log_.segment_path, O_WRONLY | O_APPEND | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, bytes, size_bytes), size_bytes);
	close(fd);
}

static json_t *line_at(size_t n)
{
	return audit_scene_record(&log_, n);
}

static void check_line(size_t n, int64_t sequence, const char *type)
{
	json_t *record = line_at(n);

	CHECK(record);
	CHECK_INT(json_integer_value(json_object_get(record, "seq")), sequence);
	CHECK_TEXT(json_string_value(json_object_get(record, "type")), type);
	json_decref(record);
}

TEST(a_record_is_in_the_file_when_the_call_returns)
{
	struct audit_subject subject = {
		.sandbox = 0xabc,
		.tenant = 7,
		.tenant_name = "ac\"me",
		.policy_name = "deny-all",
		.policy_hash = "00ff",
		.policy_generation = 3,
	};
	char *text, *time;

	begin();
	audit_record(log_.audit, "sandbox.create", &subject,
		json_pack("{s:s,s:b}", "template", "python", "warm", 1));
	text = audit_scene_text(&log_);
	time = strstr(text, "\"time\":\"20");
	CHECK(time && time[8 + 29] == 'Z' && time[8 + 19] == '.');
	memmove(time + 7, time + 8 + 31, strlen(time + 8 + 31) + 1);
	CHECK_TEXT(text,
		"{\"v\":1,\"seq\":1,\"time\":,\"type\":\"sandbox.create\","
		"\"sandbox\":\"sb-0000000000000abc\",\"tenant_id\":7,\"tenant\":\"ac\\\"me\","
		"\"policy\":{\"name\":\"deny-all\",\"hash\":\"00ff\",\"generation\":3},"
		"\"template\":\"python\",\"warm\":true}\n");
	free(text);
	end();
}

TEST(a_record_without_subject_or_body_has_the_common_fields_alone)
{
	json_t *record;

	begin();
	audit_record(log_.audit, "daemon.start", NULL, NULL);
	record = line_at(0);
	CHECK_INT(json_object_size(record), 4);
	json_decref(record);
	end();
}

TEST(the_file_is_private_and_one_process_has_it)
{
	struct audit *second = NULL;
	struct failure why = {};
	struct stat info;
	pid_t child;
	int status;

	begin();
	CHECK_INT(stat(log_.segment_path, &info), 0);
	CHECK_INT(info.st_mode & 07777, 0600);
	child = fork();
	if (child == 0)
		_exit(audit_open(log_.loop, &log_.config, &second, &why) == -EBUSY ? 0 : 1);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	end();
}

TEST(numbers_go_on_after_a_restart)
{
	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	audit_record(log_.audit, "a.two", NULL, NULL);
	reopen();
	CHECK_INT(audit_last_sequence(log_.audit), 2);
	audit_record(log_.audit, "a.three", NULL, NULL);
	check_line(1, 2, "a.two");
	check_line(2, 3, "a.three");
	CHECK(!line_at(3));
	end();
}

TEST(half_a_line_is_cut_off_and_recorded)
{
	json_t *record;

	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	append_bytes("{\"v\":1,\"seq\":2,\"ti\xff", 19);
	reopen();
	check_line(0, 1, "a.one");
	check_line(1, 2, "audit.recovered");
	record = line_at(1);
	CHECK_INT(json_integer_value(json_object_get(record, "cut_bytes")), 19);
	CHECK_TEXT(json_string_value(json_object_get(record, "cut_text")),
		"{\"v\":1,\"seq\":2,\"ti\xef\xbf\xbd");
	json_decref(record);
	CHECK(!line_at(2));
	end();
}

TEST(half_of_the_very_first_line_is_cut_off_too)
{
	begin();
	append_bytes("{\"v\":1,", 7);
	reopen();
	check_line(0, 1, "audit.recovered");
	CHECK(!line_at(1));
	end();
}

TEST(a_long_run_of_zeros_at_the_end_is_cut_off)
{
	char *zeros = calloc(1, 100000);
	json_t *record;

	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	append_bytes(zeros, 100000);
	free(zeros);
	reopen();
	check_line(0, 1, "a.one");
	record = line_at(1);
	CHECK_INT(json_integer_value(json_object_get(record, "cut_bytes")), 100000);
	json_decref(record);
	end();
}

TEST(a_last_line_that_is_no_record_is_not_continued)
{
	struct failure why = {};

	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	append_bytes("hello\n", 6);
	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, &why), 1);
	CHECK(strstr(why.sentence, "moved to audit.broken-"));
	check_line(0, 1, "audit.broken");
	end();
}

TEST(a_directory_that_cannot_be_made_is_named)
{
	struct audit_config nowhere = {.state_dir = "/nowhere"};
	struct failure why = {};

	begin();
	log_.audit = audit_free(log_.audit);
	CHECK_INT(audit_open(log_.loop, &nowhere, &log_.audit, &why), -ENOENT);
	CHECK(strstr(why.sentence, "/nowhere/audit"));
	end();
}

TEST(a_body_that_is_too_large_is_left_out_and_that_is_said)
{
	char *large = malloc(40001);
	json_t *record;

	memset(large, 'x', 40000);
	large[40000] = '\0';
	begin();
	audit_record(log_.audit, "a.big", NULL, json_pack("{s:s}", "text", large));
	audit_record(log_.audit, "a.next", NULL, NULL);
	record = line_at(0);
	CHECK(json_is_true(json_object_get(record, "body_too_large")));
	CHECK(!json_object_get(record, "text"));
	json_decref(record);
	check_line(1, 2, "a.next");
	free(large);
	end();
}

/* A file size limit is a full disk for one process: write(2) is short, then fails with EFBIG. */
static void set_room(rlim_t room_bytes)
{
	struct rlimit limit;
	struct stat info;

	CHECK_INT(stat(log_.segment_path, &info), 0);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur =
		room_bytes == RLIM_INFINITY ? limit.rlim_max : (rlim_t)info.st_size + room_bytes;
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void run_until_writable(void)
{
	while (!audit_is_writable(log_.audit))
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
}

TEST(a_full_disk_is_counted_and_told_and_burns_no_number)
{
	json_t *record;

	signal(SIGXFSZ, SIG_IGN);
	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	set_room(20);
	audit_record(log_.audit, "a.lost", NULL, NULL);
	CHECK(!audit_is_writable(log_.audit));
	CHECK_INT(audit_last_sequence(log_.audit), 1);
	audit_record(log_.audit, "a.lost", NULL, json_pack("{s:i}", "k", 1));
	audit_lost(log_.audit, 5, "ring");
	CHECK_INT(audit_n_lost(log_.audit), 7);
	CHECK(!line_at(1));
	set_room(RLIM_INFINITY);
	run_until_writable();
	audit_record(log_.audit, "a.two", NULL, NULL);
	check_line(1, 2, "audit.lost");
	record = line_at(1);
	CHECK_INT(json_integer_value(json_object_get(record, "lost")), 2);
	CHECK_TEXT(json_string_value(json_object_get(record, "where")), "disk");
	json_decref(record);
	record = line_at(2);
	CHECK_INT(json_integer_value(json_object_get(record, "lost")), 5);
	CHECK_TEXT(json_string_value(json_object_get(record, "where")), "ring");
	json_decref(record);
	check_line(3, 4, "a.two");
	CHECK(!line_at(4));
	CHECK_INT(audit_n_lost(log_.audit), 7);
	end();
}

TEST(a_disk_that_stays_full_keeps_the_count_right)
{
	json_t *record;

	signal(SIGXFSZ, SIG_IGN);
	begin();
	audit_record(log_.audit, "a.one", NULL, NULL);
	set_room(0);
	audit_record(log_.audit, "a.lost", NULL, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_INT(loop_run_once(log_.loop, -1), 0);
	CHECK(!audit_is_writable(log_.audit));
	CHECK_INT(audit_n_lost(log_.audit), 1);
	set_room(RLIM_INFINITY);
	run_until_writable();
	record = line_at(1);
	CHECK_INT(json_integer_value(json_object_get(record, "lost")), 1);
	json_decref(record);
	CHECK(!line_at(2));
	end();
}

TEST(losses_elsewhere_are_told_at_once)
{
	json_t *record;

	begin();
	audit_lost(log_.audit, 0, "ring");
	CHECK(!line_at(0));
	audit_lost(log_.audit, 12, "ring");
	record = line_at(0);
	CHECK_INT(json_integer_value(json_object_get(record, "lost")), 12);
	json_decref(record);
	CHECK_INT(loop_run_once(log_.loop, 0), 0);
	CHECK(!line_at(1));
	CHECK(audit_is_writable(log_.audit));
	end();
}

static const char *lost_in_checkpoint(void)
{
	static char note[AUDIT_NOTE_SIZE];
	char *start;

	reopen();
	CHECK_INT(audit_checkpoint(log_.audit, note), 0);
	start = strstr(note, "lost ");
	*strchr(start, '\n') = '\0';
	return start;
}

/* So that whoever reads the log can add them up: what is told, neither less after a crash behind
 * the record of a loss, nor more while there is no room for one. */
TEST(checkpoints_tell_of_as_many_losses_as_the_records_before_them)
{
	static const char tail[] = "{\"v\":1,\"seq\":4,\"time\":\"2026-11-27T22:00:00.000000000Z\","
				   "\"type\":\"audit.lost\",\"lost\":5,\"where\":\"kernel\"}\n"
				   "{\"v\":1,\"seq\":5,\"time\":\"2026-11-27T22:00:00.000000000Z\","
				   "\"type\":\"a.one\",\"lost\":70,\"where\":\"elsewhere\"}\n";

	signal(SIGXFSZ, SIG_IGN);
	begin();
	CHECK_TEXT(lost_in_checkpoint(), "lost 0");
	audit_lost(log_.audit, 12, "ring");
	CHECK_TEXT(lost_in_checkpoint(), "lost 12");
	audit_lost(log_.audit, 3, "ring");
	audit_record(log_.audit, "a.two", NULL, json_pack("{s:i}", "lost", 900));
	CHECK_TEXT(lost_in_checkpoint(), "lost 15");
	CHECK_INT(audit_last_sequence(log_.audit), 3);
	append_bytes(tail, sizeof(tail) - 1);
	CHECK_TEXT(lost_in_checkpoint(), "lost 20");
	CHECK_INT(audit_n_lost(log_.audit), 20);
	end();
}

TEST(losses_of_the_kernel_name_sandbox_class_and_reason)
{
	const struct audit_subject subject = {.sandbox = 0x2a, .tenant = 3};
	json_t *record;

	begin();
	audit_lost_events(log_.audit, &subject, ABI_CLASS_SECURITY, ABI_LOSS_RING_FULL, 0);
	CHECK(!line_at(0));
	audit_lost_events(log_.audit, &subject, ABI_CLASS_SECURITY, ABI_LOSS_RATE_LIMITED, 7);
	audit_lost_events(log_.audit, &subject, ABI_CLASS_BULK, ABI_LOSS_RING_FULL, 5);
	record = line_at(0);
	CHECK_TEXT(json_string_value(json_object_get(record, "type")), "audit.lost");
	CHECK_TEXT(json_string_value(json_object_get(record, "sandbox")), "sb-000000000000002a");
	CHECK_INT(json_integer_value(json_object_get(record, "tenant_id")), 3);
	CHECK_INT(json_integer_value(json_object_get(record, "lost")), 7);
	CHECK_TEXT(json_string_value(json_object_get(record, "where")), "kernel");
	CHECK_TEXT(json_string_value(json_object_get(record, "class")), "security");
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "rate_limited");
	json_decref(record);
	record = line_at(1);
	CHECK_TEXT(json_string_value(json_object_get(record, "class")), "bulk");
	CHECK_TEXT(json_string_value(json_object_get(record, "reason")), "ring_full");
	json_decref(record);
	CHECK_INT(audit_n_lost(log_.audit), 12);
	end();
}

static void count_call(void *userdata)
{
	++*(int *)userdata;
}

TEST(the_listener_is_called_once_a_round_and_not_when_nothing_came)
{
	int n = 0;

	begin();
	audit_set_listener(log_.audit, count_call, &n);
	audit_record(log_.audit, "a.one", NULL, NULL);
	audit_record(log_.audit, "a.two", NULL, NULL);
	CHECK_INT(n, 0);
	CHECK_INT(loop_run_once(log_.loop, 0), 0);
	CHECK_INT(n, 1);
	CHECK_INT(loop_run_once(log_.loop, 0), 0);
	CHECK_INT(n, 1);
	end();
}
