/*
 * What is new in a piece of text; see restated.h.
 *
 * A piece that begins with all that came before it restates it, if that is long enough to be no
 * coincidence.  A short beginning may be one ("ha", "haha!"), and the same piece twice may be
 * meant: then the second waits for the third.
 */
#include "translate/answer/restated.h"

#include <ctype.h>
#include <string.h>

#include "base/json/json.h"

enum {
	MOST_KEPT = 16 << 10, /* bytes of the beginning: enough to recognise it */

	/* What is not repeated by chance has that many bytes, and different ones among the first.
	 */
	CERTAIN_LENGTH = 32,
	CERTAIN_VARIETY = 8,
	LOOKED_AT = 256,
};

void
restated_free(struct restated *r)
{
	buffer_free(&r->begin);
	buffer_free(&r->held);
	*r = (struct restated){0};
}

void
restated_note(struct restated *r, const char *content, size_t length)
{
	size_t room = MOST_KEPT - r->begin.length;

	buffer_append(&r->begin, content, length < room ? length : room);
	r->length += length;
}

/* May the content be cut there: neither in an escape nor in a character? */
static bool
is_border(const char *content, size_t length, size_t offset)
{
	const char *at = content;
	char bytes[4];
	size_t count;

	while (at < content + offset)
		at = json_content_next(at, content + length, bytes, &count);
	return at == content + offset && (offset == length || ((unsigned char)*at & 0xc0) != 0x80);
}

/* Does the piece begin with all that came? */
static bool
begins_with_all(const struct restated *r, const char *content, size_t length)
{
	return r->length > 0 && length >= r->length && !r->begin.failed &&
	       memcmp(content, r->begin.data, r->begin.length) == 0 &&
	       is_border(content, length, r->length);
}

/* Is the piece the beginning of what came? */
static bool
is_beginning(const struct restated *r, const char *content, size_t length)
{
	return length > 0 && length <= r->begin.length &&
	       memcmp(content, r->begin.data, length) == 0;
}

/* Rules and indents repeat themselves; words tell. */
static bool
has_letter(const char *content, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (content[i] == '\\')
			i++;
		else if (isalpha((unsigned char)content[i]) || (unsigned char)content[i] >= 0x80)
			return true;
	}
	return false;
}

/* Has the text at least so many different bytes? */
static bool
is_varied(const char *content, size_t length)
{
	bool seen[256] = {false};
	size_t count = 0;

	for (size_t i = 0; i < length && i < LOOKED_AT && count < CERTAIN_VARIETY; i++) {
		bool *byte = &seen[(unsigned char)content[i]];
		count += !*byte;
		*byte = true;
	}
	return count == CERTAIN_VARIETY;
}

static bool
is_certain(const struct restated *r)
{
	return r->mode == RESTATING_ALL ||
	       (r->length >= CERTAIN_LENGTH && is_varied(r->begin.data, r->begin.length));
}

static struct restated_news
all_of(struct restated *r, const char *content, size_t length)
{
	restated_note(r, content, length);
	return (struct restated_news){.content = content, .length = length};
}

static struct restated_news
rest_of(struct restated *r, const char *content, size_t length)
{
	size_t known = r->length;

	return all_of(r, content + known, length - known);
}

/* The third piece decides about the second. */
static struct restated_news
take_third(struct restated *r, const char *content, size_t length)
{
	struct restated_news news;
	size_t known = r->length;
	size_t held = r->held.length;

	bool grows = length > held || held > known;

	if (grows && length >= held && memcmp(content, r->held.data, held) == 0) {
		r->mode = RESTATING_ALL;
		news = rest_of(r, content, length);
	} else {
		r->mode = RESTATING_NOTHING;
		restated_note(r, r->held.data, held);
		news = all_of(r, content, length);
		news.held = r->held.data;
		news.held_length = held;
	}
	r->holds = false;
	return news;
}

static bool
hold(struct restated *r, const char *content, size_t length)
{
	buffer_clear(&r->held);
	r->holds = buffer_append(&r->held, content, length) == 0;
	return r->holds;
}

struct restated_news
restated_take(struct restated *r, const char *content, size_t length)
{
	if (r->holds)
		return take_third(r, content, length);
	if (!begins_with_all(r, content, length)) {
		bool known = r->mode == RESTATING_ALL && is_beginning(r, content, length);
		if (r->mode == RESTATING_UNKNOWN && r->length > 0)
			r->mode = RESTATING_NOTHING;
		if (known)
			return (struct restated_news){0};
		return all_of(r, content, length);
	}
	bool certain = is_certain(r);
	if (r->mode == RESTATING_UNKNOWN && (!certain || length == r->length) &&
		hold(r, content, length))
		return (struct restated_news){0};
	if (r->mode == RESTATING_UNKNOWN)
		r->mode = certain ? RESTATING_ALL : RESTATING_NOTHING;
	return certain ? rest_of(r, content, length) : all_of(r, content, length);
}

struct restated_news
restated_settle(struct restated *r)
{
	struct restated_news news = {0};

	if (!r->holds)
		return news;
	/* Words that both pieces begin with were hardly meant twice; the same ones may have been.
	 */
	bool again = r->held.length > r->length ? has_letter(r->begin.data, r->begin.length)
						: is_certain(r);
	r->mode = again ? RESTATING_ALL : RESTATING_NOTHING;
	news = again ? rest_of(r, r->held.data, r->held.length)
		     : all_of(r, r->held.data, r->held.length);
	r->holds = false;
	return news;
}

size_t
restated_known(const struct restated *r, size_t offset, const char *content, size_t length)
{
	size_t known = offset < r->length ? r->length - offset : 0;
	size_t kept = offset < r->begin.length ? r->begin.length - offset : 0;

	if (known > length)
		known = length;
	if (kept > known)
		kept = known;
	if (kept > 0 && memcmp(content, r->begin.data + offset, kept) != 0)
		return length;
	return is_border(content, length, known) ? known : length;
}
