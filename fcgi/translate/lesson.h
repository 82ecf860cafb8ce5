/*
 * Lessons: what the refusals of an upstream have taught of the requests that it takes (SPEC §5
 * "Refusals that are learned").  A lesson is one line of text, which is stored, listed and carried
 * out.  Paths name members of the body as the service has it, with dots between and * for every
 * element of an array.
 *
 *   drop PATH                 the member is left out
 *   rename PATH NAME          it has another name
 *   choose PATH [VALUE,…]     it has one of these values: the nearest, or it is left out
 *   kinds PATH [TYPE,…]       an object is left out unless its `type` is one of these
 *   limit PATH LEAST MOST     a number is kept between these; - where there is no limit
 *   cut PATH MOST             an array has that many elements; a longer text is left out
 *   put PATH JSON             it has this value
 *   with-tools PATH JSON      it has this value beside tools
 *   without HEADER [VALUE]    the header, or one of its values, is not passed on
 *   auth HEADER               how the key is sent: bearer, x-api-key
 *   fix WORD                  the request is translated differently: see lesson_fixes
 */
#ifndef LESSON_H
#define LESSON_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

enum { LESSON_LONGEST = 512 /* bytes */ };

/* Those that apply to one request. */
struct lessons {
	const char *const *list;
	size_t count;
};

/** How the request is translated: bits of enum translate_fix. */
unsigned lesson_fixes(const struct lessons *);

/** Change a body, which is JSON, in place.  It stays byte for byte if no lesson
 * applies.  Return 0, or -1 if memory ran out. */
int lesson_edit_body(const struct lessons *, struct buffer *body);

/** Is the header withheld altogether? */
bool lesson_withholds(const struct lessons *, const char *header);

/** Or one of its values, which begins with ${value}? */
bool lesson_withholds_value(const struct lessons *, const char *header, const char *value);

/** Append the value of a header, a list with commas, without what is withheld of it.  Return 0 or
 * -1. */
int
lesson_write_header(const struct lessons *, const char *header, const char *value, struct buffer *);

/** How the key is sent; NULL if as usual. */
const char *lesson_auth(const struct lessons *);

#endif
