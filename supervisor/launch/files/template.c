#include "supervisor/launch/files/template.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *name;
	const char *runtimes[2]; /* the first that exists */
} known[TEMPLATES_N] = {
	{"python", {"/usr/bin/python3", NULL}},
	{"node", {"/usr/bin/node", NULL}},
	{"shell", {"/usr/bin/bash", "/usr/bin/sh"}},
};

/* A sandbox sees only /usr of the host: a runtime elsewhere, as under /opt or a home, is none. */
static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IXOTH);
}

void template_find(struct launch_template ret_templates[TEMPLATES_N])
{
	for (size_t i = 0; i < TEMPLATES_N; i++) {
		struct launch_template *template = &ret_templates[i];

		memset(template, 0, sizeof(*template));
		snprintf(template->name, sizeof(template->name), "%s", known[i].name);
		for (size_t j = 0; j < 2 && known[i].runtimes[j] && !template->available; j++) {
			snprintf(template->runtime, sizeof(template->runtime), "%s",
				known[i].runtimes[j]);
			template->available = is_program(template->runtime);
		}
		if (!template->available)
			snprintf(template->reason, sizeof(template->reason),
				"%s is not installed on this machine", known[i].runtimes[0]);
	}
}
