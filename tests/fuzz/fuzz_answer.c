/*
 * Any bytes as an upstream's answer.  What comes out is an error, or a whole message, or an event
 * stream that keeps the grammar (PROTOCOL.md §D.1); it does not depend on where the bytes were cut,
 * nor on an attempt that failed before.  What is passed through is not changed, but for the names
 * of events and the end of a message where a stream lacks them.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "base/random.h"
#include "translate/answer/answer.h"
#include "translate/translator.h"

/* How the answer comes, as the first bytes of the input choose. */
struct choice {
	const struct translator *translator; /* NULL: the answer is passed through */
	const char *content_type;
	int status;
	bool stream;
	bool hide_thinking;
	bool complete;
	bool pings;
	bool stops;    /* the client named stop sequences */
	bool searches; /* the proxy searches for the model, which then answers alike */
	uint32_t seed;
};

struct run {
	struct buffer out;
	enum answer_state state;
	struct api_error error;
	struct claude_usage usage;
	char stop_reason[32];
};

/* Identifiers that are made in one run are made in the next. */
static unsigned made;

void
random_id(char *id, size_t size, const char *prefix)
{
	snprintf(id, size, "%s%0*u", prefix, RANDOM_ID_LENGTH, made++);
}

uint32_t
random_below(uint32_t bound)
{
	return bound > 0 ? made++ % bound : 0;
}

/* ---- the grammar of the stream ---- */

struct grammar {
	unsigned blocks; /* begun */
	bool open;       /* the last of them */
	bool started;
	bool delta;
	bool over;
};

static bool
is(const char *name, const char *expected)
{
	return strcmp(name, expected) == 0;
}

static bool
has_index(const char *data, const char *name, unsigned index)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "{\"type\":\"%s\",\"index\":%u,", name, index);
	size_t length = strlen(expected) - 1; /* a comma or a brace ends it */
	return strncmp(data, expected, length) == 0 && strchr(",}", data[length]) != NULL;
}

static void
take_event(struct grammar *g, const char *name, const char *data)
{
	fuzz_check(!g->over && g->started == !is(name, "message_start"));
	if (is(name, "content_block_start")) {
		fuzz_check(!g->open && !g->delta && has_index(data, name, g->blocks));
		g->open = true;
		g->blocks++;
	} else if (is(name, "content_block_delta") || is(name, "content_block_stop")) {
		fuzz_check(g->open && has_index(data, name, g->blocks - 1));
		g->open = is(name, "content_block_delta");
	} else if (is(name, "message_delta")) {
		fuzz_check(!g->open && !g->delta);
		g->delta = true;
	} else if (is(name, "message_stop")) {
		fuzz_check(g->delta);
		g->over = true;
	} else {
		fuzz_check(is(name, "message_start") || is(name, "ping"));
		g->started = true;
	}
}

/* The text up to ${end} as a string in ${out}, without what must stand before it; what follows. */
static const char *
take_part(const char *at, const char *before, const char *end, struct buffer *out)
{
	const char *found = strstr(at, end);

	fuzz_check(strncmp(at, before, strlen(before)) == 0 && found != NULL);
	at += strlen(before);
	buffer_clear(out);
	buffer_append(out, at, (size_t)(found - at));
	return found + strlen(end);
}

static void
check_stream(const struct buffer *out)
{
	struct grammar grammar = {0};
	struct buffer name = BUFFER_INIT(0);
	struct buffer data = BUFFER_INIT(0);
	char begin[64];

	for (const char *at = buffer_text(out); *at != '\0';) {
		at = take_part(at, "event: ", "\n", &name);
		at = take_part(at, "data: ", "\n\n", &data);
		snprintf(begin, sizeof(begin), "{\"type\":\"%s\"", buffer_text(&name));
		fuzz_check(strncmp(buffer_text(&data), begin, strlen(begin)) == 0);
		fuzz_check(fuzz_is_json(buffer_text(&data), data.length));
		take_event(&grammar, buffer_text(&name), buffer_text(&data));
	}
	fuzz_check(grammar.over);
	buffer_free(&name);
	buffer_free(&data);
}

/* ---- what is passed through ---- */

/* The next line of ${text} that is no name of an event and not empty.  False: there is none. */
static bool
next_line(const char **text, const char *end, const char **line, size_t *length)
{
	static const char name[] = "event:";

	while (*text < end) {
		*line = *text;
		while (*text < end && **text != '\n' && **text != '\r')
			(*text)++;
		*length = (size_t)(*text - *line);
		if (*text < end)
			(*text)++;
		if (*length > 0 &&
			(*length < sizeof(name) - 1 || memcmp(*line, name, sizeof(name) - 1) != 0))
			return true;
	}
	return false;
}

/* A stream goes on in its lines: events may have been left out, their names and the last event of a
 * message may have been put in, nothing else. */
static void
check_passed_stream(const struct buffer *out, const char *text, size_t size)
{
	static const char stop[] = "data: {\"type\":\"message_stop\"}";
	const char *in = text;
	const char *at = buffer_text(out);
	const char *end = at + out->length;
	const char *line;
	const char *wanted;
	size_t length;
	size_t wanted_length;

	while (next_line(&at, end, &wanted, &wanted_length)) {
		bool found = false;
		const char *from = in;
		while (!found && next_line(&in, text + size, &line, &length))
			found = length == wanted_length && memcmp(line, wanted, length) == 0;
		if (found)
			continue;
		fuzz_check(wanted_length == sizeof(stop) - 1 &&
			   memcmp(wanted, stop, wanted_length) == 0);
		in = from;
	}
}

static void
check_passed(const struct choice *c, const struct buffer *out, const char *text, size_t size)
{
	if (out->length == size && memcmp(buffer_text(out), text, size) == 0)
		return;
	fuzz_check(c->stream);
	/* A whole message is told as the stream that was asked for. */
	if (fuzz_is_json(text, size))
		check_stream(out);
	else
		check_passed_stream(out, text, size);
}

/* ---- one run ---- */

static const struct error_context error_context = {
	.name = "up", .key = "sk-0123456789abcdef", .model = "m"};

/* An attempt of which no content came before it broke.  False: there is none in this input. */
static bool
fail_once(struct answer *a, const struct choice *c, const char *text, size_t size)
{
	answer_begin(a, &error_context);
	answer_head(a, 200, c->content_type, 0);
	answer_feed(a, text, size / 2);
	return answer_end(a, false) == ANSWER_FAILED && !answer_started(a) &&
	       !answer_has_content(a);
}

static void
feed(struct answer *a, const struct choice *c, const char *text, size_t size, uint32_t seed)
{
	answer_begin(a, &error_context);
	answer_head(a, c->status, c->content_type, 0);
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = seed == 0 ? size : fuzz_cut(&seed, size - at);
		if (c->pings && c->stream && c->translator != NULL && (seed >> 8 & 3) == 0)
			answer_ping(a);
		if (answer_feed(a, text + at, piece) != ANSWER_OPEN)
			break;
	}
	answer_end(a, c->complete);
}

/* The turn is a message; a search follows it, and the model's last turn. */
static void
search(struct answer *a, const struct choice *c, const struct answer_options *options,
	const char *text, size_t size)
{
	static const char citation[] = "{\"url\":\"https://a\"}";
	struct claude_writer *w = answer_writer(a);
	const struct buffer *turn = claude_writer_turn(w);

	fuzz_check(!turn->failed && fuzz_is_json(turn->data, turn->length));
	claude_writer_search_begin(w, "q", 1);
	claude_writer_search_end(w, "[]", 2, true);
	claude_writer_page(w, "https://a", citation, sizeof(citation) - 1);
	fuzz_check(answer_next_turn(a, options) == 0 && !answer_has_content(a));
	feed(a, c, text, size, 0);
	if (answer_waits(a))
		claude_writer_end(w, "end_turn");
}

static struct run
run(const struct choice *c, const char *text, size_t size, uint32_t seed, bool after_failure)
{
	static const char *const stops[] = {"ab", "a\xc3\xa9", "</", NULL};
	const struct answer_options options = {
		.translator = c->translator,
		.model = "m",
		.stop_sequences = c->stops ? stops : NULL,
		.searches = c->searches,
		.stream = c->stream,
		.hide_thinking = c->hide_thinking,
		.estimated_input_tokens = 7,
		.pass = c->translator == NULL,
		.message = c->translator == NULL,
	};
	struct run r = {.out = BUFFER_INIT(0)};
	made = 0;
	struct answer *a = answer_new(&options, &r.out);
	unsigned made_before = made;
	if (after_failure && !fail_once(a, c, text, size)) {
		answer_free(a);
		buffer_free(&r.out);
		return run(c, text, size, seed, false);
	}
	/* As before every further attempt. */
	made = 0;
	fuzz_check(!after_failure || answer_switch_upstream(a, &options) == 0);
	made = made_before;
	feed(a, c, text, size, seed);
	if (answer_waits(a))
		search(a, c, &options, text, size);
	r.state = answer_state(a);
	if (r.state == ANSWER_FAILED)
		api_error_copy(answer_error(a), &r.error);
	if (r.state == ANSWER_DONE && answer_usage(a) != NULL)
		r.usage = *answer_usage(a);
	if (r.state == ANSWER_DONE && answer_stop_reason(a) != NULL)
		snprintf(r.stop_reason, sizeof(r.stop_reason), "%s", answer_stop_reason(a));
	answer_free(a);
	return r;
}

static void
free_run(struct run *r)
{
	buffer_free(&r->out);
	api_error_clear(&r->error);
}

/* ---- what must be true ---- */

static void
check_run(const struct choice *c, const struct run *r, const char *text, size_t size)
{
	fuzz_check(r->state != ANSWER_OPEN);
	if (r->state == ANSWER_FAILED) {
		fuzz_check(r->error.status >= 400 && r->error.message != NULL);
		fuzz_check(strstr(r->error.message, error_context.key) == NULL);
	} else if (c->translator == NULL) {
		check_passed(c, &r->out, text, size);
	} else if (c->stream) {
		check_stream(&r->out);
	} else {
		fuzz_check(fuzz_is_json(buffer_text(&r->out), r->out.length));
	}
}

static bool
same_usage(const struct claude_usage *a, const struct claude_usage *b)
{
	return a->input_tokens == b->input_tokens && a->output_tokens == b->output_tokens &&
	       a->cache_read_input_tokens == b->cache_read_input_tokens &&
	       a->cache_creation_input_tokens == b->cache_creation_input_tokens &&
	       a->input_known == b->input_known && a->output_known == b->output_known;
}

static void
check_same(const struct choice *c, const struct run *a, const struct run *b)
{
	fuzz_check(a->state == b->state && a->error.status == b->error.status);
	fuzz_check(same_usage(&a->usage, &b->usage) && strcmp(a->stop_reason, b->stop_reason) == 0);
	/* Of what is passed through, comments go on at once, and a failure quotes what had come. */
	if (c->translator == NULL)
		return;
	fuzz_check(fuzz_same(&a->out, &b->out));
	fuzz_check(a->error.message == NULL || strcmp(a->error.message, b->error.message) == 0);
}

static struct choice
choose(struct fuzz_input *in)
{
	static const struct translator *const translators[] = {
		&openai_chat, &openai_responses, &gemini, NULL};
	static const char *const types[] = {
		NULL, "text/event-stream", "application/json", "text/html"};
	static const int statuses[] = {200, 200, 200, 200, 200, 429, 400, 204};
	unsigned first = fuzz_byte(in);
	unsigned second = fuzz_byte(in);

	return (struct choice){
		.translator = translators[first & 3],
		.content_type = types[first >> 2 & 3],
		.status = statuses[second & 7],
		.stream = first & 16,
		.hide_thinking = first & 32,
		.complete = second & 8,
		.pings = second & 16,
		.stops = second & 32,
		.searches = (second & 64) != 0 && translators[first & 3] != NULL,
		.seed = fuzz_byte(in) + 1,
	};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	const struct choice choice = choose(&in);

	fuzz_quiet();
	struct run whole = run(&choice, in.at, in.left, 0, false);
	struct run cut = run(&choice, in.at, in.left, choice.seed, true);
	check_run(&choice, &whole, in.at, in.left);
	check_run(&choice, &cut, in.at, in.left);
	if (!choice.pings)
		check_same(&choice, &whole, &cut);
	free_run(&whole);
	free_run(&cut);
	return 0;
}
