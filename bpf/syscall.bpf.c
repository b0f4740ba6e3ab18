/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts system calls, and records those that a policy is interested in. At the end of a call, not
 * at its beginning: there the result is known, and calls that seccomp refused pass here too, which
 * never reach sys_enter.
 *
 * `cloche_sys_exit` costs every system call of the whole host, so it is attached only while a
 * sandbox is audited; whoever is in none leaves it after one comparison. */
#include "bpf/lib/emit.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EPERM 1
#define EACCES 13
#define ENOSYS 38
#define EPROTONOSUPPORT 93
#define SIGSYS 31
#define PROT_EXEC 0x4
#define MAP_ANONYMOUS 0x20
#define AF_UNIX 1
#define AT_FDCWD -100
#define AT_EMPTY_PATH 0x1000
#define FMODE_WRITE 0x2        /* include/linux/fs.h */
#define FMODE_CREATED 0x100000 /* the same */
#define AUDIT_ARCH_X86_64 0xc000003eu

#ifdef __TARGET_ARCH_x86
#define TS_COMPAT 0x0002   /* arch/x86/include/asm/thread_info.h */
#define X32_BIT 0x40000000 /* asm/unistd.h */
#define RT_SIGRETURN 15    /* leaves -1 as the number of the call that it was */
#define IS_CLONE(number) ((number) == 56 || (number) == 57 || (number) == 58 || (number) == 435)

/* A typed pointer is read without the call of a helper: this runs for each call of who is audited.
 */
MATCH_INLINE __u32 call_abi(const struct pt_regs *regs)
{
	const struct task_struct *task = bpf_get_current_task_btf();

	if (task->thread_info.status & TS_COMPAT)
		return ABI_CALL_COMPAT;
	return (__s64)regs->orig_ax >= X32_BIT ? ABI_CALL_X32 : ABI_CALL_NATIVE;
}

MATCH_INLINE __s64 call_number(const struct pt_regs *regs)
{
	__s64 number = regs->orig_ax;

	return number == -1 ? RT_SIGRETURN : number;
}

MATCH_INLINE void call_arguments(const struct pt_regs *regs, __u32 abi, __u64 arguments[6])
{
	bool compat = abi == ABI_CALL_COMPAT;

	arguments[0] = compat ? (__u32)regs->bx : regs->di;
	arguments[1] = compat ? (__u32)regs->cx : regs->si;
	arguments[2] = compat ? (__u32)regs->dx : regs->dx;
	arguments[3] = compat ? (__u32)regs->si : regs->r10;
	arguments[4] = compat ? (__u32)regs->di : regs->r8;
	arguments[5] = compat ? (__u32)regs->bp : regs->r9;
}
#else
#error "say how this processor passes the number and arguments of a system call"
#endif

struct call {
	__s64 result;
	__u64 arguments[6];
	__u64 file; /* struct file *: what was opened */
	__u32 number, abi;
	__u32 word; /* of the set */
	__u32 refusal;
	__u32 mode; /* f_mode */
};

/* The struct file behind a descriptor of the running process. Another thread may have put another
 * one there since. */
MATCH_INLINE __u64 file_at(__s64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	__u64 file = 0;

	if (fd < 0 || fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	return file;
}

/* For a mapping of a file as code. */
MATCH_INLINE bool maps_code(const struct call *call)
{
	return (call->word & ABI_AUDIT_MAPS) && (call->arguments[2] & PROT_EXEC) &&
	       !(call->arguments[3] & MAP_ANONYMOUS);
}

/* Only an errno that a filter of ours gives, or what is no program of the policy. */
MATCH_INLINE __u32 refusal_of(const struct call *call)
{
	__u32 word = call->word;
	__s64 result = call->result;

	if ((word & ABI_AUDIT_REFUSED) && (result == -EPERM || result == -ENOSYS))
		return ABI_REFUSAL_SECCOMP;
	if ((word & ABI_AUDIT_BY_ARGUMENTS) && (result == -EPERM || result == -EPROTONOSUPPORT))
		return ABI_REFUSAL_EITHER;
	if ((word & ABI_AUDIT_EXECUTES) && result == -EACCES)
		return ABI_REFUSAL_EXECUTABLE;
	if (result == -EPERM && maps_code(call))
		return ABI_REFUSAL_EXECUTABLE;
	return ABI_REFUSAL_NONE;
}

MATCH_INLINE __u32 own_pid_inside(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid innermost = {};
	__u64 numbers = (__u64)pid + bpf_core_field_offset(struct pid, numbers);

	bpf_probe_read_kernel(&innermost, sizeof(innermost),
		(void *)(numbers + (__u64)level * bpf_core_type_size(struct upid)));
	return innermost.nr;
}

MATCH_INLINE bool is_wanted(const struct call *call)
{
	if (call->refusal)
		return true;
	switch (ABI_AUDIT_WHEN(call->word)) {
	case ABI_AUDIT_ALWAYS:
		return true;
	case ABI_AUDIT_CHANGES:
		return call->result < 0 || (call->mode & (FMODE_WRITE | FMODE_CREATED));
	case ABI_AUDIT_FAILURES:
		return call->result < 0;
	case ABI_AUDIT_OTHERS:
		return (__u32)call->arguments[0] != own_pid_inside();
	}
	return false;
}

MATCH_INLINE void fill_call(struct abi_syscall_event *event, const struct call *call)
{
	struct file *file = (struct file *)call->file;

	event->result = call->result;
	__builtin_memcpy(event->arguments, call->arguments, sizeof(event->arguments));
	event->number = call->number;
	event->abi = call->abi;
	event->refusal = call->refusal;
	if (!file)
		return;
	event->inode = BPF_CORE_READ(file, f_inode, i_ino);
	event->device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	event->writable = !!(call->mode & FMODE_WRITE);
	event->created = !!(call->mode & FMODE_CREATED);
}

/* Indexed by comparison: the verifier takes no variable offset into the stack. */
MATCH_INLINE __u64 argument_at(const struct call *call, __u32 number)
{
	switch (number) {
	case 1:
		return call->arguments[0];
	case 2:
		return call->arguments[1];
	case 3:
		return call->arguments[2];
	case 4:
		return call->arguments[3];
	case 5:
		return call->arguments[4];
	}
	return 0;
}

/* The argument that the n-th text is, from 1; 0: none. */
MATCH_INLINE __u32 place_of(const struct call *call, __u32 n)
{
	__u32 number = ABI_AUDIT_TEXT(call->word, n);

	return n == 0 && number >= ABI_AUDIT_WORD ? 1 : number;
}

/* Of an empty text Linux up to 6.12 tells a length of 0, later ones count its NUL, too. */
MATCH_INLINE void fill_user_text(struct abi_file_event *event, const struct call *call, __u32 n)
{
	__u64 address = argument_at(call, place_of(call, n));

	if (address &&
		bpf_probe_read_user_str(event->texts[n], ABI_TEXT_SIZE, (void *)address) >= 0)
		event->call.sources[n] = ABI_SOURCE_USER;
}

MATCH_INLINE __u64 current_directory(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return (__u64)&BPF_CORE_READ(task, fs)->pwd;
}

/* What the n-th text is relative to, a struct path *; 0: a descriptor that is none. By now it may
 * be another one, and the current directory, too. */
MATCH_INLINE __u64 directory_of(const struct call *call, __u32 n)
{
	__u32 place = place_of(call, n);
	__s32 fd = place == n + 1 ? AT_FDCWD : (__s32)argument_at(call, place - 1);
	struct file *file;

	if (fd == AT_FDCWD)
		return current_directory();
	file = (struct file *)file_at(fd);
	return file ? (__u64)&file->f_path : 0;
}

/* Also of an empty path, which stands for the directory itself. */
MATCH_INLINE bool is_relative(const struct call *call, __u32 n, char first)
{
	return first != '/' && (n > 0 || ABI_AUDIT_TEXT(call->word, 0) != ABI_AUDIT_WORD);
}

MATCH_INLINE void fill_directory(
	char *ret_text, const struct abi_file_event *event, const struct call *call, __u32 n)
{
	if (event->call.sources[n] == ABI_SOURCE_USER && is_relative(call, n, event->texts[n][0]))
		process_path_of((struct process_text *)ret_text, directory_of(call, n));
}

MATCH_INLINE void fill_address(struct abi_file_event *event, const struct call *call)
{
	const struct sockaddr_un *address;
	__u32 size = (__u32)call->arguments[2];

	if (size > 128) /* struct sockaddr_storage */
		size = 128;
	if (!size || bpf_probe_read_user(event->texts[0], size, (void *)call->arguments[1]))
		return;
	event->call.sources[0] = ABI_SOURCE_USER;
	event->call.is_address = 1;
	event->call.text_size = size;
	address = (const struct sockaddr_un *)event->texts[0];
	if (address->sun_family == AF_UNIX && address->sun_path[0] && address->sun_path[0] != '/') {
		process_path_of((struct process_text *)event->texts[1], current_directory());
		event->call.sources[1] = ABI_SOURCE_DIRECTORY;
	}
}

MATCH_INLINE void fill_texts(struct abi_file_event *event, const struct call *call)
{
	__u64 path = call->file ? (__u64) & ((struct file *)call->file)->f_path : 0;

	if (ABI_AUDIT_TEXT(call->word, 0) == ABI_AUDIT_GOES && call->result == 0)
		path = current_directory();
	if (path) {
		process_path_of((struct process_text *)event->texts[0], path);
		if (event->texts[0][0])
			event->call.sources[0] = ABI_SOURCE_KERNEL;
	} else {
		fill_user_text(event, call, 0);
	}
	fill_user_text(event, call, 1);
}

/* A single text leaves room for the directory. */
MATCH_INLINE void fill_file(struct abi_file_event *event, const struct call *call)
{
	if (call->word & ABI_AUDIT_SOCKADDR) {
		fill_address(event, call);
		return;
	}
	fill_texts(event, call);
	if (ABI_AUDIT_TEXT(call->word, 1))
		return;
	fill_directory(event->texts[1], event, call, 0);
	if (event->texts[1][0])
		event->call.sources[1] = ABI_SOURCE_DIRECTORY;
}

MATCH_INLINE void fill_pair(struct abi_pair_event *event, const struct call *call)
{
	fill_texts(&event->file, call);
	fill_directory(event->directories[0], &event->file, call, 0);
	fill_directory(event->directories[1], &event->file, call, 1);
}

/* For a call with two texts, of which a relative one takes more room. */
MATCH_INLINE bool is_relative_pair(const struct call *call)
{
	char first = '/', second = '/';

	if (!ABI_AUDIT_TEXT(call->word, 1))
		return false;
	bpf_probe_read_user(&first, 1, (void *)argument_at(call, place_of(call, 0)));
	bpf_probe_read_user(&second, 1, (void *)argument_at(call, place_of(call, 1)));
	return is_relative(call, 0, first) || is_relative(call, 1, second);
}

/* ENOSYS is what C libraries probe for; EPERM is a denial. */
MATCH_INLINE __u32 class_of(const struct call *call)
{
	if ((call->word & ABI_AUDIT_SECURITY) || call->refusal == ABI_REFUSAL_KILLED)
		return ABI_CLASS_SECURITY;
	return call->refusal && call->result != -ENOSYS ? ABI_CLASS_SECURITY : ABI_CLASS_BULK;
}

/* Verified once, by itself. Returns 0, which says nothing. */
__noinline int syscall_emit(const struct sandbox *sandbox, const struct call *call)
{
	struct abi_syscall_event *event;
	struct abi_file_event *file;
	struct abi_pair_event *pair;
	__u32 class;

	if (!sandbox || !call)
		return 0;
	class = class_of(call);
	if (!(call->word & ABI_AUDIT_SOCKADDR) && !ABI_AUDIT_TEXT(call->word, 0) && !call->file) {
		event = emit_begin(sandbox, class, ABI_EVENT_SYSCALL, sizeof(*event), true);
		if (!event)
			return 0;
		fill_call(event, call);
		emit_end(event, class);
		return 0;
	}
	if (is_relative_pair(call)) {
		pair = emit_begin(sandbox, class, ABI_EVENT_PAIR, sizeof(*pair), true);
		if (!pair)
			return 0;
		fill_call(&pair->file.call, call);
		fill_pair(pair, call);
		emit_end(pair, class);
		return 0;
	}
	file = emit_begin(sandbox, class, ABI_EVENT_FILE, sizeof(*file), true);
	if (!file)
		return 0;
	fill_call(&file->call, call);
	fill_file(file, call);
	emit_end(file, class);
	return 0;
}

/* What the set in force says of a number. */
MATCH_INLINE __u32 word_of(__u32 slot, __u32 index)
{
	const volatile struct abi_slot *row = bpf_map_lookup_elem(&slots, &slot);
	const struct abi_audit_set *set;
	__u32 image;

	if (!row || index >= ABI_SYSCALLS_MAX)
		return 0;
	image = ABI_SLOT_IMAGE(row->policy);
	set = bpf_map_lookup_elem(&audit_sets, &image);
	return set ? set->calls[index] : 0;
}

/* The descriptor of the file that a call is about: what it opened, or what it was refused to
 * execute or map; execveat(2) takes one instead of a path. -1: none. */
MATCH_INLINE __s64 descriptor_of(const struct call *call)
{
	if ((call->word & ABI_AUDIT_OPENS) && call->result >= 0)
		return call->result;
	if (call->refusal != ABI_REFUSAL_EXECUTABLE)
		return -1;
	if (call->word & ABI_AUDIT_MAPS)
		return (__s32)call->arguments[4];
	return ABI_AUDIT_TEXT(call->word, 0) == 2 && (call->arguments[4] & AT_EMPTY_PATH)
		       ? (__s32)call->arguments[0]
		       : -1;
}

/* A call that may be worth a record. */
static __noinline int look_at(struct abi_audited *row, struct call *call)
{
	struct sandbox sandbox = {};
	struct file *file;
	__s64 fd;
	__u32 index = call->number < ABI_SYSCALL_OTHER ? call->number : ABI_SYSCALL_OTHER;

	call->refusal = refusal_of(call);
	if (call->refusal && call->refusal != ABI_REFUSAL_EXECUTABLE &&
		call->abi == ABI_CALL_NATIVE && index < ABI_SYSCALLS_MAX)
		sandbox_count(&row->refused[index], 1);
	fd = descriptor_of(call);
	if (fd >= 0) {
		file = (struct file *)file_at(fd);
		call->file = (__u64)file;
		call->mode = BPF_CORE_READ(file, f_mode);
	}
	if (is_wanted(call) && sandbox_from_slot(row->slot, &sandbox))
		syscall_emit(&sandbox, call);
	return 0;
}

/* A foreign table's numbers mean other calls: each one is a record, for seccomp lets none pass. */
MATCH_INLINE void count_foreign(struct abi_audited *row, struct call *call)
{
	sandbox_count(&row->foreign, 1);
	call->word = ABI_AUDIT_ALWAYS | ABI_AUDIT_SECURITY;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(cloche_sys_exit, struct pt_regs *regs, long result)
{
	__u64 cgroup = bpf_get_current_ancestor_cgroup_id(sandbox_level - 1);
	struct abi_audited *row;
	struct call call = {};
	__s64 number;
	__u32 index;

	if (cgroup != sandbox_parent)
		return 0;
	cgroup = bpf_get_current_ancestor_cgroup_id(sandbox_level);
	row = bpf_map_lookup_elem(&audited, &cgroup);
	if (!row)
		return 0;
	number = call_number(regs);
	/* A child leaves the call that made it, too. */
	if (result == 0 && IS_CLONE(number))
		return 0;
	call.abi = call_abi(regs);
	if (call.abi == ABI_CALL_NATIVE) {
		index = (__u64)number < ABI_SYSCALL_OTHER ? number : ABI_SYSCALL_OTHER;
		sandbox_count(&row->calls[index], 1);
		call.word = word_of(row->slot, index);
		if (!(call.word & ABI_AUDIT_LOOK))
			return 0;
	} else {
		/* What seccomp kills comes by here with its registers as they were, the number
		 * where a result would be: cloche_signal() has it. */
		if (result == number)
			return 0;
		count_foreign(row, &call);
	}
	call.number = number;
	call.result = result;
	call_arguments(regs, call.abi, call.arguments);
	return look_at(row, &call);
}

/* seccomp ends a process by SIGSYS, and only its siginfo says why. Rare, and so always attached,
 * whoever is audited. */
SEC("tp_btf/signal_deliver")
int BPF_PROG(cloche_signal, int signal, struct kernel_siginfo *info)
{
	struct call call = {.refusal = ABI_REFUSAL_KILLED, .word = ABI_AUDIT_ALWAYS};
	struct sandbox sandbox = {};
	struct abi_audited *row;
	__u64 cgroup;
	__u32 arch;

	if (signal != SIGSYS || (__u64)info <= 1 || !sandbox_of_current(&sandbox))
		return 0;
	arch = BPF_CORE_READ(info, _sifields._sigsys._arch);
	call.number = BPF_CORE_READ(info, _sifields._sigsys._syscall);
	call.abi = arch != AUDIT_ARCH_X86_64       ? ABI_CALL_COMPAT
		   : call.number >= (__u32)X32_BIT ? ABI_CALL_X32
						   : ABI_CALL_NATIVE;
	call.result = -ENOSYS;
	cgroup = bpf_get_current_ancestor_cgroup_id(sandbox_level);
	row = bpf_map_lookup_elem(&audited, &cgroup);
	if (row && call.abi != ABI_CALL_NATIVE)
		sandbox_count(&row->foreign, 1);
	else if (row && call.number < ABI_SYSCALL_OTHER)
		sandbox_count(&row->refused[call.number], 1);
	syscall_emit(&sandbox, &call);
	return 0;
}
