#include "api/ocsf/classes.h"

#include <string.h>

#include "supervisor/base/cleanup.h"

enum severity {
	SEVERITY_INFORMATIONAL = 1,
	SEVERITY_LOW = 2,
	SEVERITY_MEDIUM = 3,
	SEVERITY_HIGH = 4,
	SEVERITY_CRITICAL = 5,
};

/* The first row whose type fits and whose member (if it names one) has that value. A type that ends
 * in a dot is a prefix. Denials come first, so that they are never reported as what was asked for.
 */
struct row {
	const char *type, *member, *value;
	enum ocsf_class class;
	int activity;
	const char *caption;
	int severity;
};

static const struct row rows[] = {
	{"network.", "verdict", "deny", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.connect", NULL, NULL, OCSF_NETWORK, 1, "Open", SEVERITY_INFORMATIONAL},
	{"network.inbound", NULL, NULL, OCSF_NETWORK, 1, "Open", SEVERITY_INFORMATIONAL},
	{"network.listen", NULL, NULL, OCSF_NETWORK, 7, "Listen", SEVERITY_INFORMATIONAL},
	{"network.flow", "end", "reset", OCSF_NETWORK, 3, "Reset", SEVERITY_INFORMATIONAL},
	{"network.flow", "end", "policy_changed", OCSF_NETWORK, 3, "Reset", SEVERITY_MEDIUM},
	{"network.flow", "end", "connect_failed", OCSF_NETWORK, 4, "Fail", SEVERITY_LOW},
	{"network.flow", "end", "not_resolved", OCSF_NETWORK, 4, "Fail", SEVERITY_LOW},
	{"network.flow", "end", "limit", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.flow", "end", "not_asked_for", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.flow", "end", "other_name", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.flow", "end", "other_protocol", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.flow", "end", "special_address", OCSF_NETWORK, 5, "Refuse", SEVERITY_MEDIUM},
	{"network.flow", NULL, NULL, OCSF_NETWORK, 2, "Close", SEVERITY_INFORMATIONAL},
	{"network.send", NULL, NULL, OCSF_NETWORK, 6, "Traffic", SEVERITY_INFORMATIONAL},
	{"network.packet", NULL, NULL, OCSF_NETWORK, 6, "Traffic", SEVERITY_INFORMATIONAL},
	{"network.dns", NULL, NULL, OCSF_NETWORK, 6, "Traffic", SEVERITY_INFORMATIONAL},
	{"network.", NULL, NULL, OCSF_NETWORK, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_INFORMATIONAL},

	{"process.exec", NULL, NULL, OCSF_PROCESS, 1, "Launch", SEVERITY_INFORMATIONAL},
	{"process.exit", NULL, NULL, OCSF_PROCESS, 2, "Terminate", SEVERITY_INFORMATIONAL},
	{"process.", NULL, NULL, OCSF_PROCESS, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_INFORMATIONAL},

	{"file.create", NULL, NULL, OCSF_FILE, 1, "Create", SEVERITY_INFORMATIONAL},
	{"file.mkdir", NULL, NULL, OCSF_FILE, 1, "Create", SEVERITY_INFORMATIONAL},
	{"file.open", NULL, NULL, OCSF_FILE, 14, "Open", SEVERITY_INFORMATIONAL},
	{"file.unlink", NULL, NULL, OCSF_FILE, 4, "Delete", SEVERITY_INFORMATIONAL},
	{"file.rmdir", NULL, NULL, OCSF_FILE, 4, "Delete", SEVERITY_INFORMATIONAL},
	{"file.rename", NULL, NULL, OCSF_FILE, 5, "Rename", SEVERITY_INFORMATIONAL},
	{"file.chmod", NULL, NULL, OCSF_FILE, 7, "Set Security", SEVERITY_INFORMATIONAL},
	{"file.chown", NULL, NULL, OCSF_FILE, 7, "Set Security", SEVERITY_INFORMATIONAL},
	{"file.mount", NULL, NULL, OCSF_FILE, 12, "Mount", SEVERITY_MEDIUM},
	{"file.umount", NULL, NULL, OCSF_FILE, 13, "Unmount", SEVERITY_MEDIUM},
	{"file.", NULL, NULL, OCSF_FILE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_INFORMATIONAL},

	{"api.call", "method", "POST", OCSF_API, 1, "Create", SEVERITY_INFORMATIONAL},
	{"api.call", "method", "GET", OCSF_API, 2, "Read", SEVERITY_INFORMATIONAL},
	{"api.call", "method", "HEAD", OCSF_API, 2, "Read", SEVERITY_INFORMATIONAL},
	{"api.call", "method", "PATCH", OCSF_API, 3, "Update", SEVERITY_INFORMATIONAL},
	{"api.call", "method", "PUT", OCSF_API, 3, "Update", SEVERITY_INFORMATIONAL},
	{"api.call", "method", "DELETE", OCSF_API, 4, "Delete", SEVERITY_INFORMATIONAL},
	{"api.call", NULL, NULL, OCSF_API, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_INFORMATIONAL},

	{"audit.lost", NULL, NULL, OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_HIGH},
	{"audit.broken", NULL, NULL, OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_CRITICAL},
	{"audit.recovered", NULL, NULL, OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_MEDIUM},
	{"sandbox.fail", NULL, NULL, OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_MEDIUM},
	{"", "verdict", "deny", OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_MEDIUM},
	{"", NULL, NULL, OCSF_BASE, OCSF_ACTIVITY_OTHER, NULL, SEVERITY_INFORMATIONAL},
};

static const char *text_of(const json_t *record, const char *member)
{
	const char *text = json_string_value(json_object_get(record, member));

	return text ? text : "";
}

static bool row_fits(const struct row *row, const json_t *record, const char *type)
{
	size_t length = strlen(row->type);
	bool is_prefix = length == 0 || row->type[length - 1] == '.';

	if (is_prefix ? strncmp(type, row->type, length) != 0 : strcmp(type, row->type) != 0)
		return false;
	return !row->member || strcmp(text_of(record, row->member), row->value) == 0;
}

struct ocsf_kind ocsf_classify(const json_t *record)
{
	const char *type = text_of(record, "type");
	const struct row *row = rows;
	int severity;

	while (!row_fits(row, record, type))
		row++;
	severity = row->severity;
	if (severity == SEVERITY_INFORMATIONAL && strcmp(text_of(record, "verdict"), "deny") == 0)
		severity = SEVERITY_MEDIUM;
	return (struct ocsf_kind){row->class, row->activity, row->caption, severity};
}

struct ocsf_class_names ocsf_class_names(enum ocsf_class class)
{
	switch (class) {
	case OCSF_FILE:
		return (struct ocsf_class_names){1, "System Activity", "File System Activity"};
	case OCSF_PROCESS:
		return (struct ocsf_class_names){1, "System Activity", "Process Activity"};
	case OCSF_NETWORK:
		return (struct ocsf_class_names){4, "Network Activity", "Network Activity"};
	case OCSF_API:
		return (struct ocsf_class_names){6, "Application Activity", "API Activity"};
	case OCSF_BASE:
		break;
	}
	return (struct ocsf_class_names){0, "Uncategorized", "Base Event"};
}

const char *ocsf_severity_name(int severity)
{
	static const char *const names[] = {[SEVERITY_INFORMATIONAL] = "Informational",
		[SEVERITY_LOW] = "Low",
		[SEVERITY_MEDIUM] = "Medium",
		[SEVERITY_HIGH] = "High",
		[SEVERITY_CRITICAL] = "Critical"};

	return severity >= 1 && (size_t)severity < ARRAY_SIZE(names) ? names[severity] : "Unknown";
}
