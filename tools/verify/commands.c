#include "tools/verify/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/verify/log/files.h"
#include "tools/verify/log/log.h"
#include "tools/verify/log/range-check.h"
#include "tools/verify/log/stream-check.h"
#include "tools/verify/tree/consistency.h"
#include "tools/verify/tree/proof.h"

/* Prints the fault, if there is one. Returns the exit code. */
static int conclude(
	const struct settings *settings, enum verdict verdict, const struct fault *fault)
{
	if (verdict == VERDICT_VALID)
		return EXIT_VALID;
	if (settings->json) {
		printf("{\"valid\":%s,\"fault\":", verdict == VERDICT_INVALID ? "false" : "null");
		fault_print_json(stdout, fault);
		printf("}\n");
	} else {
		fprintf(stderr, "cloche-verify: ");
		fault_print(stderr, fault);
	}
	return verdict == VERDICT_INVALID ? EXIT_INVALID : EXIT_FAILED;
}

static enum verdict open_directory(const char *path, int *ret_fd, struct fault *fault)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror(errno))
			   : VERDICT_VALID;
}

static void print_log_json(const struct settings *settings, const struct log_summary *summary)
{
	printf("{\"valid\":true,\"origin\":");
	text_print_json(stdout, summary->origin);
	printf(",\"records\":%" PRIu64 ",\"first_kept\":%" PRIu64 ",\"signed\":%" PRIu64
	       ",\"bytes\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"checkpoints\":%" PRIu64
	       ",\"epochs\":%" PRIu64 ",\"witnessed\":%" PRIu64 ",\"lost\":%" PRIu64,
		summary->n_records, summary->first_kept, summary->n_signed, summary->size_bytes,
		summary->n_segments, summary->n_checkpoints, summary->n_epochs,
		summary->n_witnessed, summary->n_lost);
	printf(",\"sandboxes\":{\"started\":%" PRIu64 ",\"ended\":%" PRIu64 ",\"alive\":%" PRIu64
	       ",\"headless\":%" PRIu64 "},\"longest_gap_ms\":%" PRIu64 ",\"stops\":%" PRIu64
	       ",\"torn_bytes\":%" PRIu64,
		summary->n_started, summary->n_ended, summary->n_alive, summary->n_headless,
		summary->longest_gap_ns / 1000000, summary->n_stops, summary->torn_bytes);
	if (settings->has_sandbox)
		printf(",\"sandbox\":{\"records\":%" PRIu64 ",\"started\":%s,\"ended\":%s}",
			summary->sandbox_records, summary->sandbox_started ? "true" : "false",
			summary->sandbox_ended ? "true" : "false");
	printf("}\n");
}

static void print_log(const struct settings *settings, const struct log_summary *summary)
{
	printf("valid: %s\n", summary->origin);
	printf("  records      %" PRIu64 ", %" PRIu64 " of them signed", summary->n_records,
		summary->n_signed);
	if (summary->first_kept > 1)
		printf(", 1 to %" PRIu64 " removed by retention", summary->first_kept - 1);
	printf("\n  segments     %" PRIu64 " (%" PRIu64 " bytes)\n", summary->n_segments,
		summary->size_bytes);
	printf("  checkpoints  %" PRIu64 " by %" PRIu64 " key%s, longest silence %" PRIu64
	       ".%03" PRIu64 " s, %" PRIu64 " restart%s\n",
		summary->n_checkpoints, summary->n_epochs, summary->n_epochs == 1 ? "" : "s",
		summary->longest_gap_ns / 1000000000, summary->longest_gap_ns / 1000000 % 1000,
		summary->n_stops, summary->n_stops == 1 ? "" : "s");
	if (settings->witness)
		printf("  witness      agrees at %" PRIu64 " checkpoints\n", summary->n_witnessed);
	else
		printf("  witness      none: a log rolled back as a whole would not be noticed\n");
	printf("  sandboxes    %" PRIu64 " started, %" PRIu64 " ended, %" PRIu64 " alive\n",
		summary->n_started, summary->n_ended, summary->n_alive);
	if (summary->n_headless)
		printf("  no head      %" PRIu64 " of these ENDs tell only how many records there "
		       "were\n",
			summary->n_headless);
	printf("  lost         %" PRIu64 " events, each told by a record\n", summary->n_lost);
	if (summary->n_records > summary->n_signed)
		printf("  not signed   %" PRIu64 " records after the newest checkpoint\n",
			summary->n_records - summary->n_signed);
	if (summary->torn_bytes)
		printf("  cut off      %" PRIu64 " bytes of a line at the end\n",
			summary->torn_bytes);
	if (settings->has_sandbox)
		printf("  sb-%016" PRIx64 "  %" PRIu64 " records, %s, %s\n", settings->sandbox,
			summary->sandbox_records,
			summary->sandbox_started ? "START seen" : "no START",
			summary->sandbox_ended ? "END matches" : "no END");
}

static enum verdict check_range(const struct settings *settings, int dir_fd,
	const struct keyring *keyring, struct fault *fault)
{
	struct range_summary summary = {0};
	enum verdict verdict =
		range_check(dir_fd, keyring, settings->from, settings->to, &summary, fault);

	if (verdict)
		return verdict;
	printf(settings->json ? "{\"valid\":true,\"records\":%" PRIu64 ",\"tree_size\":%" PRIu64
				"}\n"
			      : "valid: %" PRIu64 " records, in the signed tree of %" PRIu64 "\n",
		summary.n_records, summary.tree_size);
	return VERDICT_VALID;
}

static enum verdict check_log(const struct settings *settings, int dir_fd,
	const struct keyring *keyring, struct fault *fault)
{
	const struct log_options options = {.witness = settings->witness,
		.max_gap_ns = settings->max_gap_ns,
		.sealed = settings->sealed,
		.has_sandbox = settings->has_sandbox,
		.sandbox = settings->sandbox};
	struct log_summary summary;
	enum verdict verdict = log_check(dir_fd, keyring, &options, &summary, fault);

	if (verdict)
		return verdict;
	if (settings->has_sandbox && summary.sandbox_records == 0)
		return fault_set(fault, FAULT_FAILED, "the log holds no record of this sandbox");
	if (settings->json)
		print_log_json(settings, &summary);
	else
		print_log(settings, &summary);
	return VERDICT_VALID;
}

int command_log(const struct settings *settings)
{
	const char *keys = settings->keys ? settings->keys : "keys";
	struct keyring keyring = {0};
	struct fault fault;
	int dir_fd;
	enum verdict verdict = open_directory(settings->words[0], &dir_fd, &fault);

	if (!verdict)
		verdict = keyring_open(
			&keyring, settings->key, settings->keys ? AT_FDCWD : dir_fd, keys, &fault);
	if (!verdict)
		verdict = settings->has_range ? check_range(settings, dir_fd, &keyring, &fault)
					      : check_log(settings, dir_fd, &keyring, &fault);
	keyring_fini(&keyring);
	if (dir_fd >= 0)
		close(dir_fd);
	return conclude(settings, verdict, &fault);
}

static enum verdict open_input(const char *path, int *ret_fd, struct fault *fault)
{
	*ret_fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror(errno))
			   : VERDICT_VALID;
}

int command_stream(const struct settings *settings)
{
	const char *records = settings->n_words ? settings->words[0] : "-";
	struct stream_summary summary = {0};
	struct keyring keyring = {0};
	int records_fd = -1, proofs_fd = -1;
	struct fault fault;
	enum verdict verdict =
		keyring_open(&keyring, settings->key, AT_FDCWD, settings->keys, &fault);

	if (!verdict)
		verdict = open_input(records, &records_fd, &fault);
	if (!verdict)
		verdict = open_input(settings->proofs, &proofs_fd, &fault);
	if (!verdict)
		verdict = stream_check(&keyring, records_fd, records, proofs_fd, settings->proofs,
			&summary, &fault);
	if (!verdict && settings->json)
		printf("{\"valid\":true,\"sandbox\":\"sb-%016" PRIx64 "\",\"records\":%" PRIu64
		       ",\"ended\":%s,\"proofs\":%" PRIu64 ",\"tree_size\":%" PRIu64
		       ",\"outside\":%" PRIu64 "}\n",
			summary.sandbox, summary.n_records, summary.ended ? "true" : "false",
			summary.n_proofs, summary.tree_size, summary.n_outside);
	else if (!verdict)
		printf("valid: sb-%016" PRIx64 ", %" PRIu64 " records from START to %s, in the "
		       "signed tree of %" PRIu64 "\n",
			summary.sandbox, summary.n_records,
			summary.ended ? "END" : "the last one given", summary.tree_size);
	if (records_fd > STDIN_FILENO)
		close(records_fd);
	if (proofs_fd > STDIN_FILENO)
		close(proofs_fd);
	keyring_fini(&keyring);
	return conclude(settings, verdict, &fault);
}

static enum verdict check_proof(const struct settings *settings, const struct keyring *keyring,
	const char *path, struct fault *fault)
{
	char *bytes = malloc(PROOF_BYTES_MAX);
	struct proof *proof = malloc(sizeof(*proof));
	struct checkpoint checkpoint;
	enum verdict verdict;
	const char *error;
	ssize_t size;

	if (!bytes || !proof)
		verdict = fault_set(fault, FAULT_FAILED, "memory is out");
	else if ((size = file_read(AT_FDCWD, path, bytes, PROOF_BYTES_MAX)) < 0)
		verdict = fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror((int)-size));
	else if ((error = proof_read(bytes, (size_t)size, proof)))
		verdict = fault_set(fault, FAULT_PROOF, "%s", error);
	else
		verdict = proof_check(keyring, proof, &checkpoint, fault);
	if (verdict == VERDICT_INVALID)
		fault_at(fault, path, 0, 0);
	if (!verdict)
		printf(settings->json ? "{\"valid\":true,\"seq\":%" PRIu64 ",\"tree_size\":%" PRIu64
					",\"record\":%s}\n"
				      : "valid: seq %" PRIu64 " is in the signed tree of %" PRIu64
					"%s\n",
			proof->sequence, proof->size,
			settings->json      ? proof->has_record ? "true" : "false"
			: proof->has_record ? ", and its record is in the proof"
					    : " (its record is not in the proof)");
	free(bytes);
	free(proof);
	return verdict;
}

int command_proof(const struct settings *settings)
{
	struct keyring keyring = {0};
	struct fault fault;
	enum verdict verdict =
		keyring_open(&keyring, settings->key, AT_FDCWD, settings->keys, &fault);

	for (int i = 0; i < settings->n_words && !verdict; i++)
		verdict = check_proof(settings, &keyring, settings->words[i], &fault);
	keyring_fini(&keyring);
	return conclude(settings, verdict, &fault);
}

int command_consistency(const struct settings *settings)
{
	struct consistency_source source = {.dir_fd = -1, .proof = settings->proof};
	struct checkpoint older, newer;
	struct keyring keyring = {0};
	struct fault fault;
	enum verdict verdict =
		keyring_open(&keyring, settings->key, AT_FDCWD, settings->keys, &fault);

	if (!verdict && settings->tiles)
		verdict = open_directory(settings->tiles, &source.dir_fd, &fault);
	if (!verdict)
		verdict = consistency_read(&keyring, settings->words[0], &source, &older, &fault);
	if (!verdict)
		verdict = consistency_read(&keyring, settings->words[1], &source, &newer, &fault);
	if (!verdict)
		verdict = consistency_check(&older, &newer, &source, &fault);
	if (!verdict)
		printf(settings->json ? "{\"valid\":true,\"from\":%" PRIu64 ",\"to\":%" PRIu64 "}\n"
				      : "valid: the tree of %" PRIu64
					" records is the beginning of that of %" PRIu64 "\n",
			older.size, newer.size);
	if (source.dir_fd >= 0)
		close(source.dir_fd);
	keyring_fini(&keyring);
	return conclude(settings, verdict, &fault);
}
