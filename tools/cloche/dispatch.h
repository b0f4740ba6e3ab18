/* From a command line to a handler. */
#pragma once

/* Runs what argv asks for and returns the exit code. */
int dispatch(int argc, char *const *argv);
