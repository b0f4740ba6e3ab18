/* Records in the ring buffer: one header, one body per type. All of it zeroed before it is filled.
 */
#pragma once

#include "bpf/abi/types.h"

#define ABI_COMM_SIZE 16
#define ABI_EXE_SIZE 128
#define ABI_ARGV_SIZE 512
#define ABI_TEXT_SIZE 256
#define ABI_TEXTS 2

enum abi_event_type {
	ABI_EVENT_NETWORK = 1, /* a connect, send or socket was judged */
	ABI_EVENT_EXEC = 2,
	ABI_EVENT_EXIT = 3,
	ABI_EVENT_SYSCALL = 4,
	ABI_EVENT_FILE = 5,   /* a system call, and text that its arguments point to */
	ABI_EVENT_PAIR = 6,   /* the same, of two texts of which one is a relative path */
	ABI_EVENT_SCRIPT = 7, /* as ABI_EVENT_EXEC, of a script that a relative path named */
};

/* Everything about the process is the kernel's word except `comm`, which the process sets. */
struct abi_process {
	__u32 pid_host, pid_inside; /* thread group ids */
	__u32 parent_pid_host;
	__u32 uid_host;
	__u64 start_boottime_ns; /* with pid_host: identity that is never reused */
	__u64 exe_inode;
	__u32 exe_device;
	__u32 reserved;
	char comm[ABI_COMM_SIZE];
	char exe[ABI_EXE_SIZE]; /* path of the running image inside; its end if it is longer */
};

_Static_assert(sizeof(struct abi_process) == 184, "read by user space");

struct abi_event_header {
	__u16 version;  /* ABI_VERSION */
	__u16 type;     /* enum abi_event_type */
	__u32 size;     /* of the whole record */
	__u64 sequence; /* per class and CPU, taken before room is reserved: a gap is a loss */
	__u64 boottime_ns;
	__u64 sandbox;
	__u64 policy; /* ABI_SLOT_POLICY that was in force */
	__u32 tenant;
	__u32 slot;
	__u32 cpu;
	__u32 class; /* enum abi_class */
	struct abi_process process;
};

_Static_assert(sizeof(struct abi_event_header) == 56 + sizeof(struct abi_process), "layout");

enum abi_verdict {
	ABI_VERDICT_DENY = 0,
	ABI_VERDICT_ALLOW = 1,    /* stays inside the sandbox */
	ABI_VERDICT_REDIRECT = 2, /* allowed, by way of the gate */
	ABI_VERDICT_RESOLVE = 3,  /* a query, to the sandbox's own resolver; never in a record */
	ABI_VERDICT_PROBE = 4,    /* a datagram socket may be connected to a name, and send nothing;
				     never in a record */
};

/* Why; stable numbers, named in the audit schema. */
enum abi_reason {
	ABI_REASON_RULE = 1,        /* `rule` allows it */
	ABI_REASON_LOOPBACK = 2,    /* the sandbox's own loopback */
	ABI_REASON_DEFAULT = 3,     /* no rule allows it */
	ABI_REASON_NO_SANDBOX = 4,  /* the cgroup has no slot, or the slot is free */
	ABI_REASON_NO_GATE = 5,     /* a rule allows it but there is no gate to carry it */
	ABI_REASON_GATE_PORT = 6,   /* the relay's or the resolver's own port, addressed directly */
	ABI_REASON_SOCKET_TYPE = 7, /* not a stream or datagram socket of TCP or UDP */
	ABI_REASON_FAMILY = 8,      /* not IPv4 or IPv6 */
	ABI_REASON_NO_MEMORY = 9,   /* the kernel had no room to remember the connection */
	ABI_REASON_BIND = 10,       /* bind to an address that is not inside */
	ABI_REASON_TICKET = 11,     /* no ticket that is valid now opens this address and port */
	ABI_REASON_RESOLVER = 12,   /* with ABI_VERDICT_RESOLVE; never in a record */
	ABI_REASON_BUDGET = 13,     /* `spent` says which budgets are used up */
	ABI_REASON_DESTINATIONS = 14, /* datagrams to too many destinations at once */
};

enum abi_operation {
	ABI_OPERATION_CONNECT = 1,
	ABI_OPERATION_SENDMSG = 2,
	ABI_OPERATION_SOCKET = 3,
	ABI_OPERATION_BIND = 4,
	ABI_OPERATION_PACKET = 5,
};

struct abi_network_event {
	struct abi_event_header header;
	struct abi_address address;
	__u16 port;  /* host order */
	__u16 rule;  /* ABI_RULE_NONE without one */
	__u8 family; /* AF_INET or AF_INET6, as the program asked */
	__u8 protocol;
	__u8 operation; /* enum abi_operation */
	__u8 verdict;   /* enum abi_verdict */
	__u8 reason;    /* enum abi_reason */
	__u8 socket_type;
	__u8 spent; /* ABI_BUDGET_BIT, ABI_BUDGET_TENANT_BIT of each, with ABI_REASON_BUDGET */
	__u8 shadow_reason;  /* enum abi_reason, with `shadow` */
	__u8 shadow_verdict; /* enum abi_verdict */
	__u8 reserved;
	__u16 shadow_rule;
	__u64 shadow; /* the slot's `shadow`, where it says otherwise; 0: it agrees, or there is
			 none */
};

struct abi_exec_event {
	struct abi_event_header header;
	__u32 argv_size; /* bytes of `argv` in use, NUL after each argument */
	__u8 argv_truncated;
	__u8 reserved[3];
	char argv[ABI_ARGV_SIZE];
	char script[ABI_EXE_SIZE]; /* as it was named, if it is one: `exe` is its interpreter */
};

struct abi_script_event {
	struct abi_exec_event exec;
	char directory[ABI_TEXT_SIZE]; /* that `script` is relative to; the end of a long path */
};

struct abi_exit_event {
	struct abi_event_header header;
	__s32 exit_code; /* -1 when a signal ended it */
	__s32 signal;    /* 0 when it exited */
	__u8 oom_killed;
	__u8 reserved[7];
	__u64 lifetime_ns;
};

/* Who refused a system call. The kernel tells nobody: where seccomp decides by arguments, both may
 * have. */
enum abi_refusal {
	ABI_REFUSAL_NONE = 0, /* or the kernel itself, by its own rules */
	ABI_REFUSAL_SECCOMP = 1,
	ABI_REFUSAL_EITHER = 2,
	ABI_REFUSAL_KILLED = 3,     /* seccomp, and the process is ended for it */
	ABI_REFUSAL_EXECUTABLE = 4, /* no program of the policy, or owner and mode forbid it */
};

/* Whose word a text is. */
enum abi_source {
	ABI_SOURCE_NONE = 0,
	ABI_SOURCE_KERNEL = 1, /* of the very object that was used */
	ABI_SOURCE_USER =
		2, /* read from the process's memory afterwards: it may have been changed */
	ABI_SOURCE_DIRECTORY = 3, /* no argument: the directory that the first text is relative to,
				     as it was afterwards */
};

enum abi_call_abi {
	ABI_CALL_NATIVE = 0,
	ABI_CALL_COMPAT = 1, /* i386, also by int 0x80 */
	ABI_CALL_X32 = 2,
};

/* At the end of a call. Registers are the process's own, and of a call that succeeded in replacing
 * the process they are 0. */
struct abi_syscall_event {
	struct abi_event_header header;
	__s64 result;
	__u64 arguments[6];
	__u64 inode; /* of what was opened */
	__u32 device;
	__u32 number;            /* in the table of `abi` */
	__u8 abi;                /* enum abi_call_abi */
	__u8 refusal;            /* enum abi_refusal */
	__u8 writable, created;  /* what was opened */
	__u8 sources[ABI_TEXTS]; /* enum abi_source, of the texts */
	__u8 is_address;         /* the first text is a struct sockaddr, `text_size` bytes of it */
	__u8 text_size;
};

struct abi_file_event {
	struct abi_syscall_event call;
	char texts[ABI_TEXTS][ABI_TEXT_SIZE]; /* with NUL; the end of a long path, its beginning if
						 it is the user's */
};

_Static_assert(sizeof(struct abi_file_event) ==
		       sizeof(struct abi_event_header) + 80 + ABI_TEXTS * ABI_TEXT_SIZE,
	"read by user space");

/* Both texts are arguments, so the directories have no place among them. */
struct abi_pair_event {
	struct abi_file_event file;
	char directories[ABI_TEXTS][ABI_TEXT_SIZE]; /* that the texts are relative to, as they were
						       afterwards; the end of a long path */
};
