/*
 * Stop sequences carried out here, for services that were not given them or do not heed them: the
 * text ends before the first that comes, also where it is cut over several pieces.  What may be the
 * beginning of one is held back until more tells.
 */
#ifndef STOP_SEQUENCES_H
#define STOP_SEQUENCES_H

#include <stdbool.h>
#include <stddef.h>

enum {
	STOP_SEQUENCES_MOST = 32,      /* sequences; further ones are not looked for */
	STOP_SEQUENCES_LONGEST = 4096, /* bytes; a longer one is not looked for */
};

struct stop_sequences;

/** Copies the ${sequences} (UTF-8, ends in NULL; a surrogate without its other half as json.h has
 * it).  NULL if memory ran out. */
struct stop_sequences *stop_sequences_new(const char *const *sequences);
void stop_sequences_free(struct stop_sequences *);

/**
 * Take a piece of the text, the content of a JSON string.  What can be given of it, and of what was
 * held: ${content} and ${length}, valid until the next call or the piece ends.  After a sequence
 * nothing more is.
 */
void stop_sequences_take(struct stop_sequences *, const char **content, size_t *length);

/** The text is over, or something else comes between: what was held back, valid as above. */
void stop_sequences_end(struct stop_sequences *, const char **content, size_t *length);

/** Forget the text: another begins. */
void stop_sequences_restart(struct stop_sequences *);

/** The sequence that came, valid as long as they are; NULL if none. */
const char *stop_sequences_found(const struct stop_sequences *);

/** Out of memory: the text is no longer whole. */
bool stop_sequences_failed(const struct stop_sequences *);

#endif
