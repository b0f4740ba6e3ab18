/* What a start reads of a log's files, which somebody may have changed meanwhile: checkpoints,
 * keys, records, states. The first byte chooses. What is taken says the same when it is written
 * again. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/audit/segments/resume.h"
#include "supervisor/tlog/checkpoint.h"
#include "tests/fuzz/fuzz.h"

static void try_checkpoint(const char *bytes, size_t size)
{
	struct checkpoint checkpoint;
	char again[CHECKPOINT_SIZE];

	if (checkpoint_parse(bytes, size, &checkpoint) < 0)
		return;
	checkpoint_write(&checkpoint, again);
	BROKEN_IF(strlen(again) != size || memcmp(again, bytes, size) != 0);
}

static void try_vkey(const char *bytes, size_t size)
{
	char *text = strndup(bytes, size), again[NOTE_VKEY_SIZE];
	struct note_verifier verifier;
	size_t text_bytes = 0;

	BROKEN_IF(!text);
	if (note_vkey_parse(text, &verifier) == 0) {
		note_vkey(&verifier, again);
		BROKEN_IF(strncmp(again, text, strlen(again)) != 0);
		BROKEN_IF(note_verify(&verifier, text, &text_bytes));
	}
	free(text);
}

static void try_line(const char *bytes, size_t size)
{
	struct audit_facts facts = {0};
	char *copy = malloc(size ? size : 1); /* to the byte: a read past it shows */

	BROKEN_IF(!copy);
	memcpy(copy, bytes, size);
	if (audit_line_parse(copy, size, &facts))
		BROKEN_IF(facts.sequence == 0 || !memchr(facts.type, '\0', sizeof(facts.type)));
	free(copy);
}

/* ---- states: files in a directory of this process */

static char directory[] = "/tmp/cloche-fuzz-log-XXXXXX";
static int dir_fd = -1;

static void remove_directory(void)
{
	unlinkat(dir_fd, "resume", AT_REMOVEDIR);
	rmdir(directory);
}

static void open_directory(void)
{
	BROKEN_IF(!mkdtemp(directory));
	dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	BROKEN_IF(dir_fd < 0 || mkdirat(dir_fd, "resume", 0700) < 0);
	atexit(remove_directory);
}

/* With the digest that belongs to it, which no fuzzer finds, and read for the record after the size
 * that it tells of. */
static void try_state(const char *bytes, size_t size)
{
	uint8_t digest[SHA256_BYTES];
	struct table *streams = NULL;
	uint64_t told = 0;
	struct tree tree;
	char name[40];
	int fd;

	if (dir_fd < 0)
		open_directory();
	if (sha256(bytes, size, digest) < 0)
		return;
	if (size >= 16)
		memcpy(&told, bytes + 8, sizeof(told));
	snprintf(name, sizeof(name), "resume/%020" PRIu64, told + 1);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	BROKEN_IF(fd < 0 || write(fd, bytes, size) != (ssize_t)size);
	BROKEN_IF(write(fd, digest, sizeof(digest)) != (ssize_t)sizeof(digest));
	close(fd);
	BROKEN_IF(tree_init(&tree, dir_fd) < 0 || table_new(STREAMS_MAX, &streams) < 0);
	if (resume_read(dir_fd, told + 1, &tree, streams) == 0)
		BROKEN_IF(tree.size != told || size < 24);
	resume_remove(dir_fd, told + 1);
	streams_free(streams);
	tree_fini(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t) = {
		try_checkpoint, try_vkey, try_line, try_state};

	if (size > 0)
		tries[data[0] % 4]((const char *)data + 1, size - 1);
	return 0;
}
