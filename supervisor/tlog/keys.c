#include "supervisor/tlog/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define STAGE "audit key"
#define DIRECTORY "keys"
#define SECRET "audit-key"
#define SECRET_NEW "audit-key.new"
#define PATH_SIZE 32

static void path_of(uint32_t epoch, const char *ending, char ret_path[PATH_SIZE])
{
	snprintf(ret_path, PATH_SIZE, DIRECTORY "/%06" PRIu32 ".%s", epoch, ending);
}

static int sync_directory(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* A whole file that is on the disk when this returns. It replaces what a crash left of it. */
static int write_durably(int dir_fd, const char *path, const void *data, size_t size_bytes)
{
	_cleanup_close_ int fd =
		openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, data, size_bytes);

	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* The bytes of a secret go before its name does. */
static void erase(int state_fd, const char *path)
{
	_cleanup_close_ int fd = openat(state_fd, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	const uint8_t zeros[ED25519_SECRET_BYTES] = {0};

	if (fd >= 0 && fd_write_all(fd, zeros, sizeof(zeros)) == 0)
		fdatasync(fd);
}

void keys_forget(int state_fd)
{
	erase(state_fd, SECRET);
	unlinkat(state_fd, SECRET, 0);
	erase(state_fd, SECRET_NEW);
	unlinkat(state_fd, SECRET_NEW, 0);
}

/* Makes a secret durable under `path`. */
static int make_secret(int state_fd, const char *path, struct ed25519_key **ret_key)
{
	uint8_t secret[ED25519_SECRET_BYTES];
	int r = getrandom(secret, sizeof(secret), 0) == (ssize_t)sizeof(secret) ? 0 : -EIO;

	if (r == 0)
		r = write_durably(state_fd, path, secret, sizeof(secret));
	if (r == 0)
		r = ed25519_key_new(secret, ret_key);
	explicit_bzero(secret, sizeof(secret));
	return r;
}

static int load_secret(int state_fd, const char *path, struct ed25519_key **ret_key)
{
	_cleanup_close_ int fd = openat(state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t secret[ED25519_SECRET_BYTES + 1];
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	n = read(fd, secret, sizeof(secret));
	r = n == ED25519_SECRET_BYTES ? ed25519_key_new(secret, ret_key) : -EBADMSG;
	explicit_bzero(secret, sizeof(secret));
	return r;
}

static int write_public(int dir_fd, uint32_t epoch, const struct note_verifier *verifier)
{
	char path[PATH_SIZE], line[NOTE_VKEY_SIZE + 1];
	int r;

	note_vkey(verifier, line);
	line[strlen(line) + 1] = '\0';
	line[strlen(line)] = '\n';
	path_of(epoch, "pub", path);
	r = write_durably(dir_fd, path, line, strlen(line));
	return r == 0 ? sync_directory(dir_fd, DIRECTORY) : r;
}

int keys_create(
	int dir_fd, int state_fd, const char *origin, struct keys *ret_keys, struct failure *why)
{
	struct keys keys = {.dir_fd = dir_fd, .state_fd = state_fd, .epoch = 1};
	int r = fd_make_dir_at(dir_fd, DIRECTORY, 0700);

	snprintf(keys.verifier.name, sizeof(keys.verifier.name), "%s", origin);
	keys_forget(state_fd);
	if (r == 0)
		r = make_secret(state_fd, SECRET, &keys.key);
	if (r == 0)
		r = sync_directory(state_fd, ".");
	if (r == 0) {
		ed25519_key_public(keys.key, keys.verifier.public);
		r = write_public(dir_fd, 1, &keys.verifier);
	}
	if (r < 0) {
		keys_fini(&keys);
		return failure_set(why, r, STAGE, "the log's first key cannot be made");
	}
	keys.made_ns = clock_realtime_ns();
	*ret_keys = keys;
	return 0;
}

int keys_verifier(const struct keys *keys, uint32_t epoch, struct note_verifier *ret_verifier)
{
	_cleanup_free_ char *line = NULL;
	char path[PATH_SIZE];
	int r;

	path_of(epoch, "pub", path);
	r = fd_read_file_at(keys->dir_fd, path, NOTE_VKEY_SIZE, &line, NULL);
	if (r < 0)
		return r;
	return note_vkey_parse(line, ret_verifier) < 0 ? -EBADMSG : 0;
}

/* Finds the newest epoch; epochs are dense. */
static int find_epoch(struct keys *keys)
{
	struct note_verifier verifier;
	struct stat info;
	char path[PATH_SIZE];
	int r;

	while ((r = keys_verifier(keys, keys->epoch + 1, &verifier)) == 0) {
		keys->verifier = verifier;
		keys->epoch++;
	}
	if (r != -ENOENT)
		return r;
	path_of(keys->epoch, "pub", path);
	if (keys->epoch == 0 || fstatat(keys->dir_fd, path, &info, 0) < 0)
		return -ENOENT;
	keys->made_ns = (uint64_t)info.st_mtim.tv_sec * NS_PER_SECOND;
	return 0;
}

static bool is_current(const struct keys *keys, const struct ed25519_key *key)
{
	uint8_t public[ED25519_PUBLIC_BYTES];

	if (!key)
		return false;
	ed25519_key_public(key, public);
	return memcmp(public, keys->verifier.public, sizeof(public)) == 0;
}

static int put_in_place(const struct keys *keys)
{
	erase(keys->state_fd, SECRET);
	if (renameat(keys->state_fd, SECRET_NEW, keys->state_fd, SECRET) < 0)
		return -errno;
	return sync_directory(keys->state_fd, ".");
}

/* A change that a crash cut short. */
static int settle(struct keys *keys)
{
	struct ed25519_key *next = NULL;
	char path[PATH_SIZE];
	int r = load_secret(keys->state_fd, SECRET_NEW, &next);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && is_current(keys, next)) {
		ed25519_key_free(keys->key);
		keys->key = next;
		return put_in_place(keys);
	}
	ed25519_key_free(next);
	erase(keys->state_fd, SECRET_NEW);
	unlinkat(keys->state_fd, SECRET_NEW, 0);
	path_of(keys->epoch + 1, "cert", path);
	unlinkat(keys->dir_fd, path, 0);
	return 0;
}

int keys_open(int dir_fd, int state_fd, struct keys *ret_keys, struct failure *why)
{
	struct keys keys = {.dir_fd = dir_fd, .state_fd = state_fd};
	int r = find_epoch(&keys);

	if (r == -ENOENT)
		return failure_set(why, r, STAGE, "the log has no keys");
	if (r == 0) {
		load_secret(state_fd, SECRET, &keys.key);
		r = settle(&keys);
	}
	if (r == 0 && !is_current(&keys, keys.key))
		r = -EBADMSG;
	if (r < 0) {
		keys_fini(&keys);
		return failure_set(why, r, STAGE, "the secret is not that of the newest key");
	}
	*ret_keys = keys;
	return 0;
}

void keys_fini(struct keys *keys)
{
	keys->key = ed25519_key_free(keys->key);
}

static int write_certificate(
	const struct keys *keys, const struct note_verifier *next, uint64_t size)
{
	char vkey[NOTE_VKEY_SIZE], text[NOTE_SIZE], note[NOTE_SIZE], path[PATH_SIZE];
	int r;

	note_vkey(next, vkey);
	snprintf(text, sizeof(text),
		"cloche key certificate v1\n%s\nepoch %" PRIu32 "\nkey %s\nsize %" PRIu64
		"\ntime %" PRIu64 "\n",
		next->name, keys->epoch + 1, vkey, size, clock_realtime_ns());
	r = note_sign(keys->key, keys->verifier.name, text, note);
	path_of(keys->epoch + 1, "cert", path);
	if (r == 0)
		r = write_durably(keys->dir_fd, path, note, strlen(note));
	return r == 0 ? sync_directory(keys->dir_fd, DIRECTORY) : r;
}

int keys_rotate(struct keys *keys, uint64_t size, struct failure *why)
{
	struct note_verifier next = keys->verifier;
	struct ed25519_key *key = NULL;
	int r = keys->epoch < KEYS_EPOCHS_MAX ? make_secret(keys->state_fd, SECRET_NEW, &key)
					      : -ERANGE;

	if (r == 0)
		r = sync_directory(keys->state_fd, ".");
	if (r == 0) {
		ed25519_key_public(key, next.public);
		r = write_certificate(keys, &next, size);
	}
	if (r == 0)
		r = write_public(keys->dir_fd, keys->epoch + 1, &next);
	if (r < 0) {
		char path[PATH_SIZE];

		path_of(keys->epoch + 1, "pub", path);
		unlinkat(keys->dir_fd, path, 0);
		settle(keys);
		ed25519_key_free(key);
		return failure_set(why, r, STAGE, "the new key cannot be made; the old one stays");
	}
	ed25519_key_free(keys->key);
	keys->key = key;
	keys->epoch++;
	keys->verifier = next;
	keys->made_ns = clock_realtime_ns();
	r = put_in_place(keys);
	return r < 0 ? failure_set(why, r, STAGE, "the old secret is still on the disk") : 0;
}
