/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Describes a process. bpf_d_path() is refused in the program types that need it, so the dentries
 * of the executable are walked, one step per call of a function that the verifier checks by itself:
 * the same loop written in one piece takes it more than a million steps. */
#include "bpf/lib/process.h"
#include "bpf/lib/match.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PATH_DEPTH_MAX 32
#define PATH_BYTES 256 /* a power of two: offsets are masked for the verifier */
#define PATH_PLACES 4

/* A path is built from its end; the second half is room for the verifier, which only sees that both
 * offset and length are below PATH_BYTES. It stays zero. */
struct path_text {
	__u64 taken;
	char bytes[2 * PATH_BYTES];
};

/* Programs may be preempted by others on the same CPU, so a per-CPU place is taken and given back.
 * With none left, the path stays empty. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PATH_PLACES);
	__type(key, __u32);
	__type(value, struct path_text);
} paths SEC(".maps");

/* Addresses of kernel structures, as numbers: they are only ever read with probe_read_kernel. */
struct walk {
	__u64 dentry, mount; /* struct dentry *, struct vfsmount * */
	__u64 root_dentry, root_mount;
	__u16 place;
	__u16 cut; /* the path's beginning did not fit */
	__u32 at;  /* its text starts there */
};

/* Over a mount point, to the directory that it covers. 0 when there is none above. */
MATCH_INLINE int leave_mount(struct walk *walk)
{
	__u64 offset = bpf_core_field_offset(struct mount, mnt);
	struct mount *whole = (struct mount *)(walk->mount - offset);
	struct mount *parent = BPF_CORE_READ(whole, mnt_parent);

	if (!parent || parent == whole)
		return 0;
	walk->dentry = (__u64)BPF_CORE_READ(whole, mnt_mountpoint);
	walk->mount = (__u64)parent + offset;
	return 1;
}

/* Writes "/name" before the text so far. 0 when it does not fit, or when nothing is above: a file
 * that was never in a directory (memfd) is its own parent. */
MATCH_INLINE int prepend(struct walk *walk, struct path_text *path)
{
	struct dentry *dentry = (struct dentry *)walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	__u32 length = BPF_CORE_READ(dentry, d_name.len);
	const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
	__u32 at = walk->at;

	if (length == 0)
		return 0;
	if (length >= PATH_BYTES || at > PATH_BYTES || length + 1 > at) {
		walk->cut = 1;
		return 0;
	}
	at -= length;
	bpf_probe_read_kernel(&path->bytes[at & (PATH_BYTES - 1)], length & (PATH_BYTES - 1), name);
	at--;
	path->bytes[at & (PATH_BYTES - 1)] = '/';
	walk->at = at;
	walk->dentry = (__u64)parent;
	return parent != dentry;
}

/* One step towards the root. 0 when there. */
__noinline int process_step(struct walk *walk)
{
	struct vfsmount *mount;
	struct path_text *path;
	__u32 place;

	if (!walk)
		return 0;
	if (walk->dentry == walk->root_dentry && walk->mount == walk->root_mount)
		return 0;
	mount = (struct vfsmount *)walk->mount;
	if (walk->dentry == (__u64)BPF_CORE_READ(mount, mnt_root))
		return leave_mount(walk);
	place = walk->place;
	path = bpf_map_lookup_elem(&paths, &place);
	return path ? prepend(walk, path) : 0;
}

MATCH_INLINE struct path_text *take_path(__u16 *ret_place)
{
	for (__u32 i = 0; i < PATH_PLACES; i++) {
		__u32 key = i;
		struct path_text *path = bpf_map_lookup_elem(&paths, &key);

		if (path && __sync_val_compare_and_swap(&path->taken, 0, 1) == 0) {
			*ret_place = i;
			return path;
		}
	}
	return NULL;
}

/* Into at most `size` bytes, a constant, with NUL: the path as the process's own root shows it, or
 * the end of a long one. */
MATCH_INLINE void write_path(
	char *ret_text, __u32 size, struct task_struct *task, const struct path *path)
{
	struct walk walk = {.dentry = (__u64)BPF_CORE_READ(path, dentry),
		.mount = (__u64)BPF_CORE_READ(path, mnt),
		.at = PATH_BYTES};
	struct path_text *text = take_path(&walk.place);
	bool whole = false;
	__u32 at;

	if (!text)
		return;
	walk.root_dentry = (__u64)BPF_CORE_READ(task, fs, root.dentry);
	walk.root_mount = (__u64)BPF_CORE_READ(task, fs, root.mnt);
	for (int i = 0; i < PATH_DEPTH_MAX; i++)
		if (!process_step(&walk)) {
			whole = true;
			break;
		}
	/* What is left of a longer path must not read as another one: it begins without a slash. */
	at = walk.at + (walk.cut || !whole);
	if (at < PATH_BYTES - (size - 1))
		at = PATH_BYTES - (size - 1);
	if (at <= PATH_BYTES)
		bpf_probe_read_kernel(ret_text, size - 1, &text->bytes[at]);
	/* The root has no name of its own. */
	if (walk.at == PATH_BYTES && walk.dentry == walk.root_dentry &&
		walk.mount == walk.root_mount)
		ret_text[0] = '/';
	text->taken = 0;
}

__noinline int process_path_of(struct process_text *text, __u64 path)
{
	if (!text || !path)
		return 0;
	write_path(text->bytes, sizeof(text->bytes), (struct task_struct *)bpf_get_current_task(),
		(const struct path *)path);
	return 0;
}

MATCH_INLINE __u32 pid_inside(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid innermost = {};
	__u64 numbers = (__u64)pid + bpf_core_field_offset(struct pid, numbers);

	bpf_probe_read_kernel(&innermost, sizeof(innermost),
		(void *)(numbers + (__u64)level * bpf_core_type_size(struct upid)));
	return innermost.nr;
}

__noinline int process_fill(struct abi_process *process, __u64 address)
{
	struct task_struct *task = (struct task_struct *)address;
	struct file *file;

	if (!process || !task)
		return 0;
	process->pid_host = BPF_CORE_READ(task, tgid);
	process->pid_inside = pid_inside(task);
	process->parent_pid_host = BPF_CORE_READ(task, real_parent, tgid);
	process->uid_host = BPF_CORE_READ(task, cred, uid.val);
	process->start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	bpf_probe_read_kernel(process->comm, sizeof(process->comm) - 1, &task->comm);
	file = BPF_CORE_READ(task, mm, exe_file);
	if (!file)
		return 0;
	process->exe_inode = BPF_CORE_READ(file, f_inode, i_ino);
	process->exe_device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	write_path(process->exe, sizeof(process->exe), task, &file->f_path);
	return 0;
}
