/* supervisor/base/fd.c: descriptors by their number. */
#include "supervisor/base/fd.h"
#include "tests/harness/check.h"

TEST(a_descriptor_is_a_number_and_nothing_else)
{
	static const char *const bad[] = {NULL, "", "-1", "+1", " 1", "1 ", "1x", "x", "0x1",
		"1048577", "99999999999999999999"};
	int fd = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(!fd_parse(bad[i], &fd));
		CHECK_INT(fd, 7);
	}
	CHECK(fd_parse("0", &fd));
	CHECK_INT(fd, 0);
	CHECK(fd_parse("1048576", &fd));
	CHECK_INT(fd, 1048576);
}
