/* The real programs around cgroups of the test's own: a bpffs in a mount namespace of its own, a
 * network namespace with nothing but lo, a gate's listening socket, sandboxes that are cgroups with
 * a slot.
 *
 * One scene per program, made by the first test and taken down at exit. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/datagram.h"
#include "bpf/abi/flow.h"
#include "supervisor/enforce/enforce.h"

#define SCENE_EVENTS_MAX 4096
#define SCENE_REPORT_BYTES 4096

struct kernel_sandbox {
	uint64_t id, cgroup_id;
	uint32_t slot, tenant, image, generation;
	int cgroup_fd;
	char path[128];
};

union kernel_event {
	struct abi_event_header header;
	struct abi_network_event network;
	struct abi_exec_event exec;
	struct abi_script_event script;
	struct abi_exit_event exit;
	struct abi_syscall_event call;
	struct abi_file_event file;
	struct abi_pair_event pair;
};

struct kernel_scene {
	struct enforce *enforce;
	char cgroup[96], bpffs[64], pins[96];
	uint64_t netns_cookie;
	int gate_fd; /* listens on [::]:gate_port, dual-stack, non-blocking */
	uint16_t gate_port;
	int dns_udp_fd, dns_tcp_fd; /* the resolver's, both on [::]:dns_port, as above */
	uint16_t dns_port;
	int datagram_fd; /* the gate's for datagrams, on [::]:datagram_port */
	uint16_t datagram_port;
	union kernel_event events[SCENE_EVENTS_MAX];
	size_t n_events;
	void *report; /* SCENE_REPORT_BYTES shared with what runs in a sandbox */
	uint64_t next_id;
};

/* The scene, made on first use; skips the test when not root. */
struct kernel_scene *kernel_scene(void);
/* Reopens enforcement as a restarted supervisor would; returns whether it was adopted. */
bool kernel_scene_reopen(struct kernel_scene *scene);

/* A cgroup with a slot: denies all. */
void kernel_sandbox_make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox);
/* A cgroup without a slot. */
void kernel_sandbox_make_bare(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox);
/* Installs `image` under a hash made of `name`, binds, with the scene's gate or none. */
void kernel_sandbox_bind(struct kernel_scene *scene, struct kernel_sandbox *sandbox,
	const char *name, const struct policy_image *image, bool gate);
/* Gives the bound sandbox the scene's resolver, beside the gate. */
void kernel_sandbox_give_resolver(struct kernel_scene *scene, struct kernel_sandbox *sandbox);
/* Lets the bound sandbox send datagrams to the scene's gate. */
void kernel_sandbox_give_datagrams(struct kernel_scene *scene, struct kernel_sandbox *sandbox);
void kernel_sandbox_end(struct kernel_scene *scene, struct kernel_sandbox *sandbox);

/* Runs `act` in a new process that is born in the sandbox; returns what it returns, or -signal.
 * What else it has to say goes into `scene->report`. */
typedef int (*kernel_act)(struct kernel_scene *scene, const void *argument);
int kernel_sandbox_run(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	kernel_act act, const void *argument);
/* The two halves, for acts that last. */
int kernel_sandbox_spawn(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	kernel_act act, const void *argument);
int kernel_sandbox_wait(int pid);

/* Takes the events since the last call into `scene->events`; returns how many. */
size_t kernel_scene_events(struct kernel_scene *scene);
/* The only network event among those taken, NULL if there is none; fails on two. */
const struct abi_network_event *kernel_scene_network_event(struct kernel_scene *scene);
/* The first of `type`, NULL if there is none. */
const union kernel_event *kernel_scene_event(struct kernel_scene *scene, enum abi_event_type type);

/* Accepts the next relayed connection, waiting at most two seconds; checks that its flow was
 * published and fills it in. The connection, or -1 when there is none. */
int kernel_scene_accept(struct kernel_scene *scene, struct abi_flow *ret_flow);
/* The next connection to the resolver, waiting at most two seconds; -1 when there is none. */
int kernel_scene_accept_query(struct kernel_scene *scene);
/* Takes the next datagram to the resolver, waiting at most two seconds, and sends `answer` to where
 * it came from. Its size, or -1. */
int kernel_scene_answer(
	struct kernel_scene *scene, void *ret_query, size_t size, const char *answer);
/* A datagram that came to the gate, and what its address says of where it was to go. */
struct kernel_datagram {
	char bytes[64];
	ssize_t size; /* -1: none came within two seconds */
	struct sockaddr_in6 source, inside;
	uint32_t index;
	struct abi_datagram row;
};
/* Takes the next one that sandbox sent. */
void kernel_scene_datagram(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	struct kernel_datagram *ret_datagram);
/* Sends an answer to it, as from its destination. Returns what sendmsg(2) does, or -errno. */
ssize_t kernel_scene_reply(
	struct kernel_scene *scene, const struct kernel_datagram *datagram, const char *answer);
/* The map of rows, to be read and written; the caller closes it. */
int kernel_scene_open_rows(struct kernel_scene *scene);
/* How many rows all sandboxes have. */
size_t kernel_scene_count_rows(struct kernel_scene *scene);
/* Closes connections and takes datagrams that nobody did. */
void kernel_scene_drain(struct kernel_scene *scene);

/* A socket address from text, IPv4 or IPv6 as it is written. */
socklen_t kernel_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address);
