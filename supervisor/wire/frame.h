/* One message between two processes of ours: a header, a fixed body, then a tail of bytes.
 *
 * Carried whole by SOCK_SEQPACKET, file descriptors beside it by SCM_RIGHTS. Both ends run on one
 * machine, so integers are in host order. A message whose version, size or number of descriptors is
 * not the one that its type states is a broken peer: drop it. This header is also read by the
 * freestanding cloche-init, so it includes no libc. */
#pragma once

#include <stdint.h>

#define WIRE_VERSION 1
#define WIRE_FRAME_MAX (128 * 1024) /* bytes, header included */
#define WIRE_FDS_MAX 4

struct wire_header {
	uint16_t version; /* WIRE_VERSION */
	uint16_t type;
	uint32_t size;   /* of the whole message */
	uint64_t cookie; /* chosen by whoever asks, repeated in every answer to it */
};

_Static_assert(sizeof(struct wire_header) == 16, "the same in every process");
