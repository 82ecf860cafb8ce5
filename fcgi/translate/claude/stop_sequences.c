/*
 * Stop sequences carried out here; see stop_sequences.h.
 *
 * Each sequence is followed through the decoded text as Knuth, Morris and Pratt do: a state per
 * sequence, the number of its bytes that the text ends with.  The longest of them is what must be
 * held.  A second position follows in the content as it came, so that this is cut, not decoded.
 */
#include "translate/claude/stop_sequences.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json.h"

struct sequence {
	char *text;
	size_t length;
	uint16_t *shorter; /* [i]: of its first i bytes, the longest end that it begins with, too */
	size_t matched;    /* bytes of it that the text ends with */
};

struct stop_sequences {
	struct sequence list[STOP_SEQUENCES_MOST];
	size_t count;
	bool begins[256]; /* may a sequence, or an escape, begin with that byte? */
	const char *found;
	bool failed;         /* memory ran out */
	struct buffer held;  /* content that was not given yet */
	struct buffer given; /* content that was held before, and the piece after it */
};

/* A position in the content, and in what it is when it is decoded. */
struct position {
	const char *at;
	size_t decoded; /* bytes since the beginning of the content */
};

/* ---- the sequences ---- */

static int
prepare(struct sequence *s)
{
	s->shorter = calloc(s->length + 1, sizeof(*s->shorter));
	if (s->shorter == NULL)
		return -1;
	for (size_t i = 1, k = 0; i < s->length; i++) {
		while (k > 0 && s->text[i] != s->text[k])
			k = s->shorter[k];
		k += s->text[i] == s->text[k];
		s->shorter[i + 1] = (uint16_t)k;
	}
	return 0;
}

static int
add(struct stop_sequences *stops, const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > STOP_SEQUENCES_LONGEST || stops->count == STOP_SEQUENCES_MOST)
		return 0;
	struct sequence *s = &stops->list[stops->count++];
	s->length = length;
	s->text = strdup(text);
	stops->begins[(unsigned char)*text] = true;
	return s->text != NULL ? prepare(s) : -1;
}

struct stop_sequences *
stop_sequences_new(const char *const *sequences)
{
	struct stop_sequences *stops = calloc(1, sizeof(*stops));

	if (stops != NULL)
		stops->begins['\\'] = true;
	for (; stops != NULL && *sequences != NULL; sequences++) {
		if (add(stops, *sequences) != 0) {
			stop_sequences_free(stops);
			return NULL;
		}
	}
	return stops;
}

void
stop_sequences_free(struct stop_sequences *stops)
{
	if (stops == NULL)
		return;
	for (size_t i = 0; i < stops->count; i++) {
		free(stops->list[i].text);
		free(stops->list[i].shorter);
	}
	buffer_free(&stops->held);
	buffer_free(&stops->given);
	free(stops);
}

/* ---- following the text ---- */

/* How many bytes of the sequence the text ends with after this one. */
static size_t
follow(struct sequence *s, char byte)
{
	size_t k = s->matched;

	while (k > 0 && (k == s->length || s->text[k] != byte))
		k = s->shorter[k];
	k += s->text[k] == byte;
	s->matched = k;
	return k;
}

/* The bytes at the end of the text that may begin a sequence; if they are one, it was found. */
static size_t
follow_all(struct stop_sequences *stops, char byte)
{
	size_t longest = 0;
	size_t whole = 0;

	for (size_t i = 0; i < stops->count; i++) {
		size_t matched = follow(&stops->list[i], byte);
		if (matched == stops->list[i].length && matched > whole) {
			whole = matched;
			stops->found = stops->list[i].text;
		}
		if (matched > longest)
			longest = matched;
	}
	return whole > 0 ? whole : longest;
}

static size_t
longest_match(const struct stop_sequences *stops)
{
	size_t longest = 0;

	for (size_t i = 0; i < stops->count; i++)
		if (stops->list[i].matched > longest)
			longest = stops->list[i].matched;
	return longest;
}

/* Move on to ${decoded} bytes. */
static void
advance(struct position *p, const char *end, size_t decoded)
{
	char bytes[4];
	size_t length;

	while (p->decoded < decoded && p->at < end) {
		p->at = json_content_next(p->at, end, bytes, &length);
		p->decoded += length;
	}
}

/* Step over bytes with which no sequence begins. */
static void
skip(const struct stop_sequences *stops, struct position *p, const char *end)
{
	const char *start = p->at;

	while (p->at < end && !stops->begins[(unsigned char)*p->at])
		p->at++;
	p->decoded += (size_t)(p->at - start);
}

/* Follow the content between the two, of which ${held} bytes, decoded, were followed before and end
 * at ${from}.  Where the part ends that can be given. */
static const char *
scan(struct stop_sequences *stops, const char *start, const char *from, const char *end,
	size_t held)
{
	struct position safe = {start, 0};
	struct position next = {from, held};
	size_t matched = held;
	char bytes[4];
	size_t length;

	while (next.at < end && stops->found == NULL) {
		if (matched == 0)
			skip(stops, &next, end);
		if (next.at == end)
			break;
		next.at = json_content_next(next.at, end, bytes, &length);
		for (size_t i = 0; i < length && stops->found == NULL; i++) {
			matched = follow_all(stops, bytes[i]);
			next.decoded++;
		}
		advance(&safe, end, next.decoded - matched);
	}
	if (matched == 0)
		safe = next;
	return safe.at;
}

/* What was held, and the piece after it, as one. */
static const char *
join(struct stop_sequences *stops, const char *content, size_t length)
{
	if (stops->held.length == 0)
		return content;
	buffer_clear(&stops->given);
	buffer_append(&stops->given, stops->held.data, stops->held.length);
	if (buffer_append(&stops->given, content, length) == 0)
		return stops->given.data;
	stops->failed = true;
	return NULL;
}

void
stop_sequences_take(struct stop_sequences *stops, const char **content, size_t *length)
{
	size_t known = stops->held.length;
	const char *start = join(stops, *content, *length);

	if (stops->found != NULL || start == NULL) {
		*length = 0;
		return;
	}
	const char *end = start + known + *length;
	const char *safe = scan(stops, start, start + known, end, longest_match(stops));
	buffer_clear(&stops->held);
	if (stops->found == NULL && buffer_append(&stops->held, safe, (size_t)(end - safe)) != 0)
		stops->failed = true;
	*content = start;
	*length = (size_t)(safe - start);
}

void
stop_sequences_end(struct stop_sequences *stops, const char **content, size_t *length)
{
	struct buffer given = stops->given;

	stops->given = stops->held;
	stops->held = given;
	buffer_clear(&stops->held);
	*content = buffer_text(&stops->given);
	*length = stops->given.length;
	for (size_t i = 0; i < stops->count; i++)
		stops->list[i].matched = 0;
}

void
stop_sequences_restart(struct stop_sequences *stops)
{
	const char *content;
	size_t length;

	stop_sequences_end(stops, &content, &length);
	stops->found = NULL;
}

const char *
stop_sequences_found(const struct stop_sequences *stops)
{
	return stops->found;
}

bool
stop_sequences_failed(const struct stop_sequences *stops)
{
	return stops->failed;
}
