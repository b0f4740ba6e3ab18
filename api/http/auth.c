#include "api/http/auth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

int auth_take_key(const char *header, char ret_key[static WIRE_KEY_SIZE])
{
	static const char scheme[] = "Bearer ";
	const char *key;
	size_t length;

	if (!header)
		return -ENOENT;
	if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return -EINVAL;
	key = header + sizeof(scheme) - 1;
	key += strspn(key, " ");
	length = strlen(key);
	if (length == 0 || length >= WIRE_KEY_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < length; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return -EINVAL;
	memcpy(ret_key, key, length + 1);
	return 0;
}

void auth_describe_peer(int fd, char ret_remote[static WIRE_REMOTE_SIZE])
{
	struct sockaddr_storage address = {0};
	const struct sockaddr_in *ipv4 = (const void *)&address;
	const struct sockaddr_in6 *ipv6 = (const void *)&address;
	socklen_t size = sizeof(address);
	char text[INET6_ADDRSTRLEN];
	struct ucred peer;

	snprintf(ret_remote, WIRE_REMOTE_SIZE, "unknown");
	if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
		return;
	if (address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof(text));
		snprintf(ret_remote, WIRE_REMOTE_SIZE, "%s:%u", text, ntohs(ipv4->sin_port));
		return;
	}
	if (address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &ipv6->sin6_addr, text, sizeof(text));
		snprintf(ret_remote, WIRE_REMOTE_SIZE, "[%s]:%u", text, ntohs(ipv6->sin6_port));
		return;
	}
	size = sizeof(peer);
	if (address.ss_family == AF_UNIX &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
		snprintf(ret_remote, WIRE_REMOTE_SIZE, "unix uid=%u pid=%d", peer.uid, peer.pid);
}
