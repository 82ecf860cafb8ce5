/*
 * JSON as trees of json-c, for what is built or changed before it is written: schemas, exports.
 * Requests and events go through without them (json.h).
 */
#ifndef JSON_TREE_H
#define JSON_TREE_H

#include <json-c/json.h>
#include <stdbool.h>

struct json;
struct json_writer;

/**
 * A tree of the value, in which numbers keep their spelling, whatever their size.  A member whose
 * name contains U+0000 is left out: json-c's names end there.  NULL if the value is absent or null;
 * or if memory ran out, and then ${failed} (may be NULL) is set, else left alone.  The caller frees
 * it with json_object_put.
 */
struct json_object *json_tree(const struct json *value, bool *failed);

/** Put the tree as a value, on one line.  Out of memory sticks in the buffer. */
void json_put_tree(struct json_writer *, struct json_object *tree);

/*
 * Members by name.  ${object} may be NULL or any kind of value: then, and where the member is
 * absent or of another type, the answer is NULL or false.  Everything is lent.
 */
struct json_object *json_tree_member(struct json_object *object, const char *name);
struct json_object *json_tree_member_object(struct json_object *object, const char *name);
struct json_object *json_tree_member_array(struct json_object *object, const char *name);
const char *json_tree_member_string(struct json_object *object, const char *name);
bool json_tree_is_string(struct json_object *value);
bool json_tree_is_text(struct json_object *value, const char *text);

#endif
