#include "supervisor/launch/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/abi/datagram.h"
#include "supervisor/base/cleanup.h"

struct request {
	struct nlmsghdr header;
	struct rtmsg route;
	struct rtattr destination;
	uint8_t prefix[16];
	struct rtattr device;
	uint32_t index;
};

_Static_assert(sizeof(struct request) == 16 + 12 + 4 + 16 + 4 + 4, "as rtnetlink(7) packs it");

static void put_number(uint8_t *bytes, uint64_t number)
{
	for (int i = 7; i >= 0; i--, number >>= 8)
		bytes[i] = (uint8_t)number;
}

static void fill(struct request *request)
{
	*request = (struct request){
		.header = {.nlmsg_len = sizeof(*request),
			.nlmsg_type = RTM_NEWROUTE,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.route = {.rtm_family = AF_INET6,
			.rtm_dst_len = ABI_DATAGRAM6_BITS,
			.rtm_table = RT_TABLE_LOCAL,
			.rtm_protocol = RTPROT_STATIC,
			.rtm_scope = RT_SCOPE_HOST,
			.rtm_type = RTN_LOCAL},
		.destination = {.rta_len = RTA_LENGTH(16), .rta_type = RTA_DST},
		.device = {.rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF},
		.index = if_nametoindex("lo")};
	put_number(request->prefix, ABI_DATAGRAM6_HIGH);
	put_number(request->prefix + 8, ABI_DATAGRAM6_LOW);
}

int route_add_datagrams(void)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	struct request request;
	ssize_t got;

	if (fd < 0)
		return -errno;
	fill(&request);
	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	/* rtnetlink answers before send(2) returns. */
	got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (got < 0)
		return -errno;
	if ((size_t)got < sizeof(answer.header) + sizeof(answer.error) ||
		answer.header.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error == -EEXIST ? 0 : answer.error.error;
}
