/* What differs between a unified and a hybrid host; known to the cgroup files only. */
#pragma once

#include <limits.h>

#include "supervisor/launch/cgroup/cgroup.h"

#define CGROUP_STOCK_TARGET 32 /* v1 memory cgroups kept ready */
#define CGROUP_STOCK_STEP 4    /* made in one refill, so that the loop is not held up */
#define CGROUP_GONE_MAX 256    /* v1 memory cgroups that wait to be emptied */
#define CGROUP_NAME_SIZE 24
#define CGROUP_CPU_PERIOD_US 100000
/* Until a claim sets the policy's limits; PID 1 alone needs next to nothing. */
#define CGROUP_PIDS_UNCLAIMED 64
#define CGROUP_CPU_MILLIS_UNCLAIMED 1000

enum cgroup_v1 { CGROUP_V1_PIDS, CGROUP_V1_CPU, CGROUP_V1_MEMORY, CGROUP_V1_N };

struct cgroup_backend {
	/* Opens what the back end needs besides the v2 directory. */
	int (*open)(struct cgroup_tree *tree, struct failure *why);
	void (*close)(struct cgroup_tree *tree);
	/* Makes directories beside the v2 one, with the limits of an unclaimed sandbox. */
	int (*create)(struct cgroup *cgroup, const char *name, struct failure *why);
	int (*adopt)(struct cgroup *cgroup, const char *name);
	int (*open_tasks)(
		const struct cgroup *cgroup, const char *name, int ret_fds[2], int *ret_n);
	int (*claim)(struct cgroup *cgroup, const char *name, const struct cgroup_limits *limits,
		int *ret_join_fd, struct failure *why);
	void (*refill)(struct cgroup_tree *tree);
	/* Each fills what its name says; before a claim there is no memory to speak of. */
	int (*read_memory)(const struct cgroup *cgroup, struct cgroup_usage *usage);
	int (*read_memory_now)(const struct cgroup *cgroup, uint64_t *ret_bytes);
	int (*read_pids)(const struct cgroup *cgroup, const char *name, struct cgroup_usage *usage);
	int (*read_hits)(const struct cgroup *cgroup, const char *name, struct cgroup_usage *usage);
	/* Removes what create() and claim() made; what is gone already is no error. */
	int (*remove)(struct cgroup_tree *tree, const char *name);
	/* Removes what open() made. */
	int (*remove_tree)(struct cgroup_tree *tree);
};

struct cgroup_tree {
	enum cgroup_kind kind;
	const struct cgroup_backend *backend;
	char base[256];               /* "/cloche-default" */
	char v2_mount[256];           /* "/sys/fs/cgroup/unified" */
	char sandboxes_dir[PATH_MAX]; /* v2_mount + base + "/sandboxes" */
	int sandboxes_fd;
	char v1_mounts[CGROUP_V1_N][256];    /* empty: the controller is not v1 here */
	int v1_fds[CGROUP_V1_N];             /* base/sandboxes in each; -1 on a unified host */
	uint32_t stock[CGROUP_STOCK_TARGET]; /* "stock-<index>" in the v1 memory hierarchy */
	uint32_t n_stock, next_index;
	uint32_t gone[CGROUP_GONE_MAX]; /* "gone-<index>", beside them */
	uint32_t n_gone;
};

extern const struct cgroup_backend cgroup_unified, cgroup_hybrid;

/* Fills mounts and kind. */
int cgroup_find_mounts(struct cgroup_tree *tree, struct failure *why);
void cgroup_name(uint64_t sandbox, char ret_name[CGROUP_NAME_SIZE]);
/* Opens `mount` + `base` + "/sandboxes", making directories on the way; `enter`, if given, is
 * called for each directory from the mount point down to that one. */
int cgroup_make_path(const char *mount, const char *base,
	int (*enter)(int dir_fd, const char *name, struct failure *why), int *ret_fd,
	struct failure *why);
/* Removes `base`/sandboxes and then `base`, unless others use it. 0 or -EBUSY, -errno. */
int cgroup_remove_path(const char *mount, const char *base);
int cgroup_write_number(int dir_fd, const char *file, uint64_t value);
/* Reads `key` of a file of "key value" lines below `dir_fd`. 0, -ENOENT, -errno. */
int cgroup_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret_value);
/* Fills a limit's failure: which file refused which value. */
int cgroup_fail_limit(struct failure *why, int error, const char *file, const char *name);
