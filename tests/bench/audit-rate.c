/* How many kernel events a second become records of the signed log, all on the disk, none lost.
 *
 * audit-rate DIRECTORY [RECORDS]: writes a log of its own below DIRECTORY and removes it. Events
 * come in batches as core takes them out of the rings, and the loop has its turn between them, so
 * that checkpoints are signed and synced as they are in cloched. The clock stops when a checkpoint
 * on the disk covers the last record. Prints one JSON object. */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "bpf/abi/rule.h"
#include "bpf/abi/slot.h"
#include "supervisor/audit/audit.h"
#include "supervisor/base/clock.h"

#define BATCH 4096
#define SANDBOXES 64

struct run {
	struct loop *loop;
	struct audit *audit;
	uint64_t longest_round_ns;
};

static void take_turn(struct run *run)
{
	uint64_t begin_ns = clock_monotonic_ns(), took_ns;

	loop_run_once(run->loop, 0);
	took_ns = clock_monotonic_ns() - begin_ns;
	if (took_ns > run->longest_round_ns)
		run->longest_round_ns = took_ns;
}

static struct audit_subject subject_of(uint64_t i)
{
	return (struct audit_subject){
		.sandbox = 1 + i % SANDBOXES,
		.tenant = 1,
		.tenant_name = "acme",
		.policy_name = "pip-install",
		.policy_hash = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
		.policy_generation = 1,
	};
}

/* A connect and an exec in turn: what a busy sandbox makes most of. */
static void make_event(struct run *run, uint64_t i)
{
	const struct abi_process process = {.pid_host = 4000000,
		.pid_inside = (uint32_t)i % 30000,
		.parent_pid_host = 3999999,
		.uid_host = 1000000,
		.start_boottime_ns = 123456789012345,
		.exe_inode = 1234567,
		.exe_device = 8 << 20 | 1,
		.comm = "python3",
		.exe = "/usr/bin/python3.11"};
	const struct audit_subject subject = subject_of(i);
	struct abi_network_event network = {.port = 443,
		.rule = 3,
		.family = AF_INET,
		.protocol = IPPROTO_TCP,
		.operation = ABI_OPERATION_CONNECT,
		.verdict = ABI_VERDICT_REDIRECT,
		.reason = ABI_REASON_RULE,
		.socket_type = SOCK_STREAM};
	struct abi_exec_event exec = {
		.argv_size = 34, .argv = "python3\0-m\0pip\0install\0--no-deps\0six"};
	struct abi_event_header *event = i % 2 ? &exec.header : &network.header;

	inet_pton(AF_INET6, "::ffff:93.184.216.34", network.address.bytes);
	*event = (struct abi_event_header){.version = ABI_VERSION,
		.type = i % 2 ? ABI_EVENT_EXEC : ABI_EVENT_NETWORK,
		.size = i % 2 ? sizeof(exec) : sizeof(network),
		.boottime_ns = clock_read_ns(CLOCK_BOOTTIME),
		.sandbox = subject.sandbox,
		.tenant = 1,
		.policy = ABI_SLOT_POLICY(1, 1),
		.process = process};
	audit_event(run->audit, event, &subject);
}

static void wait_sealed(struct run *run)
{
	while (audit_sealed_size(run->audit) < audit_last_sequence(run->audit))
		loop_run_once(run->loop, -1);
}

/* A checkpoint by itself: signed, and durable. */
static void measure_checkpoint(struct run *run, double *ret_sign_us, double *ret_durable_us)
{
	const int n = 20;
	uint64_t sign_ns = 0, durable_ns = 0;

	for (int i = 0; i < n; i++) {
		uint64_t begin_ns = clock_monotonic_ns();

		audit_record(run->audit, "bench.one", NULL, NULL);
		audit_policy_changed(run->audit);
		loop_run_once(run->loop, 0);
		sign_ns += clock_monotonic_ns() - begin_ns;
		wait_sealed(run);
		durable_ns += clock_monotonic_ns() - begin_ns;
	}
	*ret_sign_us = (double)sign_ns / n / 1000;
	*ret_durable_us = (double)durable_ns / n / 1000;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(struct run *run, uint64_t n)
{
	double seconds, cpu, sign_us, durable_us;
	uint64_t begin_ns, first = audit_last_sequence(run->audit);

	for (uint64_t i = 0; i < SANDBOXES; i++) {
		const struct audit_subject subject = subject_of(i);

		audit_sandbox_begin(run->audit, &subject, NULL);
	}
	cpu = cpu_seconds();
	begin_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < n; i++) {
		make_event(run, i);
		if (i % BATCH == BATCH - 1)
			take_turn(run);
	}
	audit_policy_changed(run->audit); /* not to wait for the second */
	take_turn(run);
	wait_sealed(run);
	seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	cpu = cpu_seconds() - cpu;
	first = audit_last_sequence(run->audit) - first - SANDBOXES;
	measure_checkpoint(run, &sign_us, &durable_us);
	printf("{\"records\": %llu, \"lost\": %llu, \"seconds\": %.3f, \"records_per_second\": "
	       "%.0f, "
	       "\"cpu_ns_per_record\": %.0f, \"longest_round_us\": %.0f, "
	       "\"checkpoint_in_loop_us\": %.1f, \"checkpoint_durable_us\": %.1f}\n",
		(unsigned long long)first, (unsigned long long)audit_n_lost(run->audit), seconds,
		(double)n / seconds, cpu * 1e9 / (double)n, (double)run->longest_round_ns / 1000,
		sign_us, durable_us);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	char directory[4096];
	struct audit_config config = {.state_dir = directory};
	struct failure why = {0};
	struct run run = {0};

	if (argc < 2 || n == 0) {
		fputs("Usage: audit-rate DIRECTORY [RECORDS]\n", stderr);
		return 2;
	}
	snprintf(directory, sizeof(directory), "%s/audit-rate-XXXXXX", argv[1]);
	if (!mkdtemp(directory) || loop_new(&run.loop) < 0 ||
		audit_open(run.loop, &config, &run.audit, &why) < 0) {
		fprintf(stderr, "audit-rate: no log in %s: %s\n", argv[1], why.sentence);
		return 1;
	}
	measure(&run, n);
	audit_free(run.audit);
	loop_free(run.loop);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
