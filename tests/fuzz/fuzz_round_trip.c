/*
 * What the client carries for us: it comes back as it was sent, and whatever a client makes up
 * instead is somebody else's, or an object like any other.
 */
#include "fuzz.h"

#include "translate/round_trip.h"

static const char *const kinds[] = {"openai", "openai-responses", "gemini", ""};

static bool
reads_signature(const struct buffer *text, const char *kind, struct carried *carried)
{
	struct json_document document = {0};
	struct buffer quoted = BUFFER_INIT(0);

	json_write_string(&quoted, buffer_text(text), text->length);
	const struct json *signature = fuzz_json(&document, buffer_text(&quoted), quoted.length);
	bool read = round_trip_read_signature(signature, kind, carried);
	fuzz_check(!read || round_trip_is_signature(signature));
	json_document_free(&document);
	buffer_free(&quoted);
	return read;
}

static void
check_same(const struct json *read, const struct json *sent)
{
	struct buffer a = BUFFER_INIT(0);
	struct buffer b = BUFFER_INIT(0);

	json_write(&a, read);
	json_write(&b, sent);
	fuzz_check(fuzz_same(&a, &b));
	buffer_free(&a);
	buffer_free(&b);
}

/* The kind, and after it the members that were given, which the readers write without white space.
 */
static void
check_signature(const char *kind, const char *other, const struct json *members)
{
	struct buffer text = BUFFER_INIT(0);
	struct buffer given = BUFFER_INIT(0);
	struct carried carried;

	json_write(&given, members);
	fuzz_check(round_trip_write_signature(&text, kind, given.data, given.length) == 0);
	fuzz_check(reads_signature(&text, kind, &carried));
	const struct json *read = json_next(json_first(carried.object));
	JSON_EACH (member, members) {
		fuzz_check(read != NULL);
		check_same(read, member);
		read = json_next(read);
	}
	fuzz_check(read == NULL);
	carried_free(&carried);
	fuzz_check(!reads_signature(&text, other, &carried));
	buffer_free(&given);
	buffer_free(&text);
}

static void
check_call_id(const char *kind, const char *other, const char *id, const struct json *extra)
{
	struct buffer text = BUFFER_INIT(0);
	struct buffer read_id = BUFFER_INIT(0);
	struct carried carried;

	fuzz_check(round_trip_write_call_id(&text, kind, id, extra->text, extra->length) == 0);
	fuzz_check(round_trip_is_id(buffer_text(&text), text.length));
	fuzz_check(round_trip_read_call_id(
		buffer_text(&text), kind, JSON_MAX_REQUEST_VALUES, &carried));
	json_append(&read_id, json_member_string(carried.object, "id"));
	fuzz_check(strcmp(buffer_text(&read_id), id) == 0);
	check_same(json_member(carried.object, "x"), extra);
	carried_free(&carried);
	fuzz_check(!round_trip_read_call_id(
		buffer_text(&text), other, JSON_MAX_REQUEST_VALUES, &carried));
	buffer_free(&read_id);
	buffer_free(&text);
}

static void
read_anything(const char *text, const char *kind)
{
	struct buffer signature = BUFFER_INIT(0);
	struct carried carried;

	buffer_puts(&signature, text);
	if (reads_signature(&signature, kind, &carried))
		carried_free(&carried);
	if (round_trip_read_call_id(text, kind, 64, &carried))
		carried_free(&carried);
	buffer_free(&signature);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	unsigned choice = fuzz_byte(&in) & 3;
	const char *kind = kinds[choice];
	const char *other = kinds[(choice + 1) & 3];
	char *id = fuzz_text(&in, '\n');
	struct json_document document = {0};
	const struct json *members = fuzz_json(&document, in.at, in.left);

	fuzz_quiet();
	/* A member of that name would take the place of the kind; no caller has one. */
	if (json_is_object(members) && json_member(members, "k") == NULL) {
		check_signature(kind, other, members);
		if (fuzz_is_utf8(id))
			check_call_id(kind, other, id, members);
	}
	json_document_free(&document);
	read_anything(id, kind);
	free(id);
	return 0;
}
