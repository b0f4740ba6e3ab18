/* Who asks: the key of the Authorization header, as text. What it may do is cloched's to say. */
#pragma once

#include "supervisor/wire/api.h"

/* Takes the key out of "Bearer KEY". Returns 0, -ENOENT when `header` is NULL, -EINVAL when it is
 * no bearer key or too long to be one. */
int auth_take_key(const char *header, char ret_key[static WIRE_KEY_SIZE]);

/* Describes the client of a connected socket: "unix uid=0 pid=77", "127.0.0.1:5123". */
void auth_describe_peer(int fd, char ret_remote[static WIRE_REMOTE_SIZE]);
