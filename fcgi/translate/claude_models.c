/*
 * Lists of models; see claude_models.h.
 */
#include "translate/claude_models.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/json.h"

enum { USUAL_LIMIT = 20, LARGEST_LIMIT = 1000, LONGEST_ID = 512 };

static const char never[] = "1970-01-01T00:00:00Z";

/* ---- one model ---- */

static struct json_object *
new_model(const char *id, const char *display_name, const char *created_at)
{
	struct json_object *model = json_object_new_object();

	if (model == NULL)
		return NULL;
	json_object_object_add(model, "type", json_object_new_string("model"));
	json_object_object_add(model, "id", json_object_new_string(id));
	json_object_object_add(model, "display_name", json_object_new_string(display_name));
	json_object_object_add(model, "created_at", json_object_new_string(created_at));
	return model;
}

/* Gemini tells what a model can do; only what generates content can answer. */
static bool
can_answer(struct json_object *element)
{
	struct json_object *methods = json_member_array(element, "supportedGenerationMethods");

	for (size_t i = 0; methods != NULL && i < json_object_array_length(methods); i++)
		if (json_is_text(json_object_array_get_idx(methods, i), "generateContent"))
			return true;
	return methods == NULL;
}

/* An element of any service's list; NULL: it is no model. */
static struct json_object *
read_model(struct json_object *element)
{
	const char *id = json_member_string(element, "id");
	const char *name = json_member_string(element, "name");
	const char *created_at = json_member_string(element, "created_at");
	const char *display_name = json_member_string(element, "display_name");
	struct buffer created = BUFFER_INIT(0);

	if (id == NULL)
		id = json_member_string(element, "model"); /* Ollama */
	if (id == NULL && name != NULL)
		id = strncmp(name, "models/", 7) == 0 ? name + 7 : name;
	if (id == NULL || id[0] == '\0' || !can_answer(element))
		return NULL;
	if (display_name == NULL)
		display_name = json_member_string(element, "displayName");
	int64_t seconds = json_member_int(element, "created", 0);
	if (created_at == NULL && seconds > 0)
		clock_write_seconds(&created, seconds);
	struct json_object *model = new_model(id, display_name != NULL ? display_name : id,
		created_at != NULL   ? created_at
		: created.length > 0 ? buffer_text(&created)
				     : never);
	buffer_free(&created);
	return model;
}

/* ---- the list ---- */

static const char *
id_at(struct json_object *models, size_t index)
{
	return json_member_string(json_object_array_get_idx(models, index), "id");
}

/* The position of the model among the first ${count}, or ${count}. */
static size_t
position_among(struct json_object *models, size_t count, const char *id)
{
	size_t i = 0;

	while (i < count && strcmp(id_at(models, i), id) != 0)
		i++;
	return i;
}

static size_t
position_of(struct json_object *models, const char *id)
{
	return position_among(models, json_object_array_length(models), id);
}

void
claude_models_add(struct json_object *models, const char *name)
{
	if (position_of(models, name) == json_object_array_length(models))
		json_object_array_add(models, new_model(name, name, never));
}

int
claude_models_read(struct json_object *models, struct json_object *answer)
{
	struct json_object *elements = json_member_array(answer, "data");
	size_t before = json_object_array_length(models);

	if (elements == NULL)
		elements = json_member_array(answer, "models");
	if (elements == NULL && json_object_is_type(answer, json_type_array))
		elements = answer;
	if (elements == NULL)
		return -1;
	for (size_t i = 0; i < json_object_array_length(elements); i++) {
		struct json_object *model = read_model(json_object_array_get_idx(elements, i));
		if (model == NULL)
			continue;
		if (position_among(models, before, json_member_string(model, "id")) == before)
			json_object_array_add(models, model);
		else
			json_object_put(model);
	}
	return 0;
}

/* ---- pages ---- */

/* The decoded value of a parameter in a query string.  False: it is not there, or too long. */
static bool
read_parameter(const char *query, const char *name, char value[LONGEST_ID])
{
	size_t name_length = strlen(name);

	for (const char *at = query; at != NULL && *at != '\0';) {
		size_t length = strcspn(at, "&");
		size_t out = 0;
		if (length > name_length && strncmp(at, name, name_length) == 0 &&
			at[name_length] == '=') {
			for (size_t i = name_length + 1; i < length && out + 1 < LONGEST_ID; i++) {
				char digits[3] = {0};
				if (at[i] == '%' && i + 2 < length) {
					memcpy(digits, at + i + 1, 2);
					value[out++] = (char)strtol(digits, NULL, 16);
					i += 2;
				} else {
					value[out++] = at[i] == '+' ? ' ' : at[i];
				}
			}
			value[out] = '\0';
			return out + 1 < LONGEST_ID;
		}
		at += length + (at[length] == '&');
	}
	return false;
}

/* Which models the page holds. */
struct page {
	size_t first;
	size_t end;
	bool has_more;
};

static int
find_page(struct json_object *models, const char *query, struct page *page, struct api_error *error)
{
	char value[LONGEST_ID];
	size_t limit = USUAL_LIMIT;
	size_t count = json_object_array_length(models);
	const bool before = read_parameter(query, "before_id", value);

	*page = (struct page){0, count, false};
	if (before)
		page->end = position_of(models, value);
	if (read_parameter(query, "after_id", value) && position_of(models, value) < count)
		page->first = position_of(models, value) + 1;
	if (read_parameter(query, "limit", value)) {
		char *end = NULL;
		long number = strtol(value, &end, 10);
		if (end == value || *end != '\0' || number < 1 || number > LARGEST_LIMIT)
			return api_error_set(
				error, 400, "limit: must be a whole number from 1 to 1000");
		limit = (size_t)number;
	}
	if (page->first > page->end)
		page->first = page->end;
	page->has_more = page->end - page->first > limit;
	if (page->has_more && before)
		page->first = page->end - limit;
	else if (page->has_more)
		page->end = page->first + limit;
	return 0;
}

static void
write_id(struct buffer *out, const char *name, const char *id)
{
	buffer_puts(out, name);
	json_write_text_or_null(out, id);
}

int
claude_models_write_page(
	struct json_object *models, const char *query, struct buffer *out, struct api_error *error)
{
	struct page page;

	if (find_page(models, query, &page, error) != 0)
		return -1;
	bool any = page.end > page.first;
	buffer_puts(out, "{\"data\":[");
	for (size_t i = page.first; i < page.end; i++) {
		if (i > page.first)
			buffer_putc(out, ',');
		json_write(out, json_object_array_get_idx(models, i));
	}
	buffer_puts(out, page.has_more ? "],\"has_more\":true" : "],\"has_more\":false");
	write_id(out, ",\"first_id\":", any ? id_at(models, page.first) : NULL);
	write_id(out, ",\"last_id\":", any ? id_at(models, page.end - 1) : NULL);
	buffer_putc(out, '}');
	return out->failed ? api_error_set(error, 500, "out of memory") : 0;
}

int
claude_models_write_one(
	struct json_object *models, const char *id, struct buffer *out, struct api_error *error)
{
	size_t position = position_of(models, id);

	if (position == json_object_array_length(models))
		return api_error_set(error, 404, "model: there is no model '%s'", id);
	return json_write(out, json_object_array_get_idx(models, position));
}
