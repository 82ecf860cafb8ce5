/*
 * A conversation as Gemini's contents (PROTOCOL.md §B.2).
 *
 * Roles alternate: parts of neighbouring turns go into one content, whatever was dropped in
 * between. The content after a model's function calls begins with one response for each of them.
 */
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/history_calls.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/claude/turns.h"
#include "translate/gemini/gemini.h"
#include "translate/model_facts.h"
#include "translate/round_trip.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

/* What Gemini 3 takes for the signature of a call that another model made (PROTOCOL.md §C.4). */
static const char no_signature[] = "skip_thought_signature_validator";

/* Precedes a conversation that begins with the assistant, and follows one that may not end with
 * it. */
static const char first_words[] = "Continue.";

struct contents {
	const struct claude_request *request;
	const struct translate_target *target;
	const char *origin; /* of what is our own to send back */
	struct tool_names *names;
	struct json_writer *out;
	struct api_error *error;
	const char *role;                  /* of the content that is open; NULL if none yet */
	bool has_call;                     /* this assistant turn has one */
	struct carried thought;            /* what came with the last thought */
	const struct json *text_signature; /* of it, for the next text part; NULL if none */
	struct history_calls calls;        /* of the assistant turn just written */
	struct buffer decoded;             /* a string that has to be looked into */
	struct json_document index;        /* of a result that is JSON */
};

static int
no_memory(struct contents *c)
{
	return api_error_no_memory(c->error);
}

/* ---- parts ---- */

static void
close_content(struct contents *c)
{
	json_close_array(c->out);
	json_close_object(c->out);
}

/* Begin a part of ${role}, in the open content if that is the same. */
static void
open_part(struct contents *c, const char *role)
{
	if (c->role == NULL && strcmp(role, "user") != 0) {
		open_part(c, "user");
		json_put_text_member(c->out, "text", first_words);
		json_close_object(c->out);
	}
	if (c->role == NULL || strcmp(c->role, role) != 0) {
		if (c->role != NULL)
			close_content(c);
		json_open_object(c->out);
		json_put_text_member(c->out, "role", role);
		json_open_array_member(c->out, "parts");
		c->role = role;
	}
	json_open_object(c->out);
}

static void
put_text(struct contents *c, const char *role, const struct json *text)
{
	if (json_content_length(text) == 0)
		return;
	open_part(c, role);
	json_put_value_member(c->out, "text", text);
	if (c->text_signature != NULL)
		json_put_value_member(c->out, "thoughtSignature", c->text_signature);
	c->text_signature = NULL;
	json_close_object(c->out);
}

/* A place to go back to: whether something should be written shows only once it is. */
struct mark {
	struct json_writer out;
	const char *role;
	size_t start;   /* bytes in the body */
	size_t content; /* likewise, where the content of the string begins */
};

static struct mark
mark_here(const struct contents *c)
{
	return (struct mark){.out = *c->out, .role = c->role, .start = c->out->out->length};
}

static void
go_back(struct contents *c, const struct mark *mark)
{
	*c->out = mark->out;
	c->role = mark->role;
	buffer_cut(c->out->out, mark->start);
}

/* Begin a text part whose string the caller goes on with. */
static struct mark
open_text(struct contents *c)
{
	struct mark mark = mark_here(c);

	open_part(c, "user");
	json_put_name(c->out, "text");
	json_open_string(c->out);
	mark.content = c->out->out->length;
	return mark;
}

/* End it, or take it back if it is empty, which the service refuses. */
static void
close_text(struct contents *c, const struct mark *mark)
{
	if (c->out->out->length == mark->content) {
		go_back(c, mark);
		return;
	}
	json_close_string(c->out);
	json_close_object(c->out);
}

/* Only the end of a URL tells what it leads to. */
static const char *
type_of_url(struct contents *c, const struct json *url, const char *otherwise)
{
	static const char *const types[][2] = {{".png", "image/png"}, {".jpg", "image/jpeg"},
		{".jpeg", "image/jpeg"}, {".gif", "image/gif"}, {".webp", "image/webp"},
		{".heic", "image/heic"}, {".heif", "image/heif"}, {".pdf", "application/pdf"}};

	buffer_clear(&c->decoded);
	if (json_append(&c->decoded, url) != 0)
		c->out->out->failed = true;
	const char *text = buffer_text(&c->decoded);
	size_t length = strcspn(text, "?#");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i][0]);
		if (length > n && strncasecmp(text + length - n, types[i][0], n) == 0)
			return types[i][1];
	}
	return otherwise;
}

static void
put_file(struct contents *c, const struct json *block)
{
	const struct json *source = json_member(block, "source");
	const struct json *url = json_member(source, "url");
	bool image = claude_block_type(block) == CLAUDE_IMAGE;

	if ((c->target->fixes & (unsigned)(image ? FIX_NO_IMAGES : FIX_NO_FILES)) != 0) {
		struct mark mark = open_text(c);
		claude_string_left_out(c->out, block);
		close_text(c, &mark);
		return;
	}
	open_part(c, "user");
	if (json_is_text(json_member(source, "type"), "url")) {
		json_open_object_member(c->out, "fileData");
		json_put_text_member(c->out, "mimeType",
			type_of_url(c, url, image ? "image/jpeg" : "application/pdf"));
		json_put_value_member(c->out, "fileUri", url);
	} else {
		json_open_object_member(c->out, "inlineData");
		json_put_value_member(c->out, "mimeType", json_member(source, "media_type"));
		json_put_value_member(c->out, "data", json_member(source, "data"));
	}
	json_close_object(c->out);
	json_close_object(c->out);
}

/* ---- assistant turns ---- */

static void
forget_thought(struct contents *c)
{
	carried_free(&c->thought);
	c->text_signature = NULL;
}

/* A thought goes back only where it carries Gemini's own signature. */
static void
put_thinking(struct contents *c, const struct json *block)
{
	const struct json *thinking = json_member(block, "thinking");

	forget_thought(c);
	if ((c->target->fixes & FIX_FORGET_THINKING) != 0 ||
		!round_trip_read_signature(json_member(block, "signature"), c->origin, &c->thought))
		return;
	const struct json *signature = json_member_string(c->thought.object, "s");
	if (signature != NULL && json_content_length(thinking) > 0) {
		open_part(c, "model");
		json_put_value_member(c->out, "text", thinking);
		json_put_bool_member(c->out, "thought", true);
		json_put_value_member(c->out, "thoughtSignature", signature);
		json_close_object(c->out);
	}
	c->text_signature = json_member_string(c->thought.object, "t");
}

/* Who signs calls names them, too; older models pair calls and responses by their order.  Vertex is
 * left to the order as well: whether it takes the member is not established. */
static void
put_call_id(struct contents *c, const struct history_call *call)
{
	const struct model_facts *facts = &c->target->facts;

	if (model_facts_is(facts, MODEL_SIGNED_CALLS) && !model_facts_host_is(facts, HOST_VERTEX))
		json_put_text_member(c->out, "id", call->id);
}

static int
put_call(struct contents *c, const struct json *block)
{
	if (history_calls_add(&c->calls, block) != 0)
		return no_memory(c);
	const struct history_call *call = &c->calls.list[c->calls.count - 1];
	const struct json *signature = (c->target->fixes & FIX_FORGET_THINKING) == 0
					       ? json_member_string(call->extra, "s")
					       : NULL;
	open_part(c, "model");
	json_open_object_member(c->out, "functionCall");
	put_call_id(c, call);
	json_put_name(c->out, "name");
	tool_names_put(c->names, c->out, json_member(block, "name"));
	json_put_value_member(c->out, "args", json_member(block, "input"));
	json_close_object(c->out);
	if (signature != NULL)
		json_put_value_member(c->out, "thoughtSignature", signature);
	else if (model_facts_is(&c->target->facts, MODEL_SIGNED_CALLS) && !c->has_call)
		json_put_text_member(c->out, "thoughtSignature", no_signature);
	json_close_object(c->out);
	c->has_call = true;
	return 0;
}

static void
put_found(struct contents *c, const struct json *block)
{
	open_part(c, "model");
	json_put_name(c->out, "text");
	json_open_string(c->out);
	claude_string_found(c->out, block);
	json_string_text(c->out, "\n\n");
	json_close_string(c->out);
	json_close_object(c->out);
}

static int
put_assistant_block(struct contents *c, const struct json *block)
{
	const struct json *said = claude_block_text(block);

	if (said != NULL) {
		put_text(c, "model", said);
		return 0;
	}
	switch (claude_block_type(block)) {
	case CLAUDE_THINKING:
		put_thinking(c, block);
		return 0;
	case CLAUDE_TOOL_USE:
		return put_call(c, block);
	case CLAUDE_WEB_RESULT:
		if (claude_has_found(block))
			put_found(c, block);
		return 0;
	default:
		return 0;
	}
}

/* ---- results ---- */

/* The JSON object whose text the content of a string is; NULL if it is something else. */
static const struct json *
object_in(struct contents *c, const char *content, size_t length)
{
	/* The first character, which may be escaped, tells it of nearly all texts. */
	if (length == 0 || strchr("{ \\", content[0]) == NULL)
		return NULL;
	buffer_clear(&c->decoded);
	if (json_append_content(&c->decoded, content, length) != 0)
		c->out->out->failed = true;
	const struct json *value = json_read(&c->index, buffer_text(&c->decoded), c->decoded.length,
		JSON_MAX_ANSWER_VALUES, NULL);
	return json_is_object(value) ? value : NULL;
}

/* A result that is a JSON object goes as it is; any other text inside one. */
static void
put_result(struct contents *c, const struct json *result)
{
	struct buffer *body = c->out->out;
	bool is_error = json_member_bool(result, "is_error", false);
	const struct json *object = NULL;
	struct mark mark = mark_here(c);

	json_open_object(c->out);
	json_put_name(c->out, is_error ? "error" : "result");
	json_open_string(c->out);
	mark.content = body->length;
	claude_string_result(c->out, result);
	if (!is_error && !body->failed)
		object = object_in(c, body->data + mark.content, body->length - mark.content);
	if (object != NULL) {
		go_back(c, &mark);
		json_put_value(c->out, object);
		return;
	}
	json_close_string(c->out);
	json_close_object(c->out);
}

static void
put_response(struct contents *c, const struct history_call *call)
{
	open_part(c, "user");
	json_open_object_member(c->out, "functionResponse");
	put_call_id(c, call);
	json_put_name(c->out, "name");
	tool_names_put(c->names, c->out, json_member(call->block, "name"));
	json_put_name(c->out, "response");
	put_result(c, call->result);
	json_close_object(c->out);
	json_close_object(c->out);
}

/* The responses to the calls just written, in the calls' order, from the user turn after them. */
static void
put_responses(struct contents *c, const struct claude_turn *user)
{
	history_calls_answer_turn(&c->calls, user);
	for (size_t i = 0; i < c->calls.count; i++)
		put_response(c, &c->calls.list[i]);
}

/* ---- user turns ---- */

/* What a response cannot contain. */
static void
put_files_of(struct contents *c, const struct json *result)
{
	CLAUDE_EACH_BLOCK (block, json_member(result, "content")) {
		enum claude_block type = claude_block_type(block);
		if (type == CLAUDE_IMAGE ||
			(type == CLAUDE_DOCUMENT && !claude_document_is_text(block)))
			put_file(c, block);
	}
}

/* A result that answers no call is only text. */
static void
put_orphan(struct contents *c, const struct json *result)
{
	if (history_calls_find(&c->calls, result) != NULL)
		return;
	struct mark mark = open_text(c);
	claude_string_tool_result(c->out, result);
	close_text(c, &mark);
	put_files_of(c, result);
}

static void
put_document(struct contents *c, const struct json *document)
{
	if (!claude_document_is_text(document)) {
		put_file(c, document);
		return;
	}
	struct mark mark = open_text(c);
	claude_string_document(c->out, document);
	close_text(c, &mark);
}

static void
put_search_result(struct contents *c, const struct json *result)
{
	struct mark mark = open_text(c);

	claude_string_search_result(c->out, result);
	close_text(c, &mark);
}

static void
put_user_block(struct contents *c, const struct json *block)
{
	const struct json *said = claude_block_text(block);

	if (said != NULL) {
		put_text(c, "user", said);
		return;
	}
	switch (claude_block_type(block)) {
	case CLAUDE_IMAGE:
		put_file(c, block);
		break;
	case CLAUDE_DOCUMENT:
		put_document(c, block);
		break;
	case CLAUDE_SEARCH_RESULT:
		put_search_result(c, block);
		break;
	default:
		break;
	}
}

static void
put_orphans_in(struct contents *c, const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content)
		if (claude_block_type(block) == CLAUDE_TOOL_RESULT)
			put_orphan(c, block);
}

static void
put_user_content(struct contents *c, const struct json *content)
{
	CLAUDE_EACH_BLOCK (block, content)
		put_user_block(c, block);
}

/* Gemini has no system turns. */
static void
put_system_turn(struct contents *c, const struct json *content)
{
	if (!claude_has_text(content))
		return;
	struct mark mark = open_text(c);
	claude_string_system_turn(c->out, content);
	close_text(c, &mark);
}

/* ---- the conversation ---- */

static int
put_assistant_turn(struct contents *c, const struct claude_turn *turn)
{
	const struct claude_turn user = claude_next_turn(turn);

	history_calls_clear(&c->calls);
	c->has_call = false;
	CLAUDE_EACH_MESSAGE (message, turn)
		CLAUDE_EACH_BLOCK (block, claude_content(message))
			if (put_assistant_block(c, block) != 0)
				return -1;
	forget_thought(c);
	put_responses(c, &user);
	return 0;
}

/* First what belongs to tool results, in the order of the calls, then the rest in its own. */
static void
put_user_turn(struct contents *c, const struct claude_turn *turn)
{
	for (size_t i = 0; i < c->calls.count; i++)
		put_files_of(c, c->calls.list[i].result);
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_USER)
			put_orphans_in(c, claude_content(message));
	CLAUDE_EACH_MESSAGE (message, turn)
		if (claude_message_role(message) == CLAUDE_SYSTEM)
			put_system_turn(c, claude_content(message));
		else
			put_user_content(c, claude_content(message));
	history_calls_clear(&c->calls);
}

/* The system prompt, where the user must say it. */
static void
put_system(struct contents *c)
{
	if (!gemini_system_is_said(c->target) || !gemini_has_system(c->request, c->target))
		return;
	struct mark mark = open_text(c);
	gemini_string_system(c->out, c->request, c->target);
	close_text(c, &mark);
}

/* What a model is told that cannot go on with its own words. */
static void
put_last_words(struct contents *c)
{
	if (strcmp(c->role, "user") == 0 || !model_facts_is(&c->target->facts, MODEL_NO_PREFILL))
		return;
	open_part(c, "user");
	json_put_text_member(c->out, "text", first_words);
	json_close_object(c->out);
}

static int
put_conversation(struct contents *c)
{
	json_open_array(c->out);
	put_system(c);
	CLAUDE_EACH_TURN (turn, c->request, CLAUDE_SYSTEM_USER)
		if (!turn.assistant)
			put_user_turn(c, &turn);
		else if (put_assistant_turn(c, &turn) != 0)
			return -1;
	if (c->role == NULL)
		return api_error_set(c->error, 400, "messages: there is no content in any of them");
	put_last_words(c);
	close_content(c);
	json_close_array(c->out);
	return 0;
}

int
gemini_put_contents(const struct claude_request *request, const struct translate_target *target,
	struct tool_names *names, struct json_writer *out, struct api_error *error)
{
	struct contents c = {
		.request = request,
		.target = target,
		.origin = translate_origin(target, &gemini),
		.names = names,
		.out = out,
		.error = error,
	};

	history_calls_init(&c.calls, c.origin, CLAUDE_IDS);
	int status = put_conversation(&c);
	if (status == 0 && out->out->failed)
		status = no_memory(&c);
	history_calls_free(&c.calls);
	carried_free(&c.thought);
	buffer_free(&c.decoded);
	json_document_free(&c.index);
	return status;
}
