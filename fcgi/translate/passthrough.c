/*
 * Requests to a service that speaks Claude's language: byte for byte, but for the values that the
 * proxy's owner decides (PROTOCOL.md §B.4).  Answers are passed through as well (answer.h).
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/json.h"
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

static int
write_request(const struct claude_request *r, const struct translate_target *target,
	struct tool_names *names, struct buffer *out, struct api_error *error)
{
	struct change changes[] = {{"model", BUFFER_INIT(0)}, {"max_tokens", BUFFER_INIT(0)}};
	int64_t most = target->max_output_tokens;

	(void)names;
	if (strcmp(target->model, r->model) != 0)
		json_write_text(&changes[0].value, target->model);
	if (most > 0 && json_member_int(r->body, "max_tokens", 0) > most)
		buffer_put_uint(&changes[1].value, (uint64_t)most);
	write_changed(out, r, changes, sizeof(changes) / sizeof(changes[0]));
	bool failed = out->failed || changes[0].value.failed || changes[1].value.failed;
	buffer_free(&changes[0].value);
	buffer_free(&changes[1].value);
	return failed ? api_error_set(error, 500, "out of memory") : 0;
}

const struct translator passthrough = {
	.kind = "claude",
	.write_request = write_request,
	.write_count_request = write_request,
	.count_member = "input_tokens",
};
