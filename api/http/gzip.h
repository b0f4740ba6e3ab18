/* Answers packed as they are written (gzip, RFC 1952): the room's use of zlib. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/text/writer.h"

#define GZIP_HELD_BYTES                                                                            \
	(272 * 1024) /* what a packer keeps: deflate's window and tables, zconf.h                  \
		      */

struct gzip;

/* Whether an Accept-Encoding header (NULL: absent) prefers gzip to nothing (RFC 9110, 12.5.3). */
bool gzip_is_accepted(const char *accept_encoding);

/* Returns 0 or -ENOMEM. */
int gzip_new(struct gzip **ret_gzip);
/* Takes NULL, returns NULL. */
struct gzip *gzip_free(struct gzip *gzip);

/* Empties `plain` and appends to `packed`, so that the other side can unpack all of it now; `last`
 * says that nothing follows. Either writer's failure is `packed`'s. */
void gzip_pack(struct gzip *gzip, struct writer *plain, struct writer *packed, bool last);
