/* What a policy says of the audit: which system calls are recorded, how many, and what a loss of
 * records leads to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "meet of policies"
#define RATE_MIN 100
#define RATE_MAX 1000000 /* what enforce_slot_set_rate() takes */

/* What changes files, names, privileges or the view of the system, reaches for others, or asks for
 * what only the kernel's own have. Opens only if they fail, write or create; a failed exec; a
 * signal only to another process. */
const char *const policy_audit_defaults[] = {
	/* network */
	"accept", "accept4", "bind", "connect", "listen",
	/* files */
	"creat", "open", "openat", "openat2", "unlink", "unlinkat", "rmdir", "rename", "renameat",
	"renameat2", "chmod", "fchmod", "fchmodat", "fchmodat2", "mkdir", "mkdirat", "mknod",
	"mknodat", "link", "linkat", "symlink", "symlinkat", "truncate",
	/* processes */
	"execve", "execveat", "kill", "tkill", "tgkill", "pidfd_send_signal", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
	/* the view of the system */
	"mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "setns", "unshare",
	/* the kernel */
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
	"io_uring_register", "add_key", "keyctl", "request_key", "init_module", "finit_module",
	"delete_module", "kexec_load", "kexec_file_load", NULL};

static const char *const on_loss_names[] = {
	[POLICY_ON_LOSS_LOG] = "log",
	[POLICY_ON_LOSS_FREEZE] = "freeze",
	[POLICY_ON_LOSS_KILL] = "kill",
};

const char *policy_audit_word(const struct policy_audit *audit)
{
	return audit->defaults ? "default" : audit->n_calls > 0 ? "listed" : "none";
}

static int read_calls(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_audit *audit)
{
	static const char *const words[] = {"default", "none", NULL};
	const char *word = json_string_value(value);

	if (!word) {
		audit->defaults = false;
		return policy_read_calls(reader, place, value, &audit->calls, &audit->n_calls);
	}
	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0) {
			audit->defaults = i == 0;
			return 0;
		}
	return policy_fail(reader, place, -EINVAL,
		"Write \"default\", \"none\", or a list of names of system calls.");
}

static int read_on_loss(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, enum policy_on_loss *ret_on_loss)
{
	const char *word = json_string_value(value);

	for (size_t i = 0; word && i < ARRAY_SIZE(on_loss_names); i++)
		if (strcmp(on_loss_names[i], word) == 0) {
			*ret_on_loss = (enum policy_on_loss)i;
			return 0;
		}
	return policy_fail(reader, place, -EINVAL, "Write \"log\", \"freeze\" or \"kill\".");
}

int policy_read_audit(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_audit *audit)
{
	static const char *const keys[] = {"syscalls", "on_loss", "rate", "description", NULL};
	const struct policy_place place = {root, "audit", 0}, syscalls = {&place, "syscalls", 0};
	const struct policy_place on_loss = {&place, "on_loss", 0}, rate = {&place, "rate", 0};
	int r;

	audit->defaults = true;
	audit->rate = POLICY_AUDIT_RATE;
	if (!value)
		return 0;
	r = policy_check_section(reader, &place, value, keys);
	if (r == 0 && json_object_get(value, "syscalls"))
		r = read_calls(reader, &syscalls, json_object_get(value, "syscalls"), audit);
	if (r == 0 && json_object_get(value, "on_loss"))
		r = read_on_loss(
			reader, &on_loss, json_object_get(value, "on_loss"), &audit->on_loss);
	if (r == 0 && json_object_get(value, "rate"))
		r = policy_read_count(reader, &rate, json_object_get(value, "rate"), RATE_MIN,
			RATE_MAX, &audit->rate);
	return r;
}

/* A file has the usual calls or a list; a meet may have both. */
static json_t *write_calls(const struct policy_audit *audit)
{
	json_t *list;
	int r = 0;

	if (audit->n_calls == 0)
		return json_string(audit->defaults ? "default" : "none");
	list = json_array();
	if (audit->defaults)
		r |= json_array_append_new(list, json_string("default"));
	for (size_t i = 0; r == 0 && i < audit->n_calls; i++)
		r |= json_array_append_new(list, json_string(audit->calls[i].name));
	if (r < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *policy_write_audit(const struct policy_audit *audit, const json_t *section, bool *ret_usual)
{
	json_t *object;
	int r;

	*ret_usual = audit->defaults && audit->n_calls == 0 && audit->rate == POLICY_AUDIT_RATE &&
		     audit->on_loss == POLICY_ON_LOSS_LOG;
	if (*ret_usual)
		return NULL;
	object = json_object();
	r = json_object_set_new(object, "syscalls", write_calls(audit));
	r |= json_object_set_new(object, "on_loss", json_string(on_loss_names[audit->on_loss]));
	if (audit->rate != POLICY_AUDIT_RATE)
		r |= json_object_set_new(object, "rate", json_integer(audit->rate));
	r |= policy_write_description(object, section);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Both lists are sorted; what is in both is taken once. */
static int merge_calls(
	const struct policy_audit *a, const struct policy_audit *b, struct policy_audit *both)
{
	size_t i = 0, j = 0;

	both->calls = calloc(a->n_calls + b->n_calls + 1, sizeof(*both->calls));
	if (!both->calls)
		return -ENOMEM;
	while (i < a->n_calls || j < b->n_calls) {
		int order;

		if (i == a->n_calls)
			order = 1;
		else if (j == b->n_calls)
			order = -1;
		else
			order = strcmp(a->calls[i].name, b->calls[j].name);
		both->calls[both->n_calls++] = order <= 0 ? a->calls[i] : b->calls[j];
		i += order <= 0;
		j += order >= 0;
	}
	return both->n_calls > POLICY_SYSCALLS_MAX ? -E2BIG : 0;
}

/* A request can only have more recorded, never less than its bound; so the larger rate holds. */
int meet_audit(struct meeting *meeting)
{
	const struct policy_audit *a = &meeting->bound->audit, *b = &meeting->request->audit;
	struct policy_audit *both = &meeting->policy->audit;
	int r = merge_calls(a, b, both);

	both->defaults = a->defaults || b->defaults;
	both->on_loss = a->on_loss > b->on_loss ? a->on_loss : b->on_loss;
	both->rate = a->rate > b->rate ? a->rate : b->rate;
	if (r == -E2BIG)
		return failure_set(meeting->why, r, STAGE,
			"\"%s\" and \"%s\" record more than %d system calls together.",
			meeting->bound->name, meeting->request->name, POLICY_SYSCALLS_MAX);
	return r;
}
