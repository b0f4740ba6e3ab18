/* Signals by name: "SIGTERM". */
#pragma once

#include <stdbool.h>

#define SIGNAL_NAME_SIZE 16

/* Accepts "SIGTERM" and "TERM". Returns 0 for an unknown name. */
int signal_from_name(const char *name);
void signal_write_name(int signal, char ret_name[static SIGNAL_NAME_SIZE]);
