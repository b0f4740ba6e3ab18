/* Asking the kernel by trying. */
#pragma once

#include <bpf/bpf.h>
#include <stdbool.h>

/* True if programs can be attached to kernel functions in this way. Some kernels load programs that
 * need a trampoline and then refuse to attach them, so it is tried, for as long as it takes to
 * close it, at `function`, which must be one that nothing calls in normal life. */
bool probe_can_attach(const char *function, enum bpf_prog_type type, enum bpf_attach_type attach);
