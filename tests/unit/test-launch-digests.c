/* What is kept of a file, and when it is read again. A descriptor opened with O_PATH cannot be
 * read: what is known of its file is known from before. */
#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/launch/files/digests.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct digests *make(void)
{
	struct digests *digests = NULL;

	CHECK_INT(digests_new(&digests), 0);
	return digests;
}

TEST(digests_are_those_of_the_content)
{
	struct digests *digests = make();
	_cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
	char hex[SHA256_HEX_SIZE];

	CHECK_INT(digests_get(digests, fd, hex), 0);
	CHECK_TEXT(hex, EMPTY);
	CHECK_INT(pwrite(fd, "abc", 3, 0), 3);
	CHECK_INT(digests_get(digests, fd, hex), 0);
	CHECK_TEXT(hex, ABC);
	CHECK_INT(digests_free(digests) == NULL, 1);
	digests_free(NULL);
}

/* The size stays, and so may the time, within one tick. */
TEST(a_file_that_has_changed_just_now_is_read_again)
{
	struct digests *digests = make();
	_cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
	char first[SHA256_HEX_SIZE], hex[SHA256_HEX_SIZE];

	for (int i = 0; i < 1000; i++) {
		CHECK_INT(pwrite(fd, "abd", 3, 0), 3);
		CHECK_INT(digests_get(digests, fd, first), 0);
		CHECK_INT(pwrite(fd, "abc", 3, 0), 3);
		CHECK_INT(digests_get(digests, fd, hex), 0);
		CHECK_TEXT(hex, ABC);
		CHECK(strcmp(first, hex) != 0);
	}
	digests_free(digests);
}

TEST(a_file_that_has_settled_is_read_once)
{
	struct digests *digests = make();
	_cleanup_close_ int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int same_fd = open("/etc/passwd", O_PATH | O_CLOEXEC);
	_cleanup_close_ int other_fd = open("/etc/group", O_PATH | O_CLOEXEC);
	char hex[SHA256_HEX_SIZE], again[SHA256_HEX_SIZE];

	CHECK(fd >= 0 && same_fd >= 0 && other_fd >= 0);
	CHECK_INT(digests_get(digests, same_fd, hex), -EBADF);
	CHECK_INT(digests_get(digests, fd, hex), 0);
	CHECK_INT(digests_get(digests, same_fd, again), 0);
	CHECK_TEXT(again, hex);
	CHECK_INT(digests_get(digests, other_fd, again), -EBADF);
	digests_free(digests);
}

TEST(a_file_that_is_too_large_is_not_read)
{
	struct digests *digests = make();
	_cleanup_close_ int fd = memfd_create("x", MFD_CLOEXEC);
	char hex[SHA256_HEX_SIZE];

	CHECK_INT(ftruncate(fd, (off_t)DIGESTS_FILE_BYTES_MAX + 1), 0);
	CHECK_INT(digests_get(digests, fd, hex), -EFBIG);
	digests_free(digests);
}
