/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who acts: filled from the kernel's own structures. Only `comm` is the process's own word. */
#pragma once

#include "bpf/abi/event.h"

/* Fills a zeroed record about `task` (a struct task_struct *). A function that the verifier checks
 * by itself, once, hence the plain types and the int that says nothing. In bpf/process.bpf.c. */
extern int process_fill(struct abi_process *process, __u64 task);
