/*
 * Lessons carried out; see lesson.h.
 */
#include "translate/lesson.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/model_facts.h"
#include "translate/translator.h"

enum { MOST_SEGMENTS = 12, LEAST_THINKING_BUDGET = 1024 };

static const struct {
	const char *word;
	unsigned fix;
} fixes[] = {
	{"forget-thinking", FIX_FORGET_THINKING},
	{"give-thinking", FIX_GIVE_THINKING},
	{"system-first", FIX_SYSTEM_FIRST},
	{"system-as-user", FIX_SYSTEM_AS_USER},
	{"text-in-result", FIX_TEXT_IN_RESULT},
	{"no-images", FIX_NO_IMAGES},
	{"no-files", FIX_NO_FILES},
	{"no-format", FIX_NO_FORMAT},
	{"no-search", FIX_NO_SEARCH},
};

/* What follows the verb of a lesson; NULL if it has another. */
static const char *
after_verb(const char *lesson, const char *verb)
{
	size_t length = strlen(verb);

	return strncmp(lesson, verb, length) == 0 && lesson[length] == ' ' ? lesson + length + 1
									   : NULL;
}

unsigned
lesson_fixes(const struct lessons *lessons)
{
	unsigned found = 0;

	for (size_t i = 0; i < lessons->count; i++) {
		const char *word = after_verb(lessons->list[i], "fix");
		for (size_t f = 0; word != NULL && f < COUNT(fixes); f++)
			if (strcmp(word, fixes[f].word) == 0)
				found |= fixes[f].fix;
	}
	return found;
}

/* ---- one change of the body ---- */

enum verb { DROP, RENAME, CHOOSE, KINDS, LIMIT, CUT, PUT, WITH_TOOLS, VERBS };

static const char *const verbs[VERBS] = {
	[DROP] = "drop",
	[RENAME] = "rename",
	[CHOOSE] = "choose",
	[KINDS] = "kinds",
	[LIMIT] = "limit",
	[CUT] = "cut",
	[PUT] = "put",
	[WITH_TOOLS] = "with-tools",
};

struct change {
	enum verb verb;
	char path[LESSON_LONGEST]; /* cut into its segments */
	const char *segments[MOST_SEGMENTS];
	size_t count;
	const char *argument; /* what follows the path; may be "" */
	struct json_document index;
	const struct json *value; /* the argument, where it is JSON */
	struct json_writer out;
	bool changed;
};

/* Cut the path.  Return 0, or -1 if it is not one. */
static int
read_path(struct change *c, const char *rest)
{
	size_t length = strcspn(rest, " ");
	char *save = NULL;

	if (length == 0 || length >= sizeof(c->path))
		return -1;
	memcpy(c->path, rest, length);
	c->path[length] = '\0';
	c->argument = rest[length] == ' ' ? rest + length + 1 : "";
	for (char *at = strtok_r(c->path, ".", &save); at != NULL;
		at = strtok_r(NULL, ".", &save)) {
		if (c->count == MOST_SEGMENTS)
			return -1;
		c->segments[c->count++] = at;
	}
	return c->count > 0 ? 0 : -1;
}

/* Read a lesson about the body.  False: it is about something else, or damaged. */
static bool
read_change(struct change *c, const char *lesson)
{
	const char *rest = NULL;

	*c = (struct change){.verb = DROP};
	while (c->verb < VERBS && (rest = after_verb(lesson, verbs[c->verb])) == NULL)
		c->verb++;
	if (rest == NULL || read_path(c, rest) != 0)
		return false;
	if (c->verb == DROP || c->verb == RENAME || c->verb == LIMIT || c->verb == CUT)
		return c->verb == DROP || *c->argument != '\0';
	c->value = json_read(&c->index, c->argument, strlen(c->argument), LESSON_LONGEST, NULL);
	return c->value != NULL;
}

static bool
is_same(const struct json *a, const struct json *b)
{
	return a != NULL && b != NULL && a->kind == b->kind && a->length == b->length &&
	       memcmp(a->text, b->text, a->length) == 0;
}

static bool
is_accepted(const struct json *value, const struct json *accepted)
{
	JSON_EACH (one, accepted)
		if (is_same(one, value))
			return true;
	return false;
}

static enum effort
effort_of(const struct json *value)
{
	return effort_find(json_content(value), json_content_length(value));
}

/* The accepted value to send instead of another; NULL if there is none. */
static const struct json *
nearest(const struct json *value, const struct json *accepted)
{
	unsigned words = 0;

	JSON_EACH (one, accepted)
		if (effort_of(one) != EFFORTS)
			words |= 1U << effort_of(one);
	enum effort wanted = effort_of(value);
	enum effort found = wanted != EFFORTS ? effort_nearest(words, wanted) : EFFORTS;
	JSON_EACH (one, accepted) {
		if (found != EFFORTS && effort_of(one) == found)
			return one;
		/* A function that cannot be named. */
		if (json_is_object(value) && json_is_text(one, "required"))
			return one;
	}
	return wanted == EFFORTS && json_count(accepted) == 1 ? json_first(accepted) : NULL;
}

static void
choose(struct change *c, const struct json *member)
{
	if (is_accepted(member, c->value)) {
		json_put_member(&c->out, member);
		return;
	}
	const struct json *instead = nearest(member, c->value);
	c->changed = true;
	if (instead == NULL)
		return;
	json_put_member_name(&c->out, member);
	json_put_value(&c->out, instead);
}

static void
limit(struct change *c, const struct json *member)
{
	char *end = NULL;
	double least = strtod(c->argument, &end);
	bool has_least = end != c->argument;
	const char *most_text = strchr(c->argument, ' ');
	double most = most_text != NULL ? strtod(most_text, &end) : 0;
	bool has_most = most_text != NULL && end != most_text && strcmp(most_text, " -") != 0;
	double value = json_double(member, 0);

	if (!json_is_number(member) ||
		((!has_least || value >= least) && (!has_most || value <= most))) {
		json_put_member(&c->out, member);
		return;
	}
	const char *text = has_most && value > most ? most_text + 1 : c->argument;
	c->changed = true;
	json_put_member_name(&c->out, member);
	json_put_raw(&c->out, text, strcspn(text, " "));
}

static void
cut(struct change *c, const struct json *member)
{
	size_t most = strtoul(c->argument, NULL, 10);
	size_t written = 0;

	if (json_is_string(member) && json_content_length(member) > most) {
		c->changed = true;
		return;
	}
	if (!json_is_array(member) || json_count(member) <= most) {
		json_put_member(&c->out, member);
		return;
	}
	c->changed = true;
	json_put_member_name(&c->out, member);
	json_open_array(&c->out);
	JSON_EACH (element, member)
		if (written++ < most)
			json_put_value(&c->out, element);
	json_close_array(&c->out);
}

/* Write the member at the end of the path, or not. */
static void
change_member(struct change *c, const struct json *member)
{
	switch (c->verb) {
	case RENAME:
		json_put_any_name(&c->out, c->argument, strlen(c->argument));
		json_put_value(&c->out, member);
		c->changed = true;
		break;
	case CHOOSE:
		choose(c, member);
		break;
	case KINDS:
		if (is_accepted(json_member(member, "type"), c->value))
			json_put_member(&c->out, member);
		else
			c->changed = true;
		break;
	case LIMIT:
		limit(c, member);
		break;
	case CUT:
		cut(c, member);
		break;
	case PUT:
	case WITH_TOOLS:
		c->changed = c->changed || !is_same(member, c->value);
		json_put_member_name(&c->out, member);
		json_put_value(&c->out, c->value);
		break;
	case DROP:
	case VERBS:
		c->changed = true;
		break;
	}
}

static void put_changed(struct change *, const struct json *value, size_t depth);

static void
put_changed_object(struct change *c, const struct json *object, size_t depth)
{
	bool last = depth + 1 == c->count;
	bool found = false;

	json_open_object(&c->out);
	JSON_EACH (member, object) {
		if (!json_is_named(member, c->segments[depth])) {
			json_put_member(&c->out, member);
			continue;
		}
		found = true;
		if (last) {
			change_member(c, member);
		} else {
			json_put_member_name(&c->out, member);
			put_changed(c, member, depth + 1);
		}
	}
	if (last && !found && (c->verb == PUT || c->verb == WITH_TOOLS)) {
		json_put_any_name(&c->out, c->segments[depth], strlen(c->segments[depth]));
		json_put_value(&c->out, c->value);
		c->changed = true;
	}
	json_close_object(&c->out);
}

/* Write the value that the first ${depth} segments lead to. */
static void
put_changed(struct change *c, const struct json *value, size_t depth)
{
	if (json_is_object(value)) {
		put_changed_object(c, value, depth);
	} else if (json_is_array(value) && strcmp(c->segments[depth], "*") == 0 &&
		   depth + 1 < c->count) {
		json_open_array(&c->out);
		JSON_EACH (element, value)
			put_changed(c, element, depth + 1);
		json_close_array(&c->out);
	} else {
		json_put_value(&c->out, value);
	}
}

/* ---- all of them ---- */

static int
edit(const char *lesson, struct buffer *body)
{
	struct json_document index = {0};
	struct buffer out = BUFFER_INIT(0);
	struct change c;
	int status = 0;

	if (!read_change(&c, lesson)) {
		json_document_free(&c.index);
		return 0;
	}
	const struct json *whole = json_read(
		&index, buffer_text(body), body->length, JSON_MAX_REQUEST_VALUES, NULL);
	c.out = JSON_WRITER(&out);
	if (json_is_object(whole) &&
		(c.verb != WITH_TOOLS || json_first(json_member(whole, "tools")) != NULL))
		put_changed(&c, whole, 0);
	json_document_free(&index);
	json_document_free(&c.index);
	if (out.failed) {
		status = -1;
		body->failed = true;
	} else if (c.changed) {
		buffer_free(body);
		*body = out;
		return 0;
	}
	buffer_free(&out);
	return status;
}

/* Thinking has to leave room for the answer: where the whole is less, it is less as well, or none.
 */
static int
edit_budget(struct buffer *body)
{
	struct json_document index = {0};
	char lesson[64] = "";
	const struct json *whole = json_read(
		&index, buffer_text(body), body->length, JSON_MAX_REQUEST_VALUES, NULL);
	int64_t most = json_member_int(whole, "max_tokens", 0);
	int64_t budget = json_member_int(json_member(whole, "thinking"), "budget_tokens", 0);

	json_document_free(&index);
	if (budget < most || most == 0)
		return 0;
	if (most > LEAST_THINKING_BUDGET)
		snprintf(lesson, sizeof(lesson), "limit thinking.budget_tokens - %lld",
			(long long)most - 1);
	else
		snprintf(lesson, sizeof(lesson), "drop thinking");
	return edit(lesson, body);
}

/* Only Chat Completions has to be asked for the usage of a stream. */
static int
edit_stream(struct buffer *body)
{
	struct json_document index = {0};
	const struct json *whole = json_read(
		&index, buffer_text(body), body->length, JSON_MAX_REQUEST_VALUES, NULL);
	bool chat = json_member(whole, "messages") != NULL;

	json_document_free(&index);
	return chat ? edit("put stream_options {\"include_usage\":true}", body) : 0;
}

int
lesson_edit_body(const struct lessons *lessons, struct buffer *body)
{
	int status = 0;

	for (size_t i = 0; i < lessons->count && status == 0; i++) {
		const char *lesson = lessons->list[i];
		status = edit(lesson, body);
		if (status == 0 && strcmp(lesson, "drop stream") == 0)
			status = edit("drop stream_options", body);
		if (status == 0 && strcmp(lesson, "put stream true") == 0)
			status = edit_stream(body);
		if (status == 0 && after_verb(lesson, "limit") != NULL)
			status = edit_budget(body);
	}
	return status;
}

/* ---- headers ---- */

/* Does a lesson withhold the header, or (${value} not NULL) that value of it? */
static bool
withholds(const struct lessons *lessons, const char *header, const char *value, size_t length)
{
	size_t name = strlen(header);

	for (size_t i = 0; i < lessons->count; i++) {
		const char *rest = after_verb(lessons->list[i], "without");
		if (rest == NULL || strncasecmp(rest, header, name) != 0)
			continue;
		if (rest[name] == '\0' && value == NULL)
			return true;
		if (rest[name] == ' ' && value != NULL && strlen(rest + name + 1) == length &&
			strncmp(rest + name + 1, value, length) == 0)
			return true;
	}
	return false;
}

bool
lesson_withholds(const struct lessons *lessons, const char *header)
{
	return withholds(lessons, header, NULL, 0);
}

bool
lesson_withholds_value(const struct lessons *lessons, const char *header, const char *value)
{
	size_t name = strlen(header);

	for (size_t i = 0; i < lessons->count; i++) {
		const char *rest = after_verb(lessons->list[i], "without");
		if (rest != NULL && strncasecmp(rest, header, name) == 0 && rest[name] == ' ' &&
			strncmp(rest + name + 1, value, strlen(value)) == 0)
			return true;
	}
	return false;
}

int
lesson_write_header(
	const struct lessons *lessons, const char *header, const char *value, struct buffer *out)
{
	bool any = false;

	while (*value != '\0') {
		size_t whole = strcspn(value, ",");
		size_t blanks = strspn(value, " \t");
		const char *start = blanks < whole ? value + blanks : value + whole;
		size_t length = (size_t)(value + whole - start);
		while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
			length--;
		if (length > 0 && !withholds(lessons, header, start, length)) {
			buffer_puts(out, any ? "," : "");
			buffer_append(out, start, length);
			any = true;
		}
		value += whole + (value[whole] == ',');
	}
	return out->failed ? -1 : 0;
}

const char *
lesson_auth(const struct lessons *lessons)
{
	const char *found = NULL;

	for (size_t i = 0; i < lessons->count; i++) {
		const char *word = after_verb(lessons->list[i], "auth");
		found = word != NULL ? word : found;
	}
	return found;
}
