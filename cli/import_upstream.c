/*
 * The upstreams of a file that `import` reads; see import_source.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "check.h"
#include "command.h"
#include "import_source.h"
#include "store/config.h"
#include "store/options.h"
#include "upstream/service.h"

/* The original allows upstreams without a name: the service type, and a number where taken. */
static int
make_name(struct source *s, struct import_upstream *u)
{
	char name[64];

	snprintf(name, sizeof(name), "%s", u->service_type);
	for (int i = 2; source_find(s, name) != NULL; i++)
		snprintf(name, sizeof(name), "%s-%d", u->service_type, i);
	u->name = source_keep(s, strdup(name));
	return u->name != NULL ? EXIT_DONE : source_no_memory();
}

static int
read_name(struct source *s, const char *place, const struct json *value, struct import_upstream *u)
{
	const char *name;

	if (source_read_text(s, place, value, "name", &name) != EXIT_DONE)
		return EXIT_FAILED;
	if (name == NULL || name[0] == '\0')
		return make_name(s, u);
	const char *problem = check_upstream_name(name);
	if (problem == NULL && source_find(s, name) != NULL)
		problem = "another upstream already has it";
	if (problem != NULL)
		return source_refuse(s, place, "name '%s': %s", name, problem);
	u->name = name;
	return EXIT_DONE;
}

static int
read_service(
	struct source *s, const char *place, const struct json *value, struct import_upstream *u)
{
	if (source_read_needed_text(s, place, value, "baseUrl", &u->base_url) != EXIT_DONE ||
		source_read_needed_text(s, place, value, "serviceType", &u->service_type) !=
			EXIT_DONE)
		return EXIT_FAILED;
	struct buffer shown = BUFFER_INIT(0);
	const char *problem = check_base_url(u->base_url, &shown);
	int status = problem == NULL ? EXIT_DONE
				     : source_refuse(s, place, "baseUrl %s%s", buffer_text(&shown),
					       problem);
	buffer_free(&shown);
	if (status != EXIT_DONE)
		return status;
	/* So the original calls Chat Completions. */
	if (strcmp(u->service_type, "openaiold") == 0)
		u->service_type = "openai";
	if (service_find(u->service_type) == NULL)
		return source_refuse(s, place, "serviceType '%s' is not known", u->service_type);
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
		return source_refuse(s, where, "must be an array of strings");
	size_t index = 0;
	JSON_EACH (key, keys) {
		const char *secret = "";
		snprintf(where, sizeof(where), "%s.%s[%zu]", place, member, index++);
		if (source_read_string(s, where, key, &secret) != EXIT_DONE)
			return EXIT_FAILED;
		const char *problem = secret[0] == KEY_COMMAND_MARK ? check_command(secret + 1)
								    : check_api_key(secret);
		if (problem != NULL)
			return source_refuse(s, where, "it cannot be an API key: %s", problem);
		struct import_key *added = array_add(&u->keys, &u->key_count, sizeof(*added));
		if (added == NULL)
			return source_no_memory();
		*added = (struct import_key){secret, disabled};
	}
	return EXIT_DONE;
}

static int
read_option(
	struct source *s, const char *place, const struct json *option, struct import_upstream *u)
{
	const char *name = source_keep_name(s, option);
	char where[2 * LONGEST_PLACE];
	const char *value = "";

	if (name == NULL)
		return source_no_memory();
	snprintf(where, sizeof(where), "%.*s.%.*s", LONGEST_PLACE, place, 100, name);
	if (source_read_string(s, where, option, &value) != EXIT_DONE)
		return EXIT_FAILED;
	if (value[0] == '\0')
		return source_refuse(s, place, "has no %s", name);
	const char *problem = option_check(name, value);
	if (problem == NULL && strstr(value, "…") != NULL)
		problem = "is masked; export --secrets prints it whole";
	if (problem != NULL && option_is_secret(name))
		return source_refuse(s, place, "%s: %s", name, problem);
	if (problem != NULL)
		return source_refuse(s, place, "%s: '%s' %s", name, value, problem);
	struct import_option *added = array_add(&u->options, &u->option_count, sizeof(*added));
	if (added == NULL)
		return source_no_memory();
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
		return source_refuse(s, where, "must be an object");
	JSON_EACH (option, options)
		if (read_option(s, where, option, u) != EXIT_DONE)
			return EXIT_FAILED;
	return EXIT_DONE;
}

int
import_read_upstream(struct source *s, const struct json *value, size_t index)
{
	static const char *const known[] = {"name", "baseUrl", "serviceType", "apiKeys",
		"disabledKeys", "options", "modelMapping", NULL};
	char place[64];

	snprintf(place, sizeof(place), "upstream[%zu]", index);
	if (!json_is_object(value))
		return source_refuse(s, place, "must be an object");
	struct import_upstream *u = array_add(
		&s->import.upstreams, &s->import.upstream_count, sizeof(*u));
	if (u == NULL)
		return source_no_memory();
	source_note_unknown(s, place, value, known);
	if (read_service(s, place, value, u) != EXIT_DONE ||
		read_name(s, place, value, u) != EXIT_DONE ||
		read_keys(s, place, value, "apiKeys", false, u) != EXIT_DONE ||
		read_keys(s, place, value, "disabledKeys", true, u) != EXIT_DONE ||
		read_options(s, place, value, u) != EXIT_DONE)
		return EXIT_FAILED;
	return EXIT_DONE;
}
