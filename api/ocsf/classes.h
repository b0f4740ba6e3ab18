/* Which class and activity of OCSF a type of record is. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum ocsf_class {
	OCSF_BASE = 0,
	OCSF_FILE = 1001,
	OCSF_PROCESS = 1007,
	OCSF_NETWORK = 4001,
	OCSF_API = 6003,
};

#define OCSF_ACTIVITY_UNKNOWN 0
#define OCSF_ACTIVITY_OTHER 99

struct ocsf_kind {
	enum ocsf_class class;
	int activity;
	/* Of the activity; NULL: a word of the record's own, as OCSF_ACTIVITY_OTHER wants it. */
	const char *caption;
	int severity;
};

/* What a whole record, with its `type`, is. */
struct ocsf_kind ocsf_classify(const json_t *record);

struct ocsf_class_names {
	int category;
	const char *category_name, *class_name;
};

struct ocsf_class_names ocsf_class_names(enum ocsf_class class);
const char *ocsf_severity_name(int severity);
