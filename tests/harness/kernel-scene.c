#include "tests/harness/kernel-scene.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/lib/match.h"
#include "supervisor/launch/route.h"
#include "tests/harness/check.h"

static struct kernel_scene the_scene;
static pid_t owner; /* the process that takes the scene down */

static const char *cgroup2_root(void)
{
	return access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup/unified"
									: "/sys/fs/cgroup";
}

/* What a failed test left: its processes, then its cgroups, the inner ones first. */
static void remove_cgroup(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	char inner[PATH_MAX];

	while (directory && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) < PATH_MAX)
			remove_cgroup(inner);
	}
	if (directory)
		closedir(directory);
	for (int i = 0; i < 200 && rmdir(path) < 0 && errno == EBUSY; i++) {
		int fd;

		if (snprintf(inner, sizeof(inner), "%s/cgroup.kill", path) >= PATH_MAX)
			return;
		fd = open(inner, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "1", 1) != 1)
			i = 200;
		close(fd);
		poll(NULL, 0, 10); /* until they are gone */
	}
}

static void take_down(void)
{
	struct kernel_scene *scene = &the_scene;

	if (getpid() != owner)
		return;
	if (scene->enforce)
		enforce_remove(scene->enforce);
	scene->enforce = enforce_free(scene->enforce);
	umount2(scene->bpffs, MNT_DETACH);
	rmdir(scene->bpffs);
	remove_cgroup(scene->cgroup);
}

static void make_bpffs(struct kernel_scene *scene)
{
	snprintf(scene->bpffs, sizeof(scene->bpffs), "/tmp/cloche-test-bpf-XXXXXX");
	CHECK(mkdtemp(scene->bpffs));
	CHECK_INT(unshare(CLONE_NEWNS), 0);
	CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_INT(mount("bpf", scene->bpffs, "bpf", 0, "mode=0700"), 0);
	snprintf(scene->pins, sizeof(scene->pins), "%s/cloche", scene->bpffs);
}

/* On [::]:port, dual-stack, as the gate's sockets are; `*port` 0 is given one. */
static int bound_socket(int type, uint16_t *port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	socklen_t size = sizeof(address);
	int off = 0, fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK_INT(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		CHECK_INT(listen(fd, 512), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin6_port);
	return fd;
}

static void make_network(struct kernel_scene *scene)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	socklen_t size = sizeof(scene->netns_cookie);
	int control, on = 1;

	CHECK_INT(unshare(CLONE_NEWNET), 0);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_INT(ioctl(control, SIOCSIFFLAGS, &request), 0);
	close(control);
	scene->gate_fd = bound_socket(SOCK_STREAM, &scene->gate_port);
	scene->dns_udp_fd = bound_socket(SOCK_DGRAM, &scene->dns_port);
	scene->dns_tcp_fd = bound_socket(SOCK_STREAM, &scene->dns_port);
	scene->datagram_fd = bound_socket(SOCK_DGRAM, &scene->datagram_port);
	CHECK_INT(route_add_datagrams(), 0);
	CHECK_INT(
		setsockopt(scene->datagram_fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)), 0);
	CHECK_INT(setsockopt(scene->datagram_fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)), 0);
	CHECK_INT(getsockopt(
			  scene->gate_fd, SOL_SOCKET, SO_NETNS_COOKIE, &scene->netns_cookie, &size),
		0);
}

static bool open_enforcement(struct kernel_scene *scene)
{
	const struct enforce_config config = {scene->pins, scene->cgroup};
	struct failure why = {0};
	bool adopted = false;

	if (enforce_open(&config, &scene->enforce, &adopted, &why) < 0)
		CHECK_FAIL("%s: %s (%s)", why.stage, why.sentence, why.location);
	return adopted;
}

struct kernel_scene *kernel_scene(void)
{
	struct kernel_scene *scene = &the_scene;

	if (owner)
		return scene;
	if (geteuid() != 0)
		check_skip("needs root");
	owner = getpid();
	atexit(take_down);
	scene->next_id = 0x5b00000000000001;
	scene->report = mmap(NULL, SCENE_REPORT_BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(scene->report != MAP_FAILED);
	snprintf(scene->cgroup, sizeof(scene->cgroup), "%s/cloche-test-%d", cgroup2_root(),
		getpid());
	CHECK_INT(mkdir(scene->cgroup, 0755), 0);
	make_bpffs(scene);
	make_network(scene);
	CHECK(!open_enforcement(scene));
	return scene;
}

bool kernel_scene_reopen(struct kernel_scene *scene)
{
	scene->enforce = enforce_free(scene->enforce);
	return open_enforcement(scene);
}

/* ---- sandboxes */

void kernel_sandbox_make_bare(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct kernel_sandbox *sandbox = ret_sandbox;
	struct stat info;

	*sandbox = (struct kernel_sandbox){.id = scene->next_id++, .tenant = 77, .image = 0};
	snprintf(sandbox->path, sizeof(sandbox->path), "%s/%016lx", scene->cgroup,
		(unsigned long)sandbox->id);
	CHECK_INT(mkdir(sandbox->path, 0755), 0);
	sandbox->cgroup_fd = open(sandbox->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(sandbox->cgroup_fd >= 0);
	CHECK_INT(fstat(sandbox->cgroup_fd, &info), 0);
	sandbox->cgroup_id = info.st_ino;
	sandbox->slot = UINT32_MAX;
}

void kernel_sandbox_make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	kernel_sandbox_make_bare(scene, ret_sandbox);
	CHECK_INT(enforce_slot_take(scene->enforce, ret_sandbox->cgroup_id, ret_sandbox->id,
			  &ret_sandbox->slot),
		0);
}

void kernel_sandbox_bind(struct kernel_scene *scene, struct kernel_sandbox *sandbox,
	const char *name, const struct policy_image *image, bool gate)
{
	char hash[POLICY_HASH_SIZE];
	uint32_t index, before = sandbox->image;

	memset(hash, 'f', sizeof(hash) - 1);
	memcpy(hash, name, strlen(name));
	hash[sizeof(hash) - 1] = '\0';
	CHECK_INT(enforce_image_take(scene->enforce, hash, image, &index), 0);
	CHECK_INT(enforce_slot_bind(scene->enforce, sandbox->slot, sandbox->tenant,
			  gate ? scene->gate_port : 0, index, &sandbox->generation),
		0);
	sandbox->image = index;
	if (before)
		enforce_image_release(scene->enforce, before);
}

void kernel_sandbox_give_resolver(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	CHECK_INT(enforce_slot_set_ports(
			  scene->enforce, sandbox->slot, scene->gate_port, scene->dns_port),
		0);
}

void kernel_sandbox_give_datagrams(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	CHECK_INT(
		enforce_slot_set_datagram_port(scene->enforce, sandbox->slot, scene->datagram_port),
		0);
}

void kernel_sandbox_end(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	if (sandbox->slot != UINT32_MAX)
		enforce_slot_release(scene->enforce, sandbox->slot, sandbox->cgroup_id);
	if (sandbox->image)
		enforce_image_release(scene->enforce, sandbox->image);
	close(sandbox->cgroup_fd);
	CHECK_INT(rmdir(sandbox->path), 0);
}

int kernel_sandbox_spawn(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	kernel_act act, const void *argument)
{
	struct clone_args arguments = {.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)sandbox->cgroup_fd};
	long pid;

	fflush(stdout);
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	CHECK(pid >= 0);
	if (pid == 0) {
		alarm((unsigned int)check_patience_ms(20000) / 1000);
		_exit(act(scene, argument));
	}
	return (int)pid;
}

int kernel_sandbox_wait(int pid)
{
	int status;

	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int kernel_sandbox_run(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	kernel_act act, const void *argument)
{
	return kernel_sandbox_wait(kernel_sandbox_spawn(scene, sandbox, act, argument));
}

/* ---- events */

static void keep_event(const struct abi_event_header *event, void *userdata)
{
	struct kernel_scene *scene = userdata;

	if (scene->n_events == SCENE_EVENTS_MAX || event->size > sizeof(scene->events[0]))
		return;
	memcpy(&scene->events[scene->n_events++], event, event->size);
}

size_t kernel_scene_events(struct kernel_scene *scene)
{
	scene->n_events = 0;
	while (enforce_events_consume(scene->enforce, keep_event, scene) == ENFORCE_EVENTS_BATCH)
		;
	return scene->n_events;
}

const struct abi_network_event *kernel_scene_network_event(struct kernel_scene *scene)
{
	const struct abi_network_event *found = NULL;

	for (size_t i = 0; i < scene->n_events; i++) {
		if (scene->events[i].header.type != ABI_EVENT_NETWORK)
			continue;
		CHECK(!found);
		found = &scene->events[i].network;
	}
	return found;
}

const union kernel_event *kernel_scene_event(struct kernel_scene *scene, enum abi_event_type type)
{
	for (size_t i = 0; i < scene->n_events; i++)
		if (scene->events[i].header.type == type)
			return &scene->events[i];
	return NULL;
}

/* ---- the gate's side */

/* By what the gate has: the accepted socket, and the map read-only. */
static int find_flow(struct kernel_scene *scene, int fd, struct abi_flow *ret_flow)
{
	struct sockaddr_in6 peer;
	socklen_t size = sizeof(peer);
	struct abi_flow_key key = {.netns_cookie = scene->netns_cookie};
	int flows_fd, r;

	CHECK_INT(getpeername(fd, (struct sockaddr *)&peer, &size), 0);
	memcpy(&key.local_address, &peer.sin6_addr, sizeof(key.local_address));
	key.local_port = ntohs(peer.sin6_port);
	CHECK_INT(enforce_flows_fd(scene->enforce, &flows_fd), 0);
	r = bpf_map_lookup_elem(flows_fd, &key, ret_flow);
	close(flows_fd);
	return r;
}

int kernel_scene_accept(struct kernel_scene *scene, struct abi_flow *ret_flow)
{
	struct pollfd waiting = {.fd = scene->gate_fd, .events = POLLIN};
	int fd;

	if (poll(&waiting, 1, 2000) != 1)
		return -1;
	fd = accept4(scene->gate_fd, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_INT(find_flow(scene, fd, ret_flow), 0);
	return fd;
}

void kernel_scene_drain(struct kernel_scene *scene)
{
	char byte;
	int fd;

	while ((fd = accept4(scene->gate_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	while ((fd = accept4(scene->dns_tcp_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	while (recv(scene->dns_udp_fd, &byte, 1, 0) >= 0 ||
		recv(scene->datagram_fd, &byte, 1, 0) >= 0)
		;
}

static bool wait_for(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};

	return poll(&waiting, 1, 2000) == 1;
}

int kernel_scene_accept_query(struct kernel_scene *scene)
{
	return wait_for(scene->dns_tcp_fd) ? accept4(scene->dns_tcp_fd, NULL, NULL, SOCK_CLOEXEC)
					   : -1;
}

int kernel_scene_answer(
	struct kernel_scene *scene, void *ret_query, size_t size, const char *answer)
{
	struct sockaddr_in6 source;
	socklen_t source_size = sizeof(source);
	ssize_t n;

	if (!wait_for(scene->dns_udp_fd))
		return -1;
	n = recvfrom(
		scene->dns_udp_fd, ret_query, size, 0, (struct sockaddr *)&source, &source_size);
	CHECK(n >= 0);
	CHECK_INT(sendto(scene->dns_udp_fd, answer, strlen(answer), 0, (struct sockaddr *)&source,
			  source_size),
		strlen(answer));
	return (int)n;
}

socklen_t kernel_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	CHECK_INT(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
	return sizeof(*ipv6);
}
