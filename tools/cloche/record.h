/* One audit record as a line for a person. */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* "21:40:00.123  sb-…  network.connect  denied 192.0.2.1:80 tcp (default) by /usr/bin/curl". Types
 * without a form of their own show their members as name=value. Returns `line`. */
const char *record_describe(char *line, size_t size, const json_t *record);
