/*
 * Requests to a service that speaks Claude's language: byte for byte, but for the values that the
 * proxy's owner decides (PROTOCOL.md §B.4), and for thinking that another service did: Claude
 * refuses a conversation with thinking that it did not sign.  Answers are passed through as well
 * (answer.h).
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
#include "translate/carry.h"
#include "translate/claude.h"
#include "translate/translator.h"

/* A member of the request whose value is replaced. */
struct change {
	const char *name;
	struct buffer value; /* JSON text; empty: it stays */
};

/* The change whose member comes next from ${from} on, and where its value stands; NULL: none. */
static const struct change *
next_change(const struct claude_request *r, const struct change *changes, size_t count, size_t from,
	size_t *start, size_t *end)
{
	const struct change *next = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t s;
		size_t e;
		if (changes[i].value.length == 0 ||
			!json_find_member(r->text, r->length, changes[i].name, from, &s, &e) ||
			(next != NULL && s > *start))
			continue;
		next = &changes[i];
		*start = s;
		*end = e;
	}
	return next;
}

static void
write_changed(struct buffer *out, const struct claude_request *r, const struct change *changes,
	size_t count)
{
	const struct change *change;
	size_t at = 0;
	size_t start = 0;
	size_t end = 0;

	while ((change = next_change(r, changes, count, at, &start, &end)) != NULL) {
		buffer_append(out, r->text + at, start - at);
		buffer_append(out, change->value.data, change->value.length);
		at = end;
	}
	buffer_append(out, r->text + at, r->length - at);
}

/* ---- thinking of other services, earlier in the conversation ---- */

static bool
is_foreign(struct json_object *block)
{
	const char *signature = json_is_text(json_member(block, "type"), "thinking")
					? json_member_string(block, "signature")
					: NULL;

	return signature != NULL && carry_is_signature(signature);
}

/* How many blocks of the message are foreign. */
static size_t
count_foreign(struct json_object *message)
{
	struct json_object *content = json_member_array(message, "content");
	size_t count = 0;

	for (size_t i = 0; content != NULL && i < json_object_array_length(content); i++)
		count += is_foreign(json_object_array_get_idx(content, i));
	return count;
}

/* The blocks that are not foreign, as a new array; NULL if memory ran out. */
static struct json_object *
own_blocks(struct json_object *content)
{
	struct json_object *own = json_object_new_array();

	for (size_t i = 0; own != NULL && i < json_object_array_length(content); i++) {
		struct json_object *block = json_object_array_get_idx(content, i);
		if (!is_foreign(block))
			json_object_array_add(own, json_object_get(block));
	}
	return own;
}

static void
write_message(struct buffer *out, struct json_object *message)
{
	struct json_object *content = own_blocks(json_member(message, "content"));
	struct json_object *copy = json_object_new_object();

	if (content == NULL || copy == NULL) {
		out->failed = true;
		goto err0;
	}
	json_object_object_foreach(message, name, value)
	{
		bool own = strcmp(name, "content") == 0;
		json_object_object_add(copy, name, json_object_get(own ? content : value));
	}
	json_write(out, copy);

err0:
	json_object_put(copy);
	json_object_put(content);
}

/* The messages without foreign thinking; nothing where there is none.  A message that would be
 * empty is left out: Claude refuses that, too. */
static void
write_own_messages(struct buffer *out, struct json_object *messages)
{
	size_t count = messages != NULL ? json_object_array_length(messages) : 0;
	size_t foreign = 0;
	const char *between = "[";

	for (size_t i = 0; i < count; i++)
		foreign += count_foreign(json_object_array_get_idx(messages, i));
	if (foreign == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct json_object *message = json_object_array_get_idx(messages, i);
		foreign = count_foreign(message);
		if (foreign > 0 &&
			foreign == json_object_array_length(json_member(message, "content")))
			continue;
		buffer_puts(out, between);
		if (foreign > 0)
			write_message(out, message);
		else
			json_write(out, message);
		between = ",";
	}
	buffer_puts(out, between[0] == '[' ? "[]" : "]");
}

static int
write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct change changes[] = {{"model", BUFFER_INIT(0)}, {"max_tokens", BUFFER_INIT(0)},
		{"messages", BUFFER_INIT(0)}};
	size_t count = sizeof(changes) / sizeof(changes[0]);
	int64_t most = target->max_output_tokens;

	(void)names;
	if (strcmp(target->model, r->model) != 0)
		json_write_text(&changes[0].value, target->model);
	if (most > 0 && json_member_int(r->body, "max_tokens", 0) > most)
		buffer_put_uint(&changes[1].value, (uint64_t)most);
	write_own_messages(&changes[2].value, json_member_array(r->body, "messages"));
	write_changed(out, r, changes, count);
	bool failed = out->failed;
	for (size_t i = 0; i < count; i++) {
		failed = failed || changes[i].value.failed;
		buffer_free(&changes[i].value);
	}
	return failed ? api_error_set(error, 500, "out of memory") : 0;
}

const struct translator passthrough = {
	.kind = "claude",
	.write_request = write_request,
	.write_count_request = write_request,
	.count_member = "input_tokens",
};
