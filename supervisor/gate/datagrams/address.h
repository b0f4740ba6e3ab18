/* Datagrams and the addresses that the kernel's programs made them bear. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "bpf/abi/datagram.h"

/* The row that a loopback address inside stands for. Returns 0 or -ENOENT. */
int datagram_index(const struct abi_address *inside, uint32_t *ret_index);

/* A number for this sender inside and this row, never the same for two. Returns 0, or -EINVAL: no
 * sender there has this address. */
int datagram_key(
	const struct abi_address *sender, uint16_t port, uint32_t index, uint64_t *ret_key);

/* Has the kernel say where each datagram was sent to, and allows to send from there. Returns 0 or
 * -errno. */
int datagram_prepare(int fd);

/* Takes one datagram. Returns its size, or -errno: -EAGAIN for none, -EBADMSG for one that is of no
 * use. */
ssize_t datagram_receive(int fd, void *buffer, size_t size_bytes, struct sockaddr_storage *ret_from,
	struct abi_address *ret_inside);
/* Sends one as from the address `inside`. Returns 0 or -errno. */
int datagram_send(int fd, const struct sockaddr_storage *to, const struct abi_address *inside,
	const void *bytes, size_t size_bytes);
