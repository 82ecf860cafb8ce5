/*
 * Requests to a service that speaks Claude's language: byte for byte, but for the values that the
 * proxy's owner decides (PROTOCOL.md §B.4), and for thinking that another service did: Claude
 * refuses a conversation with thinking that it did not sign.  Answers are passed through as well
 * (answer.h).
 */
#include <stdbool.h>
#include <stdint.h>

#include <stdio.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/claude/request.h"
#include "translate/claude/text.h"
#include "translate/lesson.h"
#include "translate/model_facts.h"
#include "translate/round_trip.h"
#include "translate/translator.h"

enum { USER_DIGITS = 32 };

/* A copy of the request's text, with changes in the order of the text. */
struct copy {
	struct buffer *out;
	const char *from; /* what comes before it was copied, or left out */
	const struct translate_target *target;
	bool thinking_off; /* what the model must have thought before its last calls is left out */
};

static const char *
end_of(const struct json *value)
{
	return value->text + value->length;
}

/* Copy what comes before ${start}, and go on at ${end}. */
static void
leave_out(struct copy *copy, const char *start, const char *end)
{
	buffer_append(copy->out, copy->from, (size_t)(start - copy->from));
	copy->from = end;
}

/* Leave out the elements that ${left_out} finds, each with a comma: the one before it, or after it
 * where no element is kept before.  Of the others, ${change} (may be NULL) changes what is inside.
 */
static void
copy_elements(struct copy *copy, const struct json *array,
	bool (*left_out)(const struct copy *, const struct json *),
	void (*change)(struct copy *, const struct json *))
{
	const struct json *before = NULL;
	bool kept = false;

	JSON_EACH (element, array) {
		const struct json *after = json_next(element);
		if (!left_out(copy, element)) {
			kept = true;
			if (change != NULL)
				change(copy, element);
		} else if (kept) {
			leave_out(copy, end_of(before), end_of(element));
		} else {
			leave_out(
				copy, element->text, after != NULL ? after->text : end_of(element));
		}
		before = element;
	}
}

static void
replace(struct copy *copy, const struct json *value, const char *json)
{
	leave_out(copy, value->text, end_of(value));
	buffer_puts(copy->out, json);
}

static bool
has_fix(const struct copy *copy, enum translate_fix fix)
{
	return (copy->target->fixes & fix) != 0;
}

/* ---- thinking and searches of other services, earlier in the conversation ---- */

/* Is it a search of another service, or a page that it could not read?  And what came of it? */
static bool
is_search(const struct json *block)
{
	return json_is_text(json_member(block, "type"), "server_tool_use") &&
	       json_starts_with(json_member(block, "id"), ROUND_TRIP_SEARCH);
}

static bool
is_web_result(const struct json *block)
{
	return json_ends_with(json_member(block, "type"), "_tool_result") &&
	       json_starts_with(json_member(block, "tool_use_id"), ROUND_TRIP_SEARCH);
}

/* Does the text cite what another service found?  Claude's own citations are never empty there. */
static bool
has_foreign_citations(const struct json *block)
{
	const struct json *citation = json_first(json_member_array(block, "citations"));
	const struct json *index = json_member(citation, "encrypted_index");

	return json_is_string(index) && json_content_length(index) == 0;
}

/* Was it thought by another service, or by whomever, where this one has refused that?  Or is it a
 * search of another, of which its result tells, if anything? */
static bool
is_foreign(const struct copy *copy, const struct json *block)
{
	enum claude_block type = claude_block_type(block);

	if (is_search(block) || (is_web_result(block) && !claude_has_found(block)))
		return true;
	if (has_fix(copy, FIX_FORGET_THINKING))
		return type == CLAUDE_THINKING || type == CLAUDE_REDACTED_THINKING;
	return type == CLAUDE_THINKING && round_trip_is_signature(json_member(block, "signature"));
}

/* Is there nothing in the message but foreign thinking?  Claude refuses an empty message, too. */
static bool
is_all_foreign(const struct copy *copy, const struct json *message)
{
	const struct json *content = json_member_array(message, "content");

	JSON_EACH (block, content) {
		if (!is_foreign(copy, block))
			return false;
	}
	return json_first(content) != NULL;
}

/* Does the message call a tool, and is what was thought before left out? */
static bool
loses_thinking(const struct copy *copy, const struct json *message)
{
	bool calls = false;
	bool loses = false;

	JSON_EACH (block, json_member_array(message, "content")) {
		calls = calls || claude_block_type(block) == CLAUDE_TOOL_USE;
		loses = loses || is_foreign(copy, block);
	}
	return calls && (loses || has_fix(copy, FIX_FORGET_THINKING));
}

/* A service that is to think demands what was thought before the last calls: without it, it must
 * not be asked to. */
static bool
must_not_think(const struct copy *copy, const struct json *body)
{
	const struct json *last = NULL;

	if (!json_is_text(json_member(json_member(body, "thinking"), "type"), "enabled"))
		return false;
	JSON_EACH (message, json_member_array(body, "messages")) {
		if (json_is_text(json_member(message, "role"), "assistant"))
			last = message;
	}
	return loses_thinking(copy, last);
}

/* ---- what a service that is like Claude's does not take ---- */

static void
drop_citations(struct copy *copy, const struct json *block)
{
	struct json_writer w = JSON_WRITER(copy->out);

	leave_out(copy, block->text, end_of(block));
	json_open_object(&w);
	JSON_EACH (member, block)
		if (!json_is_named(member, "citations"))
			json_put_member(&w, member);
	json_close_object(&w);
}

static void
change_block(struct copy *copy, const struct json *block)
{
	enum claude_block type = claude_block_type(block);
	bool image = type == CLAUDE_IMAGE && has_fix(copy, FIX_NO_IMAGES);
	bool file = type == CLAUDE_DOCUMENT && has_fix(copy, FIX_NO_FILES);
	struct json_writer w = JSON_WRITER(copy->out);

	if (has_foreign_citations(block)) {
		drop_citations(copy, block);
		return;
	}
	if (image || file || is_web_result(block)) {
		leave_out(copy, block->text, end_of(block));
		json_open_object(&w);
		json_put_text_member(&w, "type", "text");
		json_put_name(&w, "text");
		json_open_string(&w);
		if (image || file)
			claude_string_left_out(&w, block);
		else
			claude_string_found(&w, block);
		json_close_string(&w);
		json_close_object(&w);
		return;
	}
	JSON_EACH (inside, type == CLAUDE_TOOL_RESULT ? json_member_array(block, "content") : NULL)
		change_block(copy, inside);
}

static void
copy_message(struct copy *copy, const struct json *message)
{
	JSON_EACH (member, message) {
		if (json_is_named(member, "content") && json_is_array(member))
			copy_elements(copy, member, is_foreign, change_block);
		else if (json_is_named(member, "role") && json_is_text(member, "system") &&
			 has_fix(copy, FIX_SYSTEM_AS_USER))
			replace(copy, member, "\"user\"");
	}
}

/* ---- the request ---- */

/* Every member of a name is looked at, since the service may read another of duplicates than we
 * do. */
static void
copy_member(struct copy *copy, const struct json *member)
{
	const struct translate_target *target = copy->target;
	int64_t most = target->max_output_tokens;

	if (json_is_named(member, "model") && !json_is_text(member, target->model)) {
		leave_out(copy, member->text, end_of(member));
		json_write_text(copy->out, target->model);
	} else if (json_is_named(member, "max_tokens") && most > 0 && json_int(member, 0) > most) {
		leave_out(copy, member->text, end_of(member));
		buffer_put_uint(copy->out, (uint64_t)most);
	} else if (json_is_named(member, "thinking") && copy->thinking_off) {
		replace(copy, member, "{\"type\":\"disabled\"}");
	} else if (json_is_named(member, "messages") && json_is_array(member)) {
		copy_elements(copy, member, is_all_foreign, copy_message);
	}
}

/* DeepSeek takes a short name as the user, and no effort beside thinking that is disabled. */
static int
adapt_to_deepseek(const struct claude_request *r, bool thinking_off, struct buffer *out)
{
	const struct json *user = json_member(json_member(r->body, "metadata"), "user_id");
	const struct json *type = json_member(json_member(r->body, "thinking"), "type");
	const char *list[2];
	struct lessons lessons = {list, 0};
	char digits[USER_DIGITS + 1];
	char lesson[64];

	if (json_is_string(user) &&
		!round_trip_is_id(json_content(user), json_content_length(user))) {
		hash_hex(json_content(user), json_content_length(user), USER_DIGITS, digits);
		snprintf(lesson, sizeof(lesson), "put metadata.user_id \"%s\"", digits);
		list[lessons.count++] = lesson;
	}
	if (thinking_off || json_is_text(type, "disabled"))
		list[lessons.count++] = "drop output_config.effort";
	return lesson_edit_body(&lessons, out);
}

/* Fireworks refuses what Claude Code says of its tools besides. */
static int
make_tools_plain(struct buffer *out)
{
	static const char *const list[] = {
		"drop tools.*.cache_control", "drop tools.*.eager_input_streaming"};
	const struct lessons lessons = {list, sizeof(list) / sizeof(list[0])};

	return lesson_edit_body(&lessons, out);
}

static int
write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct copy copy = {.out = out, .from = r->text, .target = target};
	const char *end = r->text + r->length;

	(void)names;
	copy.thinking_off = must_not_think(&copy, r->body);
	JSON_EACH (member, r->body) {
		copy_member(&copy, member);
	}
	leave_out(&copy, end, end);
	if (target->facts.host->user == USER_DEEPSEEK)
		adapt_to_deepseek(r, copy.thinking_off, out);
	if (model_facts_host_is(&target->facts, HOST_PLAIN_TOOLS))
		make_tools_plain(out);
	return out->failed ? api_error_no_memory(error) : 0;
}

const struct translator passthrough = {
	.kind = "claude",
	.passes_through = true,
	.write_request = write_request,
	.write_count_request = write_request,
	.count_member = "input_tokens",
};
