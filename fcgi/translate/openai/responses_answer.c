/*
 * Answers of Responses, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2
 * "Responses events").
 *
 * An answer is a list of items.  A stream tells each of them twice, in pieces and then whole; some
 * compatible services leave out one or the other, so what an item's pieces did not bring is taken
 * from the whole item, and what no event brought from the whole answer at the end.
 */
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text_map.h"
#include "translate/claude/writer.h"
#include "translate/openai/responses.h"
#include "translate/reader.h"
#include "translate/stream_calls.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

enum { FIRST_CAPACITY = 16, MOST_ITEMS = 4096 };

/* An item of the answer, as far as it was taken. */
struct item {
	int64_t index;
	int64_t part;  /* of the summary or content that came last */
	bool has_text; /* text, thinking or arguments came in pieces */
	bool whole;    /* the item itself came */
};

struct responses_reader {
	struct reader base;
	struct buffer reasoning; /* hidden from the client: the next call carries it; JSON */
	struct json_document reasoning_index;
	struct item *items; /* in order of appearance */
	size_t item_count;
	size_t item_capacity;
	struct text_map positions; /* in it, of the items' indexes */
};

static void
clear(struct reader *base)
{
	struct responses_reader *r = (struct responses_reader *)base;

	buffer_free(&r->reasoning);
	json_document_free(&r->reasoning_index);
	text_map_free(&r->positions);
	free(r->items);
}

/* ---- items ---- */

/* The new item with that index; NULL: there are too many, or memory ran out. */
static struct item *
add_item(struct responses_reader *r, int64_t index)
{
	if (r->item_count == MOST_ITEMS)
		return NULL;
	if (r->item_count == r->item_capacity) {
		size_t capacity = r->item_capacity > 0 ? 2 * r->item_capacity : FIRST_CAPACITY;
		struct item *grown = reallocarray(r->items, capacity, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		r->items = grown;
		r->item_capacity = capacity;
	}
	if (text_map_set(&r->positions, &index, sizeof(index), r->item_count) != 0)
		return NULL;
	r->items[r->item_count] = (struct item){.index = index, .part = -1};
	return &r->items[r->item_count++];
}

/* The item with that index, new if need be; NULL as above. */
static struct item *
item_at(struct responses_reader *r, int64_t index)
{
	uint64_t position;

	if (text_map_get(&r->positions, &index, sizeof(index), &position))
		return &r->items[position];
	return add_item(r, index);
}

/* Thinking; what belongs to another part than the last begins a paragraph. */
static void
take_thinking(
	struct responses_reader *r, struct item *item, int64_t part, const struct json *string)
{
	static const char paragraph[] = "\\n\\n"; /* as it stands in a JSON string */

	if (json_content_length(string) == 0)
		return;
	r->base.produced = true;
	/* Claude's blocks may not interleave: thinking in the middle of a call is left out. */
	if (tool_calls_busy(r->base.calls))
		return;
	if (item->has_text && part != item->part)
		claude_writer_thinking(r->base.writer, paragraph, sizeof(paragraph) - 1);
	item->has_text = true;
	item->part = part;
	reader_thinking(&r->base, string);
}

/* ---- whole items ---- */

static void
take_message_item(struct responses_reader *r, struct item *item, const struct json *object)
{
	JSON_EACH (part, json_member_array(object, "content")) {
		const struct json *refusal = json_member_string(part, "refusal");
		r->base.refused = r->base.refused || refusal != NULL;
		if (item->has_text)
			continue;
		reader_text(&r->base, json_member(part, "text"));
		reader_text(&r->base, refusal);
	}
}

static void
take_summary(struct responses_reader *r, struct item *item, const struct json *parts)
{
	int64_t number = 0;

	JSON_EACH (part, parts)
		take_thinking(r, item, number++, json_member(part, "text"));
}

/* Write what of a reasoning item must come back with the next request.  Nothing: it is no whole
 * item. */
static void
write_carried(struct buffer *out, const struct json *object)
{
	struct json_writer w = JSON_WRITER(out);
	const struct json *id = json_member_string(object, "id");
	const struct json *content = json_member_string(object, "encrypted_content");

	if (id == NULL || content == NULL)
		return;
	json_open_object(&w);
	json_put_value_member(&w, "id", id);
	json_put_value_member(&w, "encrypted_content", content);
	json_close_object(&w);
}

/* The client carries the item in the signature of its thinking; where it is given none, the next
 * call does. */
static int
take_reasoning(struct responses_reader *r, struct item *item, const struct json *object)
{
	struct buffer carried = BUFFER_INIT(0);

	if (!item->has_text)
		take_summary(r, item, json_member_array(object, "summary"));
	if (!item->has_text)
		take_summary(r, item, json_member_array(object, "content"));
	write_carried(&carried, object);
	if (carried.length > 0 &&
		(tool_calls_busy(r->base.calls) ||
			!claude_writer_sign(r->base.writer, carried.data, carried.length))) {
		buffer_clear(&r->reasoning);
		buffer_append(&r->reasoning, carried.data, carried.length);
	}
	bool failed = carried.failed || r->reasoning.failed;
	buffer_free(&carried);
	return failed ? -1 : 0;
}

/* What the next call must carry; NULL: nothing. */
static const struct json *
hidden_reasoning(struct responses_reader *r)
{
	if (r->reasoning.length == 0)
		return NULL;
	return json_read(&r->reasoning_index, r->reasoning.data, r->reasoning.length,
		JSON_MAX_ANSWER_VALUES, NULL);
}

/* A call begins, or came whole. */
static int
take_call(struct responses_reader *r, struct item *item, const struct json *object)
{
	const struct json *arguments = json_member_string(object, "arguments");
	struct tool_call_piece piece = {
		.index = item->index,
		.id = json_member_string(object, "call_id"),
		.name = json_member_string(object, "name"),
		.extra = hidden_reasoning(r),
	};

	if (piece.name == NULL)
		return 0;
	if (reader_arguments(&r->base, item->has_text ? NULL : arguments, &piece) != 0)
		return -1;
	item->has_text = item->has_text || piece.length > 0;
	r->base.produced = true;
	int status = tool_calls_take(r->base.calls, &piece);
	buffer_clear(&r->reasoning);
	return status;
}

/* An item with what is known of it: ${begins}: more of it will come. */
static int
take_item(struct responses_reader *r, int64_t index, const struct json *object, bool begins)
{
	const struct json *type = json_member(object, "type");
	struct item *item = item_at(r, index);

	if (item == NULL)
		return -1;
	if (item->whole)
		return 0;
	item->whole = !begins;
	if (json_is_text(type, "function_call"))
		return take_call(r, item, object);
	if (begins)
		return 0;
	if (json_is_text(type, "reasoning"))
		return take_reasoning(r, item, object);
	if (json_is_text(type, "message"))
		take_message_item(r, item, object);
	return 0;
}

/* ---- the answer as a whole ---- */

static void
take_usage(struct reader *r, const struct json *usage)
{
	if (usage == NULL)
		return;
	reader_usage(r, upstream_json_count(usage, "input_tokens"),
		upstream_json_count(json_member(usage, "input_tokens_details"), "cached_tokens"),
		upstream_json_count(usage, "output_tokens"),
		json_member(usage, "output_tokens") != NULL);
}

static const char *
stop_reason_of(const struct json *response)
{
	const struct json *reason = json_member(
		json_member(response, "incomplete_details"), "reason");

	if (json_is_text(reason, "max_output_tokens") || json_is_text(reason, "max_tokens"))
		return "max_tokens";
	return json_is_text(reason, "content_filter") ? "refusal" : "end_turn";
}

static bool
has_failed(const struct json *response)
{
	return json_member_object(response, "error") != NULL ||
	       json_is_text(json_member(response, "status"), "failed");
}

/* The response object: at the end of a stream, or the whole answer. */
static int
take_response(struct responses_reader *r, const struct json *response, struct api_error *error)
{
	struct reader *base = &r->base;
	int64_t index = 0;

	if (has_failed(response)) {
		upstream_error_from_object(response, base->identity, error);
		return -1;
	}
	claude_writer_start(base->writer);
	JSON_EACH (item, json_member_array(response, "output"))
		if (take_item(r, index++, item, false) != 0)
			return reader_too_much(base, error);
	take_usage(base, json_member_object(response, "usage"));
	base->stop_reason = stop_reason_of(response);
	return reader_finish(base, error);
}

/* ---- events ---- */

typedef int event_taker(struct responses_reader *, const struct json *event, struct api_error *);

static struct item *
item_of(struct responses_reader *r, const struct json *event)
{
	return item_at(r, json_member_int(event, "output_index", 0));
}

static int
on_start(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	(void)event;
	(void)error;
	claude_writer_start(r->base.writer);
	return 0;
}

static int
on_item(struct responses_reader *r, const struct json *event, bool begins, struct api_error *error)
{
	int64_t index = json_member_int(event, "output_index", 0);

	if (take_item(r, index, json_member(event, "item"), begins) != 0)
		return reader_too_much(&r->base, error);
	return 0;
}

static int
on_item_added(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	return on_item(r, event, true, error);
}

static int
on_item_done(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	return on_item(r, event, false, error);
}

static int
on_text(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	struct item *item = item_of(r, event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	item->has_text = true;
	reader_text(&r->base, json_member(event, "delta"));
	return 0;
}

static int
on_refusal(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	r->base.refused = true;
	return on_text(r, event, error);
}

static int
on_thinking(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	struct item *item = item_of(r, event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	int64_t part = json_member_int(event, "summary_index", -1);
	take_thinking(r, item, part >= 0 ? part : json_member_int(event, "content_index", 0),
		json_member(event, "delta"));
	return 0;
}

/* More of a call's arguments, or all of them. */
static int
take_arguments(struct responses_reader *r, struct item *item, const struct json *text,
	struct api_error *error)
{
	if (!json_is_string(text))
		return 0;
	struct tool_call_piece piece = {.index = item->index};
	if (reader_arguments(&r->base, text, &piece) != 0)
		return reader_too_much(&r->base, error);
	item->has_text = item->has_text || piece.length > 0;
	r->base.produced = true;
	return tool_calls_take(r->base.calls, &piece) == 0 ? 0 : reader_too_much(&r->base, error);
}

static int
on_arguments(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	struct item *item = item_of(r, event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	return take_arguments(r, item, json_member(event, "delta"), error);
}

static int
on_arguments_done(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	struct item *item = item_of(r, event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	if (item->has_text)
		return 0;
	return take_arguments(r, item, json_member(event, "arguments"), error);
}

static int
on_response(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	return take_response(r, json_member(event, "response"), error);
}

static int
on_error(struct responses_reader *r, const struct json *event, struct api_error *error)
{
	const struct json *response = json_member_object(event, "response");

	upstream_error_from_object(response != NULL ? response : event, r->base.identity, error);
	return -1;
}

/* The most frequent come first. */
static const struct {
	const char *type;
	event_taker *take;
} events[] = {
	{"response.output_text.delta", on_text},
	{"response.reasoning_summary_text.delta", on_thinking},
	{"response.reasoning_text.delta", on_thinking},
	{"response.function_call_arguments.delta", on_arguments},
	{"response.function_call_arguments.done", on_arguments_done},
	{"response.refusal.delta", on_refusal},
	{"response.output_item.added", on_item_added},
	{"response.output_item.done", on_item_done},
	{"response.created", on_start},
	{"response.in_progress", on_start},
	{"response.completed", on_response},
	{"response.incomplete", on_response},
	{"response.failed", on_error},
	{"error", on_error},
};

static int
take_event(struct reader *base, const struct json *event, struct api_error *error)
{
	struct responses_reader *r = (struct responses_reader *)base;
	const struct json *type = json_member_string(event, "type");

	if (type == NULL)
		return json_member(event, "error") != NULL ? on_error(r, event, error) : 0;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (json_is_text(type, events[i].type))
			return events[i].take(r, event, error);
	return 0;
}

static int
take_message(struct reader *base, const struct json *response, struct api_error *error)
{
	if (json_member_array(response, "output") == NULL &&
		json_member(response, "error") == NULL && !has_failed(response))
		return reader_no_answer(base, "answered without output", response, error);
	return take_response((struct responses_reader *)base, response, error);
}

static struct reader *
new_reader(const struct reader_context *context)
{
	static const struct reader_kind kind = {
		.size = sizeof(struct responses_reader),
		.take_event = take_event,
		.take_message = take_message,
		.clear = clear,
	};

	return reader_new(&kind, context);
}

const struct translator openai_responses = {
	.kind = "openai-responses",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_responses_write_request,
	.write_count_request = openai_responses_write_count_request,
	.count_member = "input_tokens",
	.reader_new = new_reader,
	.read_event = reader_read_event,
	.read_message = reader_read_message,
	.read_end = reader_read_end,
	.is_over = reader_is_over,
	.reader_free = reader_free,
};
