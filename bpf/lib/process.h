/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who acts: filled from the kernel's own structures. Only `comm` is the process's own word. */
#pragma once

#include "bpf/abi/event.h"

/* Fills a zeroed record about `task` (a struct task_struct *). A function that the verifier checks
 * by itself, once, hence the plain types and the int that says nothing. In bpf/process.bpf.c. */
extern int process_fill(struct abi_process *process, __u64 task);

/* What `path` (a struct path *) is as the running process's root shows it, or the end of a long
 * one, into ABI_TEXT_SIZE zeroed bytes. In bpf/process.bpf.c; the same. */
struct process_text {
	char bytes[ABI_TEXT_SIZE];
};
extern int process_path_of(struct process_text *text, __u64 path);
