/* What the filter of every sandbox denies by arguments, whatever its policy (see
 * supervisor/confine/sandbox-arguments.c; tests/unit/test-confine-rules.c compares them): so that
 * an act is not called allowed that no sandbox can do. */
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/model.h"

#define IS(i, v)                                                                                   \
	{                                                                                          \
		.index = (i), .comparison = POLICY_IS, .value = (v)                                \
	}
#define NOT(i, v)                                                                                  \
	{                                                                                          \
		.index = (i), .comparison = POLICY_IS_NOT, .value = (v)                            \
	}
#define BITS(i, m, v)                                                                              \
	{                                                                                          \
		.index = (i), .comparison = POLICY_IS, .mask = (m), .value = (v)                   \
	}
#define NOT_BITS(i, m, v)                                                                          \
	{                                                                                          \
		.index = (i), .comparison = POLICY_IS_NOT, .mask = (m), .value = (v)               \
	}
#define HAS(i, v) BITS(i, v, v)

#define CLONE_RULE(flag)                                                                           \
	{                                                                                          \
		"clone", 1, {HAS(0, flag)}, 0                                                      \
	}
#define IOCTL_RULE(command)                                                                        \
	{                                                                                          \
		"ioctl", 1, {IS(1, command)}, 0                                                    \
	}
#define INTERNET_RULES(family)                                                                     \
	{"socket", 2, {IS(0, family), BITS(1, 0xf, SOCK_RAW)}, 0},                                 \
		{"socket", 2, {IS(0, family), BITS(1, 0xf, SOCK_PACKET)}, 0},                      \
	{                                                                                          \
		"socket", 6,                                                                       \
			{IS(0, family), NOT(2, 0), NOT(2, IPPROTO_TCP), NOT(2, IPPROTO_UDP),       \
				NOT(2, IPPROTO_ICMP), NOT(2, IPPROTO_ICMPV6)},                     \
			0                                                                          \
	}
#define MKNOD_RULE(name, i)                                                                        \
	{                                                                                          \
		name, 4,                                                                           \
			{NOT_BITS(i, S_IFMT, 0), NOT_BITS(i, S_IFMT, S_IFREG),                     \
				NOT_BITS(i, S_IFMT, S_IFIFO), NOT_BITS(i, S_IFMT, S_IFSOCK)},      \
			0                                                                          \
	}

static const struct policy_call_rule fixed[] = {
	CLONE_RULE(CLONE_NEWNS),
	CLONE_RULE(CLONE_NEWCGROUP),
	CLONE_RULE(CLONE_NEWUTS),
	CLONE_RULE(CLONE_NEWIPC),
	CLONE_RULE(CLONE_NEWUSER),
	CLONE_RULE(CLONE_NEWPID),
	CLONE_RULE(CLONE_NEWNET),
	IOCTL_RULE(TIOCSTI),
	IOCTL_RULE(TIOCLINUX),
	IOCTL_RULE(TIOCCONS),
	IOCTL_RULE(TIOCSETD),
	{"socket", 4, {NOT(0, AF_UNIX), NOT(0, AF_NETLINK), NOT(0, AF_INET), NOT(0, AF_INET6)}, 0},
	{"socket", 2, {IS(0, AF_NETLINK), NOT(2, 0)}, 0},
	INTERNET_RULES(AF_INET),
	INTERNET_RULES(AF_INET6),
	{"socketpair", 1, {NOT(0, AF_UNIX)}, 0},
	{"personality", 2, {NOT(0, PER_LINUX), NOT(0, 0xffffffff)}, 0},
	MKNOD_RULE("mknod", 1),
	MKNOD_RULE("mknodat", 2),
};

const struct policy_call_rule *policy_find_fixed_rule(
	const char *name, const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (policy_call_rule_denies(&fixed[i], name, arguments, given))
			return &fixed[i];
	return NULL;
}
