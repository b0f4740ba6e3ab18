#include "supervisor/dial/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/base/clock.h"

struct place {
	struct abi_address address;
	uint64_t until_ns; /* 0: free */
};

struct dial_memory {
	uint64_t seed; /* whoever runs a zone chooses addresses, but not those of another's place */
	struct place places[DIAL_MEMORY_PLACES];
};

int dial_memory_new(struct dial_memory **ret_memory)
{
	struct dial_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	if (getrandom(&memory->seed, sizeof(memory->seed), 0) != sizeof(memory->seed)) {
		free(memory);
		return -EIO;
	}
	*ret_memory = memory;
	return 0;
}

struct dial_memory *dial_memory_free(struct dial_memory *memory)
{
	free(memory);
	return NULL;
}

/* FNV-1a. */
static size_t place_of(const struct dial_memory *memory, const struct abi_address *address)
{
	uint64_t hash = memory->seed;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * 0x100000001b3ULL;
	return (hash ^ hash >> 32) % DIAL_MEMORY_PLACES;
}

static bool is_of(const struct place *place, const struct abi_address *address)
{
	return memcmp(&place->address, address, sizeof(*address)) == 0;
}

void dial_memory_add(struct dial_memory *memory, const struct abi_address *address, uint64_t now_ns)
{
	if (memory)
		memory->places[place_of(memory, address)] =
			(struct place){*address, now_ns + DIAL_MEMORY_MS * NS_PER_MS};
}

void dial_memory_drop(struct dial_memory *memory, const struct abi_address *address)
{
	struct place *place = memory ? &memory->places[place_of(memory, address)] : NULL;

	if (place && is_of(place, address))
		place->until_ns = 0;
}

bool dial_memory_has(
	const struct dial_memory *memory, const struct abi_address *address, uint64_t now_ns)
{
	const struct place *place = memory ? &memory->places[place_of(memory, address)] : NULL;

	return place && place->until_ns > now_ns && is_of(place, address);
}
