/* supervisor/tlog/tree.c, tile.c: roots as RFC 9162 has them, and the tiles that lead to them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/tlog/tree.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct tree tree;
static char directory[64];
static int dir_fd;
static uint8_t (*leaves)[SHA256_BYTES]; /* all that were added */

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/cloche-test-tree-XXXXXX");
	CHECK(mkdtemp(directory));
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(tree_init(&tree, dir_fd), 0);
	leaves = calloc(300000, sizeof(*leaves));
}

static void end(void)
{
	tree_fini(&tree);
	close(dir_fd);
	free(leaves);
	audit_scene_remove_tree(directory);
}

static void add(const void *line, size_t size_bytes)
{
	uint8_t *leaf = leaves[tree.size];

	CHECK_INT(tree_hash_leaf(&tree, line, size_bytes, leaf), 0);
	tree_append(&tree, leaf);
}

static void add_until(uint64_t size)
{
	while (tree.size < size) {
		char line[32];

		snprintf(line, sizeof(line), "line %d", (int)tree.size);
		add(line, strlen(line));
	}
}

/* MTH of RFC 9162 2.1.1, word for word: split at the largest power of two below n. */
static void naive_root(const uint8_t (*hashes)[SHA256_BYTES], size_t n, uint8_t *ret)
{
	uint8_t node[1 + 2 * SHA256_BYTES] = {0x01};
	size_t k = 1;

	if (n == 0) {
		sha256("", 0, ret);
		return;
	}
	if (n == 1) {
		memcpy(ret, hashes[0], SHA256_BYTES);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	naive_root(hashes, k, node + 1);
	naive_root(hashes + k, n - k, node + 1 + SHA256_BYTES);
	sha256(node, sizeof(node), ret);
}

static void check_root(void)
{
	uint8_t expected[SHA256_BYTES], root[SHA256_BYTES];

	naive_root((const uint8_t(*)[SHA256_BYTES])leaves, tree.size, expected);
	CHECK_INT(tree_root(&tree, root), 0);
	CHECK(memcmp(root, expected, sizeof(root)) == 0);
}

TEST(roots_are_those_of_the_vectors_of_certificate_transparency)
{
	static const struct {
		const char *line;
		size_t size_bytes;
		const char *root;
	} rows[] = {
		{"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
		{"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
		{"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
		{"\x40\x41\x42\x43", 4,
			"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
		{"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
			"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
		{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
			"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	};
	uint8_t root[SHA256_BYTES];
	char hex[SHA256_HEX_SIZE];

	begin();
	CHECK_INT(tree_root(&tree, root), 0);
	sha256_to_hex(root, hex);
	CHECK_TEXT(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add(rows[i].line, rows[i].size_bytes);
		CHECK_INT(tree_root(&tree, root), 0);
		sha256_to_hex(root, hex);
		CHECK_TEXT(hex, rows[i].root);
	}
	end();
}

TEST(the_root_is_that_of_the_definition_at_every_size)
{
	begin();
	for (uint64_t size = 1; size <= 1100; size++) {
		add_until(size);
		check_root();
	}
	for (uint64_t size = 65530; size <= 65540; size++) {
		add_until(size);
		check_root();
	}
	add_until(3 * 65536 + 2 * 256 + 77);
	check_root();
	end();
}

TEST(a_path_has_groups_of_three_digits)
{
	static const struct {
		uint64_t number;
		unsigned int level, width;
		const char *path;
	} rows[] = {{0, 0, 256, "tile/0/000"}, {67, 1, 3, "tile/1/067.p/3"},
		{999, 0, 256, "tile/0/999"}, {1000, 0, 256, "tile/0/x001/000"},
		{1234067, 0, 256, "tile/0/x001/x234/067"},
		{1234067, 2, 255, "tile/2/x001/x234/067.p/255"},
		{UINT64_MAX >> 8, 0, 1, "tile/0/x072/x057/x594/x037/x927/935.p/1"}};
	char path[TILE_PATH_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tile_path(rows[i].level, rows[i].number, rows[i].width, path);
		CHECK_TEXT(path, rows[i].path);
	}
}

static bool is_there(const char *path, size_t size_bytes)
{
	struct stat info;

	return fstatat(dir_fd, path, &info, 0) == 0 && (size_t)info.st_size == size_bytes;
}

TEST(full_tiles_are_written_at_once_and_partial_ones_when_asked)
{
	uint8_t hashes[TILE_HASHES][SHA256_BYTES], expected[SHA256_BYTES];

	begin();
	add_until(700);
	CHECK(is_there("tile/0/000", 8192) && is_there("tile/0/001", 8192));
	CHECK(!is_there("tile/0/002.p/188", 188 * 32));
	CHECK_INT(tree_write_partial(&tree), 0);
	CHECK(is_there("tile/0/002.p/188", 188 * 32) && is_there("tile/1/000.p/2", 64));
	CHECK_INT(tile_read(dir_fd, 0, 1, TILE_HASHES, hashes), 0);
	CHECK(memcmp(hashes, leaves + 256, sizeof(hashes)) == 0);
	CHECK_INT(tile_read(dir_fd, 1, 0, 2, hashes), 0);
	naive_root((const uint8_t(*)[SHA256_BYTES])leaves + 256, 256, expected);
	CHECK(memcmp(hashes[1], expected, sizeof(expected)) == 0);
	/* The first hashes of a full tile serve as the partial one that went. */
	add_until(768);
	CHECK_INT(tile_read(dir_fd, 0, 2, 188, hashes), 0);
	CHECK(memcmp(hashes[187], leaves[699], SHA256_BYTES) == 0);
	end();
}

TEST(a_partial_tile_goes_when_a_wider_one_is_there)
{
	begin();
	add_until(10);
	CHECK_INT(tree_write_partial(&tree), 0);
	add_until(20);
	CHECK_INT(tree_write_partial(&tree), 0);
	CHECK(is_there("tile/0/000.p/20", 640) && !is_there("tile/0/000.p/10", 320));
	add_until(256);
	CHECK(is_there("tile/0/000", 8192) && faccessat(dir_fd, "tile/0/000.p", F_OK, 0) < 0);
	end();
}

TEST(a_tile_of_another_size_is_refused)
{
	uint8_t hashes[TILE_HASHES][SHA256_BYTES];
	int fd;

	begin();
	add_until(256);
	fd = openat(dir_fd, "tile/0/000", O_WRONLY | O_APPEND);
	CHECK_INT(write(fd, "x", 1), 1);
	close(fd);
	CHECK_INT(tile_read(dir_fd, 0, 0, TILE_HASHES, hashes), -EBADMSG);
	CHECK_INT(tile_read(dir_fd, 0, 1, TILE_HASHES, hashes), -ENOENT);
	CHECK_INT(tile_read(dir_fd, 0, 1, 7, hashes), -ENOENT);
	end();
}

TEST(tiles_that_cannot_be_written_wait_and_come_later)
{
	begin();
	/* A file where the directory should be is a disk that takes no tile. */
	close(openat(dir_fd, "tile", O_WRONLY | O_CREAT, 0600));
	add_until(1000);
	CHECK(tree_write_partial(&tree) < 0);
	check_root();
	CHECK_INT(unlinkat(dir_fd, "tile", 0), 0);
	CHECK_INT(tree_write_partial(&tree), 0);
	CHECK(is_there("tile/0/000", 8192) && is_there("tile/0/002", 8192) && !tree.has_holes);
	close(openat(dir_fd, "hole", O_WRONLY | O_CREAT, 0600));
	CHECK_INT(renameat(dir_fd, "tile", dir_fd, "elsewhere"), 0);
	CHECK_INT(renameat(dir_fd, "hole", dir_fd, "tile"), 0);
	add_until(256 * 80);
	CHECK(tree.has_holes);
	check_root();
	end();
}
