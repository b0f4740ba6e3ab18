#include "supervisor/confine/privileges.h"

#include <errno.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#define STAGE "privileges"

/* uid 0 is nothing special, changing uids changes no capabilities, and nobody can undo either. */
#define SECUREBITS                                                                                 \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                           \
		SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |                          \
		SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static const cap_value_t kept[] = {CAP_SETUID, CAP_SETGID, CAP_KILL};

static void release(cap_t *capabilities)
{
	if (*capabilities)
		cap_free(*capabilities);
}

static int set_inheritable(void)
{
	_cleanup_(release) cap_t capabilities = cap_get_proc();

	if (!capabilities || cap_clear_flag(capabilities, CAP_INHERITABLE) < 0 ||
		cap_set_flag(capabilities, CAP_INHERITABLE, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_proc(capabilities) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (cap_set_ambient(kept[i], CAP_SET) < 0)
			return -errno;
	return 0;
}

static int empty_bounding_set(void)
{
	cap_value_t n = cap_max_bits();

	for (cap_value_t capability = 0; capability < n; capability++)
		if (cap_drop_bound(capability) < 0)
			return -errno;
	return 0;
}

static int keep_only(void)
{
	_cleanup_(release) cap_t capabilities = cap_init();

	if (!capabilities ||
		cap_set_flag(capabilities, CAP_PERMITTED, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_flag(capabilities, CAP_EFFECTIVE, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_flag(capabilities, CAP_INHERITABLE, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
		cap_set_proc(capabilities) < 0)
		return -errno;
	return 0;
}

/* The order matters: a capability cannot be made inheritable once it is out of the bounding set,
 * and the bounding set and the securebits need CAP_SETPCAP, which goes last. */
int privileges_reduce(struct failure *why)
{
	int r = set_inheritable();

	if (r < 0)
		return failure_set(
			why, r, STAGE, "cannot set inheritable capabilities: %s", strerror(-r));
	r = empty_bounding_set();
	if (r < 0)
		return failure_set(
			why, r, STAGE, "cannot empty the bounding set: %s", strerror(-r));
	if (cap_set_secbits(SECUREBITS) < 0)
		return failure_set(
			why, -errno, STAGE, "cannot lock the securebits: %s", strerror(errno));
	r = keep_only();
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot give capabilities up: %s", strerror(-r));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failure_set(
			why, -errno, STAGE, "cannot set no_new_privs: %s", strerror(errno));
	return 0;
}
