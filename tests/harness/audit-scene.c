#include "tests/harness/audit-scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/tlog/note.h"
#include "tests/harness/check.h"

static void open_log(struct audit_scene *scene)
{
	struct failure why = {};

	if (audit_open(scene->loop, &scene->config, &scene->audit, &why) < 0)
		CHECK_FAIL("the log does not open: %s", why.sentence);
}

void audit_scene_begin(struct audit_scene *scene)
{
	*scene = (struct audit_scene){.config = scene->config};
	snprintf(scene->directory, sizeof(scene->directory), "/tmp/cloche-test-audit-XXXXXX");
	CHECK(mkdtemp(scene->directory));
	snprintf(scene->segment_path, sizeof(scene->segment_path),
		"%s/audit/log/00000000000000000001.jsonl", scene->directory);
	scene->config.state_dir = scene->directory;
	CHECK_INT(loop_new(&scene->loop), 0);
	open_log(scene);
}

void audit_scene_reopen(struct audit_scene *scene)
{
	scene->audit = audit_free(scene->audit);
	open_log(scene);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

void audit_scene_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void audit_scene_end(struct audit_scene *scene)
{
	scene->audit = audit_free(scene->audit);
	scene->loop = loop_free(scene->loop);
	audit_scene_remove_tree(scene->directory);
}

static int is_segment(const struct dirent *entry)
{
	return strstr(entry->d_name, ".jsonl") != NULL;
}

char *audit_scene_text(const struct audit_scene *scene)
{
	struct dirent **entries = NULL;
	char path[512], *all = calloc(1, 1);
	size_t size_bytes = 0;
	int n;

	snprintf(path, sizeof(path), "%s/audit/log", scene->directory);
	n = scandir(path, &entries, is_segment, alphasort);
	CHECK(n >= 0);
	for (int i = 0; i < n; i++) {
		char *text = NULL;
		size_t text_bytes;

		snprintf(path, sizeof(path), "%s/audit/log/%s", scene->directory,
			entries[i]->d_name);
		CHECK_INT(fd_read_file_at(AT_FDCWD, path, 1 << 28, &text, &text_bytes), 0);
		all = realloc(all, size_bytes + text_bytes + 1);
		memcpy(all + size_bytes, text, text_bytes + 1);
		size_bytes += text_bytes;
		free(text);
		free(entries[i]);
	}
	free(entries);
	return all;
}

json_t *audit_scene_record(const struct audit_scene *scene, size_t n)
{
	char *text = audit_scene_text(scene), *line = text;
	json_t *record;

	while (n-- > 0 && line)
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
	if (!line || !*line) {
		free(text);
		return NULL;
	}
	*strchr(line, '\n') = '\0';
	record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	CHECK(record);
	free(text);
	return record;
}

char *audit_scene_path(const struct audit_scene *scene, const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", scene->directory, name);
	return path;
}

char *audit_scene_read(const struct audit_scene *scene, const char *name)
{
	char *text = NULL;

	CHECK_INT(
		fd_read_file_at(AT_FDCWD, audit_scene_path(scene, name), 1 << 26, &text, NULL), 0);
	return text;
}

/* MTH of RFC 9162 2.1.1 over lines. */
static void root_of(char *const *lines, size_t n, uint8_t *ret)
{
	uint8_t node[1 + 2 * SHA256_BYTES] = {0x01};
	size_t k = 1;

	if (n == 1) {
		size_t length = strcspn(lines[0], "\n");
		char *leaf = malloc(length + 1);

		leaf[0] = 0;
		memcpy(leaf + 1, lines[0], length);
		sha256(leaf, length + 1, ret);
		free(leaf);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	root_of(lines, k, node + 1);
	root_of(lines + k, n - k, node + 1 + SHA256_BYTES);
	sha256(node, sizeof(node), ret);
}

/* Checks that the note is signed by the epoch's key and covers the first records of `text`. */
struct checkpoint audit_scene_check_note(
	const struct audit_scene *scene, const char *note, const char *text, uint32_t epoch)
{
	char name[32], *vkey, **lines = NULL;
	struct note_verifier verifier;
	struct checkpoint checkpoint;
	uint8_t root[SHA256_BYTES];
	size_t text_bytes, n = 0;

	snprintf(name, sizeof(name), "audit/keys/%06u.pub", epoch);
	vkey = audit_scene_read(scene, name);
	CHECK_INT(note_vkey_parse(vkey, &verifier), 0);
	free(vkey);
	CHECK(note_verify(&verifier, note, &text_bytes));
	CHECK_INT(checkpoint_parse(note, text_bytes, &checkpoint), 0);
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		lines = realloc(lines, (n + 1) * sizeof(*lines));
		lines[n++] = (char *)line;
	}
	CHECK(checkpoint.size <= n);
	if (checkpoint.size == 0)
		sha256("", 0, root);
	else
		root_of(lines, checkpoint.size, root);
	CHECK(memcmp(root, checkpoint.root, sizeof(root)) == 0);
	free(lines);
	return checkpoint;
}

struct checkpoint audit_scene_newest(const struct audit_scene *scene, uint32_t epoch)
{
	char *note = audit_scene_read(scene, "audit/checkpoint"), *text = audit_scene_text(scene);
	struct checkpoint checkpoint = audit_scene_check_note(scene, note, text, epoch);

	free(note);
	free(text);
	return checkpoint;
}

/* Runs the loop until the checkpoint on the disk covers everything. */
void audit_scene_settle(struct audit_scene *scene)
{
	while (audit_sealed_size(scene->audit) < audit_last_sequence(scene->audit))
		CHECK_INT(loop_run_once(scene->loop, -1), 0);
}

/* The last record of a type; the caller frees. */
json_t *audit_scene_last_of(const struct audit_scene *scene, const char *type)
{
	json_t *found = NULL, *record;

	for (size_t i = 0; (record = audit_scene_record(scene, i)); i++) {
		if (strcmp(json_string_value(json_object_get(record, "type")), type) == 0) {
			json_decref(found);
			found = json_incref(record);
		}
		json_decref(record);
	}
	return found;
}

int64_t audit_scene_number(const json_t *record, const char *key)
{
	CHECK(json_is_integer(json_object_get(record, key)));
	return json_integer_value(json_object_get(record, key));
}

/* The chain of a stream, made again from the lines. */
void audit_scene_check_end(const struct audit_scene *scene, const char *stream_name)
{
	char *text = audit_scene_text(scene), hex[SHA256_HEX_SIZE];
	uint8_t both[2 * SHA256_BYTES] = {0};
	int64_t sequence = 0;
	bool ended = false;

	for (char *line = text, *feed; (feed = strchr(line, '\n')); line = feed + 1) {
		json_t *record, *claim;

		*feed = '\0';
		record = json_loads(line, 0, NULL);
		if (!json_object_get(record, "sandbox_seq") ||
			strcmp(json_string_value(json_object_get(record, "sandbox")),
				stream_name) != 0) {
			json_decref(record);
			continue;
		}
		CHECK_INT(audit_scene_number(record, "sandbox_seq"), ++sequence);
		claim = json_object_get(record, "audit");
		if (claim) {
			sha256_to_hex(both, hex);
			CHECK_INT(audit_scene_number(claim, "records"), sequence - 1);
			CHECK_TEXT(json_string_value(json_object_get(claim, "head")), hex);
			ended = true;
		}
		json_decref(record);
		*feed = '\n';
		root_of(&line, 1, both + SHA256_BYTES);
		sha256(both, sizeof(both), both);
	}
	CHECK(ended);
	free(text);
}

static int is_history(const struct dirent *entry)
{
	return strstr(entry->d_name, ".notes") != NULL;
}

/* The numbers of one file's notes go on after `number`. */
static uint64_t check_numbers(const char *history, uint64_t number, char last[NOTE_SIZE])
{
	const char *stop;

	for (const char *note = history; *note; note = stop + 2) {
		struct checkpoint checkpoint;

		stop = strstr(note, "\n\n" NOTE_DASH);
		CHECK(stop);
		CHECK_INT(checkpoint_parse(note, (size_t)(stop + 1 - note), &checkpoint), 0);
		CHECK_INT(checkpoint.number, ++number);
		stop = strstr(stop + 2, "\n\n");
		CHECK(stop);
		snprintf(last, NOTE_SIZE, "%.*s", (int)(stop + 1 - note), note);
	}
	return number;
}

uint64_t audit_scene_check_numbers(const struct audit_scene *scene)
{
	struct dirent **entries = NULL;
	char path[512], last[NOTE_SIZE] = "", *newest;
	uint64_t number = 0;
	int n;

	snprintf(path, sizeof(path), "%s/audit/checkpoints", scene->directory);
	n = scandir(path, &entries, is_history, alphasort);
	CHECK(n > 0);
	for (int i = 0; i < n; i++) {
		char *history;

		snprintf(path, sizeof(path), "audit/checkpoints/%s", entries[i]->d_name);
		history = audit_scene_read(scene, path);
		number = check_numbers(history, number, last);
		free(history);
		free(entries[i]);
	}
	free(entries);
	newest = audit_scene_read(scene, "audit/checkpoint");
	CHECK_TEXT(newest, last);
	free(newest);
	return number;
}
