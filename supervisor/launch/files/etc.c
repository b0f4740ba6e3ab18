/* What a sandbox sees as /etc: made once by the spawner, shared by all sandboxes as a lower layer.
 *
 * Copied from the host is only what the programs in /usr need to run and what says nothing about
 * the host: no accounts, no network, no keys, no configuration that may hold credentials. A file
 * that not everybody on the host may read is never copied. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/launch/spawner/root.h"

#define STAGE "copy of /etc"
#define DEPTH_MAX 6
#define FILE_BYTES_MAX (8 * 1024 * 1024)
#define COPY_CHUNK 65536

struct own_file {
	const char *name, *text;
};

static const struct own_file own_files[] = {
	{"passwd", "root:x:0:0:root:/root:/bin/sh\n"
		   "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh\n"
		   "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"group", "root:x:0:\ntty:x:5:\nsandbox:x:1000:\nnogroup:x:65534:\n"},
	{"hosts", "127.0.0.1 localhost sandbox\n::1 localhost ip6-localhost ip6-loopback\n"},
	{"hostname", "sandbox\n"},
	{"nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
			  "networks: files\nprotocols: files\nservices: files\n"},
	{"resolv.conf", "# No name server: a sandbox reaches addresses that its policy allows.\n"},
	{"fstab", ""},
};

/* A name that ends in '*' stands for all that begin so. */
static const char *const copied[] = {"alternatives", "bash.bashrc", "ca-certificates",
	"ca-certificates.conf", "debian_version", "fonts", "gai.conf", "host.conf", "inputrc",
	"java-*", "ld-musl-*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias",
	"localtime", "magic", "magic.mime", "mime.types", "os-release", "perl", "profile",
	"protocols", "python*", "rpc", "services", "shells", "ssl", "terminfo", "timezone",
	"xattr.conf"};

static bool is_copied(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
		size_t length = strlen(copied[i]);

		if (strcmp(copied[i], name) == 0)
			return true;
		if (copied[i][length - 1] == '*' && strncmp(copied[i], name, length - 1) == 0)
			return true;
	}
	return false;
}

static int write_file(int dir_fd, const struct own_file *file)
{
	_cleanup_close_ int fd =
		openat(dir_fd, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd_write_all(fd, file->text, strlen(file->text));
}

static int copy_bytes(int from_fd, int to_fd)
{
	char chunk[COPY_CHUNK];
	ssize_t got;

	while ((got = read(from_fd, chunk, sizeof(chunk))) > 0) {
		int r = fd_write_all(to_fd, chunk, (size_t)got);

		if (r < 0)
			return r;
	}
	return got < 0 ? -errno : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, mode_t mode)
{
	_cleanup_close_ int from_fd = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to_fd = -1;

	if (from_fd < 0)
		return -errno;
	to_fd = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0755);
	if (to_fd < 0)
		return -errno;
	return copy_bytes(from_fd, to_fd);
}

static int copy_link(int from_dir, int to_dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	target[length] = '\0';
	return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
}

static int copy_directory(int from_fd, int to_fd, bool (*wanted)(const char *name), int depth);

static int copy_entry(int from_dir, int to_dir, const char *name, int depth)
{
	_cleanup_close_ int from_fd = -1, to_fd = -1;
	struct stat status;

	if (fstatat(from_dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(status.st_mode))
		return copy_link(from_dir, to_dir, name);
	if (!(status.st_mode & S_IROTH))
		return 0; /* a secret of the host */
	if (S_ISREG(status.st_mode))
		return status.st_size > FILE_BYTES_MAX
			       ? 0
			       : copy_file(from_dir, to_dir, name, status.st_mode);
	if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX)
		return 0;
	if (mkdirat(to_dir, name, 0755) < 0)
		return -errno;
	from_fd = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to_fd = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0 || to_fd < 0)
		return -errno;
	return copy_directory(from_fd, to_fd, NULL, depth + 1);
}

static int copy_directory(int from_fd, int to_fd, bool (*wanted)(const char *name), int depth)
{
	int fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 3), r = 0;
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!directory)
		return -errno;
	while (r == 0 && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!wanted || wanted(entry->d_name))
			r = copy_entry(from_fd, to_fd, entry->d_name, depth);
		if (r == -ENOENT || r == -EACCES)
			r = 0; /* vanished, or not ours to read */
	}
	closedir(directory);
	return r;
}

int etc_fill(int etc_fd, struct failure *why)
{
	_cleanup_close_ int host_fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (host_fd < 0)
		return failure_set(why, -errno, STAGE, "cannot open /etc: %s", strerror(errno));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(own_files); i++)
		r = write_file(etc_fd, &own_files[i]);
	if (r == 0 && symlinkat("/proc/mounts", etc_fd, "mtab") < 0)
		r = -errno;
	if (r == 0)
		r = copy_directory(host_fd, etc_fd, is_copied, 0);
	return r < 0 ? failure_set(
			       why, r, STAGE, "cannot make the sandboxes' /etc: %s", strerror(-r))
		     : 0;
}

int etc_copy_files(int from_fd, int to_fd)
{
	return copy_directory(from_fd, to_fd, NULL, DEPTH_MAX);
}
