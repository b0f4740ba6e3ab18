/* What this kernel can do, in words: for `cloched --check`. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "supervisor/enforce/enforce.h"
#include "supervisor/enforce/probe.h"

struct probe_list {
	struct enforce_probe *rows;
	size_t n, n_max;
};

static void add(struct probe_list *list, const char *feature, bool present, bool required,
	const char *meaning)
{
	struct enforce_probe *row;

	if (list->n == list->n_max)
		return;
	row = &list->rows[list->n++];
	row->feature = feature;
	row->present = present;
	row->required = required;
	snprintf(row->meaning, sizeof(row->meaning), "%s", meaning);
}

static bool has_map_type(enum bpf_map_type type)
{
	return libbpf_probe_bpf_map_type(type, NULL) == 1;
}

static bool is_mounted(const char *path, long magic)
{
	struct statfs info;

	return statfs(path, &info) == 0 && (long)info.f_type == magic;
}

/* Loads `return value` as a program of this attach type. Nothing is attached. */
static int load_return(
	enum bpf_prog_type type, enum bpf_attach_type attach, int value, uint32_t function)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach,
		.attach_btf_id = function);

	return bpf_prog_load(type, "cloche_probe", "GPL", program,
		sizeof(program) / sizeof(program[0]), &options);
}

static bool can_load(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	_cleanup_close_ int fd = load_return(type, attach, 1, 0);

	return fd >= 0;
}

static bool can_load_tracepoint(const char *name)
{
	int id = libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP);
	_cleanup_close_ int fd = -1;

	if (id <= 0)
		return false;
	fd = load_return(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0, (uint32_t)id);
	return fd >= 0;
}

bool probe_can_attach(const char *function, enum bpf_prog_type type, enum bpf_attach_type attach)
{
	int id = libbpf_find_vmlinux_btf_id(function, attach);
	_cleanup_close_ int program_fd = -1, link_fd = -1;

	if (id <= 0)
		return false;
	program_fd = load_return(type, attach, 0, (uint32_t)id);
	if (program_fd < 0)
		return false;
	link_fd = bpf_raw_tracepoint_open(NULL, program_fd);
	return link_fd >= 0;
}

static void probe_programs(struct probe_list *list)
{
	const struct {
		const char *feature;
		enum bpf_prog_type type;
		enum bpf_attach_type attach;
	} rows[] = {
		{"cgroup connect4 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_INET4_CONNECT},
		{"cgroup connect6 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_INET6_CONNECT},
		{"cgroup sendmsg4 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_UDP4_SENDMSG},
		{"cgroup sendmsg6 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_UDP6_SENDMSG},
		{"cgroup recvmsg4 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_UDP4_RECVMSG},
		{"cgroup recvmsg6 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_UDP6_RECVMSG},
		{"cgroup bind4 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
		{"cgroup bind6 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND},
		{"cgroup getpeername4 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_INET4_GETPEERNAME},
		{"cgroup getpeername6 programs", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			BPF_CGROUP_INET6_GETPEERNAME},
		{"cgroup sock_create programs", BPF_PROG_TYPE_CGROUP_SOCK,
			BPF_CGROUP_INET_SOCK_CREATE},
		{"cgroup skb egress programs", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS},
		{"cgroup skb ingress programs", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
		{"cgroup sockops programs", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add(list, rows[i].feature, can_load(rows[i].type, rows[i].attach), true,
			"Without it network access cannot be decided, and cloched does not start. "
			"Needs Linux 5.15 with CONFIG_CGROUP_BPF.");
}

size_t enforce_probe(struct enforce_probe *ret_probes, size_t n_max)
{
	struct probe_list list = {.rows = ret_probes, .n_max = n_max};
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	struct btf *btf = btf__load_vmlinux_btf();

	add(&list, "kernel BTF", btf != NULL, true,
		"The programs fit themselves to this kernel by its type information "
		"(CONFIG_DEBUG_INFO_BTF).");
	btf__free(btf);
	add(&list, "bpffs at /sys/fs/bpf", is_mounted("/sys/fs/bpf", BPF_FS_MAGIC), false,
		"Programs are pinned there to outlive cloched. Absent, cloched mounts one in its "
		"run directory.");
	add(&list, "cgroup v2",
		is_mounted("/sys/fs/cgroup", CGROUP2_SUPER_MAGIC) ||
			is_mounted("/sys/fs/cgroup/unified", CGROUP2_SUPER_MAGIC),
		true,
		"Programs are attached to a cgroup v2 directory; mount one (mount -t cgroup2).");
	probe_programs(&list);
	add(&list, "BTF tracepoint programs", can_load_tracepoint("sched_process_exec"), true,
		"Without them exec and exit are not recorded.");
	add(&list, "socket storage", has_map_type(BPF_MAP_TYPE_SK_STORAGE), true,
		"Sockets carry their sandbox's identity in it.");
	add(&list, "BPF ring buffer", has_map_type(BPF_MAP_TYPE_RINGBUF), true,
		"Decisions reach the audit log through it.");
	add(&list, "BPF fentry programs",
		probe_can_attach("bpf_fentry_test1", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY),
		false,
		"Before Linux 6.16 the record of a process's exit then lacks the program's path, "
		"and one with threads may be recorded twice.");
	/* libbpf puts "bpf_lsm_" before the name. */
	add(&list, "BPF LSM", probe_can_attach("syslog", BPF_PROG_TYPE_LSM, BPF_LSM_MAC), false,
		"An extra lock for files and sockets; the others hold without it.");
	libbpf_set_print(before);
	return list.n;
}
