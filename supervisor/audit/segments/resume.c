#include "supervisor/audit/segments/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/audit/stream.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"

#define DIRECTORY "resume"
#define TEMPORARY "resume.tmp"
#define PATH_SIZE 32
#define FORM 1 /* of this file; another one is not read */
#define BYTES_MAX                                                                                  \
	(sizeof(struct head) + TILE_LEVELS * TILE_BYTES + STREAMS_MAX * sizeof(struct row) +       \
		SHA256_BYTES)

/* The file: head, the hashes of each level, a row for each stream, SHA-256 of all that. */
struct head {
	uint64_t form, size, n_streams;
};

struct row {
	uint64_t sandbox, sequence;
	uint32_t tenant, head_known;
	uint8_t head[SHA256_BYTES];
};

struct buffer {
	uint8_t *data;
	size_t used;
};

static void path_of(uint64_t first, char ret_path[PATH_SIZE])
{
	snprintf(ret_path, PATH_SIZE, DIRECTORY "/%020" PRIu64, first);
}

static void put(struct buffer *buffer, const void *data, size_t size_bytes)
{
	memcpy(buffer->data + buffer->used, data, size_bytes);
	buffer->used += size_bytes;
}

static int fill(struct buffer *buffer, const struct tree *tree, struct table *streams)
{
	const struct head head = {
		.form = FORM, .size = tree->size, .n_streams = table_count(streams)};
	uint8_t digest[SHA256_BYTES];
	struct stream *stream;
	size_t position = 0;
	int r;

	put(buffer, &head, sizeof(head));
	for (unsigned int level = 0; level < TILE_LEVELS; level++)
		put(buffer, tree->edge[level],
			(size_t)tree_edge_width(tree->size, level) * SHA256_BYTES);
	while ((stream = table_next(streams, &position))) {
		struct row row = {.sandbox = stream->sandbox,
			.sequence = stream->sequence,
			.tenant = stream->tenant,
			.head_known = stream->head_known};

		memcpy(row.head, stream->head, sizeof(row.head));
		put(buffer, &row, sizeof(row));
	}
	r = sha256(buffer->data, buffer->used, digest);
	if (r == 0)
		put(buffer, digest, sizeof(digest));
	return r;
}

static int write_file(int dir_fd, uint64_t first, const struct buffer *buffer)
{
	_cleanup_close_ int fd = openat(
		dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	char path[PATH_SIZE];
	int r = fd < 0 ? -errno : fd_write_all(fd, buffer->data, buffer->used);

	path_of(first, path);
	if (r == 0)
		r = fd_make_dir_at(dir_fd, DIRECTORY, 0700);
	return r == 0 && renameat(dir_fd, TEMPORARY, dir_fd, path) < 0 ? -errno : r;
}

int resume_write(int dir_fd, uint64_t first, const struct tree *tree, struct table *streams)
{
	struct buffer buffer = {
		.data = malloc(sizeof(struct head) + TILE_LEVELS * TILE_BYTES +
			       table_count(streams) * sizeof(struct row) + SHA256_BYTES)};
	int r = buffer.data ? fill(&buffer, tree, streams) : -ENOMEM;

	if (r == 0)
		r = write_file(dir_fd, first, &buffer);
	free(buffer.data);
	return r;
}

/* Whether the parts add up to the whole, to the byte. */
static bool form_is_right(const char *data, size_t size_bytes, uint64_t first)
{
	size_t expected = sizeof(struct head) + SHA256_BYTES;
	uint8_t digest[SHA256_BYTES];
	struct head head;

	if (size_bytes < expected)
		return false;
	memcpy(&head, data, sizeof(head));
	if (head.form != FORM || head.size + 1 != first || head.n_streams > STREAMS_MAX)
		return false;
	for (unsigned int level = 0; level < TILE_LEVELS; level++)
		expected += (size_t)tree_edge_width(head.size, level) * SHA256_BYTES;
	expected += head.n_streams * sizeof(struct row);
	return size_bytes == expected && sha256(data, size_bytes - SHA256_BYTES, digest) == 0 &&
	       memcmp(digest, data + size_bytes - SHA256_BYTES, SHA256_BYTES) == 0;
}

static int take_streams(const char *rows, uint64_t n, struct table *streams)
{
	for (uint64_t i = 0; i < n; i++) {
		struct stream *stream;
		struct row row;
		int r;

		memcpy(&row, rows + i * sizeof(row), sizeof(row));
		r = stream_begin(streams, row.sandbox, row.tenant, &stream);
		if (r < 0)
			return r;
		stream->sequence = row.sequence;
		stream->head_known = row.head_known;
		memcpy(stream->head, row.head, sizeof(stream->head));
	}
	return 0;
}

int resume_read(int dir_fd, uint64_t first, struct tree *tree, struct table *streams)
{
	_cleanup_free_ char *data = NULL;
	char path[PATH_SIZE], *next;
	size_t size_bytes;
	struct head head;
	int r;

	path_of(first, path);
	r = fd_read_file_at(dir_fd, path, BYTES_MAX, &data, &size_bytes);
	if (r < 0)
		return r;
	if (!form_is_right(data, size_bytes, first))
		return -EBADMSG;
	memcpy(&head, data, sizeof(head));
	tree->size = head.size;
	next = data + sizeof(head);
	for (unsigned int level = 0; level < TILE_LEVELS; level++) {
		size_t level_bytes = (size_t)tree_edge_width(head.size, level) * SHA256_BYTES;

		memcpy(tree->edge[level], next, level_bytes);
		next += level_bytes;
	}
	return take_streams(next, head.n_streams, streams);
}

void resume_remove(int dir_fd, uint64_t first)
{
	char path[PATH_SIZE];

	path_of(first, path);
	unlinkat(dir_fd, path, 0);
}
