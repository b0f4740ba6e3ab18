/* What each fuzzer needs: its entry, and a way to say that something is broken. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BROKEN_IF(condition)                                                                       \
	do {                                                                                       \
		if (condition)                                                                     \
			abort();                                                                   \
	} while (0)
