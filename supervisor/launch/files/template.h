/* What sandboxes can be made of: the host's /usr, asked for by the language that it must run. */
#pragma once

#include "supervisor/launch/launch.h"

#define TEMPLATES_N 3

/* Fills all templates, looking in the host's /usr for their runtimes. */
void template_find(struct launch_template ret_templates[TEMPLATES_N]);
