/*
 * How many tokens a request is, roughly; see tokens.h.
 *
 * A byte-pair tokenizer first cuts a text into pieces: words with the character before them, up to
 * three digits, runs of punctuation, runs of blanks.  The pieces are found here in the same way;
 * what a piece costs on average was measured, by its kind and length, over licences, documentation,
 * C, Python, JavaScript, TypeScript and JSON.
 */
#include "translate/tokens.h"

#include <stdbool.h>
#include <string.h>

#include "base/text/base64.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/text/utf8.h"
#include "translate/claude/request.h"

enum {
	ONE = 100,          /* costs are counted in hundredths of a token */
	MESSAGE_COST = 300, /* what stands around a message */
	MEMBER_COST = 200,  /* the quotes, the colon and the comma of a member of an object */
	LEAST_IMAGE = 85,   /* tokens */
	MOST_IMAGE = 1600,
	PIXELS_PER_TOKEN = 750,
	USUAL_IMAGE = 1500,
	LEAST_FILE = 1500, /* tokens of a PDF */
	BYTES_PER_FILE_TOKEN = 12,
	LONGEST_IN_TABLE = 15,
};

/* ---- characters ---- */

enum kind {
	BLANK = 'b',
	NEWLINE = 'n',
	LOWER = 'l',
	UPPER = 'u',
	DIGIT = 'd',
	PUNCTUATION = 'p',
	LETTER = 'x',
	SYLLABLE = 'y',
};

struct character {
	enum kind kind;
	unsigned cost;   /* of a LETTER or SYLLABLE, in hundredths */
	unsigned length; /* bytes */
};

/* Letters beyond ASCII, by where they stand in Unicode; what is in no range is punctuation. */
static const struct {
	uint32_t first, last;
	enum kind kind;
	unsigned cost;
} ranges[] = {
	{0x00aa, 0x02ff, LETTER, 30},    /* Latin */
	{0x0370, 0x03ff, LETTER, 40},    /* Greek */
	{0x0400, 0x052f, LETTER, 30},    /* Cyrillic */
	{0x0530, 0x0dff, LETTER, 40},    /* Hebrew, Arabic, Indian scripts */
	{0x0e00, 0x1fff, LETTER, 45},    /* Thai and others */
	{0x2e80, 0x2fff, SYLLABLE, 200}, /* radicals */
	{0x3040, 0x30ff, SYLLABLE, 72},  /* kana */
	{0x3100, 0x33ff, SYLLABLE, 150},
	{0x3400, 0x4dbf, SYLLABLE, 250}, /* rare Chinese characters */
	{0x4e00, 0x9fff, SYLLABLE, 73},
	{0xac00, 0xd7af, SYLLABLE, 72}, /* Hangul */
	{0xf900, 0xfaff, SYLLABLE, 200},
	{0x20000, 0x3ffff, SYLLABLE, 350},
};

static enum kind
ascii_kind(unsigned char c)
{
	/* Of each ASCII character, 32 a line. */
	static const char kinds[] = "pppppppppbnbbnpppppppppppppppppp"
				    "bpppppppppppppppddddddddddpppppp"
				    "puuuuuuuuuuuuuuuuuuuuuuuuuuppppp"
				    "pllllllllllllllllllllllllllppppp";

	return (enum kind)kinds[c];
}

static uint32_t
code_point(const unsigned char *c, size_t length)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = c[0] & first_bits[length];

	for (size_t i = 1; i < length; i++)
		code = code << 6 | (c[i] & 0x3f);
	return code;
}

static struct character
character_at(const char *at, const char *end)
{
	unsigned char first = (unsigned char)*at;
	struct character c = {.kind = PUNCTUATION, .cost = ONE, .length = 1};

	if (first < 0x80) {
		c.kind = ascii_kind(first);
		return c;
	}
	size_t length = utf8_character_length(at, (size_t)(end - at));
	if (length < 2)
		return c;
	c.length = (unsigned)length;
	uint32_t code = code_point((const unsigned char *)at, length);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (code < ranges[i].first || code > ranges[i].last)
			continue;
		c.kind = ranges[i].kind;
		c.cost = ranges[i].cost;
	}
	return c;
}

static bool
is_letter(enum kind kind)
{
	return kind == LOWER || kind == UPPER || kind == LETTER || kind == SYLLABLE;
}

/* ---- pieces ---- */

/* What stands before a word and is one piece with it. */
enum lead { NO_LEAD, SPACE_LEAD, PUNCTUATION_LEAD, LEADS };

/* What a word of so many ASCII letters costs, 0 to LONGEST_IN_TABLE; beyond, each more costs 25. */
static const unsigned short word_costs[LEADS][LONGEST_IN_TABLE + 1] = {
	[NO_LEAD] = {0, 100, 103, 114, 109, 111, 117, 117, 125, 142, 122, 130, 190, 210, 230, 280},
	[SPACE_LEAD] = {0, 100, 100, 101, 103, 106, 106, 111, 114, 119, 120, 128, 130, 138, 158,
		175},
	[PUNCTUATION_LEAD] = {0, 102, 122, 125, 115, 137, 131, 147, 167, 183, 208, 227, 265, 273,
		288, 330},
};

/* The same of a word in capitals. */
static const unsigned short capital_costs[LEADS][LONGEST_IN_TABLE + 1] = {
	[NO_LEAD] = {0, 100, 104, 120, 167, 172, 182, 222, 257, 240, 302, 350, 380, 410, 430, 460},
	[SPACE_LEAD] = {0, 100, 101, 112, 132, 147, 153, 145, 152, 174, 165, 190, 170, 170, 170,
		170},
	[PUNCTUATION_LEAD] = {0, 103, 144, 145, 151, 159, 168, 211, 222, 245, 278, 350, 378, 400,
		430, 460},
};

enum { PER_FURTHER_LETTER = 25, CAPITALIZED = 10 };

struct text {
	const char *at;
	const char *end;
	enum lead lead; /* for the word that comes next */
	uint64_t cost;
};

static struct character
next(const struct text *t)
{
	static const struct character none = {.kind = NEWLINE};

	return t->at < t->end ? character_at(t->at, t->end) : none;
}

/* Step over ASCII characters of one kind; how many there were. */
static size_t
skip(struct text *t, enum kind kind)
{
	const char *start = t->at;
	const char *at = start;

	while (at < t->end && (unsigned char)*at < 0x80 && ascii_kind((unsigned char)*at) == kind)
		at++;
	t->at = at;
	return (size_t)(at - start);
}

static unsigned
cost_of_word(const unsigned short *costs, size_t letters)
{
	size_t further = letters > LONGEST_IN_TABLE ? letters - LONGEST_IN_TABLE : 0;

	return costs[letters - further] + (unsigned)further * PER_FURTHER_LETTER;
}

/* A word: capitals, then small letters; letters of other scripts cost by themselves. */
static void
take_word(struct text *t)
{
	size_t capitals = skip(t, UPPER);
	size_t letters = skip(t, LOWER);
	unsigned foreign = 0;
	struct character c;

	while (t->at < t->end && (unsigned char)*t->at >= 0x80 && (c = next(t)).kind == LETTER) {
		foreign += c.cost;
		t->at += c.length;
		letters += skip(t, LOWER);
	}
	if (foreign > 0) {
		/* A word of another language than English is cut into more pieces. */
		foreign += (unsigned)(capitals + letters) * 30;
		t->cost += foreign > ONE ? foreign : ONE;
	} else if (letters == 0) {
		t->cost += cost_of_word(capital_costs[t->lead], capitals);
	} else {
		t->cost += cost_of_word(word_costs[t->lead], capitals + letters);
		t->cost += capitals > 0 && capitals + letters > 4 ? CAPITALIZED : 0;
	}
	t->lead = NO_LEAD;
}

static void
take_syllables(struct text *t)
{
	uint64_t cost = 0;
	struct character c;

	while ((c = next(t)).kind == SYLLABLE) {
		cost += c.cost;
		t->at += c.length;
	}
	t->cost += cost > ONE ? cost : ONE;
	t->lead = NO_LEAD;
}

static void
take_digits(struct text *t)
{
	size_t digits = skip(t, DIGIT);

	/* A number takes no blank with it. */
	t->cost += (digits + 2) / 3 * ONE + (t->lead == SPACE_LEAD ? ONE : 0);
	t->lead = NO_LEAD;
}

/* A run of punctuation, with the line breaks after it; one alone may belong to the next word. */
static void
take_punctuation(struct text *t)
{
	static const unsigned short costs[] = {0, 100, 101, 118, 155, 187};
	enum { TABLE = sizeof(costs) / sizeof(costs[0]) };
	const char *start = t->at;
	size_t count = 0;
	size_t different = 0;
	struct character c;

	while ((c = next(t)).kind == PUNCTUATION && t->at < t->end) {
		different += t->at == start || *t->at != t->at[-1];
		t->at += c.length;
		count += c.length > 1 ? 2 : 1;
	}
	if (count == 1 && t->lead == NO_LEAD && is_letter(next(t).kind)) {
		t->lead = PUNCTUATION_LEAD;
		return;
	}
	t->lead = NO_LEAD;
	skip(t, NEWLINE);
	/* Rules and frames repeat one character, of which sixteen are a token. */
	if (different == 1 && count > 3)
		t->cost += (count + 15) / 16 * ONE;
	else
		t->cost += count < TABLE ? costs[count] : count * 38;
}

/* Spaces: with a line break among them one piece up to that; else all but the last, which belongs
 * to what follows. */
static void
take_blanks(struct text *t)
{
	bool broken = false;
	size_t blanks = 0;

	for (;;) {
		blanks = skip(t, BLANK);
		if (skip(t, NEWLINE) == 0)
			break;
		broken = true;
	}
	if (broken)
		t->cost += ONE;
	if (blanks > 1)
		t->cost += ONE;
	t->lead = blanks == 0 ? NO_LEAD : t->at[-1] == ' ' ? SPACE_LEAD : PUNCTUATION_LEAD;
}

static void
take_piece(struct text *t)
{
	switch (next(t).kind) {
	case BLANK:
	case NEWLINE:
		take_blanks(t);
		break;
	case LOWER:
	case UPPER:
	case LETTER:
		take_word(t);
		break;
	case SYLLABLE:
		take_syllables(t);
		break;
	case DIGIT:
		take_digits(t);
		break;
	case PUNCTUATION:
		take_punctuation(t);
		break;
	}
}

/* In hundredths of a token. */
static uint64_t
cost_of_text(const char *text, size_t length)
{
	struct text t = {.at = text, .end = text + length};

	while (t.at < t.end)
		take_piece(&t);
	return t.cost + (t.lead != NO_LEAD ? ONE : 0);
}

uint64_t
tokens_estimate_text(const char *text, size_t length)
{
	return (cost_of_text(text, length) + ONE / 2) / ONE;
}

/* ---- requests ---- */

/* How a request is counted. */
struct counter {
	bool guess;            /* by lengths alone: good enough where the true count follows */
	struct buffer decoded; /* the last string that has escapes, or name */
};

/* The content of a string, decoded; lent until the next one. */
static const char *
decode(struct counter *c, const struct json *string, size_t *length)
{
	const char *content = json_content(string);

	*length = json_content_length(string);
	if (memchr(content, '\\', *length) == NULL)
		return content;
	buffer_clear(&c->decoded);
	json_append(&c->decoded, string);
	*length = c->decoded.length;
	return buffer_text(&c->decoded);
}

/* Four bytes are a token in nearly every language. */
static uint64_t
guess_of_text(size_t length)
{
	return length * ONE / 4;
}

static uint64_t
cost_of_string(struct counter *c, const struct json *string)
{
	size_t length;

	if (c->guess)
		return guess_of_text(json_content_length(string));
	const char *text = decode(c, string, &length);
	return cost_of_text(text, length);
}

static uint64_t
cost_of_name(struct counter *c, const struct json *member)
{
	buffer_clear(&c->decoded);
	json_append_name(&c->decoded, member);
	return cost_of_text(buffer_text(&c->decoded), c->decoded.length);
}

/* ---- images and files ---- */

static uint32_t
read_number(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* A PNG tells its size at once; of others the amount of data does, roughly. */
static uint64_t
tokens_of_image(const char *base64, size_t length)
{
	static const char png[] = "\x89PNG\r\n\x1a\n";
	enum { WIDTH_AT = 16, HEIGHT_AT = 20, DIGITS = 32 /* of them, up to the height's end */ };
	unsigned char head[BASE64_DECODED(DIGITS)];
	uint64_t tokens = length / 200;

	if (length >= DIGITS && base64_read(base64, DIGITS, head) == 0 &&
		memcmp(head, png, strlen(png)) == 0)
		tokens = (uint64_t)read_number(head + WIDTH_AT) * read_number(head + HEIGHT_AT) /
			 PIXELS_PER_TOKEN;
	return tokens < LEAST_IMAGE ? LEAST_IMAGE : tokens > MOST_IMAGE ? MOST_IMAGE : tokens;
}

static uint64_t
tokens_of_source(struct counter *c, const struct json *source)
{
	size_t length;
	const char *data = decode(c, json_member(source, "data"), &length);

	if (json_starts_with(json_member(source, "media_type"), "image/"))
		return tokens_of_image(data, length);
	uint64_t tokens = length / BYTES_PER_FILE_TOKEN;
	return tokens < LEAST_FILE ? LEAST_FILE : tokens;
}

/* ---- values ---- */

static uint64_t cost_of(struct counter *, const struct json *value);

static uint64_t
cost_of_object(struct counter *c, const struct json *object)
{
	const struct json *type = json_member(object, "type");
	const struct json *text = json_member_string(object, "text");
	uint64_t cost = 0;

	/* A block of text is no more than its text. */
	if (json_is_text(type, "text") && text != NULL)
		return cost_of_string(c, text);
	if (json_is_text(type, "base64") && json_member_string(object, "data") != NULL)
		return tokens_of_source(c, object) * ONE;
	if (json_is_text(type, "url") && json_member_string(object, "url") != NULL)
		return (uint64_t)USUAL_IMAGE * ONE;
	/* There may be images in a tool's result. */
	if (c->guess)
		return json_is_text(type, "tool_result")
			       ? cost_of(c, json_member(object, "content"))
			       : guess_of_text(object->length);
	JSON_EACH (member, object) {
		if (!json_is_named(member, "cache_control") && !json_is_named(member, "signature"))
			cost += cost_of_name(c, member) + MEMBER_COST + cost_of(c, member);
	}
	return cost;
}

static uint64_t
cost_of(struct counter *c, const struct json *value)
{
	uint64_t cost = 0;

	if (json_is_string(value))
		return cost_of_string(c, value);
	if (json_is_object(value))
		return cost_of_object(c, value);
	if (!json_is_array(value))
		return ONE;
	JSON_EACH (element, value) {
		cost += cost_of(c, element);
	}
	return cost;
}

static uint64_t
cost_of_list(struct counter *c, const struct json_list *list)
{
	uint64_t cost = 0;

	for (size_t i = 0; i < list->count; i++)
		cost += cost_of(c, list->values[i]);
	return cost;
}

static uint64_t
tokens_of(const struct claude_request *request, bool guess)
{
	struct counter c = {guess, BUFFER_INIT(0)};
	uint64_t cost = MESSAGE_COST * request->messages.count;

	for (size_t i = 0; i < request->messages.count; i++)
		cost += cost_of(&c, json_member(request->messages.values[i], "content"));
	cost += cost_of_list(&c, &request->system) + cost_of_list(&c, &request->tools);
	buffer_free(&c.decoded);
	return (cost + ONE / 2) / ONE;
}

uint64_t
tokens_estimate_input(const struct claude_request *request)
{
	return tokens_of(request, false);
}

uint64_t
tokens_guess_input(const struct claude_request *request)
{
	return tokens_of(request, true);
}
