/* cloche-init, PID 1 of a sandbox: starts commands for cloched, reaps, and reports how they ended.
 *
 * It is freestanding, so that a sandbox costs a few pages, and it holds no capability but setuid,
 * setgid and kill inside its user namespace. It trusts cloched and checks it all the same; of the
 * tenant's processes it reads nothing but /proc/<pid>/stat. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/wire/init.h"

#define INIT_LISTEN_FD 3      /* given by the stage: bound, listening, not blocking */
#define INIT_VECTOR_MAX 8192  /* argument and environment strings of one command */
#define INIT_STACK_SIZE 16384 /* of the child between vfork and exec */
#define INIT_BUFFER_KEEP 8192 /* bytes of the receive buffer that stay resident */

struct command {
	uint64_t cookie;
	uint64_t started_ns;
	int32_t pid; /* also its session and process group */
	bool ended;  /* `exited` waits to be sent */
	struct wire_init_exited exited;
};

struct init {
	int connection_fd, signal_fd; /* -1: none */
	uint32_t n_commands;
	struct command commands[WIRE_INIT_EXECS_MAX]; /* the first n_commands are in use */
	_Alignas(4096) uint8_t buffer[WIRE_FRAME_MAX];
	_Alignas(16) uint8_t stack[INIT_STACK_SIZE];
	char *vector[INIT_VECTOR_MAX + 4];
};

struct message {
	const struct wire_header *header;
	const uint8_t *body;
	size_t body_size;
	int fds[WIRE_FDS_MAX];
	uint32_t n_fds;
};

/* connection.c */

/* Sends one message. Returns 0, -EAGAIN, or another negative errno when the peer is lost. */
int connection_send(
	struct init *init, uint16_t type, uint64_t cookie, const void *body, size_t body_size);
void connection_drop(struct init *init);
void connection_accept(struct init *init);
/* Receives and serves what is there; drops the connection when the peer breaks the protocol. */
void connection_serve(struct init *init);

/* command.c */

struct command *command_find(struct init *init, uint64_t cookie);
/* Reaps every child that has ended. */
void command_reap(struct init *init);
/* Sends the ends that could not be sent yet. Returns true when some still wait. */
bool command_report(struct init *init);
/* Signals the command's process group and all processes of its session. */
void command_kill(struct init *init, const struct command *command, int signal);
uint64_t command_clock_ns(void);

/* exec.c */

/* Serves WIRE_INIT_EXEC. Returns 0 when it was answered, negative to drop the connection. */
int exec_start(struct init *init, const struct message *message);

/* memory.c: what the compiler itself calls, and text */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t text_length(const char *text);
