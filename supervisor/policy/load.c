#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/fd.h"
#include "supervisor/digest/sha256.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "load policies"
#define NAMES_MAX POLICY_FILES_MAX

struct loader {
	const char *directory;
	int fd;
	const struct policy_calls *calls;
	const struct policy_overlay *overlay; /* NULL: none */
	struct policy *const *present;        /* instead of the directory's files; NULL: those */
	size_t n_present;
	char (*names)[NAME_MAX + 1]; /* of files */
	char (*stems)[NAME_MAX + 1]; /* the same without ".json" */
	const char **known_names;    /* the stems; ends with NULL */
	struct policy **policies;
	size_t n_names, n_policies;
	struct failure *why;
};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

bool policy_is_file_name(const char *name)
{
	return name[0] != '.' && ends_with(name, ".json") && !ends_with(name, ".test.json") &&
	       !ends_with(name, ".schema.json");
}

static int add_name(struct loader *loader, const char *name)
{
	void *larger;

	if (loader->n_names == NAMES_MAX) {
		failure_set(loader->why, -E2BIG, STAGE, "The directory has more than %d policies.",
			NAMES_MAX);
		failure_at(loader->why, "%s", loader->directory);
		return -E2BIG;
	}
	larger = reallocarray(loader->names, loader->n_names + 1, sizeof(*loader->names));
	if (!larger)
		return failure_set(loader->why, -ENOMEM, STAGE, "There is no memory left.");
	loader->names = larger;
	strcpy(loader->names[loader->n_names++], name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_overlaid(const struct loader *loader, const char *file)
{
	const char *name = loader->overlay ? loader->overlay->name : NULL;

	return name && strncmp(file, name, strlen(name)) == 0 &&
	       strcmp(file + strlen(name), ".json") == 0;
}

static bool is_listed(const struct loader *loader)
{
	for (size_t i = 0; i < loader->n_names; i++)
		if (is_overlaid(loader, loader->names[i]))
			return true;
	return false;
}

static int list_files(struct loader *loader, DIR *stream)
{
	struct dirent *entry;

	for (errno = 0; (entry = readdir(stream)); errno = 0) {
		int r = policy_is_file_name(entry->d_name) ? add_name(loader, entry->d_name) : 0;

		if (r < 0)
			return r;
	}
	if (errno)
		return failure_set(loader->why, -errno, STAGE, "The directory cannot be read: %s.",
			strerror(errno));
	return 0;
}

static int add_policy_name(struct loader *loader, const char *name)
{
	char file[POLICY_NAME_SIZE + sizeof(".json")];

	snprintf(file, sizeof(file), "%s.json", name);
	return add_name(loader, file);
}

/* `stream` NULL: those of the policies that are present. */
static int list_names(struct loader *loader, DIR *stream)
{
	int r = stream ? list_files(loader, stream) : 0;

	for (size_t i = 0; i < loader->n_present && r == 0; i++)
		r = add_policy_name(loader, loader->present[i]->name);
	if (r == 0 && loader->overlay && !is_listed(loader))
		r = add_policy_name(loader, loader->overlay->name);
	if (r < 0)
		return r;
	if (loader->n_names)
		qsort(loader->names, loader->n_names, sizeof(*loader->names), compare_names);
	return 0;
}

static int copy_text(const char *from, size_t size_bytes, char **ret_text, size_t *ret_size)
{
	char *text;

	if (size_bytes > POLICY_FILE_BYTES_MAX)
		return -EFBIG;
	text = malloc(size_bytes + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, from, size_bytes);
	text[size_bytes] = '\0';
	*ret_text = text;
	*ret_size = size_bytes;
	return 0;
}

static int read_present(
	const struct loader *loader, const char *file, char **ret_text, size_t *ret_size)
{
	for (size_t i = 0; i < loader->n_present; i++) {
		const struct policy *policy = loader->present[i];
		size_t length = strlen(policy->name);

		if (strncmp(file, policy->name, length) == 0 && strcmp(file + length, ".json") == 0)
			return copy_text(policy->text, policy->text_size_bytes, ret_text, ret_size);
	}
	return -ENOENT;
}

/* A FIFO or a device under such a name would stop the daemon, and who may write policies may not
 * read all that the daemon may: only a plain file of the directory is opened. */
static int read_file(struct loader *loader, const char *name, char **ret_text, size_t *ret_size)
{
	int r;

	if (is_overlaid(loader, name))
		r = copy_text(
			loader->overlay->text, loader->overlay->size_bytes, ret_text, ret_size);
	else if (loader->present)
		r = read_present(loader, name, ret_text, ret_size);
	else
		r = fd_read_plain_at(loader->fd, name, POLICY_FILE_BYTES_MAX, ret_text, ret_size);
	if (r == 0)
		return 0;
	r = policy_fail_file(loader->why, r);
	failure_at(loader->why, "%s/%s", loader->directory, name);
	return r;
}

static int read_named(struct loader *loader, const char *name, char **ret_text,
	size_t *ret_size_bytes, char **ret_path)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	int r = read_file(loader, name, &text, ret_size_bytes);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%s", loader->directory, name) < 0) {
		path = NULL;
		return failure_set(loader->why, -ENOMEM, STAGE, "There is no memory left.");
	}
	*ret_text = steal_ptr(&text);
	*ret_path = steal_ptr(&path);
	return 0;
}

static int read_base(void *userdata, const char *name, char **ret_text, size_t *ret_size_bytes,
	char **ret_file, struct failure *why _unused_)
{
	struct loader *loader = userdata;

	for (size_t i = 0; i < loader->n_names; i++)
		if (strcmp(loader->stems[i], name) == 0)
			return read_named(
				loader, loader->names[i], ret_text, ret_size_bytes, ret_file);
	return -ENOENT;
}

static int load_file(struct loader *loader, size_t i)
{
	const struct policy_context context = {.calls = loader->calls,
		.read_base = read_base,
		.userdata = loader,
		.names = loader->known_names};
	_cleanup_free_ char *text = NULL, *path = NULL;
	struct policy *policy = NULL;
	size_t size = 0;
	int r = read_named(loader, loader->names[i], &text, &size, &path);

	if (r < 0)
		return r;
	r = policy_parse(text, size, path, &context, &policy, loader->why);
	if (r < 0)
		return r;
	loader->policies[loader->n_policies++] = policy;
	r = sha256_hex(text, size, policy->file_hash);
	if (r < 0)
		return failure_set(loader->why, r, STAGE, "libcrypto computes no SHA-256.");
	if (strcmp(policy->name, loader->stems[i]) != 0) {
		const struct policy_source source = {text, size, path, NULL};
		const struct policy_reader reader = {&source, NULL, NULL, loader->why};
		const struct policy_place root = {NULL, NULL, 0}, place = {&root, "name", 0};

		return policy_fail(&reader, &place, -EINVAL,
			"The policy's name is \"%s\", so its file must be \"%s.json\".",
			policy->name, policy->name);
	}
	policy->text = steal_ptr(&text);
	policy->text_size_bytes = size;
	return 0;
}

static int check_default(struct loader *loader)
{
	for (size_t i = 0; i < loader->n_policies; i++)
		if (strcmp(loader->policies[i]->name, POLICY_DENY_ALL) == 0)
			return 0;
	failure_set(loader->why, -ENOENT, STAGE,
		"There is no policy \"%s\", which binds tenants that have no other; install the "
		"one that comes with Cloche.",
		POLICY_DENY_ALL);
	failure_at(loader->why, "%s/%s.json", loader->directory, POLICY_DENY_ALL);
	return -ENOENT;
}

static int cut_names(struct loader *loader)
{
	loader->stems = calloc(loader->n_names + 1, sizeof(*loader->stems));
	loader->known_names = calloc(loader->n_names + 1, sizeof(*loader->known_names));
	if (!loader->stems || !loader->known_names)
		return failure_set(loader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < loader->n_names; i++) {
		strcpy(loader->stems[i], loader->names[i]);
		*strrchr(loader->stems[i], '.') = '\0';
		loader->known_names[i] = loader->stems[i];
	}
	return 0;
}

static int load_all(struct loader *loader, DIR *stream)
{
	int r = list_names(loader, stream);

	if (r == 0)
		r = cut_names(loader);
	if (r < 0)
		return r;
	loader->policies = calloc(loader->n_names + 1, sizeof(struct policy *));
	if (!loader->policies)
		return failure_set(loader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; r == 0 && i < loader->n_names; i++)
		r = load_file(loader, i);
	return r < 0 ? r : check_default(loader);
}

int policy_fail_file(struct failure *why, int error)
{
	switch (error) {
	case -EFBIG:
		return failure_set(why, -E2BIG, STAGE, "The file is larger than %d MiB.",
			POLICY_FILE_BYTES_MAX >> 20);
	case -EINVAL:
		return failure_set(why, error, STAGE, "This is not a plain file.");
	case -EXDEV:
		return failure_set(why, error, STAGE,
			"This is a symbolic link that leads out of the directory; put the file "
			"itself here.");
	default:
		return failure_set(
			why, error, STAGE, "The file cannot be read: %s.", strerror(-error));
	}
}

int policy_load_dir(const char *directory, const struct policy_calls *calls,
	struct policy ***ret_policies, size_t *ret_n, struct failure *why)
{
	return policy_load_dir_with(directory, calls, NULL, ret_policies, ret_n, why);
}

static int check_overlay(const struct policy_overlay *overlay, struct failure *why)
{
	if (!overlay || policy_name_valid(overlay->name))
		return 0;
	return failure_set(why, -EINVAL, STAGE,
		"A name has 1 to %d of a-z, 0-9 and -, and neither begins nor ends with -.",
		POLICY_NAME_SIZE - 1);
}

static int finish(struct loader *loader, int r, struct policy ***ret_policies, size_t *ret_n)
{
	free(loader->names);
	free(loader->stems);
	free(loader->known_names);
	if (r < 0) {
		while (loader->n_policies > 0)
			policy_unref(loader->policies[--loader->n_policies]);
		free(loader->policies);
		return r;
	}
	*ret_policies = loader->policies;
	*ret_n = loader->n_policies;
	return 0;
}

int policy_load_dir_with(const char *directory, const struct policy_calls *calls,
	const struct policy_overlay *overlay, struct policy ***ret_policies, size_t *ret_n,
	struct failure *why)
{
	struct loader loader = {
		.directory = directory, .calls = calls, .overlay = overlay, .why = why};
	DIR *stream;
	int r = check_overlay(overlay, why);

	if (r < 0)
		return r;
	stream = opendir(directory);
	if (!stream) {
		r = failure_set(
			why, -errno, STAGE, "The directory cannot be opened: %s.", strerror(errno));
		failure_at(why, "%s", directory);
		return r;
	}
	loader.fd = dirfd(stream);
	r = load_all(&loader, stream);
	closedir(stream);
	return finish(&loader, r, ret_policies, ret_n);
}

int policy_load_over(struct policy *const *present, size_t n_present,
	const struct policy_calls *calls, const struct policy_overlay *overlay,
	struct policy ***ret_policies, size_t *ret_n, struct failure *why)
{
	struct loader loader = {.directory = "staged",
		.fd = -1,
		.calls = calls,
		.overlay = overlay,
		.present = present,
		.n_present = n_present,
		.why = why};
	int r = check_overlay(overlay, why);

	return r < 0 ? r : finish(&loader, load_all(&loader, NULL), ret_policies, ret_n);
}
