/*
 * Errors that a service tells with status 200: inside a chunk or a choice, instead of an
 * answer, or in the middle of a stream, each service in its own form (PROTOCOL.md §E).
 */
#ifndef OPENAI_ERRORS_H
#define OPENAI_ERRORS_H

#include <stdbool.h>

struct api_error;
struct json;
struct error_context;

/** Is ${value}, the member `error` of ${object}, an error?  Then the client's is filled in. */
bool openai_error_in(const struct json *object, const struct json *value,
	const struct error_context *, struct api_error *);

/** Does what is no piece of an answer read as an error?  As above. */
bool
openai_error_instead(const struct json *object, const struct error_context *, struct api_error *);

#endif
