/* Which function answers which method and path: one table, matched segment by segment. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/wire/api.h"

struct request;

/* Called once, when the body is there. It responds, or asks and responds later. */
typedef void (*route_handler)(struct request *request);

enum route_flags {
	ROUTE_OPEN = 1,    /* no key needed */
	ROUTE_BODY = 2,    /* takes a JSON object; an empty body stands for {} */
	ROUTE_SILENT = 4,  /* not reported to cloched as an API call */
	ROUTE_EXACT = 8,   /* HEAD is not served by it: it would start something */
	ROUTE_QUERY = 16,  /* reads the query itself; else any argument is refused */
	ROUTE_TAIL = 32,   /* the path may go on as it likes, and be long */
	ROUTE_TICKET = 64, /* an upgrade may come without a key: the handler looks for a ticket */
};

struct route {
	const char *method;  /* "*": any */
	const char *pattern; /* "/v1/sandboxes/{id}"; a "*" at its end: whatever follows */
	route_handler handler;
	uint32_t flags; /* enum route_flags */
};

struct route_table {
	const struct route *routes;
	size_t n;
};

#define ROUTE_PARAMETERS_MAX 2

struct route_match {
	const struct route *route;                             /* NULL: none */
	bool path_known;                                       /* another method is served here */
	bool too_long;                                         /* a parameter does not fit */
	char parameters[ROUTE_PARAMETERS_MAX][WIRE_NAME_SIZE]; /* in the order of the pattern */
};

/* HEAD is served as GET. */
void route_find(const struct route_table *table, const char *method, const char *path,
	struct route_match *ret_match);

/* The value of the Allow header for a known path: "GET, HEAD, OPTIONS". */
void route_allowed(const struct route_table *table, const char *path, char *ret_text, size_t size);
