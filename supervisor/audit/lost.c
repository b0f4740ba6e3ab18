/* Losses that the kernel counted: whose, of which class, and why. */
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/cleanup.h"

static const char *const class_names[] = {
	[ABI_CLASS_SECURITY] = "security",
	[ABI_CLASS_BULK] = "bulk",
};

static const char *const loss_names[] = {
	[ABI_LOSS_RING_FULL] = "ring_full",
	[ABI_LOSS_RATE_LIMITED] = "rate_limited",
	[ABI_LOSS_UNACCOUNTED] = "unaccounted",
};

void audit_lost_events(struct audit *audit, const struct audit_subject *subject,
	enum abi_class class, enum abi_loss loss, uint64_t n)
{
	if (n == 0)
		return;
	/* The record of it would be lost too, and with it how many they were. */
	if (!audit->writable) {
		audit_count_loss(audit, n, "kernel");
		return;
	}
	audit->n_lost += n;
	audit_record(audit, "audit.lost", subject,
		json_pack("{s:I, s:s, s:s, s:s}", "lost", (json_int_t)n, "where", "kernel", "class",
			class < ARRAY_SIZE(class_names) ? class_names[class] : "none", "reason",
			loss < ARRAY_SIZE(loss_names) ? loss_names[loss] : "none"));
}
