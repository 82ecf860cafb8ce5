/*
 * Answers of Responses, streamed or whole, to calls of the Claude writer (PROTOCOL.md §C, §D.2
 * "Responses events").
 *
 * An answer is a list of items.  A stream tells each of them twice or more, in pieces and then
 * whole; some compatible services leave out one or the other, so what an item's pieces did not
 * bring is taken from the whole item, and what no event brought from the whole answer at the end.
 */
#include <stdlib.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/claude/writer.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/answer_items.h"
#include "translate/openai/errors.h"
#include "translate/openai/responses.h"
#include "translate/openai/usage.h"
#include "translate/answer/reader.h"
#include "translate/answer/stream_calls.h"
#include "translate/translator.h"
#include "translate/answer/upstream_error.h"
#include "translate/answer/web_findings.h"

struct responses_reader {
	struct reader base;
	struct answer_items items;
	const struct answer_item *message;  /* whose text came last; NULL if none */
	const struct answer_item *thinking; /* whose thinking came last; NULL if none */
	struct buffer reasoning; /* has no block to go with yet: the next call carries it; JSON */
	struct json_document reasoning_index;
};

static void
clear(struct reader *base)
{
	struct responses_reader *r = (struct responses_reader *)base;

	buffer_free(&r->reasoning);
	json_document_free(&r->reasoning_index);
	answer_items_free(&r->items);
}

/* ---- text and thinking ---- */

/* Each message is a text of its own (a commentary, the final answer). */
static void
begin_text(struct responses_reader *r, const struct answer_item *item)
{
	if (r->message != NULL && r->message != item)
		reader_paragraph(&r->base);
	r->message = item;
}

/* A piece of text, in that part of the item's content. */
static void
take_text(struct responses_reader *r, struct answer_item *item, int64_t part,
	const struct json *string)
{
	if (json_content_length(string) == 0)
		return;
	begin_text(r, item);
	item->part = part > item->part ? part : item->part;
	reader_text(&r->base, &item->text, string);
}

/* Thinking; what belongs to another part than the last, or another item, begins a paragraph. */
static void
take_thinking(struct responses_reader *r, struct answer_item *item, int64_t part,
	const struct json *string)
{
	static const char paragraph[] = "\\n\\n"; /* as it stands in a JSON string */
	struct claude_writer *w = r->base.writer;

	if (json_content_length(string) == 0)
		return;
	r->base.produced = true;
	/* Claude's blocks may not interleave: thinking in the middle of a call is left out. */
	if (stream_calls_busy(r->base.calls))
		return;
	if (claude_writer_is_thinking(w) && (item != r->thinking || part != item->part))
		claude_writer_thinking(w, paragraph, sizeof(paragraph) - 1);
	item->has_text = true;
	item->part = part;
	r->thinking = item;
	reader_thinking(&r->base, NULL, NULL, string);
}

/* ---- whole items ---- */

static int
take_annotation(struct responses_reader *r, const struct json *annotation)
{
	const struct web_page page = {
		.url = json_member(annotation, "url"),
		.title = json_member(annotation, "title"),
	};

	return json_is_text(json_member(annotation, "type"), "url_citation")
		       ? reader_citation(&r->base, &page)
		       : 0;
}

static int
take_annotations(struct responses_reader *r, const struct json *content)
{
	JSON_EACH (part, content)
		JSON_EACH (annotation, json_member_array(part, "annotations"))
			if (take_annotation(r, annotation) != 0)
				return -1;
	return reader_search_end(&r->base);
}

static int
take_message_item(struct responses_reader *r, struct answer_item *item, const struct json *object)
{
	size_t offset = 0;

	begin_text(r, item);
	JSON_EACH (part, json_member_array(object, "content")) {
		const struct json *refusal = json_member_string(part, "refusal");
		r->base.refused = r->base.refused || refusal != NULL;
		offset = reader_whole_text(
			&r->base, &item->text, offset, json_member(part, "text"));
		offset = reader_whole_text(&r->base, &item->text, offset, refusal);
	}
	return take_annotations(r, json_member_array(object, "content"));
}

/* A search; other actions (open_page, find_in_page) read what one has found. */
static int
take_search(struct responses_reader *r, const struct json *object)
{
	const struct json *action = json_member_object(object, "action");
	const struct json *type = json_member(action, "type");
	const struct json *query = json_member_string(action, "query");

	if (type != NULL && !json_is_text(type, "search"))
		return 0;
	if (json_content_length(query) == 0)
		query = json_first(json_member_array(action, "queries"));
	if (reader_search(&r->base, query) != 0)
		return -1;
	if (json_is_text(json_member(object, "status"), "failed"))
		return reader_search_failed(&r->base);
	JSON_EACH (source, json_member_array(action, "sources")) {
		const struct web_page page = {
			.url = json_member(source, "url"), .title = json_member(source, "title")};
		if (reader_search_page(&r->base, &page) != 0)
			return -1;
	}
	return 0;
}

static void
take_summary(struct responses_reader *r, struct answer_item *item, const struct json *parts)
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

	if (id == NULL || json_content_length(content) == 0)
		return;
	json_open_object(&w);
	json_put_value_member(&w, "id", id);
	json_put_value_member(&w, "encrypted_content", content);
	json_close_object(&w);
}

/* May the item's thinking block stand here?  Not in the middle of a call, or of a later text. */
static bool
may_sign(const struct responses_reader *r, const struct answer_item *item)
{
	bool late = r->message != NULL && r->message->number > item->number && !r->message->whole;

	return !stream_calls_busy(r->base.calls) &&
	       !(late && claude_writer_is_text(r->base.writer));
}

/* The client carries the item in the signature of its thinking; where it is given none, the next
 * call does. */
static int
take_reasoning(struct responses_reader *r, struct answer_item *item, const struct json *object)
{
	struct buffer carried = BUFFER_INIT(0);

	if (!item->has_text)
		take_summary(r, item, json_member_array(object, "summary"));
	if (!item->has_text)
		take_summary(r, item, json_member_array(object, "content"));
	write_carried(&carried, object);
	if (carried.length > 0 && (!may_sign(r, item) || !claude_writer_sign(r->base.writer,
								 carried.data, carried.length))) {
		buffer_clear(&r->reasoning);
		buffer_append(&r->reasoning, carried.data, carried.length);
	}
	bool failed = carried.failed || r->reasoning.failed;
	buffer_free(&carried);
	return failed ? -1 : 0;
}

/* What the next call must carry; NULL if nothing. */
static const struct json *
hidden_reasoning(struct responses_reader *r)
{
	if (r->reasoning.length == 0)
		return NULL;
	return json_read(&r->reasoning_index, r->reasoning.data, r->reasoning.length,
		JSON_MAX_ANSWER_VALUES, NULL);
}

/* A call begins, or came whole.  What it carries is what was hidden before it began. */
static int
take_call(
	struct responses_reader *r, struct answer_item *item, const struct json *object, bool whole)
{
	struct tool_call_piece piece = {
		.index = (int64_t)item->number,
		.id = json_member_string(object, "call_id"),
		.name = json_member_string(object, "name"),
		.extra = item->called ? NULL : hidden_reasoning(r),
		.all = whole,
	};

	if (item->name == NULL && !whole)
		return 0;
	reader_settle(&r->base);
	if (reader_search_end(&r->base) != 0 ||
		reader_arguments(&r->base, json_member(object, "arguments"), &piece) != 0)
		return -1;
	r->base.produced = true;
	int status = stream_calls_take(r->base.calls, &piece);
	if (!item->called)
		buffer_clear(&r->reasoning);
	item->called = true;
	return status;
}

/* An item with what is known of it; ${whole}: no more of it will come. */
static int
take_item(
	struct responses_reader *r, struct answer_item *item, const struct json *object, bool whole)
{
	if (item->whole)
		return 0;
	item->whole = whole;
	if (item->kind == ITEM_CALL)
		return take_call(r, item, object, whole);
	if (!whole)
		return 0;
	if (item->kind == ITEM_REASONING)
		return take_reasoning(r, item, object);
	if (item->kind == ITEM_SEARCH)
		return take_search(r, object);
	return item->kind == ITEM_MESSAGE ? take_message_item(r, item, object) : 0;
}

/* ---- the answer as a whole ---- */

static const struct {
	const char *reason; /* of incomplete_details */
	const char *stop_reason;
} stop_reasons[] = {
	{"max_output_tokens", "max_tokens"},
	{"max_tokens", "max_tokens"},
	{"content_filter", "refusal"},
	{"steered", "end_turn"},
};

/* An answer that is incomplete for no reason that is known was cut all the same. */
static const char *
stop_reason_of(const struct responses_reader *r, const struct json *response)
{
	const struct json *reason = json_member(
		json_member(response, "incomplete_details"), "reason");
	bool incomplete = json_is_text(json_member(response, "status"), "incomplete");

	for (size_t i = 0; i < sizeof(stop_reasons) / sizeof(stop_reasons[0]); i++)
		if (json_is_text(reason, stop_reasons[i].reason))
			return stop_reasons[i].stop_reason;
	if (reason != NULL)
		log_warn("upstream '%s': unknown reason '%.*s' of an incomplete response",
			r->base.error_context->name, JSON_SHOWN(reason));
	return incomplete ? "max_tokens" : "end_turn";
}

/* The service's policies refuse; everything else that fails is a fault. */
static bool
is_refusal(const struct json *response)
{
	const struct json *code = json_member(json_member(response, "error"), "code");

	return json_ends_with(code, "_policy") || json_ends_with(code, "policy_violation");
}

/* Did the response fail?  Then the client's error is filled in. */
static bool
has_failed(const struct responses_reader *r, const struct json *response, struct api_error *error)
{
	const struct json *status = json_member(response, "status");
	const struct error_context *who = r->base.error_context;

	if (openai_error_in(response, json_member(response, "error"), who, error))
		return true;
	if (!json_is_text(status, "failed") && !json_is_text(status, "cancelled"))
		return false;
	upstream_error_bad_answer("did not complete its response, whose status is",
		json_content(status), json_content_length(status), who, error);
	return true;
}

/* The response object: at the end of a stream, or the whole answer. */
static int
take_response(struct responses_reader *r, const struct json *response, struct api_error *error)
{
	struct reader *base = &r->base;

	if (is_refusal(response))
		base->refused = true;
	else if (has_failed(r, response, error))
		return -1;
	claude_writer_start(base->writer);
	JSON_EACH (object, json_member_array(response, "output")) {
		struct answer_item *item = answer_items_of_list(&r->items, object);
		if (item == NULL || take_item(r, item, object, true) != 0)
			return reader_too_much(base, error);
	}
	openai_take_usage(base, json_member(response, "usage"));
	base->stop_reason = stop_reason_of(r, response);
	return reader_finish(base, error);
}

/* ---- events ---- */

/* What most events have. */
enum event_member { TYPE, OUTPUT_INDEX, ITEM_ID, CONTENT_INDEX, DELTA, EVENT_MEMBERS };

struct event {
	const struct json *object;
	const struct json *members[EVENT_MEMBERS];
};

typedef int event_taker(struct responses_reader *, const struct event *, struct api_error *);

static int
on_start(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	(void)event;
	(void)error;
	claude_writer_start(r->base.writer);
	return 0;
}

static int
on_item(struct responses_reader *r, const struct event *event, bool whole, struct api_error *error)
{
	const struct json *object = json_member_object(event->object, "item");

	if (object == NULL)
		return 0;
	struct answer_item *item = answer_items_of_object(
		&r->items, event->members[OUTPUT_INDEX], object, whole);
	if (item == NULL || take_item(r, item, object, whole) != 0)
		return reader_too_much(&r->base, error);
	return 0;
}

static int
on_item_added(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	return on_item(r, event, false, error);
}

static int
on_item_done(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	return on_item(r, event, true, error);
}

static struct answer_item *
item_of(struct responses_reader *r, const struct event *event, enum item_kind kind)
{
	return answer_items_of_piece(
		&r->items, event->members[OUTPUT_INDEX], event->members[ITEM_ID], kind);
}

/* The number of the part that the event belongs to. */
static int64_t
part_of(const struct event *event)
{
	return json_int(event->members[CONTENT_INDEX], 0);
}

static int64_t
summary_part_of(const struct event *event)
{
	return json_member_int(event->object, "summary_index", part_of(event));
}

static int
on_text(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	struct answer_item *item = item_of(r, event, ITEM_MESSAGE);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	take_text(r, item, part_of(event), event->members[DELTA]);
	return 0;
}

static int
on_refusal(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	r->base.refused = true;
	return on_text(r, event, error);
}

static int
on_annotation(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	if (take_annotation(r, json_member_object(event->object, "annotation")) != 0)
		return reader_too_much(&r->base, error);
	return 0;
}

static int
on_thinking(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	struct answer_item *item = item_of(r, event, ITEM_REASONING);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	take_thinking(r, item, summary_part_of(event), event->members[DELTA]);
	return 0;
}

/* A part as a whole is news only where no piece of it came. */
static int
on_text_done(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	struct answer_item *item = item_of(r, event, ITEM_MESSAGE);
	const struct json *refusal = json_member_string(event->object, "refusal");
	int64_t part = part_of(event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	r->base.refused = r->base.refused || refusal != NULL;
	if (part > item->part)
		take_text(r, item, part,
			refusal != NULL ? refusal : json_member(event->object, "text"));
	return 0;
}

static int
on_thinking_done(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	struct answer_item *item = item_of(r, event, ITEM_REASONING);
	int64_t part = summary_part_of(event);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	if (part > item->part)
		take_thinking(r, item, part, json_member(event->object, "text"));
	return 0;
}

/* More of a call's arguments, or (${all}) all of them. */
static int
take_arguments(struct responses_reader *r, const struct event *event, const struct json *text,
	bool all, struct api_error *error)
{
	struct answer_item *item = item_of(r, event, ITEM_CALL);

	if (item == NULL)
		return reader_too_much(&r->base, error);
	if (!json_is_string(text) && !json_is_object(text))
		return 0;
	struct tool_call_piece piece = {.index = (int64_t)item->number, .all = all};
	if (reader_arguments(&r->base, text, &piece) != 0)
		return reader_too_much(&r->base, error);
	r->base.produced = true;
	return stream_calls_take(r->base.calls, &piece) == 0 ? 0 : reader_too_much(&r->base, error);
}

static int
on_arguments(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	return take_arguments(r, event, event->members[DELTA], false, error);
}

static int
on_arguments_done(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	return take_arguments(r, event, json_member(event->object, "arguments"), true, error);
}

static int
on_response(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	return take_response(r, json_member(event->object, "response"), error);
}

static int
on_error(struct responses_reader *r, const struct event *event, struct api_error *error)
{
	const struct json *response = json_member_object(event->object, "response");

	if (is_refusal(response))
		return take_response(r, response, error);
	upstream_error_from_object(
		response != NULL ? response : event->object, r->base.error_context, error);
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
	{"response.output_text.annotation.added", on_annotation},
	{"response.output_text.done", on_text_done},
	{"response.refusal.done", on_text_done},
	{"response.reasoning_summary_text.done", on_thinking_done},
	{"response.reasoning_text.done", on_thinking_done},
	{"response.output_item.added", on_item_added},
	{"response.output_item.done", on_item_done},
	{"response.created", on_start},
	{"response.in_progress", on_start},
	{"response.queued", on_start},
	{"response.completed", on_response},
	{"response.incomplete", on_response},
	{"response.failed", on_error},
	{"response.cancelled", on_error},
	{"response.error", on_error},
	{"error", on_error},
};

static int
take_event(struct reader *base, const struct json *object, struct api_error *error)
{
	static const struct json_name names[EVENT_MEMBERS] = {
		[TYPE] = JSON_NAME("type"),
		[OUTPUT_INDEX] = JSON_NAME("output_index"),
		[ITEM_ID] = JSON_NAME("item_id"),
		[CONTENT_INDEX] = JSON_NAME("content_index"),
		[DELTA] = JSON_NAME("delta"),
	};
	struct event event = {.object = object};

	json_members(object, names, EVENT_MEMBERS, event.members);
	const struct json *type = event.members[TYPE];
	for (size_t i = 0; json_is_string(type) && i < sizeof(events) / sizeof(events[0]); i++)
		if (json_is_text(type, events[i].type))
			return events[i].take((struct responses_reader *)base, &event, error);
	/* Errors have other types, or none. */
	if (json_starts_with(type, "response."))
		return 0;
	if (openai_error_in(object, json_member(object, "error"), base->error_context, error) ||
		openai_error_instead(object, base->error_context, error))
		return -1;
	return 0;
}

/* Is it an answer that is yet to come?  Nobody asked for that. */
static bool
is_pending(const struct json *response)
{
	const struct json *status = json_member(response, "status");

	return json_is_text(status, "queued") || json_is_text(status, "in_progress");
}

static int
take_message(struct reader *base, const struct json *response, struct api_error *error)
{
	struct responses_reader *r = (struct responses_reader *)base;

	if (is_refusal(response))
		return take_response(r, response, error);
	if (has_failed(r, response, error))
		return -1;
	if (json_member_array(response, "output") == NULL) {
		if (openai_error_instead(response, base->error_context, error))
			return -1;
		return reader_no_answer(base, "answered without output", response, error);
	}
	if (is_pending(response))
		return reader_no_answer(base, "has no answer yet", response, error);
	return take_response(r, response, error);
}

/* Reasoning that no call followed. */
static void
finish(struct reader *base)
{
	struct responses_reader *r = (struct responses_reader *)base;

	if (r->reasoning.length > 0)
		claude_writer_sign(base->writer, r->reasoning.data, r->reasoning.length);
}

static const struct reader_kind reader = {
	.size = sizeof(struct responses_reader),
	.take_event = take_event,
	.take_message = take_message,
	.finish = finish,
	.clear = clear,
	.tells_its_end = true,
};

const struct translator openai_responses = {
	.kind = "openai-responses",
	.name_rule = TOOL_NAMES_OPENAI,
	.write_request = openai_responses_write_request,
	.has_search = openai_responses_has_search,
	.write_count_request = openai_responses_write_count_request,
	.count_member = "input_tokens",
	.reader = &reader,
};
