#include "tests/harness/audit-scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
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
