/*
 * The file that `import` reads; see import_source.h.
 */
#include "import_source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "check.h"
#include "command.h"
#include "terminal/input.h"
#include "terminal/output.h"
#include "store/config.h"

enum { MOST_BYTES = 16 << 20 };

int
source_refuse(const struct source *s, const char *place, const char *format, ...)
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

int
source_no_memory(void)
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

int
source_parse(struct source *s, FILE *file)
{
	struct json_problem problem;

	s->text = BUFFER_INIT(MOST_BYTES);
	if (input_read(file, s->name, &s->text) != 0)
		return EXIT_FAILED;
	s->root = json_read(&s->index, buffer_text(&s->text), s->text.length,
		JSON_MAX_REQUEST_VALUES, &problem);
	return s->root != NULL ? EXIT_DONE : refuse_syntax(s, &problem);
}

void
source_free(struct source *s)
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

/* ---- texts ---- */

const char *
source_keep(struct source *s, char *text)
{
	char **kept = text != NULL ? array_add(&s->kept, &s->kept_count, sizeof(*kept)) : NULL;

	if (kept == NULL) {
		free(text);
		return NULL;
	}
	*kept = text;
	return text;
}

int
source_read_string(struct source *s, const char *place, const struct json *value, const char **text)
{
	if (!json_is_string(value))
		return source_refuse(s, place, "must be a string");
	if (json_has_unusual(value))
		return source_refuse(s, place,
			"must contain neither a NUL character nor half of a surrogate pair");
	*text = source_keep(s, json_copy(value));
	if (*text != NULL)
		return EXIT_DONE;
	source_no_memory();
	return EXIT_FAILED;
}

int
source_read_text(struct source *s, const char *place, const struct json *object, const char *member,
	const char **text)
{
	const struct json *value = json_member(object, member);
	char where[LONGEST_PLACE];

	snprintf(where, sizeof(where), "%s%s%s", place, place[0] != '\0' ? "." : "", member);
	*text = NULL;
	return value == NULL ? EXIT_DONE : source_read_string(s, where, value, text);
}

int
source_read_needed_text(struct source *s, const char *place, const struct json *object,
	const char *member, const char **text)
{
	if (source_read_text(s, place, object, member, text) != EXIT_DONE)
		return EXIT_FAILED;
	if (*text != NULL && (*text)[0] != '\0')
		return EXIT_DONE;
	source_refuse(s, place, "has no %s", member);
	return EXIT_FAILED;
}

const char *
source_keep_name(struct source *s, const struct json *member)
{
	struct buffer name = BUFFER_INIT(0);

	json_append_name(&name, member);
	return source_keep(s, buffer_take(&name));
}

void
source_note_unknown(
	struct source *s, const char *place, const struct json *object, const char *const *known)
{
	JSON_EACH (member, object) {
		size_t i = 0;
		while (known[i] != NULL && !json_is_named(member, known[i]))
			i++;
		const char *name = known[i] == NULL ? source_keep_name(s, member) : NULL;
		if (name != NULL)
			ignore(s, place, name);
	}
}

/* ---- what was read ---- */

const struct import_upstream *
source_find(const struct source *s, const char *name)
{
	for (size_t i = 0; i < s->import.upstream_count; i++)
		if (s->import.upstreams[i].name != NULL &&
			strcmp(s->import.upstreams[i].name, name) == 0)
			return &s->import.upstreams[i];
	return NULL;
}

bool
source_knows(const struct source *s, const char *name)
{
	const struct upstream *u = config_find_upstream(s->config, name);

	return source_find(s, name) != NULL || (u != NULL && strcmp(u->name, name) == 0);
}

int
source_add_route(struct source *s, const char *place, struct import_route route)
{
	const char *problem = check_model_name(route.pattern);

	if (problem != NULL)
		return source_refuse(s, place, "pattern %s", problem);
	problem = check_model_name(route.model);
	if (problem != NULL)
		return source_refuse(s, place, "model %s", problem);
	struct import_route *added = array_add(
		&s->import.routes, &s->import.route_count, sizeof(*added));
	if (added == NULL)
		return source_no_memory();
	*added = route;
	return EXIT_DONE;
}
