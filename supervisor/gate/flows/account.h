/* Traffic by destination: what each sandbox's connections moved since cloched was last told. */
#pragma once

#include "supervisor/gate/state.h"

/* Takes what the connection moved since the last time into its sandbox's account: before its end,
 * too. Without memory it is taken the next time. */
void account_settle(struct flow *flow);
/* The listener closes: what is in its account is still told. */
void account_leave(struct listener *listener);
/* Settles all connections and tells cloched; what it does not take now waits. */
void account_tell(struct gate *gate);
void account_fini(struct gate *gate);
