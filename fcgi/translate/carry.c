/*
 * What the next turn must bring back to the upstream; see carry.h and PROTOCOL.md §C.4.
 */
#include "translate/carry.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"

static const char signature_prefix[] = "cp1.";
static const char call_prefix[] = "toolu_cp1_";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
carry_is_id(const char *id, size_t length)
{
	return length > 0 && strspn(id, alphabet) == length;
}

/* ---- base64url without padding (RFC 4648 §5) ---- */

static void
write_base64url(struct buffer *out, const char *text, size_t length)
{
	uint32_t bits = 0;
	int count = 0;

	for (size_t i = 0; i < length; i++) {
		bits = bits << 8 | (unsigned char)text[i];
		for (count += 8; count >= 6; count -= 6)
			buffer_putc(out, alphabet[bits >> (count - 6) & 63]);
	}
	if (count > 0)
		buffer_putc(out, alphabet[bits << (6 - count) & 63]);
}

static int
read_base64url(struct buffer *out, const char *text)
{
	uint32_t bits = 0;
	int count = 0;

	for (; *text != '\0'; text++) {
		const char *letter = strchr(alphabet, *text);
		if (letter == NULL)
			return -1;
		bits = bits << 6 | (uint32_t)(letter - alphabet);
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_putc(out, (char)(bits >> count & 255));
		}
	}
	return out->failed ? -1 : 0;
}

/* ---- objects ---- */

static int
write_object(struct buffer *out, const char *prefix, struct json_object *object)
{
	size_t length;
	const char *text = json_text(object, &length);

	if (text == NULL) {
		out->failed = true;
		return -1;
	}
	buffer_puts(out, prefix);
	write_base64url(out, text, length);
	return out->failed ? -1 : 0;
}

/* The object behind the prefix if it is of that kind; the caller frees it. */
static struct json_object *
read_object(const char *text, const char *prefix, const char *kind)
{
	struct json_object *object = NULL;
	struct buffer json = BUFFER_INIT(0);
	const char *problem;

	if (strncmp(text, prefix, strlen(prefix)) != 0)
		return NULL;
	if (read_base64url(&json, text + strlen(prefix)) == 0)
		json_parse(buffer_text(&json), json.length, &object, &problem);
	buffer_free(&json);
	if (!json_is_text(json_member(object, "k"), kind)) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

static struct json_object *
new_object(const char *kind)
{
	struct json_object *object = json_object_new_object();

	if (object != NULL)
		json_object_object_add(object, "k", json_object_new_string(kind));
	return object;
}

int
carry_write_signature(struct buffer *out, const char *kind, struct json_object *members)
{
	struct json_object *object = new_object(kind);

	if (members != NULL) {
		json_object_object_foreach(members, name, value)
		{
			json_object_object_add(object, name, json_object_get(value));
		}
	}
	int status = write_object(out, signature_prefix, object);
	json_object_put(object);
	return status;
}

bool
carry_is_signature(const char *signature)
{
	return strncmp(signature, signature_prefix, sizeof(signature_prefix) - 1) == 0;
}

struct json_object *
carry_read_signature(const char *signature, const char *kind)
{
	return read_object(signature, signature_prefix, kind);
}

int
carry_write_call_id(struct buffer *out, const char *kind, const char *id, struct json_object *extra)
{
	struct json_object *object = new_object(kind);

	if (id != NULL)
		json_object_object_add(object, "id", json_object_new_string(id));
	if (extra != NULL)
		json_object_object_add(object, "x", json_object_get(extra));
	int status = write_object(out, call_prefix, object);
	json_object_put(object);
	return status;
}

bool
carry_read_call_id(const char *call_id, const char *kind, char **id, struct json_object **extra)
{
	struct json_object *object = read_object(call_id, call_prefix, kind);

	*id = NULL;
	*extra = NULL;
	if (object == NULL)
		return false;
	const char *own = json_member_string(object, "id");
	if (own != NULL)
		*id = strdup(own);
	*extra = json_object_get(json_member(object, "x"));
	json_object_put(object);
	return true;
}
