#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/control/request.h"

/* 480 rows of 56 bytes: one frame holds them all. */
_Static_assert(ABI_SYSCALLS_MAX * sizeof(struct wire_syscall_row) < WIRE_FRAME_MAX / 2, "a frame");

static void answer_rows(
	struct request *request, const struct core *core, const struct abi_audited *counts)
{
	struct rows rows = {0};
	struct wire_syscall_row row;

	for (uint32_t i = 0; i < ABI_SYSCALLS_MAX; i++) {
		if (!counts->calls[i] && !counts->refused[i])
			continue;
		row = (struct wire_syscall_row){
			.number = i, .calls = counts->calls[i], .refused = counts->refused[i]};
		core_name_call(core, i, row.name);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	row = (struct wire_syscall_row){.number = UINT32_MAX, .calls = counts->foreign};
	if (counts->foreign)
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	rows_answer(&rows, request, WIRE_API_SYSCALLS_REPLY);
}

void handle_syscalls(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_sandbox_ref *ref = body;
	struct core *core = request->control->core;
	_cleanup_free_ struct abi_audited *counts = malloc(sizeof(*counts));
	struct sandbox *sandbox = sandbox_find(core, request_scope(request), ref->sandbox);
	int r;

	if (!sandbox) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended.",
			(unsigned long)ref->sandbox);
		return;
	}
	r = counts ? sandbox_syscalls(sandbox, counts) : -ENOMEM;
	if (r == 0)
		answer_rows(request, core, counts);
	else if (r == -ENOENT)
		request_fail(request, WIRE_CODE_CONFLICT,
			"Its system calls are not counted: its policy has \"audit\" record none, "
			"or it has failed.");
	else
		request_fail(request, WIRE_CODE_INTERNAL, "Its counts cannot be read: %s.",
			strerror(-r));
}
