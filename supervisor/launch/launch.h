/* Making sandboxes: the spawner process and what comes out of it.
 *
 * The spawner is a process of its own with a small mount table and few descriptors; it clones the
 * stage, which builds namespaces, mounts, privileges and filter and becomes cloche-init. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/base/loop.h"
#include "supervisor/launch/cgroup/cgroup.h"

struct launch;

#define LAUNCH_UID_FIRST_MIN 0x10000000u /* host uids of the first sandbox */
#define LAUNCH_UIDS_PER_SANDBOX 65536u

struct launch_config {
	const char *init_path;  /* cloche-init; copied to a sealed memfd at start */
	const char *socket_dir; /* <run>/sandboxes, 0700: where each PID 1 listens */
	const char *work_dir;   /* <run>/spawner: private mount points */
};

struct launch_template {
	char name[32];
	char runtime[64]; /* what must exist in /usr: "/usr/bin/python3"; empty: a shell */
	bool available;
	char reason[192]; /* why not */
	bool idmapped;    /* files of the image show their real owners */
};

/* Starts the spawner and prepares the templates ("python", "node", "shell"). */
int launch_start(struct loop *loop, const struct launch_config *config, struct launch **ret_launch,
	struct failure *why);
/* Ends the spawner; sandboxes go on. Takes NULL, returns NULL. */
struct launch *launch_free(struct launch *launch);
bool launch_is_up(const struct launch *launch);

const struct launch_template *launch_templates(const struct launch *launch, size_t *ret_n);

struct launch_result {
	int error; /* 0, or negative errno with `why` */
	struct failure why;
	int pidfd;       /* owned by the callback's receiver */
	uint32_t pid;    /* on the host */
	int init_socket; /* connected to cloche-init, greeting not yet read; owned */
};

typedef void (*launch_callback)(const struct launch_result *result, void *userdata);

/* Asks for one sandbox in `cgroup`, with host ids from `uid_first`; `callback` is called once, from
 * the loop. Borrows `cgroup` until then. If the spawner dies it is started again, and what was
 * asked of it fails with -EPIPE. */
int launch_spawn(struct launch *launch, uint64_t sandbox, const char *template,
	const struct cgroup *cgroup, uint32_t uid_first, uint64_t disk_bytes,
	launch_callback callback, void *userdata);

/* Connects to the PID 1 of a sandbox that an earlier process made; checks by SO_PEERCRED and
 * /proc/<pid>/cgroup that it is the process in that cgroup. */
int launch_adopt(struct launch *launch, uint64_t sandbox, const struct cgroup *cgroup,
	struct launch_result *ret_result);
/* Removes the socket's path. */
void launch_forget(struct launch *launch, uint64_t sandbox);

/* What the gate serves in a sandbox. */
struct launch_sockets {
	int relay_fd;               /* TCP, listening */
	int dns_udp_fd, dns_tcp_fd; /* one port number for both */
	uint16_t relay_port, dns_port;
	int datagram_fd;        /* UDP */
	uint16_t datagram_port; /* 0: not opened */
	uint64_t netns_cookie;
};

/* Opens them (dual stack, ports chosen by the kernel) on the loopback of the sandbox whose PID 1 is
 * `pidfd`, and comes back. The caller owns the descriptors. */
int launch_open_inside(int pidfd, struct launch_sockets *ret_sockets);

/* Opens the gate's socket for datagrams beside them, bound to all addresses. Fills in its part of
 * `sockets` only. */
int launch_open_datagrams(int pidfd, struct launch_sockets *sockets);

/* Makes a TCP socket in there that begins to connect to `port` of its loopback, 127.0.0.1 or else
 * ::1, and comes back. The socket is non-blocking and may still be connecting. The caller owns it.
 * -ECONNREFUSED: nothing listens. */
int launch_connect_inside(int pidfd, uint16_t port, int *ret_fd);

/* Changes the size of the sandbox's writable layer. -EINVAL when it holds more than that already.
 */
int launch_set_disk_bytes(uint32_t pid, uint64_t disk_bytes);
