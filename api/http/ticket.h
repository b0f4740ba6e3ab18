/* Tickets: what stands for a key, for a while, at one port of one sandbox.
 *
 * A browser cannot send an Authorization header with a WebSocket, and a key in a page or an address
 * is a key given away. A ticket opens nothing but what it is for. What it stands for is still
 * cloched's to judge, by the key, at each use: a key that is revoked takes its tickets along.
 * Tickets are in this process only and end with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/wire/api.h"

#define TICKET_SIZE 48          /* of its text, with the NUL */
#define TICKETS_MAX 2048        /* of all keys */
#define TICKETS_PER_KEY_MAX 128 /* alive at once */

struct tickets;

struct ticket_use {
	char key[WIRE_KEY_SIZE];
	uint64_t sandbox;
	uint16_t port;
};

/* NULL when memory is out. */
struct tickets *tickets_new(void);
/* Takes NULL, returns NULL. */
struct tickets *tickets_free(struct tickets *tickets);

/* Returns 0, -EDQUOT (the key has too many), -ENOSPC (all keys have), other -errno. */
int ticket_issue(struct tickets *tickets, const struct ticket_use *use, uint64_t now_ns,
	uint64_t life_ns, char ret_text[static TICKET_SIZE]);
/* Whether the text of `size` bytes is a ticket for this sandbox and port; then its key. */
bool ticket_redeem(const struct tickets *tickets, const char *text, size_t size, uint64_t sandbox,
	uint16_t port, uint64_t now_ns, char ret_key[static WIRE_KEY_SIZE]);
