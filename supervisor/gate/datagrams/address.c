#include "supervisor/gate/datagrams/address.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/gate/destination.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct abi_address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static uint64_t number(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

int datagram_index(const struct abi_address *inside, uint32_t *ret_index)
{
	uint64_t index;

	if (is_mapped(inside))
		index = number(inside->bytes + 12, 4) - ABI_DATAGRAM4_BASE;
	else if (number(inside->bytes, 8) == ABI_DATAGRAM6_HIGH)
		index = number(inside->bytes + 8, 8) - ABI_DATAGRAM6_LOW;
	else
		return -ENOENT;
	if (index >= ABI_DATAGRAMS_PER_SANDBOX_MAX)
		return -ENOENT;
	*ret_index = (uint32_t)index;
	return 0;
}

/* Senders are at 127.0.0.0/8, at ::1 or at the address that a sandbox has besides: 25 bits, 16 for
 * the port, the row below. */
int datagram_key(const struct abi_address *sender, uint16_t port, uint32_t index, uint64_t *ret_key)
{
	static const struct abi_address loopback6 = {.bytes = {[15] = 1}};
	const bool low_is_one = number(sender->bytes + 8, 8) == 1;
	uint64_t host;

	if (is_mapped(sender) && sender->bytes[12] == 127)
		host = number(sender->bytes + 13, 3);
	else if (memcmp(sender, &loopback6, sizeof(loopback6)) == 0)
		host = 1 << 24;
	else if (low_is_one && number(sender->bytes, 8) == ABI_SYNTHETIC6_HIGH)
		host = (1 << 24) + 1;
	else
		return -EINVAL;
	*ret_key = (host << 16 | port) << 16 | index;
	return 0;
}

_Static_assert(ABI_DATAGRAMS_PER_SANDBOX_MAX <= 1 << 16, "a row fits into the key");

/* Where IPv6 is switched off, the socket is one of IPv4. */
static bool is_inet6(int fd)
{
	socklen_t size = sizeof(int);
	int domain = AF_UNSPEC;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	return domain == AF_INET6;
}

int datagram_prepare(int fd)
{
	const int on = 1;
	int r;

	if (is_inet6(fd))
		r = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else
		r = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	/* The addresses of IPv6 are a route's, not an interface's. */
	if (r == 0)
		r = setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	return r < 0 ? -errno : 0;
}

static int find_inside(struct msghdr *message, struct abi_address *ret_inside)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
		part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(part), sizeof(info));
			memcpy(ret_inside->bytes, &info.ipi6_addr, 16);
			return 0;
		}
		if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(part), sizeof(info));
			memcpy(ret_inside->bytes, mapped_prefix, 12);
			memcpy(ret_inside->bytes + 12, &info.ipi_addr, 4);
			return 0;
		}
	}
	return -EBADMSG;
}

ssize_t datagram_receive(int fd, void *buffer, size_t size_bytes, struct sockaddr_storage *ret_from,
	struct abi_address *ret_inside)
{
	_Alignas(struct cmsghdr) char control[256];
	struct iovec bytes = {buffer, size_bytes};
	struct msghdr message = {.msg_name = ret_from,
		.msg_namelen = sizeof(*ret_from),
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);

	if (got < 0)
		return -errno;
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || find_inside(&message, ret_inside) < 0)
		return -EBADMSG;
	return got;
}

int datagram_send(int fd, const struct sockaddr_storage *to, const struct abi_address *inside,
	const void *bytes, size_t size_bytes)
{
	struct in6_pktinfo info6 = {.ipi6_ifindex = 0};
	struct in_pktinfo info = {.ipi_ifindex = 0};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(info6))] = {0};
	struct iovec part = {(void *)bytes, size_bytes};
	struct msghdr message = {.msg_name = (void *)to,
		.msg_namelen = to->ss_family == AF_INET ? sizeof(struct sockaddr_in)
							: sizeof(struct sockaddr_in6),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control};
	struct cmsghdr *source = (struct cmsghdr *)control;

	if (to->ss_family == AF_INET) {
		memcpy(&info.ipi_spec_dst, inside->bytes + 12, 4);
		source->cmsg_level = IPPROTO_IP;
		source->cmsg_type = IP_PKTINFO;
		source->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(source), &info, sizeof(info));
		message.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		memcpy(&info6.ipi6_addr, inside->bytes, 16);
		source->cmsg_level = IPPROTO_IPV6;
		source->cmsg_type = IPV6_PKTINFO;
		source->cmsg_len = CMSG_LEN(sizeof(info6));
		memcpy(CMSG_DATA(source), &info6, sizeof(info6));
		message.msg_controllen = CMSG_SPACE(sizeof(info6));
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
