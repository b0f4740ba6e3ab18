/* sd_notify(3), without the library. */
#pragma once

/* Sends "READY=1\n…" to $NOTIFY_SOCKET; does nothing without one. */
void notify_supervisor(const char *state);
