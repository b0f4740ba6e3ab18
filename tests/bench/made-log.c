/* Writes a large honest log for `cloche-verify` to be measured with:
 *
 *   DIRECTORY=… RECORDS=… made-log    records of 16 sandboxes, a checkpoint for each 25,000 */
#include <stdlib.h>

#include "tests/harness/check.h"
#include "tests/harness/made-log.h"

#define NOTE_RECORDS 25000
#define SEGMENT_RECORDS 200000
#define SANDBOXES 16

TEST(made_log)
{
	const char *directory = getenv("DIRECTORY"), *records = getenv("RECORDS");
	uint64_t n_records = records ? strtoull(records, NULL, 10) : 0;
	struct made_log *log;

	CHECK(directory && n_records > SANDBOXES);
	log = made_log_new(1);
	log->sparse = true;
	for (uint64_t i = 0; i < SANDBOXES; i++)
		made_log_sandbox(log, i + 1, "sandbox.create");
	while (log->n_lines < n_records) {
		made_log_sandbox(log, log->n_lines % SANDBOXES + 1, "process.exec");
		if (log->n_lines % NOTE_RECORDS == 0)
			made_log_note(log, "records");
		if (log->n_lines % SEGMENT_RECORDS == 0)
			made_log_rotate(log);
	}
	made_log_note(log, "stop");
	made_log_write(log, directory);
	made_log_free(log);
}
