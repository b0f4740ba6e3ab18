#include <errno.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define SECONDS_MAX (366 * 86400)

int policy_read_lifecycle(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_lifecycle *lifecycle)
{
	static const char *const keys[] = {
		"time_to_live", "auto_stop", "auto_archive", "description", NULL};
	const struct policy_place place = {root, "lifecycle", 0}, live = {&place, keys[0], 0},
				  stop = {&place, keys[1], 0}, archive = {&place, keys[2], 0};
	const json_t *member;
	int r;

	if (!value)
		return 0;
	r = policy_check_section(reader, &place, value, keys);
	member = json_object_get(value, "time_to_live");
	if (r == 0 && member)
		r = policy_read_duration(
			reader, &live, member, 1, SECONDS_MAX, &lifecycle->time_to_live_s);
	member = json_object_get(value, "auto_stop");
	if (r == 0 && member)
		r = policy_read_duration(
			reader, &stop, member, 1, SECONDS_MAX, &lifecycle->auto_stop_s);
	if (r == 0 && json_object_get(value, "auto_archive"))
		return policy_fail(reader, &archive, -EINVAL,
			"Nothing can be archived yet: a sandbox that has ended is gone. Leave this "
			"out.");
	return r;
}

json_t *policy_write_lifecycle(const struct policy_lifecycle *lifecycle)
{
	json_t *object = json_object();
	int r = object ? 0 : -1;

	if (lifecycle->time_to_live_s)
		r |= json_object_set_new(object, "time_to_live",
			json_sprintf("%us", (unsigned int)lifecycle->time_to_live_s));
	if (lifecycle->auto_stop_s)
		r |= json_object_set_new(object, "auto_stop",
			json_sprintf("%us", (unsigned int)lifecycle->auto_stop_s));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Of two times the shorter; 0 is none. */
static uint32_t shorter(uint32_t a, uint32_t b)
{
	return !a || (b && b < a) ? b : a;
}

void meet_lifecycle(struct meeting *meeting)
{
	const struct policy_lifecycle *a = &meeting->bound->lifecycle,
				      *b = &meeting->request->lifecycle;

	meeting->policy->lifecycle = (struct policy_lifecycle){
		.time_to_live_s = shorter(a->time_to_live_s, b->time_to_live_s),
		.auto_stop_s = shorter(a->auto_stop_s, b->auto_stop_s)};
}
