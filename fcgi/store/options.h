/*
 * The options of an upstream (SPEC §5): their names, what they may be, and their typed form.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct upstream_options;

/**
 * May the option ${name} have this ${value}?  NULL if so, else what is wrong: a static text that
 * reads after
 * "<name>: ".  Whether a `fallback` exists is for the caller to know.
 */
const char *option_check(const char *name, const char *value);

/** Take the option into its typed form.  What option_check refuses is skipped.  Return 0, or -1 if
 * memory ran out. */
int option_take(struct upstream_options *, const char *name, const char *value);

bool option_is_known(const char *name);

/** May its value contain a secret, so that it is never shown? */
bool option_is_secret(const char *name);

/** The ${index}th option's name as help shows it, or NULL beyond the last. */
const char *option_name_at(unsigned index);

/** Call ${take} with each option that is set: its name and its value as text, valid during the
 * call.
 */
void options_each(const struct upstream_options *,
	void (*take)(void *context, const char *name, const char *value), void *context);

/** Free what the typed form contains. */
void options_free(struct upstream_options *);

#endif
