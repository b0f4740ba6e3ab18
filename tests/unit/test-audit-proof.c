/* supervisor/audit/proof.c: who gets which proof, in which checkpoint. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/tlog/checkpoint.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct audit_scene log_;
static struct audit_proof proof;

static const struct audit_subject acme = {.sandbox = 0xab, .tenant = 7, .tenant_name = "acme"};

/* Records 1 to `n` and a checkpoint of them all on the disk, which a reopened log has. */
static void begin(int n)
{
	audit_scene_begin(&log_);
	while (audit_last_sequence(log_.audit) < (uint64_t)n)
		audit_record(log_.audit, "test", &acme, json_pack("{s:s}", "text", "\"\\\n\u00e9"));
	audit_scene_reopen(&log_);
	audit_scene_reopen(&log_);
}

static uint64_t size_of(const char *note)
{
	return strtoull(strchr(note, '\n') + 1, NULL, 10);
}

TEST(a_proof_is_of_the_line_in_the_newest_checkpoint)
{
	char *text, *line;

	begin(20);
	CHECK_INT(audit_prove(log_.audit, 10, 0, 0, &proof), 0);
	CHECK_INT(proof.size, audit_sealed_size(log_.audit));
	CHECK_INT(size_of(proof.note), proof.size);
	text = audit_scene_text(&log_);
	line = text;
	for (int i = 1; i < 10; i++)
		line = strchr(line, '\n') + 1;
	CHECK_INT(proof.record_bytes, strchr(line, '\n') - line);
	CHECK(memcmp(line, proof.record, proof.record_bytes) == 0);
	free(text);
	audit_scene_end(&log_);
}

TEST(a_proof_of_an_older_checkpoint_has_its_note)
{
	uint64_t sizes[8];
	size_t n = 0;

	begin(300);
	for (int i = 0; i < 5; i++) {
		sizes[n++] = audit_sealed_size(log_.audit);
		for (int j = 0; j < 100 * i + 1; j++)
			audit_record(log_.audit, "test", &acme, NULL);
		audit_scene_reopen(&log_);
	}
	for (size_t i = 0; i < n; i++) {
		CHECK_INT(audit_prove(log_.audit, 10, sizes[i], 0, &proof), 0);
		CHECK_INT(proof.size, sizes[i]);
		CHECK_INT(size_of(proof.note), sizes[i]);
		CHECK_TEXT(strstr(proof.note, "\n\n") ? "whole" : "cut", "whole");
		CHECK_INT(audit_prove(log_.audit, 10, sizes[i] - 100, 0, &proof), -ESRCH);
	}
	audit_scene_end(&log_);
}

TEST(a_tenant_gets_proofs_of_its_own_records_alone)
{
	const struct audit_subject other = {.sandbox = 0xcd, .tenant = 8};

	begin(20);
	CHECK_INT(audit_prove(log_.audit, 10, 0, 7, &proof), 0);
	CHECK_INT(audit_prove(log_.audit, 10, 0, 8, &proof), -ENOENT);
	audit_record(log_.audit, "test", &other, NULL);
	audit_scene_reopen(&log_);
	CHECK_INT(audit_prove(log_.audit, 10, 0, 8, &proof), -ENOENT);
	audit_scene_end(&log_);
}

TEST(what_no_checkpoint_covers_is_not_proven)
{
	uint64_t sealed, last;

	begin(20);
	sealed = audit_sealed_size(log_.audit);
	audit_record(log_.audit, "test", &acme, NULL);
	last = audit_last_sequence(log_.audit);
	CHECK_INT(audit_prove(log_.audit, last, 0, 0, &proof), -ERANGE);
	CHECK_INT(audit_prove(log_.audit, last + 1, 0, 0, &proof), -ENOENT);
	CHECK_INT(audit_prove(log_.audit, 0, 0, 0, &proof), -ENOENT);
	CHECK_INT(audit_prove(log_.audit, 10, last, 0, &proof), -ERANGE);
	CHECK_INT(audit_prove(log_.audit, 10, 9, 0, &proof), -ERANGE);
	CHECK_INT(audit_prove_growth(log_.audit, 3, sealed, &proof), 0);
	CHECK_INT(audit_prove_growth(log_.audit, 3, sealed + 1, &proof), -ERANGE);
	CHECK_INT(audit_prove_growth(log_.audit, 0, sealed, &proof), -ERANGE);
	CHECK_INT(audit_prove_growth(log_.audit, 4, 3, &proof), -ERANGE);
	audit_scene_end(&log_);
}

TEST(keys_come_with_the_certificate_of_their_elder)
{
	char vkey[AUDIT_VKEY_SIZE], certificate[AUDIT_NOTE_SIZE], newest[AUDIT_VKEY_SIZE];

	begin(5);
	CHECK_INT(audit_key(log_.audit, 1, vkey, certificate), 0);
	CHECK_TEXT(certificate, "");
	CHECK_INT(audit_key(log_.audit, 2, vkey, certificate), -ENOENT);
	CHECK_INT(audit_key(log_.audit, 0, vkey, certificate), -ENOENT);
	CHECK_INT(audit_rotate_key(log_.audit, &(struct failure){0}), 0);
	CHECK_INT(audit_key(log_.audit, 2, vkey, certificate), 0);
	audit_key_text(log_.audit, newest);
	CHECK_TEXT(vkey, newest);
	CHECK(strstr(certificate, vkey) != NULL);
	audit_scene_end(&log_);
}
