/* Programs that kernels of different age need in different forms. */
#pragma once

#include "bpf/cloche.skel.h"

/* Switches off, by bpf_program__autoload(), the forms that are not for this kernel, and tells the
 * programs what it has. Always the same on the same kernel. Before cloche_bpf__load(). */
void variant_choose(struct cloche_bpf *skeleton);
