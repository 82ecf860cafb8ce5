/*
 * The file that `import` reads: its texts, what is wrong with it and where, and what was read so
 * far.
 *
 * A function that returns int gives EXIT_DONE; or else the exit status of the command, with the
 * problem reported.
 */
#ifndef IMPORT_SOURCE_H
#define IMPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "store/import.h"

struct config;

enum { LONGEST_PLACE = 256 };

/* The file being read.  Texts of ${import} are lent by ${kept}. */
struct source {
	const char *name; /* of the file */
	const struct config *config;
	struct buffer text;
	struct json_document index;
	const struct json *root;
	char **kept; /* texts, owned */
	size_t kept_count;
	struct import import;
};

/** Read and parse the file. */
int source_parse(struct source *, FILE *);
void source_free(struct source *);

/** Report what is wrong at ${place}. */
int source_refuse(const struct source *, const char *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int source_no_memory(void);

/** Take a text, and lend it until the source is freed.  NULL if memory ran out, or for NULL. */
const char *source_keep(struct source *, char *text);

/** The name of a member, lent like a text. */
const char *source_keep_name(struct source *, const struct json *member);

/** The text of a string. */
int
source_read_string(struct source *, const char *place, const struct json *value, const char **text);

/** The text of a member; NULL with EXIT_DONE: it is absent. */
int source_read_text(struct source *, const char *place, const struct json *object,
	const char *member, const char **text);

/** The same of a member that must be there, and not empty. */
int source_read_needed_text(struct source *, const char *place, const struct json *object,
	const char *member, const char **text);

/** Print a line for each member that means nothing here.  ${known} ends in NULL. */
void source_note_unknown(
	struct source *, const char *place, const struct json *object, const char *const *known);

/** The upstream of that name that was read before; NULL: none. */
const struct import_upstream *source_find(const struct source *, const char *name);

/** Is there such an upstream, in what was read or in the database? */
bool source_knows(const struct source *, const char *name);

/** Check the route, and add it. */
int source_add_route(struct source *, const char *place, struct import_route route);

/** Read one upstream, the ${index}th of the file (import_upstream.c). */
int import_read_upstream(struct source *, const struct json *value, size_t index);

#endif
