/*
 * The command `import`: the original's config.json, or what `export` wrote, into the database
 * (SPEC §7).  Everything is checked first, with the place of what is wrong; then it is one
 * transaction.
 */
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "check.h"
#include "command.h"
#include "import_source.h"
#include "terminal/input.h"
#include "terminal/output.h"
#include "store/config.h"
#include "store/store.h"

static int
read_route(struct source *s, const struct json *value, size_t index)
{
	const char *pattern;
	const char *model;
	const char *upstream;
	char place[64];

	snprintf(place, sizeof(place), "routes[%zu]", index);
	if (!json_is_object(value))
		return source_refuse(s, place, "must be an object");
	if (source_read_needed_text(s, place, value, "pattern", &pattern) != EXIT_DONE ||
		source_read_needed_text(s, place, value, "model", &model) != EXIT_DONE ||
		source_read_text(s, place, value, "upstream", &upstream) != EXIT_DONE)
		return EXIT_FAILED;
	if (upstream != NULL && !source_knows(s, upstream))
		return source_refuse(s, place, "there is no upstream '%s'", upstream);
	return source_add_route(s, place, (struct import_route){pattern, model, upstream});
}

typedef int element_reader(struct source *, const struct json *, size_t index);

static int
read_array(struct source *s, const char *member, bool needed, element_reader *read)
{
	const struct json *array = json_member(s->root, member);

	if (array == NULL && !needed)
		return EXIT_DONE;
	if (!json_is_array(array))
		return source_refuse(s, member, "must be an array");
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
		source_read_string(s, "currentUpstream", current, &name) != EXIT_DONE)
		return EXIT_FAILED;
	const struct import_upstream *named = name != NULL ? source_find(s, name) : NULL;
	if (named != NULL)
		name = named->name;
	else if (index >= 0 && (size_t)index < s->import.upstream_count)
		name = s->import.upstreams[index].name;
	if (name == NULL || !source_knows(s, name))
		return source_refuse(
			s, "currentUpstream", "must be the index or the name of an upstream");
	s->import.current = name;
	return EXIT_DONE;
}

/* The original's names for models apply while their upstream is current, as do routes that name no
 * upstream. */
static int
read_mapping(struct source *s, const char *place, const struct json *mapping)
{
	static const char *const families[][2] = {
		{"opus", "*opus*"}, {"sonnet", "*sonnet*"}, {"haiku", "*haiku*"}};

	if (!json_is_object(mapping))
		return source_refuse(s, place, "must be an object");
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const char *model;
		if (source_read_text(s, place, mapping, families[i][0], &model) != EXIT_DONE)
			return EXIT_FAILED;
		if (model != NULL && model[0] != '\0' &&
			source_add_route(s, place,
				(struct import_route){families[i][1], model, NULL}) != EXIT_DONE)
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

	if (source_read_text(s, "", s->root, "loadBalance", &s->import.strategy) != EXIT_DONE)
		return EXIT_FAILED;
	if (s->import.strategy != NULL && strategy_parse(s->import.strategy, &strategy) != 0)
		return source_refuse(s, "loadBalance", "must be round-robin, random or failover");
	return EXIT_DONE;
}

static int
read_search_texts(struct source *s, const struct json *search)
{
	static const char *const known[] = {"provider", "url", "key", NULL};
	struct import *i = &s->import;

	source_note_unknown(s, "search", search, known);
	if (source_read_needed_text(s, "search", search, "provider", &i->search) != EXIT_DONE ||
		source_read_text(s, "search", search, "url", &i->search_url) != EXIT_DONE)
		return EXIT_FAILED;
	return source_read_text(s, "search", search, "key", &i->search_key);
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
		return source_refuse(s, "search", "must be an object");
	if (read_search_texts(s, search) != EXIT_DONE)
		return EXIT_FAILED;
	i->search_url = i->search_url != NULL ? i->search_url : "";
	i->search_key = i->search_key != NULL ? i->search_key : "";
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_search(i->search, i->search_url, i->search_key, &shown);
	int status = problem == NULL
			     ? EXIT_DONE
			     : source_refuse(s, "search", "%s%s", buffer_text(&shown), problem);
	buffer_free(&shown);
	return status;
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
			if (!source_knows(s, other) || strcmp(other, u->name) == 0)
				return source_refuse(s, "upstream",
					"%s: fallback '%s' is not another upstream", u->name,
					other);
		}
	}
	return EXIT_DONE;
}

static int
read_source(struct source *s)
{
	static const char *const known[] = {
		"upstream", "routes", "currentUpstream", "loadBalance", "search", NULL};

	if (!json_is_object(s->root))
		return fail("%s: it must be a JSON object; nothing was changed", s->name);
	source_note_unknown(s, "", s->root, known);
	if (read_array(s, "upstream", true, import_read_upstream) != EXIT_DONE ||
		read_array(s, "routes", false, read_route) != EXIT_DONE ||
		check_fallbacks(s) != EXIT_DONE || read_current(s) != EXIT_DONE ||
		read_mappings(s) != EXIT_DONE || read_search(s) != EXIT_DONE)
		return EXIT_FAILED;
	return read_strategy(s);
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
	int status = source_parse(&s, file);

	if (status == EXIT_DONE)
		status = read_source(&s);
	if (status == EXIT_DONE)
		status = apply(a, &s);
	source_free(&s);
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
