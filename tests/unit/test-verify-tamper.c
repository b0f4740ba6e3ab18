/* Each way in which anybody can tamper with a log's files is found, and named as what it is. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/check.h"
#include "tests/harness/verify-scene.h"

/* The bounds of line `n`, from 1, with its line feed. */
static char *line_of(char *bytes, size_t n, size_t *ret_size)
{
	for (; n > 1; n--)
		bytes = strchr(bytes, '\n') + 1;
	*ret_size = (size_t)(strchr(bytes, '\n') + 1 - bytes);
	return bytes;
}

static void edit_byte(struct verify_scene *scene)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *line = line_of(bytes, 20, &line_size);

	*strstr(line, "\"pid\":7") = ' ', *strstr(line, "pid") = 'P'; /* no JSON any more */
	verify_scene_store(scene, SEGMENT_2, bytes, size);
	free(bytes);
}

static void edit_digit(struct verify_scene *scene)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *line = line_of(bytes, 20, &line_size);

	strstr(line, "\"pid\":7")[6] = '8';
	verify_scene_store(scene, SEGMENT_2, bytes, size);
	free(bytes);
}

static void delete_line(struct verify_scene *scene)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *line = line_of(bytes, 20, &line_size);

	memmove(line, line + line_size, size - (size_t)(line - bytes) - line_size);
	verify_scene_store(scene, SEGMENT_2, bytes, size - line_size);
	free(bytes);
}

static void delete_last_of_segment(struct verify_scene *scene)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size);

	line_of(bytes, 300, &line_size);
	verify_scene_store(scene, SEGMENT_2, bytes, size - line_size);
	free(bytes);
}

static void put_in(struct verify_scene *scene, const char *text, size_t text_size)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *line = line_of(bytes, 20, &line_size);
	char *longer = malloc(size + text_size);
	size_t before = (size_t)(line - bytes);

	memcpy(longer, bytes, before);
	memcpy(longer + before, text, text_size);
	memcpy(longer + before + text_size, line, size - before);
	verify_scene_store(scene, SEGMENT_2, longer, size + text_size);
	free(longer);
	free(bytes);
}

static void insert_line(struct verify_scene *scene)
{
	static const char line[] = "{\"v\":1,\"seq\":320,\"time\":\"\",\"type\":\"test\"}\n";

	put_in(scene, line, sizeof(line) - 1);
}

static void repeat_line(struct verify_scene *scene)
{
	size_t size, line_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *line = line_of(bytes, 19, &line_size);

	put_in(scene, line, line_size);
	free(bytes);
}

static void swap_lines(struct verify_scene *scene)
{
	size_t size, one_size, other_size;
	char *bytes = verify_scene_load(scene, SEGMENT_2, &size),
	     *one = line_of(bytes, 20, &one_size);
	char *other = one + one_size, copy[4096];

	line_of(other, 1, &other_size);
	memcpy(copy, one, one_size);
	memmove(one, other, other_size);
	memcpy(one + other_size, copy, one_size);
	verify_scene_store(scene, SEGMENT_2, bytes, size);
	free(bytes);
}

static void move(const struct verify_scene *scene, const char *from, const char *to)
{
	char one[256], other[256];

	snprintf(one, sizeof(one), "%s/%s", scene->directory, from);
	snprintf(other, sizeof(other), "%s/%s", scene->directory, to);
	CHECK_INT(rename(one, other), 0);
}

static void swap_segments(struct verify_scene *scene)
{
	move(scene, SEGMENT_1, "log/swap");
	move(scene, SEGMENT_2, SEGMENT_1);
	move(scene, "log/swap", SEGMENT_2);
}

static void remove_segment(struct verify_scene *scene)
{
	verify_scene_remove(scene, SEGMENT_2);
}

static void remove_oldest_segment(struct verify_scene *scene)
{
	verify_scene_remove(scene, SEGMENT_1);
}

static void remove_newest_segment(struct verify_scene *scene)
{
	verify_scene_remove(scene, SEGMENT_3);
}

static void truncate_file(struct verify_scene *scene)
{
	size_t size;
	char *bytes = verify_scene_load(scene, SEGMENT_3, &size);

	verify_scene_store(scene, SEGMENT_3, bytes, size - 2000);
	free(bytes);
}

static void truncate_log_and_tiles(struct verify_scene *scene)
{
	verify_scene_remove(scene, SEGMENT_3);
	verify_scene_remove(scene, "tile/0/002.p/180");
	verify_scene_remove(scene, "tile/0/002.p/179");
}

static void change_tile(struct verify_scene *scene)
{
	size_t size;
	char *bytes = verify_scene_load(scene, "tile/1/000.p/2", &size);

	bytes[40] ^= 1;
	verify_scene_store(scene, "tile/1/000.p/2", bytes, size);
	free(bytes);
}

static void change_stale_tile(struct verify_scene *scene)
{
	size_t size;
	char *bytes = verify_scene_load(scene, "tile/0/000.p/1", &size);

	bytes[0] ^= 1;
	verify_scene_store(scene, "tile/0/000.p/1", bytes, size);
	free(bytes);
}

static void remove_tile(struct verify_scene *scene)
{
	verify_scene_remove(scene, "tile/0/001");
}

/* A record and the hash that the tiles have of it: only the signed root is left to tell. */
static void change_record_and_tiles(struct verify_scene *scene)
{
	struct made_log *log = scene->log;
	char *saved = strdup(log->lines[319]);
	size_t n_notes = log->n_notes, size, newest_size;
	char *notes = verify_scene_load(scene, NOTES_2, &size);
	char *newest = verify_scene_load(scene, "checkpoint", &newest_size);

	strstr(saved, "\"pid\":7")[6] = '8';
	made_log_replace(log, 320, saved);
	made_log_write(log, scene->directory);
	verify_scene_store(scene, NOTES_2, notes, size);
	verify_scene_store(scene, "checkpoint", newest, newest_size);
	CHECK_INT(log->n_notes, n_notes);
	free(saved);
	free(notes);
	free(newest);
}

static void change_note(struct verify_scene *scene)
{
	size_t size;
	char *bytes = verify_scene_load(scene, NOTES_2, &size);

	*strstr(bytes, "lost 7") = 'l', strstr(bytes, "lost 7")[5] = '8';
	verify_scene_store(scene, NOTES_2, bytes, size);
	free(bytes);
}

/* From the third note of the segment on. */
static void remove_heartbeat(struct verify_scene *scene)
{
	size_t size;
	char *bytes = verify_scene_load(scene, NOTES_2, &size);
	char *start = strstr(bytes, "reason heartbeat"), *end;

	while (memcmp(start, "cloche/", 7) != 0)
		start--;
	end = strstr(start, "\n\n");
	end = strstr(end + 2, "\n\n") + 2;
	memmove(start, end, size - (size_t)(end - bytes));
	verify_scene_store(scene, NOTES_2, bytes, size - (size_t)(end - start));
	free(bytes);
}

static void roll_back_newest(struct verify_scene *scene)
{
	char text[2048];
	size_t size = made_log_sign(scene->log, &scene->log->notes[4], text, sizeof(text));

	verify_scene_store(scene, "checkpoint", text, size);
}

static void forge_newest(struct verify_scene *scene)
{
	struct made_note note = scene->log->notes[scene->log->n_notes - 1];
	char text[2048];

	note.time_ns++;
	scene->log->numbered = false;
	verify_scene_store(
		scene, "checkpoint", text, made_log_sign(scene->log, &note, text, sizeof(text)));
}

static void remove_certificate(struct verify_scene *scene)
{
	verify_scene_remove(scene, "keys/000002.cert");
}

/* X(name, change of the files, kind, sequence (0: not looked at)) */
#define FILE_TAMPERS(X)                                                                            \
	X(a_byte_edited, edit_byte, FAULT_RECORD_CHANGED, 320)                                     \
	X(a_digit_edited, edit_digit, FAULT_RECORD_CHANGED, 320)                                   \
	X(a_record_deleted, delete_line, FAULT_RECORD_DELETED, 320)                                \
	X(the_last_record_of_a_segment_deleted, delete_last_of_segment, FAULT_RECORD_DELETED, 600) \
	X(a_record_inserted, insert_line, FAULT_RECORD_INSERTED, 320)                              \
	X(a_record_repeated, repeat_line, FAULT_RECORD_INSERTED, 320)                              \
	X(records_reordered, swap_lines, FAULT_RECORD_REORDERED, 320)                              \
	X(segments_swapped, swap_segments, FAULT_SEGMENT_MISPLACED, 1)                             \
	X(a_segment_removed, remove_segment, FAULT_SEGMENT_MISSING, 301)                           \
	X(the_oldest_segment_removed, remove_oldest_segment, FAULT_SEGMENT_MISSING, 1)             \
	X(the_newest_segment_removed, remove_newest_segment, FAULT_TRUNCATED, 601)                 \
	X(the_file_truncated, truncate_file, FAULT_TRUNCATED, 0)                                   \
	X(log_and_tiles_truncated, truncate_log_and_tiles, FAULT_TRUNCATED, 601)                   \
	X(a_tile_changed, change_tile, FAULT_TILE, 0)                                              \
	X(a_stale_tile_changed, change_stale_tile, FAULT_TILE, 0)                                  \
	X(a_tile_removed, remove_tile, FAULT_TILE, 0)                                              \
	X(a_record_changed_with_its_tiles, change_record_and_tiles, FAULT_HISTORY, 0)              \
	X(a_checkpoint_changed, change_note, FAULT_SIGNATURE, 0)                                   \
	X(a_heartbeat_removed, remove_heartbeat, FAULT_CHECKPOINT_MISSING, 0)                      \
	X(the_newest_checkpoint_rolled_back, roll_back_newest, FAULT_ROLLED_BACK, 0)               \
	X(a_newest_checkpoint_of_no_history, forge_newest, FAULT_CHECKPOINT_MISSING, 0)            \
	X(a_certificate_removed, remove_certificate, FAULT_CERTIFICATE, 0)

#define X(name, tamper, kind, sequence)                                                            \
	TEST(verify_log_names_##name)                                                              \
	{                                                                                          \
		struct verify_scene scene;                                                         \
                                                                                                   \
		verify_scene_begin(&scene);                                                        \
		made_log_write(scene.log, scene.directory);                                        \
		CHECK_INT(verify_scene_check(&scene), VERDICT_VALID);                              \
		tamper(&scene);                                                                    \
		verify_scene_expect(&scene, kind, sequence);                                       \
		verify_scene_end(&scene);                                                          \
	}
FILE_TAMPERS(X)
#undef X
