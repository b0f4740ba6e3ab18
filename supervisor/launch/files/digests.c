/* A file is known again by inode, size and both times. The device is of no use: an overlay gives
 * each of its layers a number of its own, another one in each sandbox, and numbers come back. What
 * a sandbox could have made never comes here, and whoever may set the inode number, the size and
 * the time of change of a file of the template is root on the host. Times go by ticks: what has
 * changed just now may change once more within the same one, so it is not kept. */
#include "supervisor/launch/files/digests.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"

#define ROWS_MAX 1024
#define BLOCK_BYTES (256 * 1024)
#define SETTLED_S 2 /* no file system counts in more */

struct row {
	ino_t inode;
	off_t size;
	struct timespec changed, modified;
	char hex[SHA256_HEX_SIZE];
};

struct digests {
	struct sha256_engine *engine;
	uint8_t block[BLOCK_BYTES];
	size_t n, next; /* the oldest gives way */
	struct row rows[ROWS_MAX];
};

int digests_new(struct digests **ret_digests)
{
	struct digests *digests = calloc(1, sizeof(*digests));

	if (!digests)
		return -ENOMEM;
	*ret_digests = digests;
	return 0;
}

struct digests *digests_free(struct digests *digests)
{
	if (!digests)
		return NULL;
	sha256_engine_free(digests->engine);
	free(digests);
	return NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct row *row, const struct stat *status)
{
	return row->inode == status->st_ino && row->size == status->st_size &&
	       same_time(&row->changed, &status->st_ctim) &&
	       same_time(&row->modified, &status->st_mtim);
}

static bool is_settled(const struct stat *status)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return status->st_ctim.tv_sec + SETTLED_S < now.tv_sec;
}

static int read_all(struct digests *digests, int fd, char ret_hex[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_BYTES];
	int r = 0;

	if (!digests->engine)
		r = sha256_engine_new(&digests->engine);
	if (r == 0)
		r = sha256_begin(digests->engine);
	for (off_t at = 0; r == 0;) {
		ssize_t got = pread(fd, digests->block, BLOCK_BYTES, at);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		at += got;
		r = sha256_add(digests->engine, digests->block, (size_t)got);
	}
	if (r == 0)
		r = sha256_end(digests->engine, digest);
	if (r == 0)
		sha256_to_hex(digest, ret_hex);
	return r;
}

int digests_get(struct digests *digests, int fd, char ret_hex[SHA256_HEX_SIZE])
{
	struct stat before, after;
	struct row read, *row;
	int r;

	if (fstat(fd, &before) < 0)
		return -errno;
	for (size_t i = 0; i < digests->n; i++)
		if (same_file(&digests->rows[i], &before)) {
			memcpy(ret_hex, digests->rows[i].hex, SHA256_HEX_SIZE);
			return 0;
		}
	if ((uint64_t)before.st_size > DIGESTS_FILE_BYTES_MAX)
		return -EFBIG;
	r = read_all(digests, fd, ret_hex);
	if (r == 0 && fstat(fd, &after) < 0)
		r = -errno;
	if (r < 0)
		return r;
	read = (struct row){after.st_ino, after.st_size, after.st_ctim, after.st_mtim, ""};
	/* Somebody on the host writes to it. */
	if (!same_file(&read, &before))
		return -EAGAIN;
	if (!is_settled(&after))
		return 0;
	row = &digests->rows[digests->next];
	*row = read;
	memcpy(row->hex, ret_hex, SHA256_HEX_SIZE);
	digests->next = (digests->next + 1) % ROWS_MAX;
	if (digests->n < ROWS_MAX)
		digests->n++;
	return 0;
}
