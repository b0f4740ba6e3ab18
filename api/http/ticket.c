#include "api/http/ticket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECRET_BYTES 16
#define TEXT_LENGTH (4 + 2 * SECRET_BYTES) /* its place, and the secret, in hex */

_Static_assert(TEXT_LENGTH < TICKET_SIZE, "a ticket's text");
_Static_assert(TICKETS_MAX <= 0x10000, "a place in four digits");

struct ticket {
	uint64_t ends_ns; /* 0: free */
	struct ticket_use use;
	char text[TICKET_SIZE];
};

struct tickets {
	struct ticket places[TICKETS_MAX];
};

struct tickets *tickets_new(void)
{
	return calloc(1, sizeof(struct tickets));
}

struct tickets *tickets_free(struct tickets *tickets)
{
	if (tickets)
		explicit_bzero(tickets, sizeof(*tickets));
	free(tickets);
	return NULL;
}

static int find_place(
	struct tickets *tickets, const char *key, uint64_t now_ns, struct ticket **ret_place)
{
	struct ticket *place = NULL;
	size_t n_of_key = 0;

	for (size_t i = 0; i < TICKETS_MAX; i++) {
		struct ticket *each = &tickets->places[i];

		if (each->ends_ns <= now_ns)
			place = place ? place : each;
		else
			n_of_key += strcmp(each->use.key, key) == 0;
	}
	if (n_of_key >= TICKETS_PER_KEY_MAX)
		return -EDQUOT;
	if (!place)
		return -ENOSPC;
	*ret_place = place;
	return 0;
}

int ticket_issue(struct tickets *tickets, const struct ticket_use *use, uint64_t now_ns,
	uint64_t life_ns, char ret_text[static TICKET_SIZE])
{
	unsigned char secret[SECRET_BYTES];
	struct ticket *place;
	int r = find_place(tickets, use->key, now_ns, &place), length;

	if (r < 0)
		return r;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return -EIO;
	*place = (struct ticket){.ends_ns = now_ns + life_ns, .use = *use};
	length = snprintf(
		place->text, sizeof(place->text), "%04x", (unsigned)(place - tickets->places));
	for (size_t i = 0; i < sizeof(secret); i++)
		length += snprintf(place->text + length, sizeof(place->text) - (size_t)length,
			"%02x", secret[i]);
	memcpy(ret_text, place->text, TICKET_SIZE);
	return 0;
}

/* In the same time whatever the first difference is. */
static bool is_same(const char *one, const char *other, size_t size)
{
	unsigned char difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= (unsigned char)(one[i] ^ other[i]);
	return difference == 0;
}

bool ticket_redeem(const struct tickets *tickets, const char *text, size_t size, uint64_t sandbox,
	uint16_t port, uint64_t now_ns, char ret_key[static WIRE_KEY_SIZE])
{
	const struct ticket *ticket;
	char digits[5] = "";
	size_t place;

	if (size != TEXT_LENGTH)
		return false;
	memcpy(digits, text, 4);
	place = strtoul(digits, NULL, 16);
	if (place >= TICKETS_MAX)
		return false;
	ticket = &tickets->places[place];
	if (ticket->ends_ns <= now_ns || !is_same(ticket->text, text, TEXT_LENGTH) ||
		ticket->use.sandbox != sandbox || ticket->use.port != port)
		return false;
	memcpy(ret_key, ticket->use.key, WIRE_KEY_SIZE);
	return true;
}
