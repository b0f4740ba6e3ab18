/* Whatever a server hands out as a proof: it is read within its bounds, and proves nothing that was
 * not signed. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tools/verify/tree/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char vkey[] =
		"cloche/test/"
		"0000000000000001+4b5bc87f+ASFhKrHAHFfzzQ5kbjb7K8ZmZD4+VOnTXgQhBnhuNFU+";
	static struct proof proof;
	struct epoch epoch = {0};
	struct keyring keyring = {.epochs = &epoch, .n = 1, .first = 1};
	struct checkpoint checkpoint;
	struct hash root = {{0}};
	struct fault fault;

	note_key_read((struct span){vkey, sizeof(vkey) - 1}, &epoch.key);
	if (proof_read((const char *)data, size, &proof))
		return 0;
	if (proof.n_hashes > TREE_PROOF_MAX || proof.checkpoint_size > sizeof(proof.checkpoint) ||
		proof.record_size > sizeof(proof.record))
		abort();
	if (proof.is_inclusion && proof_check(&keyring, &proof, &checkpoint, &fault) == 0)
		abort(); /* the secret of that key is nowhere */
	if (proof.n_hashes && tree_includes(proof.index, proof.size, &proof.leaf, proof.hashes,
				      proof.n_hashes, &root))
		abort();
	tree_extends(proof.from, proof.to, &root, &proof.leaf, proof.hashes, proof.n_hashes);
	return 0;
}
