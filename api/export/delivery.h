/* What is sent to a webhook: the batch's body and the headers that sign it, as Standard Webhooks
 * has them (standardwebhooks.com): HMAC-SHA256 over "ID.TIMESTAMP.BODY". */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/text/writer.h"

#define DELIVERY_ID_SIZE 80
#define DELIVERY_HEADER_SIZE 160

struct delivery {
	char id[DELIVERY_ID_SIZE]; /* the same each time that the same records are sent */
	struct writer body;        /* a line each */
};

/* `lines` are whole records, which must have a sequence, or one line that is a checkpoint. 0,
 * -EPROTO, -ENOMEM. */
int delivery_make(
	struct delivery *delivery, uint64_t sink, bool ocsf, const char *lines, size_t size);
void delivery_fini(struct delivery *delivery);

/* Writes "webhook-id: …", "webhook-timestamp: …" and "webhook-signature: v1,…". 0 or -EIO. */
int delivery_sign(const struct delivery *delivery, const uint8_t *secret, size_t secret_size,
	uint64_t now_seconds, char ret_headers[3][DELIVERY_HEADER_SIZE]);
