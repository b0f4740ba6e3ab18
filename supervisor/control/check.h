/* `cloched --check`: what this kernel has, what is missing, and what that means. */
#pragma once

#include <stdbool.h>

/* Prints to standard output. Returns 0 when everything required is there, 1 otherwise. */
int check_host(bool json);
