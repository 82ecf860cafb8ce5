/*
 * An upstream's refusal in Claude's terms (PROTOCOL.md §E).
 */
#ifndef UPSTREAM_ERROR_H
#define UPSTREAM_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct api_error;
struct json;

/* Whose error it is, for messages that say how to fix it. */
struct error_context {
	const char *name; /* of the upstream, as the admin command knows it */
	const char *key;  /* the API key that was used; masked wherever it turns up; NULL if none */
	const char *model;          /* the name that was sent */
	const char *const *secrets; /* others that were sent, masked like the key; ends in NULL; may
				       be NULL */
	uint64_t max_tokens;        /* of output that were asked for; 0 if unknown */
};

/**
 * Translate an answer with an HTTP ${status} of 400 or more (or an unexpected one below) and any
 * body, which may be HTML, empty or cut.  ${retry_after} in seconds as the header said, 0: not
 * said.  Fills ${error}.  Return whether it is one that clients act on by its wording, and the
 * service words it otherwise: then its own words must not be passed on.
 */
bool upstream_error_from_status(int status, int64_t retry_after, const char *body, size_t length,
	const struct error_context *, struct api_error *error);

/** Is it an error in any of the shapes that services give it, rather than an answer or a part of
 * one: `{"error":…}`, `{"type":"error",…}`, `{"object":"error",…}`, `{"errors":[…]}`, …? */
bool upstream_error_is(const struct json *);

/** Does the value of a member `error` tell of one?  Not if it is absent, null, empty, 0 or false,
 * or has the code 0 and no message. */
bool upstream_error_is_told(const struct json *);

/** Translate such an error, which came inside a stream or a body with status 200. */
void upstream_error_from_object(
	const struct json *, const struct error_context *, struct api_error *error);

/** For how many seconds a key is paused after an error with this ${status} (of struct api_error),
 * unless the service says how long; 0 if no other key would do better. */
int64_t upstream_error_pause(int status);

/** 502: the upstream answered something that is no answer; quotes its first 200 bytes, secrets
 * masked.  Always -1. */
int upstream_error_bad_answer(const char *what, const char *body, size_t length,
	const struct error_context *, struct api_error *error);

/**
 * No answer came at all, for the ${problem} that curl names: 502; or 504 where no connection was
 * made within ${patience} ms (0 if that was not it).  Of ${base_url} it names scheme, host and
 * port; secrets are masked.  Always -1.
 */
int upstream_error_no_answer(const char *base_url, const char *problem, int64_t patience,
	const struct error_context *, struct api_error *error);

#endif
