/*
 * Answers of Responses, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2
 * "Responses events").
 *
 * An answer is a list of items.  A stream tells each of them twice, in pieces and then whole; some
 * compatible services leave out one or the other, so what an item's pieces did not bring is taken
 * from the whole item, and what no event brought from the whole answer at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/claude_writer.h"
#include "translate/openai_responses.h"
#include "translate/tool_calls.h"
#include "translate/translator.h"
#include "translate/upstream_error.h"
#include "translate/upstream_json.h"

enum { MOST_ITEMS = 4096, MOST_DEFERRED = 32 << 20 };

/* An item of the answer, as far as it was taken. */
struct item {
	int64_t index;
	int64_t part;  /* of the summary or content that came last */
	bool has_text; /* text, thinking or arguments came in pieces */
	bool whole;    /* the item itself came */
};

struct reader {
	struct claude_writer *writer;
	const struct upstream_identity *identity;
	struct tool_calls *calls;
	struct json_object *reasoning; /* hidden from the client: the next call carries it */
	struct item *items;
	size_t item_count;
	struct buffer deferred_text; /* came while a tool call was under way */
	const char *stop_reason;     /* by status; NULL: none came */
	bool refused;
	bool produced; /* something of an item came */
	bool over;
	int skipped; /* events that were no JSON */
};

static struct reader *
reader_new(const struct reader_context *context)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->writer = context->writer;
	r->identity = context->identity;
	r->deferred_text = BUFFER_INIT(MOST_DEFERRED);
	r->calls = tool_calls_new(context->writer, context->names);
	if (r->calls == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

static void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	tool_calls_free(r->calls);
	json_object_put(r->reasoning);
	buffer_free(&r->deferred_text);
	free(r->items);
	free(r);
}

static bool
is_over(const struct reader *r)
{
	return r->over;
}

/* ---- items ---- */

/* The item with that index, new if need be; NULL: there are too many, or memory ran out. */
static struct item *
item_at(struct reader *r, int64_t index)
{
	for (size_t i = r->item_count; i-- > 0;)
		if (r->items[i].index == index)
			return &r->items[i];
	if (r->item_count == MOST_ITEMS)
		return NULL;
	struct item *grown = reallocarray(r->items, r->item_count + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	r->items = grown;
	grown[r->item_count] = (struct item){.index = index, .part = -1};
	return &grown[r->item_count++];
}

static void
take_text(struct reader *r, const char *text, size_t length)
{
	if (length == 0)
		return;
	r->produced = true;
	if (tool_calls_busy(r->calls))
		buffer_append(&r->deferred_text, text, length);
	else
		claude_writer_text(r->writer, text, length);
}

static void
take_text_of(struct reader *r, struct json_object *string)
{
	if (json_is_string(string))
		take_text(r, json_object_get_string(string),
			(size_t)json_object_get_string_len(string));
}

/* Thinking; what belongs to another part than the last begins a paragraph. */
static void
take_thinking(struct reader *r, struct item *item, int64_t part, struct json_object *string)
{
	if (!json_is_string(string) || json_object_get_string_len(string) == 0)
		return;
	r->produced = true;
	/* Claude's blocks may not interleave: thinking in the middle of a call is left out. */
	if (tool_calls_busy(r->calls))
		return;
	if (item->has_text && part != item->part)
		claude_writer_thinking(r->writer, "\n\n", 2);
	item->has_text = true;
	item->part = part;
	claude_writer_thinking(r->writer, json_object_get_string(string),
		(size_t)json_object_get_string_len(string));
}

/* ---- whole items ---- */

static void
take_message(struct reader *r, struct item *item, struct json_object *object)
{
	struct json_object *parts = json_member_array(object, "content");

	for (size_t i = 0; parts != NULL && i < json_object_array_length(parts); i++) {
		struct json_object *part = json_object_array_get_idx(parts, i);
		struct json_object *refusal = json_member(part, "refusal");
		r->refused = r->refused || json_is_string(refusal);
		if (item->has_text)
			continue;
		take_text_of(r, json_member(part, "text"));
		take_text_of(r, refusal);
	}
}

/* What must come back with the next request. */
static struct json_object *
carried_reasoning(struct json_object *object)
{
	struct json_object *id = json_member(object, "id");
	struct json_object *content = json_member(object, "encrypted_content");
	struct json_object *members = NULL;

	if (json_is_string(id) && json_is_string(content) &&
		(members = json_object_new_object()) != NULL) {
		json_object_object_add(members, "id", json_object_get(id));
		json_object_object_add(members, "encrypted_content", json_object_get(content));
	}
	return members;
}

static void
take_reasoning(struct reader *r, struct item *item, struct json_object *object)
{
	static const char *const texts[] = {"summary", "content"};
	struct json_object *members = carried_reasoning(object);

	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]) && !item->has_text; t++) {
		struct json_object *parts = json_member_array(object, texts[t]);
		for (size_t i = 0; parts != NULL && i < json_object_array_length(parts); i++)
			take_thinking(r, item, (int64_t)i,
				json_member(json_object_array_get_idx(parts, i), "text"));
	}
	if (members != NULL &&
		(tool_calls_busy(r->calls) || !claude_writer_sign(r->writer, members))) {
		json_object_put(r->reasoning);
		r->reasoning = members;
	}
}

/* A call begins, or came whole. */
static int
take_call(struct reader *r, struct item *item, struct json_object *object)
{
	const char *arguments = json_member_string(object, "arguments");
	struct tool_call_piece piece = {
		.index = item->index,
		.id = json_member_string(object, "call_id"),
		.name = json_member_string(object, "name"),
		.extra = r->reasoning,
	};

	if (piece.name == NULL)
		return 0;
	if (!item->has_text && arguments != NULL) {
		piece.arguments = arguments;
		piece.length = strlen(arguments);
		item->has_text = piece.length > 0;
	}
	r->produced = true;
	int status = tool_calls_take(r->calls, &piece);
	json_object_put(r->reasoning);
	r->reasoning = NULL;
	return status;
}

/* An item with what is known of it: ${begins}: more of it will come. */
static int
take_item(struct reader *r, int64_t index, struct json_object *object, bool begins)
{
	struct json_object *type = json_member(object, "type");
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
	if (json_is_text(type, "message"))
		take_message(r, item, object);
	else if (json_is_text(type, "reasoning"))
		take_reasoning(r, item, object);
	return 0;
}

/* ---- the answer as a whole ---- */

static void
take_usage(struct reader *r, struct json_object *usage)
{
	struct claude_usage told = {0};

	if (usage == NULL)
		return;
	uint64_t input = upstream_json_count(usage, "input_tokens");
	uint64_t cached = upstream_json_count(
		json_member(usage, "input_tokens_details"), "cached_tokens");
	told.input_tokens = input > cached ? input - cached : 0;
	told.cache_read_input_tokens = cached;
	told.output_tokens = upstream_json_count(usage, "output_tokens");
	told.input_known = input > 0;
	told.output_known = json_member(usage, "output_tokens") != NULL;
	claude_writer_usage(r->writer, &told);
}

static const char *
stop_reason_of(struct json_object *response)
{
	struct json_object *reason = json_member(
		json_member(response, "incomplete_details"), "reason");

	if (json_is_text(reason, "max_output_tokens") || json_is_text(reason, "max_tokens"))
		return "max_tokens";
	return json_is_text(reason, "content_filter") ? "refusal" : "end_turn";
}

static int
finish(struct reader *r, struct api_error *error)
{
	const char *reason = r->stop_reason != NULL ? r->stop_reason : "end_turn";

	r->over = true;
	if (tool_calls_finish(r->calls) != 0)
		return upstream_error_bad_answer(
			"called a tool without a name", "", 0, r->identity, error);
	claude_writer_text(r->writer, buffer_text(&r->deferred_text), r->deferred_text.length);
	claude_writer_finish(r->writer, r->refused ? "refusal" : reason, NULL);
	return 0;
}

/* The response object: at the end of a stream, or the whole answer. */
static int
take_response(struct reader *r, struct json_object *response, struct api_error *error)
{
	struct json_object *output = json_member_array(response, "output");
	struct json_object *problem = json_member_object(response, "error");

	if (problem != NULL || json_is_text(json_member(response, "status"), "failed")) {
		upstream_error_from_object(response, r->identity, error);
		return -1;
	}
	claude_writer_start(r->writer);
	for (size_t i = 0; output != NULL && i < json_object_array_length(output); i++)
		if (take_item(r, (int64_t)i, json_object_array_get_idx(output, i), false) != 0)
			return upstream_error_bad_answer(
				"sent more than can be kept", "", 0, r->identity, error);
	take_usage(r, json_member_object(response, "usage"));
	r->stop_reason = stop_reason_of(response);
	return finish(r, error);
}

/* ---- events ---- */

typedef int event_taker(struct reader *, struct json_object *event, struct api_error *);

static int
too_much(const struct reader *r, struct api_error *error)
{
	return upstream_error_bad_answer("sent more than can be kept", "", 0, r->identity, error);
}

static int64_t
index_of(struct json_object *event)
{
	return json_member_int(event, "output_index", 0);
}

static int
on_start(struct reader *r, struct json_object *event, struct api_error *error)
{
	(void)event;
	(void)error;
	claude_writer_start(r->writer);
	return 0;
}

static int
on_item_added(struct reader *r, struct json_object *event, struct api_error *error)
{
	int status = take_item(r, index_of(event), json_member(event, "item"), true);

	return status == 0 ? 0 : too_much(r, error);
}

static int
on_item_done(struct reader *r, struct json_object *event, struct api_error *error)
{
	int status = take_item(r, index_of(event), json_member(event, "item"), false);

	return status == 0 ? 0 : too_much(r, error);
}

static int
on_text(struct reader *r, struct json_object *event, struct api_error *error)
{
	struct item *item = item_at(r, index_of(event));

	if (item == NULL)
		return too_much(r, error);
	item->has_text = true;
	take_text_of(r, json_member(event, "delta"));
	return r->deferred_text.failed ? too_much(r, error) : 0;
}

static int
on_refusal(struct reader *r, struct json_object *event, struct api_error *error)
{
	r->refused = true;
	return on_text(r, event, error);
}

static int
on_thinking(struct reader *r, struct json_object *event, struct api_error *error)
{
	struct item *item = item_at(r, index_of(event));

	if (item == NULL)
		return too_much(r, error);
	int64_t part = json_member_int(event, "summary_index", -1);
	take_thinking(r, item, part >= 0 ? part : json_member_int(event, "content_index", 0),
		json_member(event, "delta"));
	return 0;
}

static int
take_argument_text(
	struct reader *r, struct json_object *event, const char *member, struct api_error *error)
{
	struct json_object *text = json_member(event, member);
	struct item *item = item_at(r, index_of(event));

	if (item == NULL)
		return too_much(r, error);
	if (!json_is_string(text))
		return 0;
	const struct tool_call_piece piece = {
		.index = item->index,
		.arguments = json_object_get_string(text),
		.length = (size_t)json_object_get_string_len(text),
	};
	item->has_text = item->has_text || piece.length > 0;
	r->produced = true;
	return tool_calls_take(r->calls, &piece) == 0 ? 0 : too_much(r, error);
}

static int
on_arguments(struct reader *r, struct json_object *event, struct api_error *error)
{
	return take_argument_text(r, event, "delta", error);
}

static int
on_arguments_done(struct reader *r, struct json_object *event, struct api_error *error)
{
	const struct item *item = item_at(r, index_of(event));

	if (item != NULL && item->has_text)
		return 0;
	return take_argument_text(r, event, "arguments", error);
}

static int
on_response(struct reader *r, struct json_object *event, struct api_error *error)
{
	return take_response(r, json_member(event, "response"), error);
}

static int
on_error(struct reader *r, struct json_object *event, struct api_error *error)
{
	struct json_object *response = json_member_object(event, "response");

	upstream_error_from_object(response != NULL ? response : event, r->identity, error);
	return -1;
}

static const struct {
	const char *type;
	event_taker *take;
} events[] = {
	{"response.created", on_start},
	{"response.in_progress", on_start},
	{"response.output_item.added", on_item_added},
	{"response.output_item.done", on_item_done},
	{"response.output_text.delta", on_text},
	{"response.refusal.delta", on_refusal},
	{"response.reasoning_summary_text.delta", on_thinking},
	{"response.reasoning_text.delta", on_thinking},
	{"response.function_call_arguments.delta", on_arguments},
	{"response.function_call_arguments.done", on_arguments_done},
	{"response.completed", on_response},
	{"response.incomplete", on_response},
	{"response.failed", on_error},
	{"error", on_error},
};

static int
take_event(struct reader *r, struct json_object *event, struct api_error *error)
{
	const char *type = json_member_string(event, "type");

	if (type == NULL)
		return json_member(event, "error") != NULL ? on_error(r, event, error) : 0;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(events[i].type, type) == 0)
			return events[i].take(r, event, error);
	return 0;
}

static int
read_end(struct reader *r, bool complete, struct api_error *error)
{
	if (r->over)
		return 0;
	if (!complete)
		return upstream_error_bad_answer("broke off its answer", "", 0, r->identity, error);
	if (!r->produced)
		return upstream_error_bad_answer(
			"ended its answer without content", "", 0, r->identity, error);
	return finish(r, error);
}

static int
read_event(struct reader *r, const char *data, size_t length, struct api_error *error)
{
	if (r->over || length == 0)
		return 0;
	if (length == 6 && memcmp(data, "[DONE]", 6) == 0)
		return read_end(r, true, error);
	struct json_object *event = upstream_json_event(data, length, r->identity, &r->skipped);
	int status = event != NULL ? take_event(r, event, error) : 0;
	json_object_put(event);
	return status;
}

static int
read_message(struct reader *r, const char *body, size_t length, struct api_error *error)
{
	struct json_object *response = upstream_json_message(body, length, r->identity, error);
	int status = -1;

	if (response == NULL)
		return -1;
	if (json_member_array(response, "output") == NULL &&
		json_member(response, "error") == NULL &&
		!json_is_text(json_member(response, "status"), "failed"))
		upstream_error_bad_answer(
			"answered without output", body, length, r->identity, error);
	else
		status = take_response(r, response, error);
	json_object_put(response);
	return status;
}

const struct translator openai_responses = {
	.kind = "openai-responses",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_responses_write_request,
	.write_count_request = openai_responses_write_count_request,
	.count_member = "input_tokens",
	.reader_new = reader_new,
	.read_event = read_event,
	.read_message = read_message,
	.read_end = read_end,
	.is_over = is_over,
	.reader_free = reader_free,
};
