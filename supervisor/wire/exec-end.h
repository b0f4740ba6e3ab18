/* How a command ended, in the word that records and answers have for it. */
#pragma once

#include <stdint.h>

/* Of enum wire_exec_end: "exited", …; NULL for what is none. */
const char *wire_exec_end_name(uint32_t end);
