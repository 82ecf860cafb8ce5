/*
 * A map from texts to numbers; see text_map.h.
 *
 * Open addressing with linear probing; what is removed leaves no mark, since those after it move
 * up.  The hash is SipHash-1-3 with a random key: built for tables that a remote fills.
 */
#include "base/text/text_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { FIRST_CAPACITY = 16 };

struct text_map_entry {
	char *text; /* owned; NULL if the entry is empty */
	size_t length;
	uint64_t hash;
	uint64_t number;
};

/* ---- the hash ---- */

static inline uint64_t
rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void
mix(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t
hash_of(const uint64_t seed[2], const void *text, size_t length)
{
	uint64_t v[] = {seed[0] ^ 0x736f6d6570736575U, seed[1] ^ 0x646f72616e646f6dU,
		seed[0] ^ 0x6c7967656e657261U, seed[1] ^ 0x7465646279746573U};
	const char *at = text;
	uint64_t word;

	for (size_t left = length; left >= sizeof(word); left -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		at += sizeof(word);
		v[3] ^= word;
		mix(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, at, length % sizeof(word));
	word |= (uint64_t)length << 56;
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t
random_word(void)
{
	uint64_t high = random_below(UINT32_MAX);

	return high << 32 | random_below(UINT32_MAX);
}

/* ---- the entries ---- */

/* The entry of the text, or the empty one where it would go.  The map has an empty one. */
static struct text_map_entry *
find(const struct text_map *map, const void *text, size_t length, uint64_t hash)
{
	size_t mask = map->capacity - 1;
	size_t i = (size_t)hash & mask;

	for (;; i = (i + 1) & mask) {
		struct text_map_entry *entry = &map->entries[i];
		if (entry->text == NULL || (entry->hash == hash && entry->length == length &&
						   memcmp(entry->text, text, length) == 0))
			return entry;
	}
}

/* Make room for one more text. */
static int
grow(struct text_map *map)
{
	struct text_map old = *map;

	if ((map->count + 1) * 4 <= map->capacity * 3)
		return 0;
	if (old.capacity == 0) {
		map->seed[0] = random_word();
		map->seed[1] = random_word();
	}
	map->capacity = old.capacity > 0 ? 2 * old.capacity : FIRST_CAPACITY;
	map->entries = calloc(map->capacity, sizeof(*map->entries));
	if (map->entries == NULL) {
		*map = old;
		return -1;
	}
	for (size_t i = 0; i < old.capacity; i++) {
		const struct text_map_entry *entry = &old.entries[i];
		if (entry->text != NULL)
			*find(map, entry->text, entry->length, entry->hash) = *entry;
	}
	free(old.entries);
	return 0;
}

int
text_map_set(struct text_map *map, const void *text, size_t length, uint64_t number)
{
	if (grow(map) != 0)
		return -1;
	uint64_t hash = hash_of(map->seed, text, length);
	struct text_map_entry *entry = find(map, text, length, hash);
	if (entry->text != NULL) {
		entry->number = number;
		return 0;
	}
	entry->text = malloc(length + 1);
	if (entry->text == NULL)
		return -1;
	memcpy(entry->text, text, length);
	entry->length = length;
	entry->hash = hash;
	entry->number = number;
	map->count++;
	return 0;
}

bool
text_map_get(const struct text_map *map, const void *text, size_t length, uint64_t *number)
{
	if (map->count == 0)
		return false;
	const struct text_map_entry *entry = find(
		map, text, length, hash_of(map->seed, text, length));
	if (entry->text == NULL)
		return false;
	if (number != NULL)
		*number = entry->number;
	return true;
}

void
text_map_remove(struct text_map *map, const void *text, size_t length)
{
	size_t mask = map->capacity - 1;

	if (map->count == 0)
		return;
	struct text_map_entry *gap = find(map, text, length, hash_of(map->seed, text, length));
	if (gap->text == NULL)
		return;
	free(gap->text);
	map->count--;
	/* What follows the gap moves up if its search would end there. */
	size_t hole = (size_t)(gap - map->entries);
	for (size_t i = (hole + 1) & mask; map->entries[i].text != NULL; i = (i + 1) & mask) {
		size_t home = (size_t)map->entries[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		map->entries[hole] = map->entries[i];
		hole = i;
	}
	map->entries[hole] = (struct text_map_entry){0};
}

void
text_map_clear(struct text_map *map)
{
	if (map->capacity > FIRST_CAPACITY) {
		text_map_free(map);
		return;
	}
	for (size_t i = 0; i < map->capacity && map->count > 0; i++) {
		if (map->entries[i].text == NULL)
			continue;
		map->count--;
		free(map->entries[i].text);
		map->entries[i] = (struct text_map_entry){0};
	}
}

void
text_map_free(struct text_map *map)
{
	for (size_t i = 0; i < map->capacity; i++)
		free(map->entries[i].text);
	free(map->entries);
	*map = (struct text_map){0};
}
