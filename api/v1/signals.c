#include "api/v1/signals.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LAST_CLASSIC_SIGNAL 31

int signal_from_name(const char *name)
{
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (int number = 1; number <= LAST_CLASSIC_SIGNAL; number++) {
		const char *known = sigabbrev_np(number);

		if (known && strcmp(known, name) == 0)
			return number;
	}
	return 0;
}

void signal_write_name(int signal, char ret_name[static SIGNAL_NAME_SIZE])
{
	const char *known = signal <= LAST_CLASSIC_SIGNAL ? sigabbrev_np(signal) : NULL;

	if (known)
		snprintf(ret_name, SIGNAL_NAME_SIZE, "SIG%s", known);
	else
		snprintf(ret_name, SIGNAL_NAME_SIZE, "SIG%d", signal);
}
