#include "supervisor/wire/exec-end.h"

#include <stddef.h>

#include "supervisor/wire/api.h"

const char *wire_exec_end_name(uint32_t end)
{
	switch ((enum wire_exec_end)end) {
	case WIRE_EXEC_END_EXIT:
		return "exited";
	case WIRE_EXEC_END_SIGNAL:
		return "signaled";
	case WIRE_EXEC_END_TIMEOUT:
		return "timeout";
	case WIRE_EXEC_END_OOM:
		return "oom";
	case WIRE_EXEC_END_KILLED:
		return "killed";
	case WIRE_EXEC_END_SANDBOX:
		return "sandbox_ended";
	}
	return NULL;
}
