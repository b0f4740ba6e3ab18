/* An act that a policy has an opinion on, as a person or a test file writes it.
 *
 *   connect pypi.org:443          TCP to a name
 *   connect 203.0.113.7:443       TCP to an address; IPv6 as [2001:db8::1]:443
 *   send 203.0.113.7:123          UDP
 *   resolve pypi.org              ask the resolver for an address
 *   resolve example.org MX        ask it for records of a type: A, AAAA, MX, SRV, TXT, HTTPS
 *   inbound 8000                  a preview of a port inside
 *   syscall ptrace                a system call, by its name: whether it may be made at all
 *   syscall socket AF_VSOCK       with its first argument, the next ones behind it
 *   syscall ioctl 1=0x5412        with one of its arguments, from 0; the others are left open
 *   read /etc/passwd              a file; its path as written: no symbolic link is followed
 *   write /workspace/out          change it, or what is in it
 *   open /dev/ptmx                a device
 *   execute /usr/bin/git          a file, as a program; its path likewise
 *   use memory 512MiB             that much of a resource, a budget, a time to live
 *   omit OPENAI_API_KEY           create a sandbox without this variable */
#pragma once

#include "supervisor/policy/network/name.h"
#include "supervisor/policy/policy.h"
#include "supervisor/policy/terms/term.h"

enum policy_act_kind {
	POLICY_ACT_CONNECT,
	POLICY_ACT_SEND,
	POLICY_ACT_RESOLVE,
	POLICY_ACT_INBOUND,
	POLICY_ACT_SYSCALL,
	POLICY_ACT_READ,
	POLICY_ACT_WRITE,
	POLICY_ACT_OPEN,
	POLICY_ACT_EXECUTE,
	POLICY_ACT_USE,
	POLICY_ACT_OMIT,
};

/* What the resolver is asked for. */
enum policy_query {
	POLICY_QUERY_ADDRESS, /* either kind */
	POLICY_QUERY_A,
	POLICY_QUERY_AAAA,
	POLICY_QUERY_MX,
	POLICY_QUERY_SRV,
	POLICY_QUERY_TXT,
	POLICY_QUERY_HTTPS,
};

/* Of a host, lower case; of a system call; of a variable; a path, also of a device. */
#define POLICY_ACT_NAME_SIZE POLICY_PATH_SIZE
_Static_assert(POLICY_ACT_NAME_SIZE >= POLICY_HOST_SIZE, "a host's name fits, too");

struct policy_act {
	enum policy_act_kind kind;
	bool is_name; /* `name`, not `address` */
	uint16_t port;
	struct abi_address address;
	char name[POLICY_ACT_NAME_SIZE];
	uint8_t call_level; /* enum policy_call_level */
	uint8_t given;      /* 1 << index of each of the `arguments` that was written */
	uint64_t arguments[POLICY_CALL_ARGUMENTS];
	enum policy_query query;   /* RESOLVE */
	enum policy_device device; /* OPEN */
	enum policy_term term;     /* what is used, and how much of it */
	uint64_t amount;
};

/* `calls` may be NULL: then any word may be a system call that every profile has. Returns 0, or
 * -EINVAL with a sentence.
 */
int policy_act_parse(const char *text, const struct policy_calls *calls, struct policy_act *ret_act,
	struct failure *why);
/* Forgets the arguments of a system call that the policy has no rule about, and of the others the
 * bits that the kernel does not read: what is left is the same act to the policy. `policy` may be
 * NULL: it has none. */
void policy_act_keep_arguments(struct policy_act *act, const struct policy *policy);
/* "MX"; "" for either kind of address. */
const char *policy_query_name(enum policy_query query);
#define POLICY_ACT_TEXT_SIZE 384 /* a path; a call with six arguments */
/* Writes it in the form above. */
const char *policy_act_format(const struct policy_act *act, char ret_text[POLICY_ACT_TEXT_SIZE]);
