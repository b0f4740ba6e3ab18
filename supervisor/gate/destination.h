/* Addresses as the flow table has them, and the ones that the gate never connects to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bpf/abi/types.h"

/* Whether connecting to `address` would reach the host itself without leaving it: 127.0.0.0/8,
 * 0.0.0.0/8, ::1, :: and the other IPv4-compatible addresses (::/96). The gate stands in the host's
 * network, where services trust such peers, so no rule can allow them. */
bool destination_is_host(const struct abi_address *address);

/* IPv4-mapped addresses become AF_INET. Returns the size of what was filled in. */
socklen_t destination_to_socket(
	const struct abi_address *address, uint16_t port, struct sockaddr_storage *ret_socket);
/* Returns 0, or -EAFNOSUPPORT for neither family of IP. */
int destination_from_socket(
	const struct sockaddr_storage *socket, struct abi_address *ret_address, uint16_t *ret_port);
