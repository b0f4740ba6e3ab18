/* What each fuzzer needs: its entry, and a way to say that something is broken. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BROKEN_IF(condition)                                                                       \
	do {                                                                                       \
		if (condition) {                                                                   \
			fprintf(stderr, "BROKEN: %s:%d: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
