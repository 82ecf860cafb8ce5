/*
 * The reader of JSON; see json.h.
 *
 * The text is walked once, without recursion: what is open is a small stack of entries.  An entry
 * is filled in when its value begins, and what is known only at its end (length, span) when it
 * closes.
 */
#include "base/json/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json/json_scan.h"
#include "base/text/utf8.h"

enum {
	FIRST_CAPACITY = 32, /* entries */
	KEPT_CAPACITY = 128, /* entries that a document may keep for the next event */
	SHORT = 128,         /* bytes of a string that is read in steps, not in blocks */
};

/* An array or object whose end has not come. */
struct open {
	uint32_t entry;
	uint32_t last;   /* entry inside it; 0 if none yet */
	uint32_t blanks; /* bytes of white space before it */
	char close;      /* what ends it */
};

struct parser {
	const char *text;
	const char *at;
	const char *end;
	struct json_document *document;
	size_t most_values;
	const char *problem;
	const char *name; /* of the member whose value comes; NULL for an element */
	bool name_escaped;
	uint32_t blanks; /* bytes of white space so far */
	int depth;
	struct open open[JSON_MAX_DEPTH];
};

/* ---- the text ---- */

static int
fail(struct parser *p, const char *problem)
{
	p->problem = problem;
	return -1;
}

static int
fail_here(struct parser *p)
{
	return fail(p, p->at < p->end ? "unexpected character" : "it ends too early");
}

static inline void
skip_blanks(struct parser *p)
{
	const char *start = p->at;

	/* Mostly there are none. */
	if (start < p->end && (unsigned char)*start > ' ')
		return;
	while (p->at < p->end && json_is_blank(*p->at))
		p->at++;
	p->blanks += (uint32_t)(p->at - start);
}

/* Step over characters of two and three bytes, but for the few that need a closer look. */
static inline const char *
skip_common_characters(const char *at, const char *end)
{
	const unsigned char *s = (const unsigned char *)at;

	while (end - (const char *)s >= 4) {
		if (s[0] >= 0xe1 && s[0] <= 0xef && s[0] != 0xed && (s[1] & 0xc0) == 0x80 &&
			(s[2] & 0xc0) == 0x80)
			s += 3;
		else if (s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80)
			s += 2;
		else
			break;
	}
	return (const char *)s;
}

/* Can the character follow a backslash?  'u' has more to it. */
static const bool is_simple_escape[256] = {['"'] = true,
	['\\'] = true,
	['/'] = true,
	['b'] = true,
	['f'] = true,
	['n'] = true,
	['r'] = true,
	['t'] = true};

/* Step over an escape, from its backslash on. */
static int
skip_escape(struct parser *p)
{
	if (p->end - p->at < 2) {
		p->at = p->end;
		return fail_here(p);
	}
	bool unicode = p->at[1] == 'u';
	if (unicode ? json_code_unit(p->at + 2, p->end) < 0
		    : !is_simple_escape[(unsigned char)p->at[1]])
		return fail(p, "invalid escape");
	p->at += unicode ? 6 : 2;
	return 0;
}

/* Step over a character that is not plain.  Return 0, 1 at the closing quote, or -1. */
static inline int
skip_special(struct parser *p, bool *escaped)
{
	unsigned char c = (unsigned char)*p->at;

	if (c == '"') {
		p->at++;
		return 1;
	}
	if (c == '\\') {
		*escaped = true;
		return skip_escape(p);
	}
	if (c < ' ')
		return fail(p, "control character in a string");
	if (c < 0x80) {
		p->at++;
		return 0;
	}
	const char *common_end = skip_common_characters(p->at, p->end);
	size_t length = common_end > p->at ? (size_t)(common_end - p->at)
					   : utf8_character_length(p->at, (size_t)(p->end - p->at));
	if (length == 0)
		return fail(p, "it is not valid UTF-8");
	p->at += length;
	return 0;
}

/* Step over plain characters and simple escapes, a few bytes at a time: for short strings. */
static inline const char *
skip_steps(const char *at, const char *end, bool *escaped)
{
	while (end - at >= JSON_STEP) {
		size_t plain = json_plain(at);
		at += plain;
		if (plain == JSON_STEP)
			continue;
		if (end - at < 2 || at[0] != '\\' || !is_simple_escape[(unsigned char)at[1]])
			break;
		*escaped = true;
		at += 2;
	}
	return at;
}

#if defined(__SSE2__)

enum { BLOCK = 64 /* bytes */ };

/* A block of text, in its four quarters. */
struct block {
	__m128i v[BLOCK / JSON_STEP];
};

static inline struct block
load(const char *at)
{
	return (struct block){{json_load(at), json_load(at + JSON_STEP),
		json_load(at + (size_t)2 * JSON_STEP), json_load(at + (size_t)3 * JSON_STEP)}};
}

/* A bit for each byte of a block, from what was found in its quarters. */
static inline uint64_t
bits(__m128i first, __m128i second, __m128i third, __m128i fourth)
{
	return (uint64_t)(unsigned)_mm_movemask_epi8(first) |
	       (uint64_t)(unsigned)_mm_movemask_epi8(second) << JSON_STEP |
	       (uint64_t)(unsigned)_mm_movemask_epi8(third) << 2 * JSON_STEP |
	       (uint64_t)(unsigned)_mm_movemask_epi8(fourth) << 3 * JSON_STEP;
}

/* Which bytes are this one? */
static inline uint64_t
equal(const struct block *b, char c)
{
	const __m128i wanted = _mm_set1_epi8(c);

	return bits(_mm_cmpeq_epi8(b->v[0], wanted), _mm_cmpeq_epi8(b->v[1], wanted),
		_mm_cmpeq_epi8(b->v[2], wanted), _mm_cmpeq_epi8(b->v[3], wanted));
}

/* Which are control characters, or beyond ASCII?  The latter are negative here. */
static inline uint64_t
unusual(const struct block *b)
{
	const __m128i blank = _mm_set1_epi8(' ');

	return bits(_mm_cmplt_epi8(b->v[0], blank), _mm_cmplt_epi8(b->v[1], blank),
		_mm_cmplt_epi8(b->v[2], blank), _mm_cmplt_epi8(b->v[3], blank));
}

static inline __m128i
equal_either(__m128i bytes, char one, char other)
{
	return _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(one)),
		_mm_cmpeq_epi8(bytes, _mm_set1_epi8(other)));
}

static inline __m128i
equal_escape_letter(__m128i bytes)
{
	return _mm_or_si128(equal_either(bytes, 'n', 't'),
		_mm_or_si128(equal_either(bytes, 'r', '/'), equal_either(bytes, 'b', 'f')));
}

/* Which are letters of simple escapes, or a slash? */
static inline uint64_t
escape_letters(const struct block *b)
{
	return bits(equal_escape_letter(b->v[0]), equal_escape_letter(b->v[1]),
		equal_escape_letter(b->v[2]), equal_escape_letter(b->v[3]));
}

/*
 * Which bytes stand after a backslash that is none itself: of a run of backslashes every second
 * one, and what follows a run of odd length.  A run ends where a sum carries out of it, so runs
 * that begin at odd places tell by how the carry falls.  ${carried}: the block before ended in a
 * backslash that counts; and whether this one does.
 */
static inline uint64_t
after_backslashes(uint64_t backslashes, uint64_t *carried)
{
	const uint64_t even = 0x5555555555555555U;
	uint64_t sum;

	backslashes &= ~*carried;
	uint64_t follows = backslashes << 1 | *carried;
	uint64_t odd_starts = backslashes & ~even & ~follows;
	*carried = __builtin_add_overflow(odd_starts, backslashes, &sum);
	return (even ^ sum << 1) & follows;
}

/* Step over plain characters and simple escapes, a block at a time. */
static inline const char *
skip_usual(const char *at, const char *end, bool *escaped)
{
	uint64_t carried = 0;

	for (; end - at >= BLOCK; at += BLOCK) {
		const struct block b = load(at);
		uint64_t quotes = equal(&b, '"');
		uint64_t backslashes = equal(&b, '\\');
		uint64_t stop = quotes | unusual(&b);
		uint64_t after = 0;
		if ((backslashes | carried) != 0) {
			*escaped = true;
			after = after_backslashes(backslashes, &carried);
			stop &= ~after;
			uint64_t letters = after & ~(quotes | backslashes);
			if (letters != 0)
				stop |= letters & ~escape_letters(&b);
		}
		if (stop == 0)
			continue;
		at += __builtin_ctzll(stop);
		/* The escape as a whole needs a closer look. */
		return (after & stop & (~stop + 1)) != 0 ? at - 1 : at;
	}
	return skip_steps(at - carried, end, escaped);
}

#else

static inline const char *
skip_usual(const char *at, const char *end, bool *escaped)
{
	return skip_steps(at, end, escaped);
}

#endif

/* Step over the rest of a string. */
static int
skip_rest(struct parser *p, bool *escaped)
{
	int status = 0;

	while (status == 0) {
		const char *near = p->end - p->at > SHORT ? p->at + SHORT : p->end;
		p->at = skip_steps(p->at, near, escaped);
		if (near - p->at < JSON_STEP)
			p->at = skip_usual(p->at, p->end, escaped);
		if (p->at == p->end)
			return fail_here(p);
		status = skip_special(p, escaped);
	}
	return status > 0 ? 0 : -1;
}

/* Step over a string, from its quote on.  Most are short and plain. */
static inline int
skip_string(struct parser *p, bool *escaped)
{
	*escaped = false;
	p->at++;
	if (p->end - p->at > JSON_STEP) {
		p->at += json_plain(p->at);
		if (*p->at == '"') {
			p->at++;
			return 0;
		}
	}
	return skip_rest(p, escaped);
}

static size_t
skip_digits(struct parser *p)
{
	const char *start = p->at;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	return (size_t)(p->at - start);
}

static bool
skip_either(struct parser *p, char one, char other)
{
	if (p->at == p->end || (*p->at != one && *p->at != other))
		return false;
	p->at++;
	return true;
}

static int
skip_number(struct parser *p)
{
	static const char problem[] = "invalid number";

	skip_either(p, '-', '-');
	bool zero = p->at < p->end && *p->at == '0';
	size_t digits = skip_digits(p);
	if (digits == 0 || (zero && digits > 1))
		return fail(p, problem);
	if (skip_either(p, '.', '.') && skip_digits(p) == 0)
		return fail(p, problem);
	if (skip_either(p, 'e', 'E')) {
		skip_either(p, '+', '-');
		if (skip_digits(p) == 0)
			return fail(p, problem);
	}
	return 0;
}

static int
skip_literal(struct parser *p, const char *literal, size_t length)
{
	if ((size_t)(p->end - p->at) < length || memcmp(p->at, literal, length) != 0)
		return fail_here(p);
	p->at += length;
	return 0;
}

/* ---- the index ---- */

static int
grow(struct parser *p)
{
	struct json_document *d = p->document;
	size_t capacity = d->capacity > 0 ? 2 * d->capacity : FIRST_CAPACITY;
	struct json *grown = reallocarray(d->values, capacity, sizeof(*grown));

	if (grown == NULL)
		return fail(p, "out of memory");
	d->values = grown;
	d->capacity = capacity;
	return 0;
}

/* Enter the value that begins here. */
static inline int
add(struct parser *p, enum json_kind kind)
{
	struct json_document *d = p->document;

	if (d->count == p->most_values)
		return fail(p, "it contains too many values");
	if (d->count == d->capacity && grow(p) != 0)
		return -1;
	d->values[d->count] = (struct json){
		.text = p->at,
		.name = p->name != NULL ? (uint32_t)(p->at - p->name) : 0,
		.span = 1,
		.kind = (uint8_t)kind,
		.flags = p->name_escaped ? JSON_NAME_ESCAPED : 0,
	};
	if (p->depth > 0)
		p->open[p->depth - 1].last = (uint32_t)d->count;
	d->count++;
	p->name = NULL;
	p->name_escaped = false;
	return 0;
}

static int
open_container(struct parser *p, enum json_kind kind)
{
	if (p->depth == JSON_MAX_DEPTH)
		return fail(p, "it is nested more than 128 levels deep");
	if (add(p, kind) != 0)
		return -1;
	p->open[p->depth++] = (struct open){
		.entry = (uint32_t)(p->document->count - 1),
		.blanks = p->blanks,
		.close = kind == JSON_OBJECT ? '}' : ']',
	};
	p->at++;
	return 0;
}

static void
close_container(struct parser *p)
{
	const struct open *open = &p->open[--p->depth];
	struct json *value = &p->document->values[open->entry];

	p->at++;
	value->length = (uint32_t)(p->at - value->text);
	value->span = (uint32_t)(p->document->count - open->entry);
	if (open->last != 0)
		p->document->values[open->last].flags |= JSON_LAST;
	if (p->blanks != open->blanks)
		value->flags |= JSON_SPACED;
}

static int
read_string(struct parser *p)
{
	bool escaped;

	if (add(p, JSON_STRING) != 0)
		return -1;
	size_t entry = p->document->count - 1;
	if (skip_string(p, &escaped) != 0)
		return -1;
	struct json *value = &p->document->values[entry];
	value->length = (uint32_t)(p->at - value->text);
	value->flags |= escaped ? JSON_ESCAPED : 0;
	return 0;
}

static int
read_number(struct parser *p)
{
	if (add(p, JSON_NUMBER) != 0 || skip_number(p) != 0)
		return -1;
	struct json *value = &p->document->values[p->document->count - 1];
	value->length = (uint32_t)(p->at - value->text);
	return 0;
}

static int
read_literal(struct parser *p, enum json_kind kind, const char *literal, size_t length)
{
	if (add(p, kind) != 0)
		return -1;
	p->document->values[p->document->count - 1].length = (uint32_t)length;
	return skip_literal(p, literal, length);
}

/* Read a value, or of an array or object the beginning.  Return 0, 1 if something is open, or -1.
 */
static int
read_value(struct parser *p)
{
	switch (*p->at) {
	case '"':
		return read_string(p);
	case '{':
		return open_container(p, JSON_OBJECT) == 0 ? 1 : -1;
	case '[':
		return open_container(p, JSON_ARRAY) == 0 ? 1 : -1;
	case 't':
		return read_literal(p, JSON_TRUE, "true", 4);
	case 'f':
		return read_literal(p, JSON_FALSE, "false", 5);
	case 'n':
		return read_literal(p, JSON_NULL, "null", 4);
	case 'N':
	case 'I':
		return fail(p, "NaN and Infinity are not JSON");
	default:
		if (*p->at != '-' && (*p->at < '0' || *p->at > '9'))
			return fail_here(p);
		return read_number(p);
	}
}

/* The name of a member, and its colon. */
static int
read_name(struct parser *p)
{
	if (p->at == p->end || *p->at != '"')
		return fail_here(p);
	p->name = p->at;
	if (skip_string(p, &p->name_escaped) != 0)
		return -1;
	skip_blanks(p);
	if (p->at == p->end || *p->at != ':')
		return fail_here(p);
	p->at++;
	skip_blanks(p);
	return 0;
}

/*
 * After a value, or after the beginning of an array or object (${opened}): close what ends here,
 * and step to where the next value begins.  Return 0 there, 1 at the end of the outermost, or -1.
 */
static int
step(struct parser *p, bool opened)
{
	while (p->depth > 0) {
		char close = p->open[p->depth - 1].close;
		skip_blanks(p);
		if (p->at == p->end)
			return fail_here(p);
		if (*p->at == close) {
			close_container(p);
			opened = false;
			continue;
		}
		if (!opened) {
			if (*p->at != ',')
				return fail_here(p);
			p->at++;
			skip_blanks(p);
		}
		if (close == '}' && read_name(p) != 0)
			return -1;
		return p->at < p->end ? 0 : fail_here(p);
	}
	return 1;
}

static int
parse(struct parser *p)
{
	int status;

	skip_blanks(p);
	if (p->at == p->end)
		return fail(p, "it is empty");
	do {
		status = read_value(p);
		if (status >= 0)
			status = step(p, status > 0);
	} while (status == 0);
	if (status < 0)
		return -1;
	skip_blanks(p);
	return p->at == p->end ? 0 : fail_here(p);
}

const struct json *
json_read(struct json_document *document, const char *text, size_t length, size_t most_values,
	struct json_problem *problem)
{
	struct parser p = {.text = text,
		.at = text,
		.end = text + length,
		.document = document,
		.most_values = most_values};
	int status;

	document->count = 0;
	status = length < UINT32_MAX ? parse(&p) : fail(&p, "it is too long");
	if (status == 0) {
		document->values[0].flags |= JSON_LAST;
		return document->values;
	}
	if (problem != NULL)
		*problem = (struct json_problem){p.problem, (size_t)(p.at - text)};
	document->count = 0;
	return NULL;
}

void
json_document_free(struct json_document *document)
{
	free(document->values);
	*document = (struct json_document){0};
}

void
json_document_trim(struct json_document *document)
{
	if (document->capacity > KEPT_CAPACITY)
		json_document_free(document);
}
