#include "supervisor/control/check.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/enforce/enforce.h"

#define PROBES_MAX 48

static void add(struct enforce_probe *probes, size_t *n, const char *feature, bool present,
	bool required, const char *meaning)
{
	if (*n == PROBES_MAX)
		return;
	probes[*n] = (struct enforce_probe){
		.feature = feature, .present = present, .required = required};
	snprintf(probes[*n].meaning, sizeof(probes[*n].meaning), "%s", meaning);
	(*n)++;
}

static bool has_namespaces(void)
{
	static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (access(path, F_OK) < 0)
			return false;
	}
	return true;
}

static bool has_controller(const char *name)
{
	char path[64], line[256] = "";
	FILE *file = fopen("/sys/fs/cgroup/cgroup.controllers", "re");

	if (file) {
		bool found = fgets(line, sizeof(line), file) && strstr(line, name);

		fclose(file);
		return found;
	}
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/tasks", name);
	return access(path, W_OK) == 0;
}

static bool has_program(const char *path)
{
	return access(path, X_OK) == 0;
}

/* Linux 5.12. Nothing is changed: there is no such mount. */
static bool has_mount_attributes(void)
{
	return syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) == 0 || errno != ENOSYS;
}

static void probe_host(struct enforce_probe *probes, size_t *n)
{
	long landlock =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	add(probes, n, "root", geteuid() == 0, true,
		"cloched makes namespaces, cgroups and BPF programs: start it as root");
	add(probes, n, "namespaces", has_namespaces(), true,
		"user, mount, pid, net, ipc, uts and cgroup namespaces seal a sandbox");
	add(probes, n, "time namespaces", access("/proc/self/ns/time", F_OK) == 0, false,
		"without them a sandbox sees how long the host has been up");
	add(probes, n, "memory controller", has_controller("memory"), true,
		"memory of a sandbox could not be limited");
	add(probes, n, "cpu controller", has_controller("cpu"), true,
		"CPU of a sandbox could not be limited");
	add(probes, n, "pids controller", has_controller("pids"), true,
		"a fork bomb could not be stopped");
	add(probes, n, "system call filters", confine_find_layer(NULL) == 0, true,
		"what a sandbox asks of the kernel could not be limited (CONFIG_SECCOMP_FILTER)");
	add(probes, n, "mount attributes", has_mount_attributes(), true,
		"files of a sandbox could not be made read-only as a tree (Linux 5.12)");
	add(probes, n, "landlock", landlock > 0, false,
		"one lock less on files and sockets; mounts and seccomp still hold. Policies with "
		"\"executables\" need it, or \"best_effort\"");
	add(probes, n, "template python", has_program("/usr/bin/python3"), false,
		"no /usr/bin/python3: the template \"python\" is not offered");
	add(probes, n, "template node", has_program("/usr/bin/node"), false,
		"no /usr/bin/node: the template \"node\" is not offered");
}

static void print_text(const struct enforce_probe *probes, size_t n, const struct utsname *host)
{
	printf("Linux %s on %s\n\n", host->release, host->machine);
	for (size_t i = 0; i < n; i++) {
		const char *state = probes[i].present    ? "yes"
				    : probes[i].required ? "MISSING"
							 : "no";

		printf("  %-8s %-34s", state, probes[i].feature);
		if (!probes[i].present)
			printf(" %s", probes[i].meaning);
		putchar('\n');
	}
}

static void print_json(
	const struct enforce_probe *probes, size_t n, const struct utsname *host, bool complete)
{
	json_t *rows = json_array(), *all;
	char *text;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			rows, json_pack("{s:s, s:b, s:b, s:s}", "feature", probes[i].feature,
				      "present", probes[i].present, "required", probes[i].required,
				      "meaning", probes[i].meaning));
	all = json_pack("{s:s, s:s, s:b, s:o}", "kernel", host->release, "machine", host->machine,
		"complete", complete, "features", rows);
	text = json_dumps(all, JSON_INDENT(2));
	puts(text ? text : "{}");
	free(text);
	json_decref(all);
}

int check_host(bool json)
{
	struct enforce_probe probes[PROBES_MAX];
	struct utsname host;
	size_t n, n_missing = 0;

	uname(&host);
	n = enforce_probe(probes, PROBES_MAX);
	probe_host(probes, &n);
	for (size_t i = 0; i < n; i++)
		n_missing += probes[i].required && !probes[i].present;
	if (json) {
		print_json(probes, n, &host, n_missing == 0);
		return n_missing ? 1 : 0;
	}
	print_text(probes, n, &host);
	if (n_missing == 0)
		puts("\nThis host can run Cloche.");
	else
		printf("\nThis host cannot run Cloche: %zu required feature%s missing.\n",
			n_missing, n_missing == 1 ? " is" : "s are");
	return n_missing ? 1 : 0;
}
