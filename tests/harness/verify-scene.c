#include "tests/harness/verify-scene.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/check.h"

/* 700 records and some, in three segments, of sandboxes that overlap; two keys. */
void verify_scene_fill(struct made_log *log)
{
	made_log_sandbox(log, 0xa, "sandbox.create");
	made_log_sandbox(log, 0xb, "sandbox.create");
	while (log->n_lines < 300) {
		made_log_sandbox(log, log->n_lines % 3 ? 0xa : 0xb, "process.exec");
		if (log->n_lines % 50 == 0 && log->n_lines < 300)
			made_log_note(log, "records");
	}
	made_log_rotate(log);
	made_log_sandbox(log, 0xa, "sandbox.end");
	made_log_lose(log, 7);
	made_log_sandbox(log, 0xc, "sandbox.create");
	made_log_add(log, "api.call", ",\"sandbox\":\"sb-000000000000000a\",\"tenant_id\":1");
	made_log_add(log, "api.call", ",\"sandbox\":\"sb-000000000000000b\",\"tenant_id\":2");
	made_log_note(log, "second");
	made_log_note(log, "heartbeat");
	made_log_note(log, "heartbeat");
	while (log->n_lines < 400)
		made_log_sandbox(log, 0xb, "network.connect");
	made_log_rekey(log);
	while (log->n_lines < 600)
		made_log_sandbox(log, 0xc, "process.exec");
	made_log_rotate(log);
	while (log->n_lines < 690)
		made_log_sandbox(log, 0xb, "process.exit");
	made_log_sandbox(log, 0xb, "sandbox.end");
	made_log_note(log, "stop");
	made_log_add(log, "daemon.start", "");
	made_log_note(log, "start");
}

void verify_scene_begin(struct verify_scene *scene)
{
	*scene = (struct verify_scene){.directory = "/tmp/test-verify-XXXXXX"};
	CHECK(mkdtemp(scene->directory) != NULL);
	scene->log = made_log_new(1);
	scene->log->numbered = true;
	made_log_vkey(scene->log, 0, scene->vkey);
	verify_scene_fill(scene->log);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

void verify_scene_end(struct verify_scene *scene)
{
	nftw(scene->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	made_log_free(scene->log);
}

enum verdict verify_scene_check(struct verify_scene *scene)
{
	int dir_fd = open(scene->directory, O_RDONLY | O_DIRECTORY);
	struct keyring keyring;
	enum verdict verdict = keyring_open(&keyring, scene->vkey, dir_fd, "keys", &scene->fault);

	if (!verdict)
		verdict = log_check(
			dir_fd, &keyring, &scene->options, &scene->summary, &scene->fault);
	keyring_fini(&keyring);
	close(dir_fd);
	return verdict;
}

char *verify_scene_load(const struct verify_scene *scene, const char *name, size_t *ret_size)
{
	char path[256], *bytes = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", scene->directory, name);
	file = fopen(path, "r");
	CHECK(bytes && file);
	*ret_size = fread(bytes, 1, (1 << 20) - 1, file);
	fclose(file);
	return bytes;
}

void verify_scene_store(
	const struct verify_scene *scene, const char *name, const char *bytes, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", scene->directory, name);
	file = fopen(path, "w");
	CHECK(file != NULL);
	CHECK_INT(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

void verify_scene_remove(const struct verify_scene *scene, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", scene->directory, name);
	CHECK_INT(remove(path), 0);
}

void verify_scene_expect(struct verify_scene *scene, enum fault_kind kind, uint64_t sequence)
{
	CHECK_INT(verify_scene_check(scene), VERDICT_INVALID);
	CHECK_TEXT(fault_name(scene->fault.kind), fault_name(kind));
	if (sequence)
		CHECK_INT(scene->fault.sequence, sequence);
	CHECK(scene->fault.what[0]);
}
