/* cloched and its spawner, the process that makes sandboxes from a small mount table and few fds.
 */
#pragma once

#include "supervisor/wire/frame.h"

enum wire_spawn_type {
	WIRE_SPAWN_MAKE = 1, /* cloched → spawner: struct wire_spawn_make, fds below */
	WIRE_SPAWN_MADE = 2, /* spawner → cloched: struct wire_spawn_made, 1 fd: pidfd */
	WIRE_SPAWN_FAILED =
		3, /* spawner → cloched: struct wire_spawn_failed; cookie 0: the spawner itself */
	WIRE_SPAWN_READY = 4, /* spawner → cloched, once, when prepared: struct wire_spawn_ready */
};

#define WIRE_SPAWN_TASKS_MAX 2 /* v1 `tasks` files to join before PID 1 runs (pids, cpu) */

/* fds: the cgroup v2 directory, then `n_tasks` v1 `tasks` files open for writing. */
struct wire_spawn_make {
	uint64_t sandbox;
	uint32_t uid_first; /* host id of the sandbox's id 0; 65,536 in a row */
	uint32_t n_tasks;
	uint64_t disk_bytes;   /* size of the writable layer */
	char socket_path[104]; /* name in the directory of the sockets: where cloche-init listens */
	char template[32];
};

struct wire_spawn_made {
	uint32_t pid; /* on the host */
	uint32_t reserved;
};

struct wire_spawn_ready {
	uint32_t idmapped; /* 1: files of /usr show their real owners, 0: as nobody's */
	uint32_t reserved;
};

struct wire_spawn_failed {
	int32_t error;
	char stage[32];
	char sentence[256];
};
