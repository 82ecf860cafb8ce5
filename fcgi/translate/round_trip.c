/*
 * What the next turn must bring back to the upstream; see round_trip.h and PROTOCOL.md §C.4.
 */
#include "translate/round_trip.h"

#include <stdlib.h>
#include <string.h>

#include "base/text/base64.h"
#include "base/buffer.h"
#include "base/json/json_writer.h"

static const char signature_prefix[] = "cp1.";
static const char call_prefix[] = "toolu_cp1_";

static bool
is_id_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool
round_trip_is_id(const char *id, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_id_character(id[i]))
			return false;
	return length > 0;
}

/* ---- writing ---- */

/* Append the prefix and the JSON in base64url; free the JSON.  Return 0 or -1. */
static int
write_carried(struct buffer *out, const char *prefix, struct buffer *json)
{
	if (json->failed)
		out->failed = true;
	buffer_puts(out, prefix);
	base64url_write(out, json->data, json->length);
	buffer_free(json);
	return out->failed ? -1 : 0;
}

int
round_trip_write_signature(struct buffer *out, const char *kind, const char *members, size_t length)
{
	struct buffer json = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&json);

	json_open_object(&w);
	json_put_text_member(&w, "k", kind);
	if (members != NULL && length > strlen("{}"))
		json_put_raw(&w, members + 1, length - 2);
	json_close_object(&w);
	return write_carried(out, signature_prefix, &json);
}

int
round_trip_write_call_id(
	struct buffer *out, const char *kind, const char *id, const char *extra, size_t length)
{
	struct buffer json = BUFFER_INIT(0);
	struct json_writer w = JSON_WRITER(&json);

	json_open_object(&w);
	json_put_text_member(&w, "k", kind);
	if (id != NULL)
		json_put_text_member(&w, "id", id);
	if (extra != NULL) {
		json_put_name(&w, "x");
		json_put_raw(&w, extra, length);
	}
	json_close_object(&w);
	return write_carried(out, call_prefix, &json);
}

/* ---- reading ---- */

void
carried_free(struct carried *carried)
{
	json_document_free(&carried->index);
	free(carried->text);
	*carried = (struct carried){0};
}

/* Give back the memory beyond what the index needs: every call of a conversation may keep one. */
static void
fit_index(struct carried *carried)
{
	struct json_document *index = &carried->index;
	struct json *values = reallocarray(index->values, index->count, sizeof(*values));

	if (values == NULL)
		return;
	*index = (struct json_document){values, index->count, index->count};
	carried->object = values;
}

/* Read the object after the prefix.  False, with ${carried} empty, if there is none of that kind.
 */
static bool
read_carried(const char *text, size_t length, const char *prefix, const char *kind,
	size_t most_values, struct carried *carried)
{
	size_t skipped = strlen(prefix);

	*carried = (struct carried){0};
	if (length < skipped || memcmp(text, prefix, skipped) != 0)
		return false;
	size_t decoded = BASE64_DECODED(length - skipped);
	carried->text = malloc(decoded + 1);
	if (carried->text != NULL &&
		base64_read(text + skipped, length - skipped, carried->text) == 0)
		carried->object = json_read(
			&carried->index, carried->text, decoded, most_values, NULL);
	if (!json_is_text(json_member(carried->object, "k"), kind)) {
		carried_free(carried);
		return false;
	}
	fit_index(carried);
	return true;
}

bool
round_trip_is_signature(const struct json *signature)
{
	return json_starts_with(signature, signature_prefix);
}

bool
round_trip_read_signature(const struct json *signature, const char *kind, struct carried *carried)
{
	struct buffer decoded = BUFFER_INIT(0);

	*carried = (struct carried){0};
	if (!round_trip_is_signature(signature))
		return false;
	json_append(&decoded, signature);
	bool ours = read_carried(buffer_text(&decoded), decoded.length, signature_prefix, kind,
		JSON_MAX_ANSWER_VALUES, carried);
	buffer_free(&decoded);
	return ours;
}

bool
round_trip_read_call_id(
	const char *call_id, const char *kind, size_t most_values, struct carried *carried)
{
	return read_carried(call_id, strlen(call_id), call_prefix, kind, most_values, carried);
}
