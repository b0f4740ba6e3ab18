/* A relay with everything around it on the machine's own loopback, in one loop and one thread: a
 * table of flows that the test fills, sandboxes' listening sockets, clients, and one origin server.
 *
 * Nothing here sleeps: whatever waits runs the loop until it is true, or fails after 10 s. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/gate/gate.h"

#define SCENE_FLOWS_MAX 512
#define SCENE_SANDBOXES_MAX 4

struct scene_flow {
	struct abi_flow_key key;
	struct abi_flow flow;
};

struct scene {
	struct loop *loop;
	struct gate *gate;
	struct gate_config config;
	struct scene_flow flows[SCENE_FLOWS_MAX]; /* what "the kernel" wrote down */
	size_t n_flows;
	struct wire_gate_flow reports[SCENE_FLOWS_MAX];
	size_t n_reports;
	uint16_t ports[SCENE_SANDBOXES_MAX + 1]; /* of the sandboxes 1, 2, … */
	int origin_fd;
	struct sockaddr_in6 origin; /* ::1, or ::ffff:127.0.0.1 */
	int origin_family;
};

/* A gate with generous limits that may connect to loopback, an origin server of `family`. Change
 * `config` between the two calls. */
void scene_prepare(struct scene *scene, int family);
void scene_start(struct scene *scene);
void scene_end(struct scene *scene);

/* A dual-stack listening socket for `sandbox` (from 1), whose netns cookie is 1000 + its number. */
void scene_open(struct scene *scene, uint64_t sandbox);

/* A client socket bound to the loopback of `family`, not yet connected, and what the kernel would
 * write down for it: that it meant to go to the origin. */
int scene_client(struct scene *scene, uint64_t sandbox, int family, struct scene_flow *ret_flow);
void scene_write_down(struct scene *scene, const struct scene_flow *flow);
/* Connects to the sandbox's listening socket. */
void scene_connect(struct scene *scene, uint64_t sandbox, int client, int family);
/* All of these: a client whose connection goes to the origin. */
int scene_dial(struct scene *scene, uint64_t sandbox);
/* The origin's end of the next connection, non-blocking. */
int scene_accept(struct scene *scene);

void scene_step(struct scene *scene);
void scene_write(struct scene *scene, int fd, const void *data, size_t size);
/* Reads exactly `size` bytes. */
void scene_read(struct scene *scene, int fd, void *data, size_t size);
/* Runs until read(2) gives an end of stream (0) or an error other than EAGAIN (negative errno);
 * fails on data. */
int scene_read_end(struct scene *scene, int fd);
/* Runs until there are `n` reports in all; returns the last. */
const struct wire_gate_flow *scene_report(struct scene *scene, size_t n);

/* Byte number `position` of a stream that never repeats within a test. */
uint8_t scene_byte(uint64_t position);
/* One chunk of that stream. */
void scene_bytes(uint64_t position, uint8_t *ret_bytes, size_t size);
