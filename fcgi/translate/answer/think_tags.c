/*
 * Thinking between tags in the text; see think_tags.h.
 */
#include "translate/answer/think_tags.h"

#include <string.h>
#include <strings.h>

#include "base/json/json.h"

enum { MOST_BLANKS = 4096 }; /* bytes of them that wait for a tag */

static const struct {
	const char *name;
	const char *begin;
	const char *end;
} tags[] = {
	{"think", "<think>", "</think>"},
	{"thought", "<thought>", "</thought>"},
};

enum { TAGS = sizeof(tags) / sizeof(tags[0]) };

enum match { MATCH_NONE, MATCH_PART, MATCH_WHOLE };

void
think_tags_free(struct think_tags *t)
{
	buffer_free(&t->held);
	*t = (struct think_tags){0};
}

/* ---- in the content of a string ---- */

/* Does ${tag} stand at *${at}?  Then *${at} is where it ends.  In part: the content ends before. */
static enum match
match(const char **at, const char *end, const char *tag)
{
	const char *next = *at;
	char bytes[4];
	size_t length;

	for (; *tag != '\0'; tag++) {
		if (next == end)
			return MATCH_PART;
		next = json_content_next(next, end, bytes, &length);
		if (length != 1 || bytes[0] != *tag)
			return MATCH_NONE;
	}
	*at = next;
	return MATCH_WHOLE;
}

static enum match
match_any_begin(const char **at, const char *end, size_t *tag)
{
	enum match found = MATCH_NONE;

	for (size_t i = 0; i < TAGS; i++) {
		enum match one = match(at, end, tags[i].begin);
		if (one == MATCH_WHOLE) {
			*tag = i;
			return one;
		}
		if (one == MATCH_PART)
			found = one;
	}
	return found;
}

static const char *
skip_blanks(const char *at, const char *end)
{
	char bytes[4];
	size_t length;

	while (at < end) {
		const char *next = json_content_next(at, end, bytes, &length);
		if (length != 1 || bytes[0] == '\0' || strchr(" \t\r\n", bytes[0]) == NULL)
			break;
		at = next;
	}
	return at;
}

static bool
is_escaped_bracket(const char *escape, const char *end)
{
	return end - escape >= 6 && strncasecmp(escape, "\\u003c", 6) == 0;
}

/* The first < that may begin a tag, or ${end}. */
static const char *
find_bracket(const char *at, const char *end)
{
	const char *plain = memchr(at, '<', (size_t)(end - at));
	const char *limit = plain != NULL ? plain : end;

	while ((at = memchr(at, '\\', (size_t)(limit - at))) != NULL) {
		if (is_escaped_bracket(at, end))
			return at;
		at += 2;
		if (at >= limit)
			break;
	}
	return limit;
}

/* ---- the states ---- */

/* Each takes what it can from ${at}, and says where it stopped: what follows is held if the state
 * is still the same. */
typedef const char *
step(struct think_tags *, const char *at, const char *end, const struct think_sink *);

/* Before a text, or after a tag's end: white space, then a tag or text. */
static const char *
step_outside(struct think_tags *t, const char *at, const char *end, const struct think_sink *sink)
{
	const char *start = skip_blanks(at, end);
	const char *next = start;
	enum match found = match_any_begin(&next, end, &t->tag);

	(void)sink;
	if (found == MATCH_PART && start - at <= MOST_BLANKS)
		return at;
	/* What stands between the two is no part of either. */
	bool drops_blanks = found == MATCH_WHOLE || t->state == THINK_AFTER;
	t->state = found == MATCH_WHOLE ? THINK_OPENED : THINK_TEXT;
	return found == MATCH_WHOLE ? next : drops_blanks ? start : at;
}

/* After a tag: white space, which is thinking unless the tag's end follows. */
static const char *
step_opened(struct think_tags *t, const char *at, const char *end, const struct think_sink *sink)
{
	const char *start = skip_blanks(at, end);
	const char *next = start;
	enum match found = match(&next, end, tags[t->tag].end);

	(void)sink;
	if (found == MATCH_PART && start - at <= MOST_BLANKS)
		return at;
	t->state = found == MATCH_WHOLE ? THINK_AFTER : THINK_INSIDE;
	return found == MATCH_WHOLE ? next : at;
}

static const char *
step_inside(struct think_tags *t, const char *at, const char *end, const struct think_sink *sink)
{
	const char *found = at;
	const char *next = at;
	enum match ends = MATCH_NONE;

	for (; found < end; found = next) {
		found = next = find_bracket(found, end);
		if (found == end)
			break;
		ends = match(&next, end, tags[t->tag].end);
		if (ends != MATCH_NONE)
			break;
		next = found + (*found == '\\' ? 6 : 1);
	}
	if (found > at)
		sink->thinking(sink->context, tags[t->tag].name, at, (size_t)(found - at));
	if (ends == MATCH_WHOLE)
		t->state = THINK_AFTER;
	return ends == MATCH_WHOLE ? next : found;
}

static const char *
step_text(struct think_tags *t, const char *at, const char *end, const struct think_sink *sink)
{
	(void)t;
	if (end > at)
		sink->text(sink->context, at, (size_t)(end - at));
	return end;
}

static void
take(struct think_tags *t, const char *at, const char *end, const struct think_sink *sink)
{
	static step *const steps[] = {
		[THINK_BEFORE] = step_outside,
		[THINK_OPENED] = step_opened,
		[THINK_INSIDE] = step_inside,
		[THINK_AFTER] = step_outside,
		[THINK_TEXT] = step_text,
	};
	enum think_state before;

	do {
		before = t->state;
		at = steps[before](t, at, end, sink);
	} while (t->state != before && at < end);
	buffer_append(&t->held, at, (size_t)(end - at));
}

void
think_tags_take(
	struct think_tags *t, const char *content, size_t length, const struct think_sink *sink)
{
	struct buffer all = t->held;

	if (all.length == 0) {
		take(t, content, content + length, sink);
		return;
	}
	t->held = (struct buffer){0};
	buffer_append(&all, content, length);
	take(t, all.data, all.data + all.length, sink);
	buffer_free(&all);
}

bool
think_tags_hold(const struct think_tags *t)
{
	const char *held = buffer_text(&t->held);

	return skip_blanks(held, held + t->held.length) < held + t->held.length;
}

void
think_tags_end(struct think_tags *t, const struct think_sink *sink)
{
	const char *held = buffer_text(&t->held);

	bool inside = t->state == THINK_INSIDE || (t->state == THINK_OPENED && think_tags_hold(t));

	if (t->held.length > 0 && inside)
		sink->thinking(sink->context, tags[t->tag].name, held, t->held.length);
	else if (t->held.length > 0 && (t->state == THINK_BEFORE || think_tags_hold(t)))
		sink->text(sink->context, held, t->held.length);
	buffer_clear(&t->held);
	t->state = THINK_BEFORE;
}
