/* The table of all requests: their sizes, who may make them, who handles them. */
#pragma once

#include "supervisor/control/request.h"

/* Checks and handles one message of cloche-api. Returns 0, or -EPROTO when the form is broken. */
int dispatch(struct control *control, const struct channel_message *message);
