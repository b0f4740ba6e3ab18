/* A seccomp filter that runs here: as the kernel runs it, for the instructions that ours have. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

struct program {
	struct sock_filter *code; /* freed by the caller */
	size_t n;
};

/* The answer, SECCOMP_RET_*. Fails the test if the program is bad or does not end. */
uint32_t filter_run(const struct program *program, const struct seccomp_data *data);
/* seccomp(2): of two answers the one with the lower action, seen as signed; the later filter's when
 * they are the same action. */
uint32_t filter_run_both(
	const struct program *first, const struct program *second, const struct seccomp_data *data);
