/* What becomes of events on their way to the reader: two rings, a limit for each sandbox, and
 * counts of everything that happened, so that what is missing is known exactly. */
#pragma once

#include "bpf/abi/types.h"

/* Each class has a ring of its own, so that no number of opened files can push out a denial. Stable
 * numbers, named in the audit schema. */
enum abi_class {
	ABI_CLASS_SECURITY = 0, /* denials, exec, exit, system calls that were refused */
	ABI_CLASS_BULK = 1,     /* what was allowed */
	ABI_CLASSES = 2,
};

/* Why an event has no record; the same. */
enum abi_loss {
	ABI_LOSS_RING_FULL = 0,
	ABI_LOSS_RATE_LIMITED = 1, /* the sandbox had used up its own share */
	ABI_LOSSES = 2,            /* what the programs count */
	/* Neither read nor dropped: the reader was killed between taking and writing it. */
	ABI_LOSS_UNACCOUNTED = ABI_LOSSES,
};

/* A sandbox's share of a ring, as a bucket of tokens: `paid_until_ns` moves on by `interval_ns`
 * with each record and may be at most `burst_ns` ahead of the clock. seen == emitted + dropped. */
struct abi_emission_class {
	__u64 interval_ns; /* between records, in the long run; written by user space */
	__u64 burst_ns;    /* the same */
	__u64 paid_until_ns;
	__u64 seen;
	__u64 dropped[ABI_LOSSES];
	__u64 reported[ABI_LOSSES]; /* of `dropped`: those that the log knows of; user space's */
};

#define ABI_EMISSION_NOBODY ABI_SLOTS_MAX /* the row of what no sandbox can be named for */

/* Value of the mmapable array `emissions`, by slot. */
struct abi_emission {
	__u64 sandbox; /* whose counts these are; written by user space */
	__u64 reserved;
	struct abi_emission_class classes[ABI_CLASSES];
};

_Static_assert(sizeof(struct abi_emission) == 16 + 64 * ABI_CLASSES, "read by user space");

struct abi_emitted_class {
	__u64 seen; /* also the sequence of the next event of this class on this CPU */
	__u64 emitted;
	__u64 dropped[ABI_LOSSES];
};

/* The one value of the per-CPU array `emitted`. */
struct abi_emitted {
	struct abi_emitted_class classes[ABI_CLASSES];
	__u64 packets_refused; /* packets that the second lock dropped */
	__u64 reserved;
};

_Static_assert(sizeof(struct abi_emitted) == 16 + 32 * ABI_CLASSES, "read by user space");

/* The one value of the mmapable array `reader`: what user space has taken out of each ring. It lies
 * in the kernel because it must outlive the reader. */
struct abi_reader {
	__u64 consumed[ABI_CLASSES]; /* and written, or counted as lost by the log */
	__u64 unaccounted[ABI_CLASSES];
};

_Static_assert(sizeof(struct abi_reader) == 32, "read by later versions");
