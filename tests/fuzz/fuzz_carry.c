/*
 * What the client carries for us: it comes back as it was sent, and whatever a client makes up
 * instead is somebody else's, or an object like any other.
 */
#include "fuzz.h"

#include "translate/carry.h"

static const char *const kinds[] = {"openai", "openai-responses", "gemini", ""};

static bool
same_text(struct json_object *a, struct json_object *b)
{
	return strcmp(json_text(a, NULL), json_text(b, NULL)) == 0;
}

/* The members that were given, and the kind. */
static void
check_signature(const char *kind, const char *other, struct json_object *members)
{
	struct buffer text = BUFFER_INIT(0);

	fuzz_check(carry_write_signature(&text, kind, members) == 0);
	fuzz_check(carry_is_signature(buffer_text(&text)));
	struct json_object *read = carry_read_signature(buffer_text(&text), kind);
	fuzz_check(read != NULL);
	json_object_object_foreach(members, name, value)
	{
		fuzz_check(same_text(json_member(read, name), value));
	}
	fuzz_check(carry_read_signature(buffer_text(&text), other) == NULL);
	json_object_put(read);
	buffer_free(&text);
}

static void
check_call_id(const char *kind, const char *other, const char *id, struct json_object *extra)
{
	struct buffer text = BUFFER_INIT(0);
	struct json_object *read_extra;
	char *read_id;

	fuzz_check(carry_write_call_id(&text, kind, id, extra) == 0);
	fuzz_check(carry_is_id(buffer_text(&text), text.length));
	fuzz_check(carry_read_call_id(buffer_text(&text), kind, &read_id, &read_extra));
	fuzz_check(read_id != NULL && strcmp(read_id, id) == 0);
	fuzz_check(same_text(read_extra, extra));
	free(read_id);
	json_object_put(read_extra);
	fuzz_check(!carry_read_call_id(buffer_text(&text), other, &read_id, &read_extra));
	buffer_free(&text);
}

static void
read_anything(const char *text, const char *kind)
{
	struct json_object *extra;
	char *id;

	json_object_put(carry_read_signature(text, kind));
	if (carry_read_call_id(text, kind, &id, &extra)) {
		free(id);
		json_object_put(extra);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	unsigned choice = fuzz_byte(&in) & 3;
	const char *kind = kinds[choice];
	const char *other = kinds[(choice + 1) & 3];
	char *id = fuzz_text(&in, '\n');
	struct json_object *members;

	fuzz_quiet();
	/* A member of that name would take the place of the kind; no caller has one. */
	if (fuzz_json(in.at, in.left, &members) && json_object_is_type(members, json_type_object) &&
		json_member(members, "k") == NULL) {
		check_signature(kind, other, members);
		if (fuzz_is_utf8(id))
			check_call_id(kind, other, id, members);
	}
	json_object_put(members);
	read_anything(id, kind);
	free(id);
	return 0;
}
