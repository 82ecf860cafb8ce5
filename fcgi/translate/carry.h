/*
 * What the next turn must bring back to the upstream, carried by the client without knowing: in the
 * signature of a thinking block ("cp1.…") and in the id of a tool call ("toolu_cp1_…").  Stateless:
 * the client's history is the only store (PROTOCOL.md §C.4).
 */
#ifndef CARRY_H
#define CARRY_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;
struct json_object;

/** May ${id}, of ${length} bytes, stand as an id: ^[a-zA-Z0-9_-]+$ ? */
bool carry_is_id(const char *id, size_t length);

/**
 * Append the signature of a thinking block: "cp1." and the base64url of {"k":kind, …members}.
 * ${members} (an object) may be NULL.  Return 0 or -1.
 */
int carry_write_signature(struct buffer *, const char *kind, struct json_object *members);

/** Was the signature made by carry_write_signature, for whichever kind? */
bool carry_is_signature(const char *signature);

/**
 * The object inside a signature that carry_write_signature made for ${kind}; free with
 * json_object_put. NULL if the signature is somebody else's, another kind's, or damaged.
 */
struct json_object *carry_read_signature(const char *signature, const char *kind);

/**
 * Append a tool call id that carries ${id} (the upstream's own; may be NULL) and ${extra} (an
 * object to send back with the call): "toolu_cp1_" and base64url.  Matches ^[a-zA-Z0-9_-]+$. Return
 * 0 or -1.
 */
int
carry_write_call_id(struct buffer *, const char *kind, const char *id, struct json_object *extra);

/**
 * Read an id that carry_write_call_id made for ${kind}: true, the upstream's own id (owned; NULL
 * when there was none) and the extra object (owned; NULL likewise).  False for any other id.
 */
bool
carry_read_call_id(const char *call_id, const char *kind, char **id, struct json_object **extra);

#endif
