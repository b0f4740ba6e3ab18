#include "api/ocsf/ocsf.h"

#include <stdio.h>
#include <string.h>

#include "api/ocsf/classes.h"
#include "api/ocsf/details.h"
#include "api/ocsf/place.h"
#include "api/text/time.h"
#include "supervisor/base/cleanup.h"

#define NS_PER_MS 1000000

static const struct ocsf_place common[] = {
	{"seq", "metadata.sequence", OCSF_NUMBER},
	{"v", "metadata.log_version", OCSF_TEXT},
	{"time", "metadata.original_time", OCSF_STRING},
	{"type", "metadata.event_code", OCSF_STRING},
	{"tenant", "metadata.tenant_uid", OCSF_STRING},
};

/* What a class cannot do without. */
static bool has_required(const json_t *record, enum ocsf_class class)
{
	bool has_sandbox = *ocsf_get_text(record, "sandbox");
	bool has_process = json_is_integer(ocsf_get(record, "process.pid"));

	switch (class) {
	case OCSF_BASE:
		return true;
	case OCSF_NETWORK:
		return has_sandbox || *ocsf_get_text(record, "address");
	case OCSF_PROCESS:
		return has_sandbox && has_process;
	case OCSF_FILE:
		return has_sandbox && has_process && *ocsf_get_text(record, "path");
	case OCSF_API:
		return *ocsf_get_text(record, "method") && *ocsf_get_text(record, "path") &&
		       *ocsf_get_text(record, "remote");
	}
	return false;
}

static void put_kind(json_t *event, const struct ocsf_kind *kind, const char *type)
{
	struct ocsf_class_names names = ocsf_class_names(kind->class);
	const char *word = strrchr(type, '.'), *caption = kind->caption;
	char type_name[128];

	if (!caption)
		caption = word && kind->class != OCSF_BASE ? word + 1 : type;
	snprintf(type_name, sizeof(type_name), "%s: %s", names.class_name,
		kind->activity == OCSF_ACTIVITY_OTHER ? "Other" : caption);
	ocsf_put(event, "class_uid", json_integer(kind->class));
	ocsf_put_text(event, "class_name", names.class_name);
	ocsf_put(event, "category_uid", json_integer(names.category));
	ocsf_put_text(event, "category_name", names.category_name);
	ocsf_put(event, "activity_id", json_integer(kind->activity));
	ocsf_put_text(event, "activity_name", caption);
	ocsf_put(event, "type_uid", json_integer(kind->class * 100 + kind->activity));
	ocsf_put_text(event, "type_name", type_name);
	ocsf_put(event, "severity_id", json_integer(kind->severity));
	ocsf_put_text(event, "severity", ocsf_severity_name(kind->severity));
}

/* OCSF counts milliseconds; the whole time stays in metadata.original_time. */
static void put_time(json_t *event, const char *text)
{
	uint64_t ns = 0;

	time_parse(text, &ns);
	ocsf_put(event, "time", json_integer((json_int_t)(ns / NS_PER_MS)));
}

static void put_metadata(json_t *event, const json_t *record)
{
	json_t *sequence = json_object_get(record, "seq");
	char uid[24];

	ocsf_put_text(event, "metadata.version", OCSF_VERSION);
	ocsf_put_text(event, "metadata.product.name", "Cloche");
	ocsf_put_text(event, "metadata.product.vendor_name", "Cloche");
	ocsf_put_text(event, "metadata.product.version", CLOCHE_VERSION);
	ocsf_put_text(event, "metadata.log_name", "cloche-audit");
	if (!json_is_integer(sequence))
		return;
	snprintf(uid, sizeof(uid), "%lld", (long long)json_integer_value(sequence));
	ocsf_put_text(event, "metadata.uid", uid);
}

json_t *ocsf_event(json_t *record)
{
	struct ocsf_kind kind = ocsf_classify(record);
	json_t *event = json_object();

	if (!event) {
		json_decref(record);
		return NULL;
	}
	if (!has_required(record, kind.class)) {
		kind.class = OCSF_BASE;
		kind.activity = OCSF_ACTIVITY_OTHER;
		kind.caption = NULL;
	}
	put_kind(event, &kind, ocsf_get_text(record, "type"));
	put_time(event, ocsf_get_text(record, "time"));
	put_metadata(event, record);
	ocsf_put_details(event, record, &kind);
	ocsf_move(record, event, common, ARRAY_SIZE(common));
	if (json_object_size(record) > 0)
		ocsf_put(event, "unmapped", record);
	else
		json_decref(record);
	return event;
}

/* What nobody could read is passed on as it is. */
static json_t *event_of_bytes(const char *line, size_t size)
{
	static const struct ocsf_kind kind = {OCSF_BASE, OCSF_ACTIVITY_UNKNOWN, "Unknown", 0};
	json_t *event = json_object();

	if (!event)
		return NULL;
	put_kind(event, &kind, "");
	put_time(event, "");
	put_metadata(event, NULL);
	ocsf_put(event, "raw_data", json_stringn(line, size));
	return event;
}

json_t *ocsf_event_of_line(const char *line, size_t size)
{
	json_t *record = json_loadb(line, size, 0, NULL);

	if (json_is_object(record))
		return ocsf_event(record);
	json_decref(record);
	return event_of_bytes(line, size);
}
