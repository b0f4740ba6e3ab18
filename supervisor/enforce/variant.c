#include "supervisor/enforce/variant.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "supervisor/enforce/probe.h"

/* How many arguments a tracepoint gives, by its type "btf_trace_<name>"; 0 when that is not known.
 */
static int count_arguments(const struct btf *btf, const char *type_name)
{
	int id = btf__find_by_name_kind(btf, type_name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	type = type ? btf__type_by_id(btf, type->type) : NULL;
	if (!type || !btf_is_ptr(type))
		return 0;
	type = btf__type_by_id(btf, type->type);
	/* The first one is the program's context. */
	return type && btf_is_func_proto(type) && btf_vlen(type) > 0 ? btf_vlen(type) - 1 : 0;
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

void variant_choose(struct cloche_bpf *skeleton)
{
	struct btf *btf = btf__load_vmlinux_btf(); /* NULL: then nothing can be loaded */
	bool tells_last = btf && count_arguments(btf, "btf_trace_sched_process_exit") >= 2;
	bool early = btf && !tells_last && has_function(btf, "taskstats_exit") &&
		     probe_can_attach("bpf_fentry_test1", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY);

	skeleton->rodata->exit_tells_last = tells_last;
	bpf_program__set_autoload(skeleton->progs.cloche_exit, !early);
	bpf_program__set_autoload(skeleton->progs.cloche_exit_early, early);
	btf__free(btf);
}
