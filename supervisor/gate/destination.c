#include "supervisor/gate/destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t compatible_prefix[12] = {0};

static bool is_mapped(const struct abi_address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool destination_is_host(const struct abi_address *address)
{
	if (is_mapped(address))
		return address->bytes[12] == 127 || address->bytes[12] == 0;
	return memcmp(address->bytes, compatible_prefix, sizeof(compatible_prefix)) == 0;
}

socklen_t destination_to_socket(
	const struct abi_address *address, uint16_t port, struct sockaddr_storage *ret_socket)
{
	memset(ret_socket, 0, sizeof(*ret_socket));
	if (is_mapped(address)) {
		struct sockaddr_in *inet = (struct sockaddr_in *)ret_socket;

		inet->sin_family = AF_INET;
		inet->sin_port = htons(port);
		memcpy(&inet->sin_addr, address->bytes + 12, 4);
		return sizeof(*inet);
	}
	struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)ret_socket;

	inet6->sin6_family = AF_INET6;
	inet6->sin6_port = htons(port);
	memcpy(&inet6->sin6_addr, address->bytes, 16);
	return sizeof(*inet6);
}

int destination_from_socket(
	const struct sockaddr_storage *socket, struct abi_address *ret_address, uint16_t *ret_port)
{
	if (socket->ss_family == AF_INET) {
		const struct sockaddr_in *inet = (const struct sockaddr_in *)socket;

		memcpy(ret_address->bytes, mapped_prefix, 12);
		memcpy(ret_address->bytes + 12, &inet->sin_addr, 4);
		*ret_port = ntohs(inet->sin_port);
		return 0;
	}
	if (socket->ss_family == AF_INET6) {
		const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)socket;

		memcpy(ret_address->bytes, &inet6->sin6_addr, 16);
		*ret_port = ntohs(inet6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}
