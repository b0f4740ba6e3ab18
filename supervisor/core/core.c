#include "supervisor/core/core.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/core/peers/peer.h"
#include "supervisor/core/peers/sinks.h"
#include "supervisor/core/policies/audit-set.h"
#include "supervisor/core/policies/rollout.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/launch/files/digests.h"

#define STOCK_PERIOD_MS 20
#define REMOVE_PERIOD_MS 50
#define REMOVE_TRIES 60
#define BPFFS_DIR "/sys/fs/bpf"

static int make_dirs(struct core *core, struct failure *why)
{
	const struct core_config *config = core->config;
	const char *dirs[] = {
		config->state_dir, config->run_dir, core->sandbox_socket_dir, core->spawner_dir};

	snprintf(core->sandbox_socket_dir, sizeof(core->sandbox_socket_dir), "%s/sandboxes",
		config->run_dir);
	snprintf(core->spawner_dir, sizeof(core->spawner_dir), "%s/spawner", config->run_dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		/* The run directory holds the API's socket; what lies below is ours alone. */
		int r = fd_make_dir_at(AT_FDCWD, dirs[i], i == 1 ? 0755 : 0700);

		if (r < 0)
			return failure_set(why, r, "directories", "cannot make %s", dirs[i]);
	}
	return 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs info;

	return statfs(path, &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

/* Pins lie on the host's bpffs; a host without one gets a mount of ours below the run directory,
 * which outlives this process. */
static int find_pin_dir(
	const struct core_config *config, char *ret_dir, size_t size, struct failure *why)
{
	char own[128];
	int r;

	if (is_bpffs(BPFFS_DIR)) {
		snprintf(ret_dir, size, BPFFS_DIR "/cloche-%s", config->instance);
		return 0;
	}
	snprintf(own, sizeof(own), "%s/bpf", config->run_dir);
	snprintf(ret_dir, size, "%s/cloche", own);
	if (is_bpffs(own))
		return 0;
	r = fd_make_dir_at(AT_FDCWD, own, 0700);
	if (r == 0 && mount("bpf", own, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		r = -errno;
	return r < 0 ? failure_set(why, r, "bpffs", "cannot mount one on %s", own) : 0;
}

static void unmount_own_bpffs(const struct core_config *config)
{
	char own[128];

	snprintf(own, sizeof(own), "%s/bpf", config->run_dir);
	if (is_bpffs(own) && umount2(own, MNT_DETACH) == 0)
		rmdir(own);
}

static int open_state(struct core *core, struct failure *why)
{
	const struct core_config *config = core->config;
	struct audit_config audit = config->audit;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s/state.db", config->state_dir);
	r = store_open(path, &core->store, why);
	if (r < 0)
		return r;
	audit.state_dir = config->state_dir;
	audit.instance = config->instance;
	r = audit_open(core->loop, &audit, &core->audit, why);
	if (r < 0)
		return r;
	if (r > 0)
		log_failure("the audit log was broken; a new one begins", why);
	*why = (struct failure){0};
	audit_set_enforcement(core->audit, core_describe_enforcement, core);
	core->call_names = calloc(1, sizeof(*core->call_names));
	if (!core->call_names)
		return failure_set(why, -ENOMEM, "audit", "out of memory");
	audit_names_fill(core->call_names);
	audit_name_syscalls(
		core->audit, (const char(*)[32])core->call_names->names, ABI_SYSCALLS_MAX);
	snprintf(path, sizeof(path), "%s/admin.key", config->state_dir);
	return tenants_open(core->store, path, &core->tenants, why);
}

static int open_kernel(struct core *core, struct failure *why)
{
	const struct core_config *config = core->config;
	char pin_dir[160], init_path[256];
	struct enforce_config enforce = {.pin_dir = pin_dir};
	const struct launch_config launch = {.init_path = init_path,
		.socket_dir = core->sandbox_socket_dir,
		.work_dir = core->spawner_dir};
	int r = cgroup_tree_open(config->cgroup_base, &core->tree, why);

	if (r == 0)
		r = find_pin_dir(config, pin_dir, sizeof(pin_dir), why);
	if (r < 0)
		return r;
	enforce.cgroup_dir = cgroup_tree_sandboxes_dir(core->tree);
	r = enforce_open(&enforce, &core->enforce, &core->adopted, why);
	if (r < 0)
		return r;
	policies_set_enforce(core->policies, core->enforce);
	snprintf(init_path, sizeof(init_path), "%s/cloche-init", config->libexec_dir);
	return launch_start(core->loop, &launch, &core->launch, why);
}

static void refill_stock(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;

	cgroup_stock_refill(core->tree);
}

static int start_timers(struct core *core)
{
	int r = events_start(core);

	if (r == 0)
		r = usage_start(core);
	if (r == 0)
		r = history_start(core);
	if (r == 0)
		r = loop_add_timer(core->loop, refill_stock, core, &core->stock_timer);
	if (r == 0)
		r = loop_timer_arm(core->stock_timer, 0, STOCK_PERIOD_MS);
	return r;
}

/* A template that the host cannot run gets no warm ones. */
static int fill_pool(struct core *core, struct failure *why)
{
	const struct launch_template *templates;
	size_t n;
	int r = pool_new(core->loop, sandbox_spawn_for_pool, core, &core->pool);

	templates = launch_templates(core->launch, &n);
	for (size_t i = 0; i < n && r == 0; i++) {
		uint32_t target = 0;

		for (size_t k = 0; k < core->config->n_pool; k++)
			if (strcmp(core->config->pool[k].template, templates[i].name) == 0)
				target = core->config->pool[k].target;
		r = pool_add(core->pool, templates[i].name, templates[i].available ? target : 0);
	}
	return r < 0 ? failure_set(why, r, "pool", "cannot be made") : 0;
}

/* Returns -errno while something is left in the cgroup tree: a process that has ended may take a
 * moment to leave it. */
static int remove_kernel_state(struct core *core)
{
	int r;

	/* Timers of this very round must not find what is taken away here. */
	core->events_source = loop_source_free(core->events_source);
	core->events_timer = loop_source_free(core->events_timer);
	core->stock_timer = loop_source_free(core->stock_timer);
	core->retry_timer = loop_source_free(core->retry_timer);
	core->usage_timer = loop_source_free(core->usage_timer);
	core->record_timer = loop_source_free(core->record_timer);
	core->budgets_timer = loop_source_free(core->budgets_timer);
	r = cgroup_tree_remove(core->tree);
	if (r < 0)
		return r;
	r = enforce_remove(core->enforce);
	if (r < 0)
		log_warning("the kernel's programs stay pinned: %s", strerror(-r));
	unmount_own_bpffs(core->config);
	return 0;
}

/* What an earlier process left stays: its sandboxes run on, judged by the kernel, until a start
 * succeeds. What this one made goes. */
static void undo_start(struct core *core)
{
	if (core->enforce && core->tree && !core->adopted && remove_kernel_state(core) < 0)
		log_warning("the cgroup tree stays");
	core_free(core);
}

int core_start(struct loop *loop, const struct core_config *config, struct core **ret_core,
	struct failure *why)
{
	struct core *core = calloc(1, sizeof(*core));
	int r;

	if (!core)
		return failure_set(why, -ENOMEM, "start", "out of memory");
	core->loop = loop;
	core->config = config;
	core->webhook_ca_fd = -1;
	core->started_ns = clock_realtime_ns();
	/* Above every id of an earlier process, whose commands may still run. */
	core->next_exec = core->started_ns;
	r = make_dirs(core, why);
	if (r == 0)
		r = table_new(SANDBOXES_MAX, &core->sandboxes);
	if (r == 0)
		r = table_new(EXECS_MAX, &core->execs);
	if (r == 0)
		r = policies_open(config->policy_dir, &core->policies, why);
	if (r == 0)
		r = open_state(core, why);
	if (r == 0)
		r = open_kernel(core, why);
	if (r == 0)
		r = tenant_budgets_start(core, why);
	if (r == 0)
		r = egress_start(core, why);
	if (r == 0)
		r = template_shadows_start(core, why);
	if (r == 0)
		r = staged_start(core, why);
	if (r == 0)
		r = core_adopt(core, why);
	if (r == 0)
		r = start_timers(core);
	if (r == 0)
		r = fill_pool(core, why);
	if (r == 0)
		r = sinks_start(core, why);
	if (r < 0) {
		if (!why->error)
			failure_set(why, r, "start", "out of memory");
		undo_start(core);
		return r;
	}
	rollout_keep_versions(core);
	audit_record(core->audit, "daemon.start", NULL,
		json_pack("{s:s, s:I}", "version", CLOCHE_VERSION, "sandboxes_taken_back",
			(json_int_t)table_count(core->sandboxes)));
	*ret_core = core;
	return 0;
}

struct core *core_free(struct core *core)
{
	size_t position = 0;
	struct sandbox *sandbox;

	if (!core)
		return NULL;
	if (core->sandboxes)
		while ((sandbox = table_next(core->sandboxes, &position)))
			sandbox_free(sandbox);
	sinks_free(core->sinks);
	if (core->webhook_ca_fd >= 0)
		close(core->webhook_ca_fd);
	peer_stop(core->gate);
	pool_free(core->pool);
	launch_free(core->launch);
	digests_free(core->digests);
	/* Its last checkpoint still says what is in force. */
	audit_free(core->audit);
	staged_free_all(core);
	policies_free(core->policies);
	shadow_sums_free(core->shadow_sums);
	loop_source_free(core->events_source);
	enforce_free(core->enforce);
	cgroup_tree_free(core->tree);
	tenants_free(core->tenants);
	free(core->call_names);
	store_free(core->store);
	loop_source_free(core->events_timer);
	loop_source_free(core->stock_timer);
	loop_source_free(core->retry_timer);
	loop_source_free(core->usage_timer);
	loop_source_free(core->record_timer);
	history_fini(&core->history);
	loop_source_free(core->budgets_timer);
	table_free(core->execs);
	table_free(core->sandboxes);
	free(core);
	return NULL;
}

bool core_is_ready(const struct core *core, char *sentence, size_t size)
{
	const char *why = NULL;

	if (core->stopping)
		why = "Cloche is shutting down.";
	else if (!core->gate_up)
		why = "The gate is starting: sandboxes cannot reach anything until it is up.";
	else if (!launch_is_up(core->launch))
		why = "The spawner is starting: no sandbox can be made until it is up.";
	else if (!audit_is_writable(core->audit))
		why = "The audit log cannot be written: is its disk full?";
	snprintf(sentence, size, "%s", why ? why : "");
	return !why;
}

struct stop {
	struct core *core;
	void (*done)(void *userdata);
	void *userdata;
	size_t n_left;
	struct loop_source *timer;
	int n_tries;
};

static void try_remove(struct loop_source *source _unused_, void *userdata)
{
	struct stop *stop = userdata;
	int r = remove_kernel_state(stop->core);

	if (r < 0 && ++stop->n_tries < REMOVE_TRIES) {
		loop_timer_arm(stop->timer, REMOVE_PERIOD_MS, 0);
		return;
	}
	if (r < 0)
		log_warning("the cgroup tree stays: %s", strerror(-r));
	loop_source_free(stop->timer);
	stop->done(stop->userdata);
	free(stop);
}

static void one_ended(void *userdata)
{
	struct stop *stop = userdata;
	struct core *core = stop->core;

	if (--stop->n_left > 0)
		return;
	core_consume_events(core);
	audit_record(core->audit, "daemon.stop", NULL, NULL);
	core->gate = peer_stop(core->gate);
	core->shadow_sums = shadow_sums_free(core->shadow_sums);
	staged_free_all(core);
	policies_free(core->policies);
	core->policies = NULL;
	try_remove(NULL, stop);
}

void core_stop(struct core *core, void (*done)(void *userdata), void *userdata)
{
	struct stop *stop = calloc(1, sizeof(*stop));
	struct sandbox **all = calloc(table_count(core->sandboxes) + 1, sizeof(struct sandbox *));
	struct sandbox *sandbox;
	size_t position = 0, n = 0;

	if (!stop || !all) {
		free(stop);
		free(all);
		done(userdata);
		return;
	}
	core->stopping = true;
	pool_stop(core->pool);
	*stop = (struct stop){.core = core, .done = done, .userdata = userdata, .n_left = 1};
	if (loop_add_timer(core->loop, try_remove, stop, &stop->timer) < 0)
		stop->n_tries = REMOVE_TRIES; /* one try only */
	while ((sandbox = table_next(core->sandboxes, &position)))
		all[n++] = sandbox;
	for (size_t i = 0; i < n; i++) {
		stop->n_left++;
		sandbox_end(all[i], "shutdown", one_ended, stop);
	}
	free(all);
	one_ended(stop);
}
