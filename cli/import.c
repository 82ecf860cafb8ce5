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

/* The file being read.  Texts of ${import} are lent by ${root} and ${names}. */
struct source {
	const char *name; /* of the file */
	const struct config *config;
	struct json_object *root;
	struct json_object *names; /* array: those that had to be made */
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
	int status = fail("%s: %s: %s; nothing was changed", s->name, place,
		problem != NULL ? problem : "out of memory");
	free(problem);
	return status;
}

static void
ignore(const struct source *s, const char *place, const char *member)
{
	note("%s: %s%s%s is not known here: ignored", s->name, place, place[0] != '\0' ? "." : "",
		member);
}

/* Make room for one more element of ${size} bytes, zeroed.  NULL: no memory. */
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

/* json-c tells where it stopped. */
static int
refuse_syntax(const char *name, const struct buffer *text, const char *problem)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
	size_t line = 1;
	size_t column = 1;
	size_t end = 0;

	if (tokener != NULL) {
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		json_object_put(
			json_tokener_parse_ex(tokener, buffer_text(text), (int)text->length + 1));
		end = json_tokener_get_parse_end(tokener);
		json_tokener_free(tokener);
	}
	for (size_t i = 0; i < end && i < text->length; i++) {
		column = text->data[i] == '\n' ? 1 : column + 1;
		line += text->data[i] == '\n';
	}
	return fail("%s: line %zu, column %zu: it is not valid JSON: %s; nothing was changed", name,
		line, column, problem);
}

static int
parse_file(struct source *s, const char *file)
{
	struct buffer text = BUFFER_INIT(MOST_BYTES);
	const char *problem;
	int status = input_read(file, &text) == 0 ? EXIT_DONE : EXIT_FAILED;

	if (status == EXIT_DONE &&
		json_parse(buffer_text(&text), text.length, &s->root, &problem) != 0)
		status = refuse_syntax(s->name, &text, problem);
	buffer_free(&text);
	return status;
}

/* ---- texts ---- */

/* The text of a member; NULL with EXIT_DONE: it is absent. */
static int
read_text(const struct source *s, const char *place, struct json_object *object, const char *member,
	const char **text)
{
	struct json_object *value = json_member(object, member);
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s%s%s", place, place[0] != '\0' ? "." : "", member);
	*text = NULL;
	if (value == NULL)
		return EXIT_DONE;
	if (!json_is_string(value))
		return bad(s, where, "must be a string");
	*text = json_object_get_string(value);
	if (strlen(*text) != (size_t)json_object_get_string_len(value))
		return bad(s, where, "must not hold a NUL character");
	return EXIT_DONE;
}

static int
read_needed_text(const struct source *s, const char *place, struct json_object *object,
	const char *member, const char **text)
{
	int status = read_text(s, place, object, member, text);

	if (status == EXIT_DONE && (*text == NULL || (*text)[0] == '\0'))
		return bad(s, place, "has no %s", member);
	return status;
}

/* Keep a text that is not in the file. */
static const char *
keep(struct source *s, const char *text)
{
	struct json_object *kept = json_object_new_string(text);

	if (kept == NULL || json_object_array_add(s->names, kept) != 0) {
		json_object_put(kept);
		return NULL;
	}
	return json_object_get_string(kept);
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
	u->name = keep(s, name);
	return u->name != NULL ? EXIT_DONE : no_memory();
}

static int
read_name(struct source *s, const char *place, struct json_object *value, struct import_upstream *u)
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
	struct source *s, const char *place, struct json_object *value, struct import_upstream *u)
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
read_keys(struct source *s, const char *place, struct json_object *value, const char *member,
	bool disabled, struct import_upstream *u)
{
	struct json_object *keys = json_member(value, member);
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s.%s", place, member);
	if (keys == NULL)
		return EXIT_DONE;
	if (!json_object_is_type(keys, json_type_array))
		return bad(s, where, "must be an array of strings");
	for (size_t i = 0; i < json_object_array_length(keys); i++) {
		struct json_object *key = json_object_array_get_idx(keys, i);
		snprintf(where, sizeof(where), "%s.%s[%zu]", place, member, i);
		if (!json_is_string(key))
			return bad(s, where, "must be a string");
		const char *problem = check_api_key(json_object_get_string(key));
		if (problem == NULL && strlen(json_object_get_string(key)) !=
					       (size_t)json_object_get_string_len(key))
			problem = "it holds a NUL character";
		if (problem != NULL)
			return bad(s, where, "it cannot be an API key: %s", problem);
		struct import_key *added = add_element(&u->keys, &u->key_count, sizeof(*added));
		if (added == NULL)
			return no_memory();
		*added = (struct import_key){json_object_get_string(key), disabled};
	}
	return EXIT_DONE;
}

static int
read_options(
	struct source *s, const char *place, struct json_object *value, struct import_upstream *u)
{
	struct json_object *options = json_member(value, "options");
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s.options", place);
	if (options == NULL)
		return EXIT_DONE;
	if (!json_object_is_type(options, json_type_object))
		return bad(s, where, "must be an object");
	json_object_object_foreach(options, name, text)
	{
		const char *value_text;
		if (read_needed_text(s, where, options, name, &value_text) != EXIT_DONE)
			return EXIT_FAILED;
		const char *problem = option_check(name, value_text);
		if (problem == NULL && strstr(value_text, "…") != NULL)
			problem = "is masked; claude-proxy-admin export --secrets writes it whole";
		if (problem != NULL && option_is_secret(name))
			return bad(s, where, "%s: %s", name, problem);
		if (problem != NULL)
			return bad(s, where, "%s: '%s' %s", name, value_text, problem);
		struct import_option *added = add_element(
			&u->options, &u->option_count, sizeof(*added));
		if (added == NULL)
			return no_memory();
		*added = (struct import_option){name, value_text};
		(void)text;
	}
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
note_unknown(const struct source *s, const char *place, struct json_object *object,
	const char *const *known)
{
	json_object_object_foreach(object, name, value)
	{
		size_t i = 0;
		while (known[i] != NULL && strcmp(known[i], name) != 0)
			i++;
		if (known[i] == NULL)
			ignore(s, place, name);
		(void)value;
	}
}

static int
read_upstream(struct source *s, struct json_object *value, size_t index)
{
	static const char *const known[] = {"name", "baseUrl", "serviceType", "apiKeys",
		"disabledKeys", "options", "modelMapping", NULL};
	char place[64];

	snprintf(place, sizeof(place), "upstream[%zu]", index);
	if (!json_object_is_type(value, json_type_object))
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
read_route(struct source *s, struct json_object *value, size_t index)
{
	const char *pattern;
	const char *model;
	const char *upstream;
	char place[64];

	snprintf(place, sizeof(place), "routes[%zu]", index);
	if (!json_object_is_type(value, json_type_object))
		return bad(s, place, "must be an object");
	if (read_needed_text(s, place, value, "pattern", &pattern) != EXIT_DONE ||
		read_needed_text(s, place, value, "model", &model) != EXIT_DONE ||
		read_text(s, place, value, "upstream", &upstream) != EXIT_DONE)
		return EXIT_FAILED;
	if (upstream != NULL && !is_known(s, upstream))
		return bad(s, place, "there is no upstream '%s'", upstream);
	return add_route(s, place, (struct import_route){pattern, model, upstream});
}

typedef int element_reader(struct source *, struct json_object *, size_t index);

static int
read_array(struct source *s, const char *member, bool needed, element_reader *read)
{
	struct json_object *array = json_member(s->root, member);

	if (array == NULL && !needed)
		return EXIT_DONE;
	if (!json_object_is_type(array, json_type_array))
		return bad(s, member, "must be an array");
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (read(s, json_object_array_get_idx(array, i), i) != EXIT_DONE)
			return EXIT_FAILED;
	return EXIT_DONE;
}

/* An index in the file, as the original has it, or a name. */
static int
read_current(struct source *s)
{
	struct json_object *current = json_member(s->root, "currentUpstream");
	int64_t index = json_member_int(s->root, "currentUpstream", -1);

	if (current == NULL || (index == 0 && s->import.upstream_count == 0))
		return EXIT_DONE;
	const struct import_upstream *named = json_is_string(current)
						      ? find_read(
								s, json_object_get_string(current))
						      : NULL;
	if (named != NULL)
		s->import.current = named->name;
	else if (json_is_string(current))
		s->import.current = json_object_get_string(current);
	else if (json_object_is_type(current, json_type_int) && index >= 0 &&
		 (size_t)index < s->import.upstream_count)
		s->import.current = s->import.upstreams[index].name;
	if (s->import.current == NULL || !is_known(s, s->import.current))
		return bad(s, "currentUpstream", "must be the index or the name of an upstream");
	return EXIT_DONE;
}

/* The original's other names for models hold while their upstream is current: so do routes that
 * name none. */
static int
read_mapping(struct source *s, const char *place, struct json_object *mapping)
{
	static const char *const families[][2] = {
		{"opus", "*opus*"}, {"sonnet", "*sonnet*"}, {"haiku", "*haiku*"}};

	if (!json_object_is_type(mapping, json_type_object))
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
	struct json_object *upstreams = json_member(s->root, "upstream");
	char place[64];

	for (size_t i = 0; i < s->import.upstream_count; i++) {
		struct json_object *mapping = json_member(
			json_object_array_get_idx(upstreams, i), "modelMapping");
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
read_source(struct source *s)
{
	static const char *const known[] = {
		"upstream", "routes", "currentUpstream", "loadBalance", NULL};

	if (!json_object_is_type(s->root, json_type_object))
		return fail("%s: it must be a JSON object; nothing was changed", s->name);
	note_unknown(s, "", s->root, known);
	if (read_array(s, "upstream", true, read_upstream) != EXIT_DONE ||
		read_array(s, "routes", false, read_route) != EXIT_DONE ||
		check_fallbacks(s) != EXIT_DONE || read_current(s) != EXIT_DONE ||
		read_mappings(s) != EXIT_DONE)
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
	json_object_put(s->root);
	json_object_put(s->names);
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

int
run_import(struct admin *a, int count, char **arguments)
{
	struct source s = {
		.name = input_name(arguments[0]),
		.config = a->config,
		.names = json_object_new_array(),
	};
	int status = parse_file(&s, arguments[0]);

	(void)count;
	if (status == EXIT_DONE)
		status = read_source(&s);
	if (status == EXIT_DONE)
		status = apply(a, &s);
	free_source(&s);
	return status;
}
