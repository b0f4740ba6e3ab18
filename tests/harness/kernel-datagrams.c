/* The gate's side of datagrams in the scene. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/lib/destination.h"
#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"

static const struct in6_pktinfo *find_address(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO)
			return (const struct in6_pktinfo *)CMSG_DATA(part);
	return NULL;
}

static void receive(struct kernel_scene *scene, struct kernel_datagram *datagram)
{
	struct pollfd waiting = {.fd = scene->datagram_fd, .events = POLLIN};
	_Alignas(struct cmsghdr) char control[256];
	struct iovec bytes = {datagram->bytes, sizeof(datagram->bytes)};
	struct msghdr message = {.msg_name = &datagram->source,
		.msg_namelen = sizeof(datagram->source),
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	const struct in6_pktinfo *info;

	datagram->size = -1;
	if (poll(&waiting, 1, 2000) != 1)
		return;
	datagram->size = recvmsg(scene->datagram_fd, &message, 0);
	info = find_address(&message);
	CHECK(info);
	datagram->inside = (struct sockaddr_in6){.sin6_family = AF_INET6,
		.sin6_port = htons(scene->datagram_port),
		.sin6_addr = info->ipi6_addr};
}

void kernel_scene_datagram(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	struct kernel_datagram *ret_datagram)
{
	struct abi_address inside;
	int index, fd;

	memset(ret_datagram, 0, sizeof(*ret_datagram));
	receive(scene, ret_datagram);
	if (ret_datagram->size < 0)
		return;
	memcpy(inside.bytes, &ret_datagram->inside.sin6_addr, sizeof(inside.bytes));
	index = destination_index(&inside);
	CHECK(index >= 0);
	ret_datagram->index = (uint32_t)index;
	CHECK_INT(enforce_datagrams_fd(scene->enforce, &fd), 0);
	CHECK_INT(bpf_map_lookup_elem_flags(fd,
			  &(struct abi_datagram_key){sandbox->id, (uint32_t)index, 0},
			  &ret_datagram->row, BPF_F_LOCK),
		0);
	close(fd);
}

ssize_t kernel_scene_reply(
	struct kernel_scene *scene, const struct kernel_datagram *datagram, const char *answer)
{
	const struct in6_pktinfo info = {.ipi6_addr = datagram->inside.sin6_addr};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(info))] = {0};
	struct iovec bytes = {(void *)answer, strlen(answer)};
	struct msghdr message = {.msg_name = (void *)&datagram->source,
		.msg_namelen = sizeof(datagram->source),
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *part = CMSG_FIRSTHDR(&message);
	ssize_t sent;

	part->cmsg_level = IPPROTO_IPV6;
	part->cmsg_type = IPV6_PKTINFO;
	part->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(part), &info, sizeof(info));
	sent = sendmsg(scene->datagram_fd, &message, 0);
	return sent < 0 ? -errno : sent;
}

size_t kernel_scene_count_rows(struct kernel_scene *scene)
{
	struct abi_datagram_key key, *before = NULL;
	size_t n = 0;
	int fd;

	CHECK_INT(enforce_datagrams_fd(scene->enforce, &fd), 0);
	for (; bpf_map_get_next_key(fd, before, &key) == 0; n++)
		before = &key;
	close(fd);
	return n;
}

static int is_set(const struct dirent *entry)
{
	return strncmp(entry->d_name, "set-", 4) == 0;
}

int kernel_scene_open_rows(struct kernel_scene *scene)
{
	struct dirent **sets;
	char path[512];
	int fd;

	CHECK_INT(scandir(scene->pins, &sets, is_set, NULL), 1);
	snprintf(path, sizeof(path), "%s/%s/datagrams", scene->pins, sets[0]->d_name);
	free(sets[0]);
	free(sets);
	fd = bpf_obj_get(path);
	CHECK(fd >= 0);
	return fd;
}
