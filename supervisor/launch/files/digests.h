/* SHA-256 of files that no sandbox can change, kept so that a claim need not read them again. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/digest/sha256.h"

#define DIGESTS_FILE_BYTES_MAX (512ULL * 1024 * 1024)

struct digests;

/* Returns 0 or -ENOMEM. */
int digests_new(struct digests **ret_digests);
/* Takes NULL, returns NULL. */
struct digests *digests_free(struct digests *digests);

/* Of the regular file `fd`, opened to be read. Only for a file that has been where a sandbox cannot
 * write since before anything ran in it. 0; -EFBIG, -EAGAIN (it changed meanwhile), -EIO, other
 * -errno. */
int digests_get(struct digests *digests, int fd, char ret_hex[SHA256_HEX_SIZE]);
