/*
 * A map from texts to numbers, by hashing: for names and ids, whose number a client or an upstream
 * decides.  The hash begins with a random number, so nobody can choose texts that collide.
 */
#ifndef TEXT_MAP_H
#define TEXT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_map_entry;

/* Zero-initialised it is empty. */
struct text_map {
	struct text_map_entry *entries;
	size_t count;    /* texts in it */
	size_t capacity; /* a power of two, or 0 */
	uint64_t seed[2];
};

/** Set what the text of ${length} bytes (copied; any bytes) leads to.  Return 0, or -1 if memory
 * ran out. */
int text_map_set(struct text_map *, const void *text, size_t length, uint64_t number);

/** Is the text in the map?  Then ${number} (may be NULL) is what it leads to. */
bool text_map_get(const struct text_map *, const void *text, size_t length, uint64_t *number);

/** Remove the text, if it is there. */
void text_map_remove(struct text_map *, const void *text, size_t length);

/** Remove all texts, to add others: the memory of a small map is kept. */
void text_map_clear(struct text_map *);

/** Remove all texts and free the memory; the map may be used again. */
void text_map_free(struct text_map *);

#endif
