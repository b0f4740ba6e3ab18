/* A policy after parsing and checking: plain data, shared with enforce, launch and core. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/abi/budget.h"
#include "bpf/abi/rule.h"

#define POLICY_NAME_SIZE 64
#define POLICY_DESCRIPTION_SIZE 192
#define POLICY_RULES_MAX 16384
#define POLICY_RULE_PORTS_MAX ABI_PORT_RANGES_MAX
#define POLICY_INBOUND_MAX 32 /* of a file half as many: two lists meet in fewer than their sum */
#define POLICY_SYSCALLS_MAX 512
#define POLICY_CALL_NAME_SIZE 32
#define POLICY_CALL_ARGUMENTS 6
#define POLICY_CONDITIONS_MAX 6
#define POLICY_CALL_RULES_MAX 64 /* of a policy; a meet may have twice as many */
#define POLICY_SECRETS_MAX 64
#define POLICY_PATHS_MAX 64 /* of a policy; a meet may have twice as many */
#define POLICY_PATH_SIZE 256
#define POLICY_SECRET_SIZE 64
#define POLICY_PROGRAMS_MAX 256 /* of a policy; a meet may have twice as many */
#define POLICY_LIBRARIES_MAX 16 /* the same */
#define POLICY_HASH_SIZE 65
#define POLICY_AUDIT_RATE 20000 /* unless a policy says otherwise; ENFORCE_BULK_RATE */

struct policy_ports {
	uint16_t first, last; /* both inside; 0 to 65535 means any port */
};

enum policy_rule_kind {
	POLICY_RULE_CIDR,    /* {"cidr": "203.0.113.0/24", "ports": [443, "8000-8010"]} */
	POLICY_RULE_NAME,    /* {"name": "*.example.org", "ports": [443], "tls": "require"} */
	POLICY_RULE_RECORDS, /* {"name": "example.org", "records": ["MX", "TXT"]} */
};

/* Of DNS, beside addresses. */
enum policy_record {
	POLICY_RECORD_MX = 1,
	POLICY_RECORD_SRV = 2,
	POLICY_RECORD_TXT = 4,
};

enum policy_tls {
	POLICY_TLS_EITHER,      /* absent: TLS or plain HTTP that asks for the name */
	POLICY_TLS_REQUIRE,     /* TLS that asks for the name */
	POLICY_TLS_PASSTHROUGH, /* whatever it is: not looked into */
};

struct policy_rule {
	enum policy_rule_kind kind;
	struct abi_address address; /* CIDR: network address, host bits zero */
	uint8_t prefix_bits;        /* of the 128: IPv4 /24 is 120 */
	uint8_t protocol;           /* IPPROTO_TCP, or with CIDR IPPROTO_UDP */
	uint8_t n_ports;
	bool wildcard;   /* NAME: one or more labels before `name` */
	bool is_private; /* NAME: may resolve to private space */
	enum policy_tls tls;
	uint8_t records; /* RECORDS: enum policy_record, several; `n_ports` is 0 then */
	char *name; /* NAME, RECORDS: lower-case A-labels, no dot at the ends; owned; else NULL */
	struct policy_ports ports[POLICY_RULE_PORTS_MAX];
	uint16_t id; /* its place in the policy's own list: what a record names */
};

/* Writes what the rule is for: "pypi.org, ports 80, 443", "203.0.113.0/24 tcp, all ports". */
#define POLICY_RULE_TEXT_SIZE 512
const char *policy_rule_format(
	const struct policy_rule *rule, char ret_text[POLICY_RULE_TEXT_SIZE]);

struct policy_limits {
	uint64_t memory_bytes, disk_bytes;
	uint32_t cpu_millis, pids, open_files;
};

/* Profiles of system calls contain one another, so for each call one profile is the first to have
 * it.
 */
enum policy_call_level {
	POLICY_CALL_STRICT,
	POLICY_CALL_DEFAULT,
	POLICY_CALL_DEBUG,
	POLICY_CALL_OPENABLE, /* in no profile, but may be allowed */
	POLICY_CALL_NEVER,
};

struct policy_call {
	char name[POLICY_CALL_NAME_SIZE];
	uint8_t level; /* enum policy_call_level */
};

enum policy_comparison {
	POLICY_IS,
	POLICY_IS_NOT,
	POLICY_AT_LEAST,
	POLICY_AT_MOST,
};

#define POLICY_COMPARISONS (POLICY_AT_MOST + 1)

extern const char *const policy_comparison_names[POLICY_COMPARISONS]; /* the keys of "args" */

/* About one argument, one that the kernel takes by value. */
struct policy_condition {
	uint8_t index;      /* of the argument, from 0 */
	uint8_t comparison; /* enum policy_comparison */
	bool is_wide;       /* the kernel reads 64 bits; else the lower 32, and only they count */
	bool is_signed;
	uint64_t mask;  /* what is compared; 0: all that the kernel reads */
	uint64_t value; /* of as many bits; signed ones are extended to 64 */
};

/* Denies a call where all conditions hold: {"name": "ioctl", "args": [{"index": 1, …}]}. */
struct policy_call_rule {
	char name[POLICY_CALL_NAME_SIZE];
	uint8_t n_conditions;                                      /* at least one */
	struct policy_condition conditions[POLICY_CONDITIONS_MAX]; /* by argument, comparison */
	uint16_t id;                                               /* its place in "deny" */
};

/* Writes what it denies: "ioctl where cmd is TIOCSTI". */
#define POLICY_CALL_RULE_TEXT_SIZE 512
const char *policy_call_rule_format(
	const struct policy_call_rule *rule, char ret_text[POLICY_CALL_RULE_TEXT_SIZE]);

/* What may be used of the network in all, or in each window of time. */
struct policy_budgets {
	uint64_t limits[ABI_BUDGET_COUNTERS]; /* 0: none */
	uint32_t per_seconds;                 /* 0: as long as the sandbox lives */
};

/* How long a sandbox lives, from when it is created and from when nothing runs in it; 0: as long as
 * it is asked for. */
struct policy_lifecycle {
	uint32_t time_to_live_s, auto_stop_s;
};

/* The narrower first. */
enum policy_access {
	POLICY_ACCESS_HIDDEN,
	POLICY_ACCESS_READ_ONLY,
	POLICY_ACCESS_WRITABLE, /* also where no path is around: as owners and modes have it */
};

/* The longest path that a file lies in decides. */
struct policy_path {
	char path[POLICY_PATH_SIZE]; /* absolute, normal; "/" for all */
	uint8_t access;              /* enum policy_access */
};

/* A file that may be executed, or a directory: all that lies in it. */
struct policy_program {
	char path[POLICY_PATH_SIZE];   /* absolute, normal; never "/" */
	char sha256[POLICY_HASH_SIZE]; /* of the file, lower-case hex; empty: whatever is in it */
};

/* A directory from which code may be mapped, but not executed. */
struct policy_library {
	char path[POLICY_PATH_SIZE];
	bool optional; /* passed over where it is not there */
};

struct policy_executables {
	bool limited;     /* else every file may be executed as its mode has it */
	bool best_effort; /* paths that are not there, and a kernel without Landlock, are taken */
	struct policy_program *programs; /* sorted by path; none lies in another one; owned */
	size_t n_programs;
	struct policy_library *libraries; /* the same */
	size_t n_libraries;
};

/* Nodes of /dev, by bit. */
enum policy_device {
	POLICY_DEVICE_NULL,
	POLICY_DEVICE_ZERO,
	POLICY_DEVICE_FULL,
	POLICY_DEVICE_RANDOM,
	POLICY_DEVICE_URANDOM,
	POLICY_DEVICE_TTY,
	POLICY_DEVICE_PTMX,
	POLICY_DEVICES, /* how many */
};

#define POLICY_DEVICES_ALL ((1U << POLICY_DEVICES) - 1)

extern const char *const policy_device_names[POLICY_DEVICES];
/* Of "/dev/null". False: a sandbox has no such device, whatever the policy. */
bool policy_device_find(const char *path, enum policy_device *ret_device);

/* What happens to a sandbox that lost a record of the security class, whatever the reason. */
enum policy_on_loss {
	POLICY_ON_LOSS_LOG, /* the loss itself is recorded; as always */
	POLICY_ON_LOSS_FREEZE,
	POLICY_ON_LOSS_KILL,
};

/* Which system calls are recorded. What the kernel itself reports (connections, exec, exit) and
 * what is refused are recorded whatever it says, but that refused calls need somebody to look. */
struct policy_audit {
	bool defaults;             /* those of policy_audit_defaults */
	struct policy_call *calls; /* and these, always; sorted, unique; owned */
	size_t n_calls;
	enum policy_on_loss on_loss;
	uint32_t rate; /* records of the bulk class in a second */
};

enum policy_mode {
	POLICY_MODE_ENFORCE, /* what it does not allow is denied; also when it is left out */
	POLICY_MODE_LEARN,   /* its amounts hold; for the rest its bound decides alone */
};

extern const char *const policy_mode_names[]; /* ends with NULL */

struct policy {
	char name[POLICY_NAME_SIZE];
	char description[POLICY_DESCRIPTION_SIZE];
	char hash[POLICY_HASH_SIZE]; /* SHA-256 of the canonical JSON, hex */
	char *canonical;             /* canonical JSON: sorted keys, no white space; owned */
	struct policy_rule *rules;   /* owned */
	size_t n_rules;
	struct policy_budgets budgets;
	struct policy_ports inbound[POLICY_INBOUND_MAX]; /* open to previews; sorted, apart */
	size_t n_inbound;
	struct policy_limits limits; /* never zero after parsing: defaults are filled in */
	struct policy_audit audit;
	enum policy_call_level profile;                 /* strict, default or debug */
	char (*syscalls_denied)[POLICY_CALL_NAME_SIZE]; /* known names; sorted, unique; owned */
	size_t n_syscalls_denied;
	struct policy_call_rule
		*call_rules; /* sorted; none covers another or is of a denied call; owned
			      */
	size_t n_call_rules;
	struct policy_call *syscalls_allowed; /* sorted, unique, none of them denied; owned */
	size_t n_syscalls_allowed;
	struct policy_lifecycle lifecycle;
	struct policy_path *paths; /* sorted by path; each differs from what is around it; owned */
	size_t n_paths;
	bool paths_best_effort; /* those that are not there are passed over */
	struct policy_executables executables;
	uint32_t devices;                    /* 1 << enum policy_device */
	char (*secrets)[POLICY_SECRET_SIZE]; /* names; sorted, unique; owned */
	size_t n_secrets;
	char file_hash[POLICY_HASH_SIZE]; /* SHA-256 of its file, hex; empty: not of one */
	char *text;                       /* what its file says; owned; NULL likewise */
	size_t text_size_bytes;
	enum policy_mode mode;
	struct policy
		*acts_of; /* whose all lists are but `secrets` and those of `audit`; or NULL */
	unsigned int n_references;
};

/* True if the policy lets a sandbox reach anything at all, so that it needs the gate. */
static inline bool policy_has_network(const struct policy *policy)
{
	return policy->n_rules > 0;
}

/* True if it lets datagrams out. */
static inline bool policy_has_datagrams(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].protocol == IPPROTO_UDP)
			return true;
	return false;
}

/* True if a call of this name and level is open under the policy. */
bool policy_allows_call(
	const struct policy *policy, const char *name, enum policy_call_level level);

/* The rule that denies the call with these arguments; NULL: none does. What is not among `given`
 * (1 << index) no condition holds for. The call as such is policy_allows_call()'s. */
const struct policy_call_rule *policy_find_call_rule(const struct policy *policy, const char *name,
	const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given);
/* The same of what every sandbox is denied, whatever its policy. */
const struct policy_call_rule *policy_find_fixed_rule(
	const char *name, const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given);
bool policy_call_rule_denies(const struct policy_call_rule *rule, const char *name,
	const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given);
bool policy_condition_holds(const struct policy_condition *condition, uint64_t argument);

/* What holds at `path`, and the longest path around it, which decides; NULL: none is. */
enum policy_access policy_access_at(const struct policy *policy, const char *path);
const struct policy_path *policy_path_at(const struct policy *policy, const char *path);
/* True if `path` is `around` or lies in it. */
bool policy_path_lies_in(const char *path, const char *around);
/* Absolute, short enough, and written in the one way in which it can be compared. */
bool policy_path_is_normal(const char *path);
/* "/proc", "/sys" or "/dev" if the path is or lies in one: Cloche's own, not a policy's. Or NULL.
 */
const char *policy_path_owner(const char *path);

/* The program, or directory of programs, that `path` is or lies in; NULL: not to be executed where
 * executables are limited. */
const struct policy_program *policy_program_at(const struct policy *policy, const char *path);
/* The program, or directory of programs or libraries, that `path` is or lies in, and that therefore
 * does not change; NULL: none is, or a path of `files` inside of it decides. */
const char *policy_code_at(const struct policy *policy, const char *path);
/* True if both let the same be executed and mapped. */
bool policy_executables_equal(const struct policy *a, const struct policy *b);
/* Makes programs of memory, past every list of files. */
#define POLICY_CALL_MEMORY_FILE "memfd_create"

/* True if a sandbox under the policy must be given the variable `name`. */
static inline bool policy_wants_secret(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_secrets; i++)
		if (strcmp(policy->secrets[i], name) == 0)
			return true;
	return false;
}

static inline bool policy_has_budgets(const struct policy *policy)
{
	for (unsigned int i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (policy->budgets.limits[i])
			return true;
	return false;
}

/* True if system calls are looked at, and so counted: that costs. */
static inline bool policy_audits_calls(const struct policy *policy)
{
	return policy->audit.defaults || policy->audit.n_calls > 0;
}

/* Which system calls are recorded, in a word: "default" (with or without more), "listed", "none".
 */
const char *policy_audit_word(const struct policy_audit *audit);

/* True if a connection from outside, through the API, may reach this port on the loopback. */
static inline bool policy_allows_inbound(const struct policy *policy, uint16_t port)
{
	for (size_t i = 0; i < policy->n_inbound; i++)
		if (policy->inbound[i].first <= port && port <= policy->inbound[i].last)
			return true;
	return false;
}

struct policy *policy_ref(struct policy *policy);
/* Drops one reference, frees at zero. Takes NULL, returns NULL. */
struct policy *policy_unref(struct policy *policy);
