/* Which programs judge now: asked of the kernel by the pinned links, not of what was loaded once.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/enforce/pins.h"
#include "supervisor/enforce/state.h"

#define LINK_PREFIX "link-"

static int read_tag(const char *path, uint8_t ret_tag[ENFORCE_TAG_BYTES])
{
	struct bpf_link_info link = {};
	struct bpf_prog_info program = {};
	uint32_t link_size = sizeof(link), program_size = sizeof(program);
	_cleanup_close_ int link_fd = bpf_obj_get(path), program_fd = -1;

	if (link_fd < 0 || bpf_obj_get_info_by_fd(link_fd, &link, &link_size) < 0)
		return -errno;
	program_fd = bpf_prog_get_fd_by_id(link.prog_id);
	if (program_fd < 0 || bpf_obj_get_info_by_fd(program_fd, &program, &program_size) < 0)
		return -errno;
	memcpy(ret_tag, program.tag, ENFORCE_TAG_BYTES);
	return 0;
}

static int is_link(const struct dirent *entry)
{
	return strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) == 0;
}

int enforce_programs_each(
	const struct enforce *enforce, enforce_program_callback callback, void *userdata)
{
	struct dirent **links = NULL;
	int n = scandir(enforce->set_dir, &links, is_link, alphasort), r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = pins_path(enforce->set_dir, links[i]->d_name);
		uint8_t tag[ENFORCE_TAG_BYTES];

		if (r == 0)
			r = path ? read_tag(path, tag) : -ENOMEM;
		if (r == 0)
			callback(links[i]->d_name + strlen(LINK_PREFIX), tag, userdata);
		free(links[i]);
	}
	free(links);
	return r;
}
