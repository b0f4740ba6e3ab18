/* The attributes that are of one class only. */
#pragma once

#include <jansson.h>

#include "api/ocsf/classes.h"

/* Moves members of `record`, which has what the class requires, into `event`. */
void ocsf_put_details(json_t *event, json_t *record, const struct ocsf_kind *kind);
