/*
 * Secrets (API keys, the access key) in what people may see: masked, never whole.
 */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

enum { SECRET_MASK_SIZE = 16 };

/**
 * Write the masked form of ${secret} into ${mask}: first four and last four characters
 * ("sk-1…cdef"), of a secret shorter than 16 characters fewer, of one shorter than 8 none.  Never
 * fails.
 */
void secret_mask(const char *secret, char mask[SECRET_MASK_SIZE]);

/** Append the masked form of the ${length} bytes of ${secret}.  Return 0 or -1 as buffer_append. */
int secret_write_mask(struct buffer *, const char *secret, size_t length);

/* Shorter ones are too common to be looked for. */
enum { SECRET_LEAST = 8 };

/**
 * Append ${length} bytes of ${text} with every occurrence of ${secret} and of ${others} (a list
 * that ends in NULL) replaced by its masked form, as well as anything that looks like an API key
 * ("sk-…", "AIza…", "Bearer …").  Both may be NULL.  Return 0 or -1 as buffer_append.
 */
int secret_redact(struct buffer *, const char *text, size_t length, const char *secret,
	const char *const *others);

/**
 * How much of ${length} bytes may be shown when at most ${most} are to be: less if the cut would
 * split a possible secret, which could then no longer be recognised and masked.
 */
size_t secret_safe_cut(const char *text, size_t length, size_t most);

/** Are the two texts equal?  Takes the same time wherever they differ. */
bool secret_equal(const char *given, const char *expected);

/** From now on no core dump of this process is written, by whatever means, nor may others of its
 * user look into its memory. */
void secret_forbid_dumps(void);

/** Overwrite ${length} bytes in a way that the compiler does not leave out. */
void secret_erase(void *data, size_t length);

#endif
