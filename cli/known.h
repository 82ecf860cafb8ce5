/*
 * Services whose address and type are known by name, so that `add openrouter` is enough.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include <stdbool.h>
#include <stddef.h>

struct known_service {
	const char *name;  /* as `add` takes it, and the upstream's name */
	const char *title; /* what people call it */
	const char *base_url;
	const char *service_type;
	const char *model; /* for everything, and for small tasks; NULL: whatever it has loaded */
	const char *small_model;
	bool local; /* on this machine: it needs no API key */
};

/** The service of that name, or NULL. */
const struct known_service *known_find(const char *name);

/** The ${index}th service, or NULL beyond the last. */
const struct known_service *known_at(size_t index);

/** The same as a word_at (suggest.h). */
const char *known_name_at(const void *context, size_t index);

#endif
