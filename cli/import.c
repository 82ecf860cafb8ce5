/*
 * The command `import`: the original's config.json, or what `export` wrote, into the database
 * (SPEC §7).  Everything is checked first, with the place of what is wrong; then it is one
 * transaction.
 */
#include "store/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "check.h"
#include "command.h"
#include "input.h"
#include "output.h"
#include "store/config.h"
#include "store/options.h"
#include "upstream/service.h"

enum { MOST_BYTES = 16 << 20, LONGEST_PLACE = 256 };

/* The file being read.  Texts of ${import} are lent by ${kept}. */
struct source {
	const char *name; /* of the file */
	const struct config *config;
	struct buffer text;
	struct json_document index;
	const struct json *root;
	char **kept; /* texts, owned */
	size_t kept_count;
	struct import import;
};

/* What is wrong, and where. */
static int __attribute__((format(printf, 3, 4)))
bad(const struct source *s, const char *place, const char *format, ...)
{
	char *problem = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&problem, format, arguments) < 0)
		problem = NULL;
	va_end(arguments);
	fail("%s: %s: %s; nothing was changed", s->name, place,
		problem != NULL ? problem : "out of memory");
	free(problem);
	return EXIT_FAILED;
}

static void
ignore(const struct source *s, const char *place, const char *member)
{
	note("%s: %s%s%s is not known here: ignored", s->name, place, place[0] != '\0' ? "." : "",
		member);
}

/* Make room for one more element of ${size} bytes, zeroed.  NULL if memory ran out. */
static void *
add_element(void *array, size_t *count, size_t size)
{
	char *grown = reallocarray(*(void **)array, *count + 1, size);

	if (grown == NULL)
		return NULL;
	*(void **)array = grown;
	return memset(grown + size * (*count)++, 0, size);
}

static int
no_memory(void)
{
	return fail("out of memory; nothing was changed");
}

/* ---- the file ---- */

static int
refuse_syntax(const struct source *s, const struct json_problem *problem)
{
	size_t line = 1;
	size_t column = 1;

	for (size_t i = 0; i < problem->offset; i++) {
		column = s->text.data[i] == '\n' ? 1 : column + 1;
		line += s->text.data[i] == '\n';
	}
	return fail("%s: line %zu, column %zu: it is not valid JSON: %s; nothing was changed",
		s->name, line, column, problem->what);
}

static int
parse_file(struct source *s, FILE *file)
{
	struct json_problem problem;

	s->text = BUFFER_INIT(MOST_BYTES);
	if (input_read(file, s->name, &s->text) != 0)
		return EXIT_FAILED;
	s->root = json_read(&s->index, buffer_text(&s->text), s->text.length,
		JSON_MAX_REQUEST_VALUES, &problem);
	return s->root != NULL ? EXIT_DONE : refuse_syntax(s, &problem);
}

/* ---- texts ---- */

/* Take a text, and lend it until the source is freed.  NULL if memory ran out, or for NULL. */
static const char *
keep(struct source *s, char *text)
{
	char **kept = text != NULL ? add_element(&s->kept, &s->kept_count, sizeof(*kept)) : NULL;

	if (kept == NULL) {
		free(text);
		return NULL;
	}
	*kept = text;
	return text;
}

/* The text of a string. */
static int
read_string(struct source *s, const char *place, const struct json *value, const char **text)
{
	if (!json_is_string(value))
		return bad(s, place, "must be a string");
	if (json_has_unusual(value))
		return bad(s, place, "must contain no NUL character and no half of one");
	*text = keep(s, json_copy(value));
	if (*text != NULL)
		return EXIT_DONE;
	no_memory();
	return EXIT_FAILED;
}

/* The text of a member; NULL with EXIT_DONE: it is absent. */
static int
read_text(struct source *s, const char *place, const struct json *object, const char *member,
	const char **text)
{
	const struct json *value = json_member(object, member);
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s%s%s", place, place[0] != '\0' ? "." : "", member);
	*text = NULL;
	return value == NULL ? EXIT_DONE : read_string(s, where, value, text);
}

static int
read_needed_text(struct source *s, const char *place, const struct json *object, const char *member,
	const char **text)
{
	if (read_text(s, place, object, member, text) != EXIT_DONE)
		return EXIT_FAILED;
	if (*text != NULL && (*text)[0] != '\0')
		return EXIT_DONE;
	bad(s, place, "has no %s", member);
	return EXIT_FAILED;
}

/* ---- upstreams ---- */

static const struct import_upstream *
find_read(const struct source *s, const char *name)
{
	for (size_t i = 0; i < s->import.upstream_count; i++)
		if (s->import.upstreams[i].name != NULL &&
			strcmp(s->import.upstreams[i].name, name) == 0)
			return &s->import.upstreams[i];
	return NULL;
}

/* Is there such an upstream, in the file or in the database? */
static bool
is_known(const struct source *s, const char *name)
{
	const struct upstream *u = config_find_upstream(s->config, name);

	return find_read(s, name) != NULL || (u != NULL && strcmp(u->name, name) == 0);
}

/* The original allows upstreams without a name: the service type, and a number where taken. */
static int
make_name(struct source *s, struct import_upstream *u)
{
	char name[64];

	snprintf(name, sizeof(name), "%s", u->service_type);
	for (int i = 2; find_read(s, name) != NULL; i++)
		snprintf(name, sizeof(name), "%s-%d", u->service_type, i);
	u->name = keep(s, strdup(name));
	return u->name != NULL ? EXIT_DONE : no_memory();
}

static int
read_name(struct source *s, const char *place, const struct json *value, struct import_upstream *u)
{
	const char *name;

	if (read_text(s, place, value, "name", &name) != EXIT_DONE)
		return EXIT_FAILED;
	if (name == NULL || name[0] == '\0')
		return make_name(s, u);
	const char *problem = check_upstream_name(name);
	if (problem == NULL && find_read(s, name) != NULL)
		problem = "another upstream has it already";
	if (problem != NULL)
		return bad(s, place, "name '%s': %s", name, problem);
	u->name = name;
	return EXIT_DONE;
}

static int
read_service(
	struct source *s, const char *place, const struct json *value, struct import_upstream *u)
{
	if (read_needed_text(s, place, value, "baseUrl", &u->base_url) != EXIT_DONE ||
		read_needed_text(s, place, value, "serviceType", &u->service_type) != EXIT_DONE)
		return EXIT_FAILED;
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_base_url(u->base_url, &shown);
	int status = problem == NULL ? EXIT_DONE
				     : bad(s, place, "baseUrl %s%s", buffer_text(&shown), problem);
	buffer_free(&shown);
	if (status != EXIT_DONE)
		return status;
	/* So the original calls Chat Completions. */
	if (strcmp(u->service_type, "openaiold") == 0)
		u->service_type = "openai";
	if (service_find(u->service_type) == NULL)
		return bad(s, place, "serviceType '%s' is not known", u->service_type);
	return EXIT_DONE;
}

static int
read_keys(struct source *s, const char *place, const struct json *value, const char *member,
	bool disabled, struct import_upstream *u)
{
	const struct json *keys = json_member(value, member);
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s.%s", place, member);
	if (keys == NULL)
		return EXIT_DONE;
	if (!json_is_array(keys))
		return bad(s, where, "must be an array of strings");
	size_t index = 0;
	JSON_EACH (key, keys) {
		const char *secret = "";
		snprintf(where, sizeof(where), "%s.%s[%zu]", place, member, index++);
		if (read_string(s, where, key, &secret) != EXIT_DONE)
			return EXIT_FAILED;
		const char *problem = secret[0] == KEY_COMMAND_MARK ? check_command(secret + 1)
								    : check_api_key(secret);
		if (problem != NULL)
			return bad(s, where, "it cannot be an API key: %s", problem);
		struct import_key *added = add_element(&u->keys, &u->key_count, sizeof(*added));
		if (added == NULL)
			return no_memory();
		*added = (struct import_key){secret, disabled};
	}
	return EXIT_DONE;
}

/* The name of a member, lent like a text. */
static const char *
keep_name(struct source *s, const struct json *member)
{
	struct buffer name = BUFFER_INIT(0);

	json_append_name(&name, member);
	return keep(s, buffer_take(&name));
}

static int
read_option(
	struct source *s, const char *place, const struct json *option, struct import_upstream *u)
{
	const char *name = keep_name(s, option);
	char where[2 * LONGEST_PLACE];
	const char *value = "";

	if (name == NULL)
		return no_memory();
	snprintf(where, sizeof(where), "%.*s.%.*s", LONGEST_PLACE, place, 100, name);
	if (read_string(s, where, option, &value) != EXIT_DONE)
		return EXIT_FAILED;
	if (value[0] == '\0')
		return bad(s, place, "has no %s", name);
	const char *problem = option_check(name, value);
	if (problem == NULL && strstr(value, "…") != NULL)
		problem = "is masked; export --secrets prints it whole";
	if (problem != NULL && option_is_secret(name))
		return bad(s, place, "%s: %s", name, problem);
	if (problem != NULL)
		return bad(s, place, "%s: '%s' %s", name, value, problem);
	struct import_option *added = add_element(&u->options, &u->option_count, sizeof(*added));
	if (added == NULL)
		return no_memory();
	*added = (struct import_option){name, value};
	return EXIT_DONE;
}

static int
read_options(
	struct source *s, const char *place, const struct json *value, struct import_upstream *u)
{
	const struct json *options = json_member(value, "options");
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s.options", place);
	if (options == NULL)
		return EXIT_DONE;
	if (!json_is_object(options))
		return bad(s, where, "must be an object");
	JSON_EACH (option, options)
		if (read_option(s, where, option, u) != EXIT_DONE)
			return EXIT_FAILED;
	return EXIT_DONE;
}

static int
add_route(struct source *s, const char *place, struct import_route route)
{
	const char *problem = check_model_name(route.pattern);

	if (problem != NULL)
		return bad(s, place, "pattern %s", problem);
	problem = check_model_name(route.model);
	if (problem != NULL)
		return bad(s, place, "model %s", problem);
	struct import_route *added = add_element(
		&s->import.routes, &s->import.route_count, sizeof(*added));
	if (added == NULL)
		return no_memory();
	*added = route;
	return EXIT_DONE;
}

/* One line for each member that means nothing here. */
static void
note_unknown(
	struct source *s, const char *place, const struct json *object, const char *const *known)
{
	JSON_EACH (member, object) {
		size_t i = 0;
		while (known[i] != NULL && !json_is_named(member, known[i]))
			i++;
		const char *name = known[i] == NULL ? keep_name(s, member) : NULL;
		if (name != NULL)
			ignore(s, place, name);
	}
}

static int
read_upstream(struct source *s, const struct json *value, size_t index)
{
	static const char *const known[] = {"name", "baseUrl", "serviceType", "apiKeys",
		"disabledKeys", "options", "modelMapping", NULL};
	char place[64];

	snprintf(place, sizeof(place), "upstream[%zu]", index);
	if (!json_is_object(value))
		return bad(s, place, "must be an object");
	struct import_upstream *u = add_element(
		&s->import.upstreams, &s->import.upstream_count, sizeof(*u));
	if (u == NULL)
		return no_memory();
	note_unknown(s, place, value, known);
	if (read_service(s, place, value, u) != EXIT_DONE ||
		read_name(s, place, value, u) != EXIT_DONE ||
		read_keys(s, place, value, "apiKeys", false, u) != EXIT_DONE ||
		read_keys(s, place, value, "disabledKeys", true, u) != EXIT_DONE ||
		read_options(s, place, value, u) != EXIT_DONE)
		return EXIT_FAILED;
	return EXIT_DONE;
}

/* Fallbacks may name upstreams that come later in the file. */
static int
check_fallbacks(const struct source *s)
{
	for (size_t i = 0; i < s->import.upstream_count; i++) {
		const struct import_upstream *u = &s->import.upstreams[i];
		for (size_t j = 0; j < u->option_count; j++) {
			const char *other = u->options[j].value;
			if (strcmp(u->options[j].name, "fallback") != 0)
				continue;
			if (!is_known(s, other) || strcmp(other, u->name) == 0)
				return bad(s, "upstream", "%s: fallback '%s' is no other upstream",
					u->name, other);
		}
	}
	return EXIT_DONE;
}

/* ---- the rest ---- */

static int
read_route(struct source *s, const struct json *value, size_t index)
{
	const char *pattern;
	const char *model;
	const char *upstream;
	char place[64];

	snprintf(place, sizeof(place), "routes[%zu]", index);
	if (!json_is_object(value))
		return bad(s, place, "must be an object");
	if (read_needed_text(s, place, value, "pattern", &pattern) != EXIT_DONE ||
		read_needed_text(s, place, value, "model", &model) != EXIT_DONE ||
		read_text(s, place, value, "upstream", &upstream) != EXIT_DONE)
		return EXIT_FAILED;
	if (upstream != NULL && !is_known(s, upstream))
		return bad(s, place, "there is no upstream '%s'", upstream);
	return add_route(s, place, (struct import_route){pattern, model, upstream});
}

typedef int element_reader(struct source *, const struct json *, size_t index);

static int
read_array(struct source *s, const char *member, bool needed, element_reader *read)
{
	const struct json *array = json_member(s->root, member);

	if (array == NULL && !needed)
		return EXIT_DONE;
	if (!json_is_array(array))
		return bad(s, member, "must be an array");
	size_t index = 0;
	JSON_EACH (value, array)
		if (read(s, value, index++) != EXIT_DONE)
			return EXIT_FAILED;
	return EXIT_DONE;
}

/* An index in the file, as the original has it, or a name. */
static int
read_current(struct source *s)
{
	const struct json *current = json_member(s->root, "currentUpstream");
	int64_t index = json_is_integer(current) ? json_int(current, -1) : -1;
	const char *name = NULL;

	if (current == NULL || (index == 0 && s->import.upstream_count == 0))
		return EXIT_DONE;
	if (json_is_string(current) &&
		read_string(s, "currentUpstream", current, &name) != EXIT_DONE)
		return EXIT_FAILED;
	const struct import_upstream *named = name != NULL ? find_read(s, name) : NULL;
	if (named != NULL)
		name = named->name;
	else if (index >= 0 && (size_t)index < s->import.upstream_count)
		name = s->import.upstreams[index].name;
	if (name == NULL || !is_known(s, name))
		return bad(s, "currentUpstream", "must be the index or the name of an upstream");
	s->import.current = name;
	return EXIT_DONE;
}

/* The original's other names for models hold while their upstream is current: so do routes that
 * name none. */
static int
read_mapping(struct source *s, const char *place, const struct json *mapping)
{
	static const char *const families[][2] = {
		{"opus", "*opus*"}, {"sonnet", "*sonnet*"}, {"haiku", "*haiku*"}};

	if (!json_is_object(mapping))
		return bad(s, place, "must be an object");
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const char *model;
		if (read_text(s, place, mapping, families[i][0], &model) != EXIT_DONE)
			return EXIT_FAILED;
		if (model != NULL && model[0] != '\0' &&
			add_route(s, place, (struct import_route){families[i][1], model, NULL}) !=
				EXIT_DONE)
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int
read_mappings(struct source *s)
{
	const struct json *upstream = json_first(json_member(s->root, "upstream"));
	char place[64];

	for (size_t i = 0; i < s->import.upstream_count; i++, upstream = json_next(upstream)) {
		const struct json *mapping = json_member(upstream, "modelMapping");
		bool current = s->import.current == s->import.upstreams[i].name;
		snprintf(place, sizeof(place), "upstream[%zu].modelMapping", i);
		if (mapping != NULL && !current)
			note("%s: %s: the upstream is not current: ignored", s->name, place);
		if (mapping != NULL && current && read_mapping(s, place, mapping) != EXIT_DONE)
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

static int
read_strategy(struct source *s)
{
	enum strategy strategy;

	if (read_text(s, "", s->root, "loadBalance", &s->import.strategy) != EXIT_DONE)
		return EXIT_FAILED;
	if (s->import.strategy != NULL && strategy_parse(s->import.strategy, &strategy) != 0)
		return bad(s, "loadBalance", "must be round-robin, random or failover");
	return EXIT_DONE;
}

static int
read_search_texts(struct source *s, const struct json *search)
{
	static const char *const known[] = {"provider", "url", "key", NULL};
	struct import *i = &s->import;

	note_unknown(s, "search", search, known);
	if (read_needed_text(s, "search", search, "provider", &i->search) != EXIT_DONE ||
		read_text(s, "search", search, "url", &i->search_url) != EXIT_DONE)
		return EXIT_FAILED;
	return read_text(s, "search", search, "key", &i->search_key);
}

/* The proxy's own web search; null, or nothing: what there is stays. */
static int
read_search(struct source *s)
{
	const struct json *search = json_member(s->root, "search");
	struct import *i = &s->import;

	if (search == NULL || json_is(search, JSON_NULL))
		return EXIT_DONE;
	if (!json_is_object(search))
		return bad(s, "search", "must be an object");
	if (read_search_texts(s, search) != EXIT_DONE)
		return EXIT_FAILED;
	i->search_url = i->search_url != NULL ? i->search_url : "";
	i->search_key = i->search_key != NULL ? i->search_key : "";
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_search(i->search, i->search_url, i->search_key, &shown);
	int status = problem == NULL ? EXIT_DONE
				     : bad(s, "search", "%s%s", buffer_text(&shown), problem);
	buffer_free(&shown);
	return status;
}

static int
read_source(struct source *s)
{
	static const char *const known[] = {
		"upstream", "routes", "currentUpstream", "loadBalance", "search", NULL};

	if (!json_is_object(s->root))
		return fail("%s: it must be a JSON object; nothing was changed", s->name);
	note_unknown(s, "", s->root, known);
	if (read_array(s, "upstream", true, read_upstream) != EXIT_DONE ||
		read_array(s, "routes", false, read_route) != EXIT_DONE ||
		check_fallbacks(s) != EXIT_DONE || read_current(s) != EXIT_DONE ||
		read_mappings(s) != EXIT_DONE || read_search(s) != EXIT_DONE)
		return EXIT_FAILED;
	return read_strategy(s);
}

static void
free_source(struct source *s)
{
	for (size_t i = 0; i < s->import.upstream_count; i++) {
		free(s->import.upstreams[i].keys);
		free(s->import.upstreams[i].options);
	}
	free(s->import.upstreams);
	free(s->import.routes);
	for (size_t i = 0; i < s->kept_count; i++)
		free(s->kept[i]);
	free((void *)s->kept);
	json_document_free(&s->index);
	buffer_free(&s->text);
}

static int
apply(struct admin *a, const struct source *s)
{
	size_t keys = 0;

	for (size_t i = 0; i < s->import.upstream_count; i++)
		keys += s->import.upstreams[i].key_count;
	if (store_import(a->store, &s->import) != STORE_OK)
		return fail("%s was not imported; nothing was changed", s->name);
	print("imported %zu upstream%s, %zu key%s and %zu route%s\n", s->import.upstream_count,
		s->import.upstream_count == 1 ? "" : "s", keys, keys == 1 ? "" : "s",
		s->import.route_count, s->import.route_count == 1 ? "" : "s");
	return EXIT_DONE;
}

/* Read the file, check it, and put it into the database, which is open. */
static int
import(struct admin *a, FILE *file, const char *name)
{
	struct source s = {.name = input_name(name), .config = a->config};
	int status = parse_file(&s, file);

	if (status == EXIT_DONE)
		status = read_source(&s);
	if (status == EXIT_DONE)
		status = apply(a, &s);
	free_source(&s);
	return status;
}

int
run_import(struct admin *a, int count, char **arguments)
{
	int status = EXIT_FAILED;
	FILE *file;

	(void)count;
	/* Before the command acts as the owner of the database. */
	if (input_open(arguments[0], &file) != 0)
		return EXIT_FAILED;
	if (admin_open(a) == 0)
		status = import(a, file, arguments[0]);
	admin_close(a);
	return status;
}
