/*
 * What the requests of both OpenAI interfaces have in common; see parameters.h.
 */
#include "translate/openai/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/claude/request.h"
#include "translate/model_facts.h"
#include "translate/openai/hosted_search.h"
#include "translate/openai/tool_schema.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

enum {
	MOST_USER_BYTES = 64, /* the service refuses more, and of a cache's key */
	HASH_DIGITS = 32,
};

/* ---- members ---- */

/* What the model can give is known only of those that run at their own service. */
int64_t
openai_max_tokens(const struct claude_request *r, const struct translate_target *target)
{
	const struct model_facts *facts = &target->facts;
	int64_t most = target->max_output_tokens;
	int64_t known = facts->model->output;

	if (known > 0 && (most == 0 || known < most) && facts->host->control != CONTROL_TEMPLATE)
		most = known;
	return most > 0 && r->max_tokens > most ? most : r->max_tokens;
}

/* As it was spelled, unless it is beyond what the service takes. */
static void
put_clamped(struct json_writer *w, const char *name, const struct json *number, int most)
{
	double value = json_double(number, 0);

	if (number == NULL)
		return;
	if (value < 0)
		json_put_int_member(w, name, 0);
	else if (value > most)
		json_put_int_member(w, name, most);
	else
		json_put_value_member(w, name, number);
}

void
openai_put_sampling(struct json_writer *w, const struct claude_request *r)
{
	put_clamped(w, "temperature", r->temperature, 2);
	put_clamped(w, "top_p", r->top_p, 1);
}

/* ---- who asks ---- */

/* What a client says of itself.  Claude Code tells the session with it: in a JSON text, or after
 * "_session_"; the rest is the same in all of its sessions. */
struct asker {
	struct buffer session; /* empty: not told */
	struct buffer person;  /* likewise */
	bool plain;            /* it is just a name */
};

static const char session_mark[] = "_session_";

/* Of a JSON text, each member but the session says who it is. */
static void
read_parts(struct asker *a, const struct json *parts)
{
	json_append(&a->session, json_member_string(parts, "session_id"));
	JSON_EACH (member, parts)
		if (!json_is_named(member, "session_id") && json_content_length(member) > 0) {
			json_append(&a->person, member);
			buffer_putc(&a->person, '\n');
		}
}

static void
read_asker(struct asker *a, const struct json *user_id)
{
	struct json_document index = {0};
	struct buffer text = BUFFER_INIT(0);

	*a = (struct asker){0};
	json_append(&text, user_id);
	const struct json *parts = json_read(
		&index, buffer_text(&text), text.length, JSON_MAX_ANSWER_VALUES, NULL);
	const char *mark = strstr(buffer_text(&text), session_mark);
	if (json_is_object(parts)) {
		read_parts(a, parts);
	} else if (mark != NULL) {
		buffer_puts(&a->session, mark + strlen(session_mark));
		buffer_append(&a->person, text.data, (size_t)(mark - text.data));
	} else {
		a->plain = true;
		buffer_append(&a->person, buffer_text(&text), text.length);
	}
	json_document_free(&index);
	buffer_free(&text);
}

static void
put_hash(struct json_writer *w, const char *name, const struct buffer *text)
{
	char digits[HASH_DIGITS + 1];

	hash_hex(buffer_text(text), text->length, HASH_DIGITS, digits);
	json_put_text_member(w, name, digits);
}

/* One session's requests begin alike: the service finds them in its cache by this key. */
static void
put_session(struct json_writer *w, const struct buffer *session)
{
	if (session->length > MOST_USER_BYTES) {
		put_hash(w, "prompt_cache_key", session);
		return;
	}
	json_put_name(w, "prompt_cache_key");
	json_put_string(w, buffer_text(session), session->length);
}

/* The longest beginning that the service takes, without half a character. */
static void
put_name(struct json_writer *w, const char *member, const struct buffer *name)
{
	size_t length = name->length;

	if (length > MOST_USER_BYTES)
		for (length = MOST_USER_BYTES;
			length > 0 && ((unsigned char)name->data[length] & 0xc0) == 0x80;)
			length--;
	json_put_name(w, member);
	json_put_string(w, buffer_text(name), length);
}

static void
put_person(struct json_writer *w, const struct asker *a, const struct model_facts *f)
{
	if (f->host->user == USER_SAFETY_IDENTIFIER)
		put_hash(w, "safety_identifier", &a->person);
	else if (f->host->user == USER_DEEPSEEK)
		put_hash(w, "user_id", &a->person);
	else if (f->host->user == USER_PLAIN && a->plain)
		put_name(w, "user", &a->person);
}

void
openai_put_asker(struct json_writer *w, const struct json *user_id, const struct model_facts *f,
	enum openai_interface interface)
{
	struct asker a;

	if (json_content_length(user_id) == 0)
		return;
	read_asker(&a, user_id);
	if (a.person.length > 0)
		put_person(w, &a, f);
	if (a.session.length > 0 &&
		(interface == OPENAI_RESPONSES || model_facts_host_is(f, HOST_CACHE_KEY)))
		put_session(w, &a.session);
	if (a.person.failed || a.session.failed)
		w->out->failed = true;
	buffer_free(&a.person);
	buffer_free(&a.session);
}

/* ---- functions ---- */

/* Begin the object that declares or names a function.  Chat puts its members one level deeper. */
static void
open_function(struct json_writer *w, enum openai_interface interface)
{
	json_open_object(w);
	json_put_text_member(w, "type", "function");
	if (interface == OPENAI_CHAT)
		json_open_object_member(w, "function");
}

static void
close_function(struct json_writer *w, enum openai_interface interface)
{
	if (interface == OPENAI_CHAT)
		json_close_object(w);
	json_close_object(w);
}

/* ---- tools ---- */

/* What the tools of a request are written for. */
struct offer {
	struct json_writer *out;
	struct tool_names *names;
	const struct model_facts *facts;
	enum openai_interface interface;
	enum search_form search;
	char *only;       /* the one tool that is offered; owned; NULL if all are */
	bool only_search; /* no function is */
	bool any;         /* the list is open */
};

/* Only what satisfies the service's demands can be strict.  Without the member, Responses would
 * take every schema for one that does. */
static void
put_strict(struct offer *o, const struct claude_tool *tool)
{
	bool strict = tool->has_strict && tool->strict && tool->schema != NULL &&
		      openai_schema_is_strict(tool->schema);

	if (model_facts_host_is(o->facts, HOST_NO_STRICT))
		return;
	if (tool->has_strict || o->interface == OPENAI_RESPONSES)
		json_put_bool_member(o->out, "strict", strict);
}

static void
put_function(struct offer *o, const struct claude_tool *tool)
{
	struct json_writer *w = o->out;

	open_function(w, o->interface);
	json_put_name(w, "name");
	tool_names_put(o->names, w, tool->name);
	if (tool->description != NULL)
		json_put_value_member(w, "description", tool->description);
	else if (tool->description_text != NULL)
		json_put_text_member(w, "description", tool->description_text);
	json_put_name(w, "parameters");
	if (tool->schema_text != NULL)
		json_put_raw(w, tool->schema_text, strlen(tool->schema_text));
	else
		openai_put_tool_schema(w, tool->schema, o->facts);
	put_strict(o, tool);
	close_function(w, o->interface);
}

/* The service knows what it is. */
static void
put_builtin(struct offer *o, const char *name)
{
	struct json_writer *w = o->out;

	json_open_object(w);
	json_put_text_member(w, "type", "builtin_function");
	json_open_object_member(w, "function");
	json_put_text_member(w, "name", name);
	json_close_object(w);
	json_close_object(w);
}

/* One tool, in the list that the first of them opens. */
static void
put_tool(struct offer *o, const struct json *declared)
{
	bool search = claude_tool_is_web_search(declared);
	struct claude_tool tool = {0};

	if (search ? !openai_search_is_tool(o->search) : !claude_tool_read(declared, &tool)) {
		if (o->search == SEARCH_NONE || !search)
			log_warn("tool '%.*s' runs only on Claude's own service: dropped",
				JSON_SHOWN(json_member(declared, "type")));
		return;
	}
	if (!search && (o->only_search || (o->only != NULL && !json_is_text(tool.name, o->only))))
		return;
	if (!o->any)
		json_open_array_member(o->out, "tools");
	o->any = true;
	if (search)
		openai_put_search_tool(o->out, declared, o->search);
	else if (tool_names_builtin(o->names, tool.name) != NULL)
		put_builtin(o, tool_names_builtin(o->names, tool.name));
	else
		put_function(o, &tool);
}

static void
put_named_choice(struct offer *o, const struct json *name)
{
	json_put_name(o->out, "tool_choice");
	open_function(o->out, o->interface);
	json_put_name(o->out, "name");
	tool_names_put(o->names, o->out, name);
	close_function(o->out, o->interface);
}

/* What the choice is in the words of this service; NULL if nothing is said. */
static const char *
choice_word(const struct offer *o, enum claude_tool_choice choice)
{
	static const char *const words[] = {
		[CLAUDE_CHOICE_ABSENT] = NULL,
		[CLAUDE_CHOICE_AUTO] = "auto",
		[CLAUDE_CHOICE_ANY] = "required",
		[CLAUDE_CHOICE_NONE] = "none",
		[CLAUDE_CHOICE_TOOL] = "required",
	};

	if (choice == CLAUDE_CHOICE_AUTO && model_facts_is(o->facts, MODEL_CHOOSES_AT_OFF))
		return NULL;
	if (model_facts_host_is(o->facts, HOST_ONLY_AUTO_CHOICE) &&
		choice != CLAUDE_CHOICE_ABSENT && choice != CLAUDE_CHOICE_NONE)
		return "auto";
	if (choice == CLAUDE_CHOICE_ANY && model_facts_is(o->facts, MODEL_NO_REQUIRED))
		return "auto";
	return words[choice];
}

static void
put_tool_choice(struct offer *o, const struct claude_request *r)
{
	const char *word = choice_word(o, r->tool_choice);
	bool forced = claude_forces_function(r) && o->only == NULL;

	if (model_facts_host_is(o->facts, HOST_NO_TOOL_CHOICE))
		return;
	if (o->only_search)
		word = openai_search_can_be_forced(o->search) ? "required" : NULL;
	else if (r->forces_search || r->wants_fetch || forced)
		word = NULL;
	if (forced && tool_names_builtin(o->names, r->tool_choice_name) == NULL)
		put_named_choice(o, r->tool_choice_name);
	else if (word != NULL)
		json_put_text_member(o->out, "tool_choice", word);
	if (r->disable_parallel_tool_use && !model_facts_host_is(o->facts, HOST_NO_PARALLEL))
		json_put_bool_member(o->out, "parallel_tool_calls", false);
}

void
openai_put_tools(struct json_writer *w, const struct claude_request *r, struct tool_names *names,
	const struct model_facts *facts, enum openai_interface interface)
{
	struct offer o = {
		.out = w,
		.names = names,
		.facts = facts,
		.interface = interface,
		.search = openai_search_of(facts, interface),
	};

	if (r->wants_search && o.search == SEARCH_NONE)
		tool_names_lack(names, LACKS_SEARCH);
	if (r->forces_search && openai_search_is_told_late(o.search))
		tool_names_search_first(names);
	if (r->wants_fetch)
		tool_names_lack(names, LACKS_FETCH);
	/* Where no tool can be named, only that one is offered. */
	o.only_search = r->forces_search && openai_search_is_tool(o.search);
	if (claude_forces_function(r) && (model_facts_host_is(facts, HOST_NO_NAMED_CHOICE) ||
						 model_facts_host_is(facts, HOST_ONLY_AUTO_CHOICE)))
		o.only = json_copy(r->tool_choice_name);
	for (size_t i = 0; i < r->tools.count; i++)
		put_tool(&o, r->tools.values[i]);
	if (o.any) {
		json_close_array(w);
		put_tool_choice(&o, r);
	}
	if (r->web_search != NULL)
		openai_put_search_members(w, r, o.search);
	free(o.only);
}

void
openai_put_arguments(struct json_writer *w, const struct json *input)
{
	struct buffer unspaced = BUFFER_INIT(0);

	json_open_string(w);
	if (input != NULL && (input->flags & JSON_SPACED) == 0) {
		json_string_bytes(w, input->text, input->length);
	} else {
		if (json_write(&unspaced, input) != 0)
			w->out->failed = true;
		json_string_bytes(w, buffer_text(&unspaced), unspaced.length);
	}
	json_close_string(w);
	buffer_free(&unspaced);
}
