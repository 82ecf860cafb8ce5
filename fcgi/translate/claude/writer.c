/*
 * The writer of Claude's answer; see writer.h, PROTOCOL.md §C.1 and §D.1.
 *
 * Both forms run through the same states.  A stream writes each event as it comes; a whole message
 * is collected as JSON text and handed over at the end, since nothing may be written of an answer
 * that fails.  What is written for each piece of text is literal here, for this is the path of
 * every streamed event.
 */
#include "translate/claude/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text_map.h"
#include "translate/claude/cited_pages.h"
#include "translate/claude/stop_sequences.h"
#include "translate/round_trip.h"

enum {
	CHARACTERS_PER_TOKEN = 4,
	LONGEST_ID = 256,          /* bytes of an id that is given to the client as it is */
	LONGEST_CARRIED_ID = 1024, /* bytes of one that its own id carries */
	MOST_TURN = 16 << 20,      /* bytes of a turn that a search follows */
};

enum block { NO_BLOCK, TEXT_BLOCK, THINKING_BLOCK, TOOL_BLOCK, RESULT_BLOCK };

struct claude_writer {
	struct buffer *out;
	char *model;
	char *kind;
	bool stream;
	bool hide_thinking;

	struct claude_usage usage;
	uint64_t estimated_input;
	uint64_t characters; /* of output, for the estimate */

	enum block open;
	unsigned index; /* of the open or else the next block */
	bool has_input; /* the open tool block got some */
	bool has_tool;  /* the answer has a tool block */
	bool has_content;
	struct buffer
		members;     /* for the signature of the thinking block: a JSON object, or empty */
	struct buffer input; /* whole form: that of the open tool block */
	struct buffer message;        /* whole form: as far as it is written */
	size_t content_at;            /* whole form: bytes of it before the open block's text */
	struct buffer citations;      /* whole form: of the open text block, with commas */
	struct text_map ids;          /* those given out */
	struct stop_sequences *stops; /* NULL: none to carry out */

	enum lacking_tool lacks; /* the content ends with a use of it that failed */
	unsigned searches;       /* that were made */
	char search_id[sizeof(ROUND_TRIP_SEARCH) + RANDOM_ID_LENGTH]; /* of the last one */

	/* Of an answer in turns. */
	struct claude_writer *turn; /* the model's as a whole message; NULL: it has but one */
	struct buffer turn_text;    /* where that goes */
	struct cited_pages pages;   /* that the next text may cite */
	bool called_search;         /* in this turn, as the next */
	bool waits;
	struct claude_usage earlier; /* of the turns before */
	struct mark {
		size_t message; /* bytes of it that are of earlier turns */
		unsigned index;
		bool has_tool;
	} mark;

	bool started;
	bool ended;
	const char *stop_reason;
	char message_id[sizeof("msg_") + RANDOM_ID_LENGTH];
};

/* The turn of the model that begins. */
static int
begin_turn(struct claude_writer *w)
{
	const struct claude_writer_options options = {
		.model = w->model,
		.kind = w->kind,
		.hide_thinking = w->hide_thinking,
	};

	claude_writer_free(w->turn);
	buffer_clear(&w->turn_text);
	w->turn = claude_writer_new(&options, &w->turn_text);
	w->called_search = false;
	if (w->turn == NULL)
		return -1;
	w->turn->message.limit = w->turn->input.limit = MOST_TURN;
	return 0;
}

struct claude_writer *
claude_writer_new(const struct claude_writer_options *options, struct buffer *out)
{
	struct claude_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->out = out;
	w->turn_text = BUFFER_INIT(MOST_TURN);
	w->model = strdup(options->model);
	w->kind = strdup(options->kind);
	w->stream = options->stream;
	w->hide_thinking = options->hide_thinking;
	w->estimated_input = options->estimated_input_tokens;
	random_id(w->message_id, sizeof(w->message_id), "msg_");
	if (options->stop_sequences != NULL)
		w->stops = stop_sequences_new(options->stop_sequences);
	if (w->model == NULL || w->kind == NULL ||
		(options->stop_sequences != NULL && w->stops == NULL) ||
		(options->searches && begin_turn(w) != 0)) {
		claude_writer_free(w);
		return NULL;
	}
	return w;
}

void
claude_writer_free(struct claude_writer *w)
{
	if (w == NULL)
		return;
	buffer_free(&w->members);
	buffer_free(&w->input);
	buffer_free(&w->message);
	buffer_free(&w->citations);
	text_map_free(&w->ids);
	stop_sequences_free(w->stops);
	claude_writer_free(w->turn);
	buffer_free(&w->turn_text);
	cited_pages_free(&w->pages);
	free(w->model);
	free(w->kind);
	free(w);
}

/* Nothing of this turn was given to the client: as if it had not begun. */
static void
rewind_turn(struct claude_writer *w)
{
	buffer_cut(&w->message, w->mark.message);
	buffer_free(&w->input);
	buffer_free(&w->citations);
	w->index = w->mark.index;
	w->has_tool = w->mark.has_tool;
	w->open = NO_BLOCK;
	w->has_content = false;
}

int
claude_writer_redirect(struct claude_writer *w, const struct claude_writer_options *options)
{
	char *copy = strdup(options->kind);

	if (copy == NULL)
		return -1;
	if (w->stops != NULL)
		stop_sequences_restart(w->stops);
	free(w->kind);
	w->kind = copy;
	w->hide_thinking = options->hide_thinking;
	w->usage = (struct claude_usage){0};
	w->characters = 0;
	buffer_free(&w->members);
	rewind_turn(w);
	if (options->searches)
		return begin_turn(w);
	claude_writer_free(w->turn);
	w->turn = NULL;
	return 0;
}

/* ---- events ---- */

#define PUT(out, literal) buffer_append((out), (literal), sizeof(literal) - 1)

/* `{"type":"…"`, the beginning of an event's data; type is a literal. */
#define BEGIN_EVENT(w, type) PUT((w)->out, "event: " type "\ndata: {\"type\":\"" type "\"")

static void
end_event(struct claude_writer *w)
{
	PUT(w->out, "}\n\n");
}

static void
put_index(struct claude_writer *w)
{
	PUT(w->out, ",\"index\":");
	buffer_put_uint(w->out, w->index);
}

/* A delta whose value is a string: up to its opening quote, and from its closing one on. */
#define BEGIN_DELTA(w, type, member)                                                               \
	do {                                                                                       \
		BEGIN_EVENT(w, "content_block_delta");                                             \
		put_index(w);                                                                      \
		PUT((w)->out, ",\"delta\":{\"type\":\"" type "\",\"" member "\":\"");              \
	} while (0)

static void
end_delta(struct claude_writer *w)
{
	PUT(w->out, "\"}}\n\n");
}

static void
put_usage(struct claude_writer *w, struct json_writer *out, uint64_t output_tokens)
{
	const struct claude_usage *usage = &w->usage;

	json_open_object_member(out, "usage");
	json_put_uint_member(
		out, "input_tokens", usage->input_known ? usage->input_tokens : w->estimated_input);
	json_put_uint_member(
		out, "cache_creation_input_tokens", usage->cache_creation_input_tokens);
	json_put_uint_member(out, "cache_read_input_tokens", usage->cache_read_input_tokens);
	json_put_uint_member(out, "output_tokens", output_tokens);
	if (w->searches > 0) {
		json_open_object_member(out, "server_tool_use");
		json_put_uint_member(out, "web_search_requests", w->searches);
		json_put_uint_member(out, "web_fetch_requests", 0);
		json_close_object(out);
	}
	json_close_object(out);
}

/* A message up to its list of blocks. */
static void
open_message(struct claude_writer *w, struct json_writer *out)
{
	json_open_object(out);
	json_put_text_member(out, "id", w->message_id);
	json_put_text_member(out, "type", "message");
	json_put_text_member(out, "role", "assistant");
	json_put_text_member(out, "model", w->model);
	json_open_array_member(out, "content");
}

static void
put_stop(struct json_writer *out, const char *stop_reason, const char *stop_sequence)
{
	json_put_text_member(out, "stop_reason", stop_reason);
	json_put_text_member(out, "stop_sequence", stop_sequence);
}

void
claude_writer_start(struct claude_writer *w)
{
	struct json_writer out = JSON_WRITER(w->out);

	if (w->started || !w->stream)
		return;
	w->started = true;
	BEGIN_EVENT(w, "message_start");
	PUT(w->out, ",\"message\":");
	open_message(w, &out);
	json_close_array(&out);
	put_stop(&out, NULL, NULL);
	put_usage(w, &out, 0);
	json_close_object(&out);
	end_event(w);
	claude_writer_ping(w);
}

void
claude_writer_resume(struct claude_writer *w)
{
	w->started = true;
}

void
claude_writer_ping(struct claude_writer *w)
{
	if (!w->stream || w->ended)
		return;
	claude_writer_start(w);
	BEGIN_EVENT(w, "ping");
	end_event(w);
}

static void put_citation(void *context, const char *citation, size_t length);

/* ---- the end of a block ---- */

/* The tool input of a whole message: as it came if it is a JSON object, on one line. */
static void
put_whole_input(struct claude_writer *w)
{
	struct json_document index = {0};

	if (w->input.length == 0) {
		PUT(&w->message, "{}");
		return;
	}
	const struct json *input = json_read(
		&index, w->input.data, w->input.length, JSON_MAX_ANSWER_VALUES, NULL);
	if (json_is_object(input)) {
		json_write(&w->message, input);
	} else {
		log_warn("a tool call's arguments are no JSON object: passed on as _raw");
		PUT(&w->message, "{\"_raw\":");
		json_write_string(&w->message, w->input.data, w->input.length);
		buffer_putc(&w->message, '}');
	}
	json_document_free(&index);
}

static void
close_citations(struct claude_writer *w)
{
	if (w->citations.length == 0)
		return;
	PUT(&w->message, ",\"citations\":[");
	buffer_append(&w->message, w->citations.data, w->citations.length);
	buffer_putc(&w->message, ']');
	if (w->citations.failed)
		w->message.failed = true;
	buffer_free(&w->citations);
}

static void
close_whole_block(struct claude_writer *w, const char *signature)
{
	struct buffer *out = &w->message;

	switch (w->open) {
	case TOOL_BLOCK:
		put_whole_input(w);
		break;
	case THINKING_BLOCK:
		PUT(out, "\",\"signature\":");
		json_write_text(out, signature);
		break;
	case TEXT_BLOCK:
		buffer_putc(out, '"');
		close_citations(w);
		break;
	case RESULT_BLOCK:
	case NO_BLOCK:
		break;
	}
	buffer_putc(out, '}');
	if (w->input.failed)
		out->failed = true;
	buffer_free(&w->input);
}

static void
close_streamed_block(struct claude_writer *w, const char *signature)
{
	if (w->open == THINKING_BLOCK) {
		BEGIN_DELTA(w, "signature_delta", "signature");
		buffer_puts(w->out, signature);
		end_delta(w);
	}
	if (w->open == TOOL_BLOCK && !w->has_input) {
		BEGIN_DELTA(w, "input_json_delta", "partial_json");
		PUT(w->out, "{}");
		end_delta(w);
	}
	BEGIN_EVENT(w, "content_block_stop");
	put_index(w);
	end_event(w);
}

/* Cite the pages whose addresses stand in the text that is open. */
static void
cite_pages(struct claude_writer *w)
{
	const struct claude_writer *turn = w->turn;

	if (turn == NULL || turn->open != TEXT_BLOCK || turn->message.failed)
		return;
	cited_pages_find(&w->pages, turn->message.data + turn->content_at,
		turn->message.length - turn->content_at, put_citation, w);
}

static void
close_block(struct claude_writer *w)
{
	struct buffer signature = BUFFER_INIT(0);

	if (w->open == NO_BLOCK)
		return;
	if (w->open == TEXT_BLOCK)
		cite_pages(w);
	if (w->open == THINKING_BLOCK) {
		round_trip_write_signature(&signature, w->kind, w->members.data, w->members.length);
		buffer_free(&w->members);
	}
	if (w->stream)
		close_streamed_block(w, buffer_text(&signature));
	else
		close_whole_block(w, buffer_text(&signature));
	if (signature.failed)
		w->out->failed = true;
	buffer_free(&signature);
	w->open = NO_BLOCK;
	w->index++;
}

/* ---- blocks ---- */

/* ${before}: the block's JSON up to what its pieces fill in, whose ${after} follows if it is empty.
 */
static void
open_block(struct claude_writer *w, enum block block, const char *before, const char *after)
{
	close_block(w);
	claude_writer_start(w);
	w->open = block;
	w->has_content = true;
	if (w->stream) {
		BEGIN_EVENT(w, "content_block_start");
		put_index(w);
		PUT(w->out, ",\"content_block\":");
		buffer_puts(w->out, before);
		buffer_puts(w->out, after);
		end_event(w);
		return;
	}
	if (w->index > 0)
		buffer_putc(&w->message, ',');
	else
		open_message(w, &JSON_WRITER(&w->message));
	buffer_puts(&w->message, before);
	w->content_at = w->message.length;
}

/* How many bytes the content of a string is, roughly, when it is decoded. */
static size_t
decoded_length(const char *content, size_t length)
{
	enum { UNICODE_ESCAPE = 6, USUAL_CHARACTER = 3 };
	const char *end = content + length;
	const char *at = content;

	while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
		bool unicode = at[1] == 'u';
		length -= unicode ? UNICODE_ESCAPE - USUAL_CHARACTER : 1;
		at += unicode ? UNICODE_ESCAPE : 2;
	}
	return length;
}

static void
put_text(struct claude_writer *w, const char *content, size_t length)
{
	if (length == 0)
		return;
	if (w->open != TEXT_BLOCK)
		open_block(w, TEXT_BLOCK, "{\"type\":\"text\",\"text\":\"", "\"}");
	w->characters += decoded_length(content, length);
	if (!w->stream) {
		buffer_append(&w->message, content, length);
		return;
	}
	BEGIN_DELTA(w, "text_delta", "text");
	buffer_append(w->out, content, length);
	end_delta(w);
}

/* Another block follows, or the end: what was held of the text is no stop sequence. */
static void
end_text(struct claude_writer *w)
{
	const char *held;
	size_t length;

	if (w->stops == NULL)
		return;
	stop_sequences_end(w->stops, &held, &length);
	put_text(w, held, length);
}

bool
claude_writer_is_stopped(const struct claude_writer *w)
{
	return w->stops != NULL && stop_sequences_found(w->stops) != NULL;
}

/* Is whatever else comes not written? */
static bool
is_over(const struct claude_writer *w)
{
	return w->ended || claude_writer_is_stopped(w);
}

void
claude_writer_text(struct claude_writer *w, const char *content, size_t length)
{
	const char *given = content;
	size_t given_length = length;

	if (length == 0 || is_over(w))
		return;
	if (w->stops != NULL) {
		stop_sequences_take(w->stops, &given, &given_length);
		if (stop_sequences_failed(w->stops))
			w->out->failed = true;
	}
	put_text(w, given, given_length);
	if (w->turn != NULL)
		claude_writer_text(w->turn, content, length);
}

static void
open_thinking(struct claude_writer *w)
{
	open_block(w, THINKING_BLOCK, "{\"type\":\"thinking\",\"thinking\":\"",
		"\",\"signature\":\"\"}");
}

static void
put_thinking(struct claude_writer *w, const char *content, size_t length)
{
	if (w->hide_thinking) {
		w->characters += decoded_length(content, length);
		return;
	}
	end_text(w);
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	w->characters += decoded_length(content, length);
	if (!w->stream) {
		buffer_append(&w->message, content, length);
		return;
	}
	BEGIN_DELTA(w, "thinking_delta", "thinking");
	buffer_append(w->out, content, length);
	end_delta(w);
}

void
claude_writer_thinking(struct claude_writer *w, const char *content, size_t length)
{
	if (length == 0 || is_over(w))
		return;
	put_thinking(w, content, length);
	if (w->turn != NULL)
		claude_writer_thinking(w->turn, content, length);
}

void
claude_writer_set_signature(struct claude_writer *w, const char *members, size_t length)
{
	buffer_clear(&w->members);
	buffer_append(&w->members, members, length);
	if (w->turn != NULL)
		claude_writer_set_signature(w->turn, members, length);
}

bool
claude_writer_is_thinking(const struct claude_writer *w)
{
	return w->open == THINKING_BLOCK;
}

bool
claude_writer_is_text(const struct claude_writer *w)
{
	return w->open == TEXT_BLOCK;
}

bool
claude_writer_hides_thinking(const struct claude_writer *w)
{
	return w->hide_thinking;
}

bool
claude_writer_sign(struct claude_writer *w, const char *members, size_t length)
{
	if (w->hide_thinking || is_over(w))
		return false;
	end_text(w);
	if (w->open != THINKING_BLOCK)
		open_thinking(w);
	buffer_clear(&w->members);
	buffer_append(&w->members, members, length);
	close_block(w);
	if (w->turn != NULL)
		claude_writer_sign(w->turn, members, length);
	return true;
}

/* Can the client be given this id: characters, length? */
static bool
is_fit_id(const char *id)
{
	size_t length = strlen(id);

	return length <= LONGEST_ID && round_trip_is_id(id, length);
}

/* The id that the client sees: the upstream's own, one that carries it, or a fresh one (PROTOCOL.md
 * §C.1, §C.4). */
static void
put_tool_id(struct claude_writer *w, struct buffer *out, const char *id, const char *extra,
	size_t extra_length)
{
	char fresh[sizeof("toolu_") + RANDOM_ID_LENGTH];
	bool usable = id != NULL && *id != '\0' && strlen(id) <= LONGEST_CARRIED_ID &&
		      !text_map_get(&w->ids, id, strlen(id), NULL);
	bool carries = extra != NULL || (usable && !is_fit_id(id));

	random_id(fresh, sizeof(fresh), "toolu_");
	const char *given = usable ? id : fresh;
	if (text_map_set(&w->ids, given, strlen(given), 0) != 0)
		out->failed = true;
	if (carries)
		round_trip_write_call_id(out, w->kind, given, extra, extra_length);
	else
		buffer_puts(out, given);
}

static void
open_tool(struct claude_writer *w, const char *id, const char *name, const char *extra,
	size_t extra_length)
{
	struct buffer head = BUFFER_INIT(0);

	PUT(&head, "{\"type\":\"tool_use\",\"id\":\"");
	put_tool_id(w, &head, id, extra, extra_length);
	PUT(&head, "\",\"name\":");
	json_write_text(&head, name);
	PUT(&head, ",\"input\":");
	open_block(w, TOOL_BLOCK, buffer_text(&head), "{}}");
	if (head.failed)
		w->out->failed = true;
	buffer_free(&head);
	w->has_tool = true;
	w->has_input = false;
}

void
claude_writer_tool_start(struct claude_writer *w, const char *id, const char *name,
	const char *extra, size_t extra_length)
{
	bool search = w->turn != NULL && strcmp(name, CLAUDE_SEARCH_FUNCTION) == 0;

	if (is_over(w))
		return;
	end_text(w);
	w->characters += strlen(name);
	w->called_search = w->called_search || search;
	if (w->called_search)
		close_block(w);
	else
		open_tool(w, id, name, extra, extra_length);
	if (w->turn != NULL)
		claude_writer_tool_start(w->turn, id, name, extra, extra_length);
}

static void
put_input(struct claude_writer *w, const char *json, size_t length)
{
	w->has_input = true;
	if (!w->stream) {
		buffer_append(&w->input, json, length);
		return;
	}
	BEGIN_DELTA(w, "input_json_delta", "partial_json");
	json_write_escaped(w->out, json, length);
	end_delta(w);
}

void
claude_writer_tool_input(struct claude_writer *w, const char *json, size_t length)
{
	if (length == 0 || is_over(w))
		return;
	w->characters += length;
	if (w->open == TOOL_BLOCK)
		put_input(w, json, length);
	if (w->turn != NULL)
		claude_writer_tool_input(w->turn, json, length);
}

void
claude_writer_tool_end(struct claude_writer *w)
{
	if (w->open == TOOL_BLOCK)
		close_block(w);
	if (w->turn != NULL)
		claude_writer_tool_end(w->turn);
}

/* ---- a search ---- */

/* A use of ${tool}, with the member ${name} of its input. */
static void
write_use(struct claude_writer *w, const char *tool, const char *name, const char *content,
	size_t length)
{
	struct buffer head = BUFFER_INIT(0);
	struct buffer input = BUFFER_INIT(0);
	struct json_writer in = JSON_WRITER(&input);

	random_id(w->search_id, sizeof(w->search_id), ROUND_TRIP_SEARCH);
	buffer_printf(&head,
		"{\"type\":\"server_tool_use\",\"id\":\"%s\",\"name\":\"%s\",\"input\":",
		w->search_id, tool);
	json_open_object(&in);
	json_put_name(&in, name);
	json_open_string(&in);
	json_string_content(&in, content, length);
	json_close_string(&in);
	json_close_object(&in);
	open_block(w, TOOL_BLOCK, buffer_text(&head), "{}}");
	put_input(w, buffer_text(&input), input.length);
	close_block(w);
	w->characters += input.length;
	if (head.failed || input.failed)
		w->out->failed = true;
	buffer_free(&head);
	buffer_free(&input);
}

static void
write_result(struct claude_writer *w, const char *tool, const char *result, size_t length)
{
	struct buffer block = BUFFER_INIT(0);

	buffer_printf(&block,
		"{\"type\":\"%s_tool_result\",\"tool_use_id\":\"%s\",\"content\":", tool,
		w->search_id);
	buffer_append(&block, result, length);
	open_block(w, RESULT_BLOCK, buffer_text(&block), "}");
	close_block(w);
	if (block.failed)
		w->out->failed = true;
	buffer_free(&block);
}

static void
write_failed_use(struct claude_writer *w)
{
	bool search = w->lacks == LACKS_SEARCH;
	const char *tool = search ? "web_search" : "web_fetch";
	struct buffer failure = BUFFER_INIT(0);

	buffer_printf(&failure,
		"{\"type\":\"%s_tool_result_error\",\"error_code\":\"unavailable\"}", tool);
	write_use(w, tool, search ? "query" : "url", "", 0);
	write_result(w, tool, buffer_text(&failure), failure.length);
	buffer_free(&failure);
}

void
claude_writer_search_begin(struct claude_writer *w, const char *query, size_t query_length)
{
	if (is_over(w))
		return;
	end_text(w);
	write_use(w, "web_search", "query", query, query_length);
}

void
claude_writer_search_end(struct claude_writer *w, const char *results, size_t length, bool counts)
{
	if (is_over(w))
		return;
	write_result(w, "web_search", results, length);
	w->searches += counts;
}

static void
put_citation(void *context, const char *citation, size_t length)
{
	struct claude_writer *w = context;

	if (!w->stream) {
		if (w->citations.length > 0)
			buffer_putc(&w->citations, ',');
		buffer_append(&w->citations, citation, length);
		return;
	}
	BEGIN_EVENT(w, "content_block_delta");
	put_index(w);
	PUT(w->out, ",\"delta\":{\"type\":\"citations_delta\",\"citation\":");
	buffer_append(w->out, citation, length);
	PUT(w->out, "}}\n\n");
}

void
claude_writer_citation(struct claude_writer *w, const char *citation, size_t length)
{
	if (!is_over(w) && w->open == TEXT_BLOCK)
		put_citation(w, citation, length);
}

void
claude_writer_lack(struct claude_writer *w, enum lacking_tool lacking)
{
	w->lacks = lacking;
}

void
claude_writer_set_usage(struct claude_writer *w, const struct claude_usage *usage)
{
	w->usage = *usage;
}

/* ---- the end ---- */

/* Absent usage: an estimate rather than 0 (PROTOCOL.md §C.3).  No output where there is some is no
 * count either. */
static void
settle_usage(struct claude_writer *w)
{
	if (!w->usage.input_known)
		w->usage.input_tokens = w->estimated_input;
	w->usage.input_known = true;
	if (!w->usage.output_known || w->usage.output_tokens == 0)
		w->usage.output_tokens = (w->characters + CHARACTERS_PER_TOKEN - 1) /
					 CHARACTERS_PER_TOKEN;
	w->usage.output_known = true;
}

/* What the turns before used counts, too. */
static void
add_earlier(struct claude_writer *w)
{
	struct claude_usage *u = &w->usage;

	u->input_tokens += w->earlier.input_tokens;
	u->output_tokens += w->earlier.output_tokens;
	u->cache_read_input_tokens += w->earlier.cache_read_input_tokens;
	u->cache_creation_input_tokens += w->earlier.cache_creation_input_tokens;
}

static void
finish_stream(struct claude_writer *w, const char *stop_sequence)
{
	struct json_writer out = JSON_WRITER(w->out);

	BEGIN_EVENT(w, "message_delta");
	PUT(w->out, ",\"delta\":");
	json_open_object(&out);
	put_stop(&out, w->stop_reason, stop_sequence);
	json_close_object(&out);
	put_usage(w, &out, w->usage.output_tokens);
	end_event(w);
	BEGIN_EVENT(w, "message_stop");
	end_event(w);
}

static void
finish_message(struct claude_writer *w, const char *stop_sequence)
{
	struct json_writer out = JSON_WRITER(&w->message);

	if (w->index == 0)
		open_message(w, &out);
	json_close_array(&out);
	put_stop(&out, w->stop_reason, stop_sequence);
	put_usage(w, &out, w->usage.output_tokens);
	json_close_object(&out);
	buffer_move(w->out, &w->message);
}

/* An answer that was cut may have a call that is not whole: the client must not run it. */
static bool
is_cut(const char *stop_reason)
{
	return strcmp(stop_reason, "max_tokens") == 0 ||
	       strcmp(stop_reason, "model_context_window_exceeded") == 0;
}

/* The stop reason, where the answer itself tells more than the upstream's word. */
static const char *
settled_reason(const struct claude_writer *w, const char *told)
{
	if (w->has_tool)
		return is_cut(told) ? told : "tool_use";
	if (claude_writer_is_stopped(w))
		return "stop_sequence";
	return strcmp(told, "tool_use") == 0 ? "end_turn" : told;
}

/* Does the answer go on after what was searched? */
static bool
pauses(const struct claude_writer *w, const char *stop_reason)
{
	return w->called_search && !is_cut(stop_reason) && !claude_writer_is_stopped(w) &&
	       strcmp(stop_reason, "refusal") != 0;
}

static void
await_searches(struct claude_writer *w)
{
	claude_writer_finish(w->turn, "tool_use", NULL);
	w->waits = true;
}

static void
finish(struct claude_writer *w, const char *stop_reason, const char *stop_sequence)
{
	w->stop_reason = settled_reason(w, stop_reason);
	if (strcmp(w->stop_reason, "stop_sequence") != 0)
		stop_sequence = NULL;
	else if (claude_writer_is_stopped(w))
		stop_sequence = stop_sequences_found(w->stops);
	settle_usage(w);
	add_earlier(w);
	if (w->stream)
		finish_stream(w, stop_sequence);
	else
		finish_message(w, stop_sequence);
	w->started = true;
	w->ended = true;
}

void
claude_writer_finish(struct claude_writer *w, const char *stop_reason, const char *stop_sequence)
{
	if (w->ended || w->waits)
		return;
	claude_writer_start(w);
	end_text(w);
	if (w->lacks != LACKS_NOTHING && w->searches == 0)
		write_failed_use(w);
	close_block(w);
	if (pauses(w, stop_reason))
		await_searches(w);
	else
		finish(w, stop_reason, stop_sequence);
}

void
claude_writer_error(struct claude_writer *w, const struct api_error *error)
{
	if (w->ended || !w->stream)
		return;
	buffer_puts(w->out, "event: error\ndata: ");
	api_error_write(error, NULL, w->out);
	buffer_puts(w->out, "\n\n");
	w->ended = true;
}

/* ---- turns ---- */

bool
claude_writer_waits(const struct claude_writer *w)
{
	return w->waits;
}

const struct buffer *
claude_writer_turn(const struct claude_writer *w)
{
	return &w->turn_text;
}

bool
claude_writer_has_turns(const struct claude_writer *w)
{
	return w->mark.index > 0;
}

int
claude_writer_next_turn(struct claude_writer *w, const struct claude_writer_options *options)
{
	settle_usage(w);
	add_earlier(w);
	w->earlier = w->usage;
	w->estimated_input = options->estimated_input_tokens;
	w->mark = (struct mark){w->message.length, w->index, w->has_tool};
	w->waits = false;
	return claude_writer_redirect(w, options);
}

void
claude_writer_page(struct claude_writer *w, const char *url, const char *citation, size_t length)
{
	cited_pages_add(&w->pages, url, citation, length);
}

void
claude_writer_late_tool(struct claude_writer *w, const struct json *tool_use)
{
	const struct json *input = json_member(tool_use, "input");
	struct buffer text = BUFFER_INIT(0);

	PUT(&text, "{\"type\":\"tool_use\",\"id\":");
	json_write(&text, json_member(tool_use, "id"));
	PUT(&text, ",\"name\":");
	json_write(&text, json_member(tool_use, "name"));
	PUT(&text, ",\"input\":");
	open_block(w, TOOL_BLOCK, buffer_text(&text), "{}}");
	w->has_tool = true;
	w->has_input = false;
	buffer_clear(&text);
	json_write(&text, input);
	put_input(w, buffer_text(&text), text.length);
	close_block(w);
	if (text.failed)
		w->out->failed = true;
	buffer_free(&text);
}

void
claude_writer_end(struct claude_writer *w, const char *stop_reason)
{
	w->waits = false;
	w->called_search = false;
	claude_writer_finish(w, stop_reason, NULL);
}

/* ---- what was told ---- */

bool
claude_writer_started(const struct claude_writer *w)
{
	return w->started;
}

bool
claude_writer_has_content(const struct claude_writer *w)
{
	return w->has_content;
}

bool
claude_writer_ended(const struct claude_writer *w)
{
	return w->ended;
}

const struct claude_usage *
claude_writer_usage_told(const struct claude_writer *w)
{
	return &w->usage;
}

const char *
claude_writer_stop_reason(const struct claude_writer *w)
{
	return w->stop_reason;
}
