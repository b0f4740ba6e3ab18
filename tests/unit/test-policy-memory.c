/* The n-th allocation fails, for every n: what was asked is refused whole, and nothing is left
 * over. */
#include "tests/harness/check.h"

#include <dlfcn.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "supervisor/policy/policy.h"

/* glibc's own, which those below stand in for. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static struct {
	bool counting, failing;
	long left; /* allocations until one fails */
	long n_held;
} memory;

static bool fails(void)
{
	return memory.failing && --memory.left == 0;
}

void *malloc(size_t size)
{
	void *block = fails() ? NULL : __libc_malloc(size);

	memory.n_held += memory.counting && block;
	return block;
}

void *calloc(size_t n, size_t size)
{
	void *block = fails() ? NULL : __libc_calloc(n, size);

	memory.n_held += memory.counting && block;
	return block;
}

void *realloc(void *block, size_t size)
{
	void *larger = fails() ? NULL : __libc_realloc(block, size);

	memory.n_held += memory.counting && larger && !block;
	return larger;
}

void free(void *block)
{
	memory.n_held -= memory.counting && block;
	__libc_free(block);
}

/* Stands in for jansson's, and spares it: its lex_save() (src/load.c of 2.14) does not look whether
 * the buffer could grow, and lex_scan_string() then reads past the end. */
json_t *json_loadb(const char *buffer, size_t size, size_t flags, json_error_t *error)
{
	json_t *(*real)(const char *, size_t, size_t, json_error_t *);
	bool failing = memory.failing;
	json_t *value;

	memory.failing = false;
	*(void **)&real = dlsym(RTLD_NEXT, "json_loadb");
	value = real(buffer, size, flags, error);
	memory.failing = failing;
	return value;
}

static const char bound_text[] =
	"{\"version\":1,\"name\":\"bound\",\"network\":{\"allow\":[{\"cidr\":\"0.0.0.0/0\"},"
	"{\"cidr\":\"10.0.0.0/8\",\"ports\":[443]},{\"name\":\"*.example.org\"},"
	"{\"name\":\"b\u00fccher.de\"}]},\"syscalls\":{\"deny\":[\"a\",\"b\","
	"{\"name\":\"kill\",\"args\":[{\"index\":1,\"is\":9}]}]},"
	"\"executables\":{\"allow\":[\"/bin\"]}}";
static const char request_text[] = "{\"version\":1,\"name\":\"request\",\"description\":\"d\","
				   "\"extends\":\"base\","
				   "\"network\":{\"allow\":[{\"cidr\":"
				   "\"10.1.1.1\",\"ports\":[443,\"1-9\"],\"description\":\"e\"},{"
				   "\"cidr\":\"203.0.113.0/24\"},{\"name\":\"a.example.org\"},"
				   "{\"name\":\"xn--bcher-kva.de\"}]},"
				   "\"resources\":{\"cpu\":1.5},\"syscalls\":{\"deny\":[\"c\","
				   "{\"name\":\"ioctl\",\"args\":[{\"index\":1,\"is\":"
				   "\"TIOCSTI\"}],\"description\":\"d\"}]},"
				   "\"executables\":{\"allow\":[\"/bin/a\",{\"path\":"
				   "\"/bin/b\",\"description\":\"d\"}],\"libraries\":["
				   "\"/usr/lib/x\"]}}";

static int read_base(void *userdata _unused_, const char *name _unused_, char **ret_text,
	size_t *ret_size, char **ret_file, struct failure *why _unused_)
{
	static const char text[] =
		"{\"version\":1,\"name\":\"base\",\"network\":{\"allow\":[{\"name\":"
		"\"pypi.org\",\"description\":\"f\"}]},\"budgets\":{\"connections\":4},"
		"\"resources\":{\"class\":\"large\",\"description\":\"g\"}}";

	*ret_text = malloc(sizeof(text));
	*ret_file = malloc(sizeof("base.json"));
	if (!*ret_text || !*ret_file) {
		free(*ret_text);
		free(*ret_file);
		*ret_text = *ret_file = NULL;
		return -ENOMEM;
	}
	memcpy(*ret_text, text, sizeof(text));
	strcpy(*ret_file, "base.json");
	*ret_size = sizeof(text) - 1;
	return 0;
}

static const struct policy_context context = {.read_base = read_base};

/* Everything from two texts to an image. */
static int run(struct failure *why)
{
	struct policy *bound = NULL, *request = NULL, *policy = NULL, *learning = NULL;
	struct policy_image *image = NULL;
	int r = policy_parse(bound_text, strlen(bound_text), "b", NULL, &bound, why);

	if (r == 0)
		r = policy_parse(request_text, strlen(request_text), "r", &context, &request, why);
	if (r == 0)
		r = policy_meet(bound, request, &policy, why);
	if (r == 0)
		r = policy_meet_learning(bound, request, &learning, why);
	if (r == 0)
		r = policy_compile(policy, &image, why);
	policy_image_free(image);
	policy_unref(learning);
	policy_unref(policy);
	policy_unref(request);
	policy_unref(bound);
	return r;
}

TEST(policy_gives_everything_back_when_an_allocation_fails)
{
	struct failure why = {0};
	long n = 0, n_refused = 0;
	int r;

	/* Libraries allocate some things once, and keep them. */
	CHECK_INT(run(&why), 0);
	do {
		memory.left = ++n;
		memory.n_held = 0;
		memory.counting = memory.failing = true;
		r = run(&why);
		memory.counting = memory.failing = false;
		/* libcrypto (-EIO) keeps a note of its own failure. */
		if (memory.n_held != 0 && r != -EIO)
			CHECK_FAIL("allocation %ld fails: %ld are left over", n, memory.n_held);
		if (r != 0 && r != -ENOMEM && r != -EIO)
			CHECK_FAIL("allocation %ld fails: %d, %s", n, r, why.sentence);
		n_refused += r != 0;
	} while (memory.left <= 0 && n < 10000);
	CHECK_INT(r, 0);
	CHECK(n > 50);
	/* Only where a library can do without is a failed allocation no failure. */
	CHECK(n_refused * 10 > n * 9);
}
