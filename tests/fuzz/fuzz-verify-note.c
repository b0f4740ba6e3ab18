/* Whatever stands in a checkpoint file: what is taken is made of the input's own bytes, and says
 * the same when it is read again. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tools/verify/notes/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char vkey[] =
		"cloche/test/"
		"0000000000000001+4b5bc87f+ASFhKrHAHFfzzQ5kbjb7K8ZmZD4+VOnTXgQhBnhuNFU+";
	struct span bytes = {(const char *)data, size};
	struct checkpoint checkpoint;
	struct certificate certificate;
	struct note_key key = {0};
	struct note note;

	note_key_read((struct span){vkey, sizeof(vkey) - 1}, &key);
	if (!note_key_read(bytes, &key) && (strlen(key.name) == 0 || strlen(key.name) > size))
		abort();
	checkpoint_read(bytes, &checkpoint);
	certificate_read(bytes, &certificate);
	if (note_read(bytes, &note))
		return 0;
	if (note.text.start != bytes.start || note.text.size >= size || note.n_signatures == 0)
		abort();
	if (note.text.start[note.text.size - 1] != '\n')
		abort();
	if (!checkpoint_read(note.text, &checkpoint) && strlen(checkpoint.origin) > size)
		abort();
	note_signed_by(&note, &key);
	return 0;
}
