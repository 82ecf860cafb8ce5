/*
 * What the next turn must bring back to the upstream, carried by the client without knowing: in the
 * signature of a thinking block ("cp1.…") and in the id of a tool call ("toolu_cp1_…").  Stateless:
 * the client's history is the only store (PROTOCOL.md §C.4).
 */
#ifndef ROUND_TRIP_H
#define ROUND_TRIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json/json.h"

struct buffer;

/* What was carried, read back. */
struct carried {
	const struct json *object; /* its members, and "k", the kind; NULL if nothing for us */
	struct json_document index;
	char *text;
};

void carried_free(struct carried *);

/* Begins the id of a search that was reported for another service, and that no other knows.
 */
#define ROUND_TRIP_SEARCH "srvtoolu_cp1_"

/** Can ${id}, of ${length} bytes, be an id: ^[a-zA-Z0-9_-]+$ ? */
bool round_trip_is_id(const char *id, size_t length);

/**
 * Append the signature of a thinking block: "cp1." and the base64url of {"k":kind, …members}.
 * ${members} is the text of a JSON object, of ${length} bytes, without white space outside
 * strings; NULL if none.  Return 0 or -1.
 */
int
round_trip_write_signature(struct buffer *, const char *kind, const char *members, size_t length);

/* The kind of what the `encrypted_content` of a page carries that the proxy found: {"x": excerpt}.
 */
#define ROUND_TRIP_PAGE "web"

/** Was the signature (a string) made by round_trip_write_signature, for whichever kind? */
bool round_trip_is_signature(const struct json *signature);

/**
 * Read a signature (a string, or NULL) that round_trip_write_signature made for ${kind}.  True, and
 * what it carries in ${carried}, which the caller frees; false if it is somebody else's, another
 * kind's, or damaged, and then ${carried} is empty.
 */
bool
round_trip_read_signature(const struct json *signature, const char *kind, struct carried *carried);

/**
 * Append a tool call id that carries ${id} (the upstream's own; may be NULL) and ${extra} (the text
 * of a JSON value to send back with the call, of ${length} bytes; NULL if none): "toolu_cp1_" and
 * base64url.  Matches ^[a-zA-Z0-9_-]+$.  Return 0 or -1.
 */
int round_trip_write_call_id(
	struct buffer *, const char *kind, const char *id, const char *extra, size_t length);

/**
 * Read an id that round_trip_write_call_id made for ${kind}, with at most ${most_values} JSON
 * values in it.  True, and ${carried}, which the caller frees: the upstream's own id is its member
 * "id", the extra its member "x"; each may be absent.  False for any other id, and then ${carried}
 * is empty.
 */
bool round_trip_read_call_id(
	const char *call_id, const char *kind, size_t most_values, struct carried *carried);

#endif
