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

#include "base/json.h"
#include "base/utf8.h"
#include "translate/claude.h"

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

/* A run of punctuation, with the line breaks behind it; one alone may belong to the word behind. */
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

/* Blanks: with a line break in them one piece up to that; else all but the last, which goes with
 * what comes. */
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

/* ---- images and files ---- */

/* The number that ${count} bytes of base64-coded data are, from byte ${offset} on. */
static uint32_t
read_number(const char *base64, size_t offset, int count)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t number = 0;

	for (int i = 0; i < count * 8; i++) {
		size_t bit = offset * 8 + (size_t)i;
		const char *digit = strchr(alphabet, base64[bit / 6]);
		unsigned value = digit != NULL ? (unsigned)(digit - alphabet) : 0;
		number = number << 1 | (value >> (5 - bit % 6) & 1);
	}
	return number;
}

/* A PNG tells its size at once; of others the amount of data does, roughly. */
static uint64_t
tokens_of_image(const char *base64, size_t length)
{
	enum { PNG_WIDTH_AT = 16, PNG_HEIGHT_AT = 20, PNG_HEAD = 32 };
	uint64_t tokens = length / 200;

	if (length >= PNG_HEAD && strncmp(base64, "iVBORw0KGgo", 11) == 0)
		tokens = (uint64_t)read_number(base64, PNG_WIDTH_AT, 4) *
			 read_number(base64, PNG_HEIGHT_AT, 4) / PIXELS_PER_TOKEN;
	return tokens < LEAST_IMAGE ? LEAST_IMAGE : tokens > MOST_IMAGE ? MOST_IMAGE : tokens;
}

static uint64_t
tokens_of_source(struct json_object *source)
{
	struct json_object *data = json_member(source, "data");
	const char *type = json_member_string(source, "media_type");
	size_t length = (size_t)json_object_get_string_len(data);

	if (type != NULL && strncmp(type, "image/", 6) == 0)
		return tokens_of_image(json_object_get_string(data), length);
	uint64_t tokens = length / BYTES_PER_FILE_TOKEN;
	return tokens < LEAST_FILE ? LEAST_FILE : tokens;
}

/* ---- requests ---- */

/* How a text is counted. */
typedef uint64_t text_counter(const char *text, size_t length);

/* Four bytes are a token in nearly every language: good enough where the true count follows. */
static uint64_t
guess_of_text(const char *text, size_t length)
{
	(void)text;
	return length * ONE / 4;
}

static uint64_t cost_of(struct json_object *value, text_counter *count);

static uint64_t
cost_of_object(struct json_object *object, text_counter *count)
{
	struct json_object *type = json_member(object, "type");
	struct json_object *text = json_member(object, "text");
	uint64_t cost = 0;

	/* A block of text is no more than its text. */
	if (json_is_text(type, "text") && json_is_string(text))
		return cost_of(text, count);
	if (json_is_text(type, "base64") && json_is_string(json_member(object, "data")))
		return tokens_of_source(object) * ONE;
	if (json_is_text(type, "url") && json_is_string(json_member(object, "url")))
		return (uint64_t)USUAL_IMAGE * ONE;
	json_object_object_foreach(object, name, member)
	{
		if (strcmp(name, "cache_control") != 0 && strcmp(name, "signature") != 0)
			cost += count(name, strlen(name)) + MEMBER_COST + cost_of(member, count);
	}
	return cost;
}

static uint64_t
cost_of(struct json_object *value, text_counter *count)
{
	uint64_t cost = 0;

	switch (json_object_get_type(value)) {
	case json_type_string:
		return count(
			json_object_get_string(value), (size_t)json_object_get_string_len(value));
	case json_type_array:
		for (size_t i = 0; i < json_object_array_length(value); i++)
			cost += cost_of(json_object_array_get_idx(value, i), count);
		return cost;
	case json_type_object:
		return cost_of_object(value, count);
	default:
		return ONE;
	}
}

static uint64_t
tokens_of(const struct claude_request *request, text_counter *count)
{
	uint64_t cost = MESSAGE_COST * json_object_array_length(request->messages);

	for (size_t i = 0; i < json_object_array_length(request->messages); i++)
		cost += cost_of(
			json_member(json_object_array_get_idx(request->messages, i), "content"),
			count);
	if (request->system != NULL)
		cost += cost_of(request->system, count);
	if (request->tools != NULL)
		cost += cost_of(request->tools, count);
	return (cost + ONE / 2) / ONE;
}

uint64_t
tokens_estimate_input(const struct claude_request *request)
{
	return tokens_of(request, cost_of_text);
}

uint64_t
tokens_guess_input(const struct claude_request *request)
{
	return tokens_of(request, guess_of_text);
}
