/*
 * `reasoning_details`; see reasoning_details.h.
 */
#include "translate/openai/chat/reasoning_details.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/answer/restated.h"

enum {
	MOST_DETAILS = 256,
	MOST_MEMBERS = 16, /* of one part; further ones are dropped */
	MOST_BYTES = 8 << 20,
};

/* A member, with its value as it came. */
struct member {
	struct buffer name; /* decoded */
	struct buffer value;
	bool is_text; /* ${value} is the content of a string that comes in pieces */
};

struct detail {
	struct member members[MOST_MEMBERS]; /* in the order in which they came */
	size_t count;
	struct restated pieces; /* of its text */
	bool news;              /* that were not put yet */
};

struct reasoning_details {
	struct detail *list;
	size_t count;
	size_t bytes; /* of what came */
};

struct reasoning_details *
reasoning_details_new(void)
{
	return calloc(1, sizeof(struct reasoning_details));
}

void
reasoning_details_free(struct reasoning_details *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->count; i++) {
		for (size_t m = 0; m < d->list[i].count; m++) {
			buffer_free(&d->list[i].members[m].name);
			buffer_free(&d->list[i].members[m].value);
		}
		restated_free(&d->list[i].pieces);
	}
	free(d->list);
	free(d);
}

bool
reasoning_details_have_news(const struct reasoning_details *d)
{
	for (size_t i = d->count; i-- > 0;)
		if (d->list[i].news)
			return true;
	return false;
}

/* ---- members ---- */

/* Does the member come in pieces?  Signatures and encrypted data come whole. */
static bool
is_text_member(const struct json *member)
{
	return json_is_string(member) &&
	       (json_is_named(member, "text") || json_is_named(member, "summary"));
}

const struct json *
reasoning_detail_text(const struct json *piece)
{
	const struct json *text = json_member_string(piece, "text");

	return text != NULL ? text : json_member_string(piece, "summary");
}

/* The member of that name, new if need be; NULL if there is no room. */
static struct member *
member_of(struct detail *detail, const struct json *value)
{
	for (size_t i = 0; i < detail->count; i++)
		if (json_is_named(value, buffer_text(&detail->members[i].name)))
			return &detail->members[i];
	if (detail->count == MOST_MEMBERS)
		return NULL;
	struct member *m = &detail->members[detail->count++];
	json_append_name(&m->name, value);
	return m;
}

static void
append_news(struct buffer *out, const struct restated_news *news)
{
	buffer_append(out, news->held, news->held_length);
	buffer_append(out, news->content, news->length);
}

/* More of the text, or (${whole}) all of it. */
static void
take_text(struct detail *detail, struct member *m, const struct json *text, bool whole)
{
	const char *content = json_content(text);
	size_t length = json_content_length(text);
	size_t before = m->value.length;

	m->is_text = true;
	if (whole) {
		size_t known = restated_known(&detail->pieces, 0, content, length);
		restated_note(&detail->pieces, content + known, length - known);
		buffer_append(&m->value, content + known, length - known);
	} else {
		const struct restated_news news = restated_take(&detail->pieces, content, length);
		append_news(&m->value, &news);
	}
	detail->news = detail->news || m->value.length > before;
}

static bool
is_value(const struct member *m, const struct json *value)
{
	return !m->is_text && m->value.length == value->length &&
	       memcmp(m->value.data, value->text, value->length) == 0;
}

/* A null says nothing of a member that was told. */
static int
take_member(struct detail *detail, const struct json *value, bool whole)
{
	struct member *m = member_of(detail, value);

	if (m == NULL || (json_is(value, JSON_NULL) && m->value.length > 0))
		return 0;
	if (is_text_member(value)) {
		if (!m->is_text)
			buffer_clear(&m->value); /* null */
		take_text(detail, m, value, whole);
	} else if (!m->is_text && !is_value(m, value)) {
		buffer_clear(&m->value);
		json_write(&m->value, value);
		detail->news = true;
	}
	return m->name.failed || m->value.failed ? -1 : 0;
}

/* ---- parts ---- */

/* Does the part have the same value there, or nothing to compare? */
static bool
has_same(struct detail *detail, const struct json *piece, const char *name)
{
	const struct json *value = json_member(piece, name);

	for (size_t i = 0; value != NULL && i < detail->count; i++) {
		const struct member *m = &detail->members[i];
		if (strcmp(buffer_text(&m->name), name) == 0)
			return strcmp(buffer_text(&m->value), "null") == 0 ||
			       (m->value.length == value->length &&
				       memcmp(m->value.data, value->text, value->length) == 0);
	}
	return true;
}

/* Is the piece of that part: of its type, number and id?  Encrypted data comes whole. */
static bool
is_of(struct detail *detail, const struct json *piece)
{
	return has_same(detail, piece, "type") && has_same(detail, piece, "index") &&
	       has_same(detail, piece, "id") && has_same(detail, piece, "data");
}

/* The part that the piece belongs to; without a number or id it can only be the last. */
static struct detail *
find(struct reasoning_details *d, const struct json *piece)
{
	bool known = json_member(piece, "index") != NULL || json_member(piece, "id") != NULL;

	for (size_t i = d->count; i-- > 0;) {
		if (is_of(&d->list[i], piece))
			return &d->list[i];
		if (!known)
			break;
	}
	return NULL;
}

static struct detail *
add(struct reasoning_details *d)
{
	if (d->count == MOST_DETAILS)
		return NULL;
	struct detail *grown = reallocarray(d->list, d->count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	d->list = grown;
	grown[d->count] = (struct detail){0};
	return &grown[d->count++];
}

static int
take_piece(struct reasoning_details *d, const struct json *piece, bool whole)
{
	struct detail *detail = find(d, piece);
	size_t before = d->bytes;

	if (detail == NULL)
		detail = add(d);
	if (detail == NULL)
		return -1;
	JSON_EACH (member, piece)
		if (take_member(detail, member, whole) != 0)
			return -1;
	if (detail->news)
		d->bytes = before + piece->length;
	return d->bytes <= MOST_BYTES ? 0 : -1;
}

int
reasoning_details_take(struct reasoning_details *d, const struct json *array, bool whole)
{
	JSON_EACH (piece, array)
		if (json_is_object(piece) && take_piece(d, piece, whole) != 0)
			return -1;
	return 0;
}

static void
put_detail(struct detail *detail, struct json_writer *w)
{
	const struct restated_news rest = restated_settle(&detail->pieces);

	json_open_object(w);
	for (size_t i = 0; i < detail->count; i++) {
		struct member *m = &detail->members[i];
		json_put_any_name(w, buffer_text(&m->name), m->name.length);
		if (!m->is_text) {
			json_put_raw(w, buffer_text(&m->value), m->value.length);
			continue;
		}
		append_news(&m->value, &rest);
		json_open_string(w);
		json_string_content(w, buffer_text(&m->value), m->value.length);
		json_close_string(w);
	}
	json_close_object(w);
}

void
reasoning_details_put(struct reasoning_details *d, struct json_writer *w)
{
	json_open_array(w);
	for (size_t i = 0; i < d->count; i++) {
		if (d->list[i].news)
			put_detail(&d->list[i], w);
		d->list[i].news = false;
	}
	json_close_array(w);
}
