/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* fork, exec and exit of processes in sandboxes. */
#include "bpf/lib/block.h"
#include "bpf/lib/emit.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SIGNAL_GROUP_EXIT 0x00000004 /* include/linux/sched/signal.h */
#define CLONE_THREAD 0x00010000      /* include/uapi/linux/sched.h */

/* sched_process_exit has a second argument, bool group_dead: since Linux 6.16. */
const volatile bool exit_tells_last = false;

/* The old threads are gone and the new image has not run yet: the strings on its stack are what the
 * kernel put there. */
MATCH_INLINE void fill_argv(struct abi_exec_event *event, struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, mm, arg_start);
	__u64 end = BPF_CORE_READ(task, mm, arg_end);
	__u64 size = end - start;

	if (end <= start)
		return;
	if (size > ABI_ARGV_SIZE) {
		size = ABI_ARGV_SIZE;
		event->argv_truncated = 1;
	}
	if (bpf_probe_read_user(event->argv, size, (void *)start)) {
		event->argv_truncated = 1;
		return;
	}
	event->argv_size = size;
	event->argv[ABI_ARGV_SIZE - 1] = 0;
}

/* As it was named; NULL: it is none. Whoever is executed is its own interpreter, until the first
 * line of a script names another. */
MATCH_INLINE const char *script_of(const struct linux_binprm *bprm)
{
	const char *name = BPF_CORE_READ(bprm, filename);

	return name != BPF_CORE_READ(bprm, interp) ? name : NULL;
}

MATCH_INLINE void fill_exec(
	struct abi_exec_event *event, struct task_struct *task, const char *script)
{
	fill_argv(event, task);
	if (script)
		bpf_probe_read_kernel_str(event->script, sizeof(event->script), script);
}

MATCH_INLINE void record_exec(
	const struct sandbox *sandbox, struct task_struct *task, const char *script)
{
	struct abi_exec_event *event =
		emit_begin(sandbox, ABI_CLASS_SECURITY, ABI_EVENT_EXEC, sizeof(*event), true);

	if (!event)
		return;
	fill_exec(event, task, script);
	emit_end(event, ABI_CLASS_SECURITY);
}

/* Of a relative path: with the directory. */
MATCH_INLINE void record_script(
	const struct sandbox *sandbox, struct task_struct *task, const char *script)
{
	struct abi_script_event *event =
		emit_begin(sandbox, ABI_CLASS_SECURITY, ABI_EVENT_SCRIPT, sizeof(*event), true);

	if (!event)
		return;
	fill_exec(&event->exec, task, script);
	process_path_of(
		(struct process_text *)event->directory, (__u64)&BPF_CORE_READ(task, fs)->pwd);
	emit_end(event, ABI_CLASS_SECURITY);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(cloche_exec, struct task_struct *task, __s32 old_pid, struct linux_binprm *bprm)
{
	struct sandbox sandbox = {};
	struct abi_counters *row;
	const char *script;
	char first = '/';

	if (!sandbox_of_current(&sandbox))
		return 0;
	row = sandbox_counters(sandbox.slot);
	if (row)
		sandbox_count(&row->execs, 1);
	script = script_of(bprm);
	if (script)
		bpf_probe_read_kernel(&first, 1, script);
	if (first == '/')
		record_exec(&sandbox, task, script);
	else
		record_script(&sandbox, task, script);
	return 0;
}

/* By who forked: the child is not in its cgroup yet. */
SEC("tp_btf/task_newtask")
int BPF_PROG(cloche_fork, struct task_struct *task, __u64 clone_flags)
{
	struct sandbox sandbox = {};
	struct abi_counters *row;

	if ((clone_flags & CLONE_THREAD) || !sandbox_of_current(&sandbox))
		return 0;
	row = sandbox_counters(sandbox.slot);
	if (row)
		sandbox_count(&row->n_forks, 1);
	return 0;
}

/* Each thread once, at its own end. */
MATCH_INLINE void count_block(struct task_struct *task)
{
	struct sandbox sandbox = {};
	struct block_bytes bytes;
	struct abi_ledger *row;

	if (!sandbox_of_current(&sandbox))
		return;
	row = bpf_map_lookup_elem(&ledgers, &sandbox.slot);
	if (!row)
		return;
	block_of_task(task, &bytes);
	if (bytes.read)
		sandbox_count(&row->dead_read_bytes, bytes.read);
	if (bytes.written)
		sandbox_count(&row->dead_written_bytes, bytes.written);
}

/* What wait(2) will report; see wait_task_zombie() in kernel/exit.c. */
MATCH_INLINE int exit_status(struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT)
		return BPF_CORE_READ(task, signal, group_exit_code);
	return BPF_CORE_READ(task, group_leader, exit_code);
}

MATCH_INLINE int record_exit(struct task_struct *task)
{
	struct sandbox sandbox = {};
	struct abi_exit_event *event;
	int status;

	if (!sandbox_of_current(&sandbox))
		return 0;
	event = emit_begin(&sandbox, ABI_CLASS_SECURITY, ABI_EVENT_EXIT, sizeof(*event), true);
	if (!event)
		return 0;
	status = exit_status(task);
	event->signal = status & 0x7f;
	event->exit_code = event->signal ? -1 : (status >> 8) & 0xff;
	event->oom_killed = BPF_CORE_READ(task, signal, oom_mm) != NULL;
	event->lifetime_ns = event->header.boottime_ns - event->header.process.start_boottime_ns;
	emit_end(event, ABI_CLASS_SECURITY);
	return 0;
}

/* Once per process: by the last of its threads. Without the argument two that end at the same time
 * may both look like the last. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(cloche_exit, struct task_struct *task)
{
	bool last = exit_tells_last ? (bool)ctx[1] : BPF_CORE_READ(task, signal, live.counter) == 0;

	count_block(task);
	return last ? record_exit(task) : 0;
}

/* In its place before Linux 6.16, where the tracepoint comes when the process has no memory any
 * more, and so no executable: what do_exit() calls just before it gives the memory back. */
SEC("fentry/taskstats_exit")
int BPF_PROG(cloche_exit_early, struct task_struct *task, int group_dead)
{
	count_block(task);
	return group_dead ? record_exit(task) : 0;
}
