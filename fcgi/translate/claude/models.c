/*
 * Lists of models; see models.h.
 */
#include "translate/claude/models.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/json/json_writer.h"
#include "translate/answer/upstream_json.h"

enum { USUAL_LIMIT = 20, LARGEST_LIMIT = 1000, LONGEST_ID = 512 };

static const char never[] = "1970-01-01T00:00:00Z";

struct claude_model {
	char *id;
	char *display_name;
	char *served_by;  /* the id of the model that answers for a route's name, or NULL */
	char *created_at; /* as Claude's service writes it */
	uint64_t max_input_tokens; /* 0 if not told, as the next */
	uint64_t max_tokens;       /* of output */
};

/* Where services tell how many tokens a model takes and gives, the more exact before the others. */
struct limit_place {
	const char *object; /* the member that contains it; NULL if that is the model itself */
	const char *name;
};

static const struct limit_place input_places[] = {
	{NULL, "max_input_tokens"},         /* Claude */
	{NULL, "inputTokenLimit"},          /* Gemini */
	{"top_provider", "context_length"}, /* OpenRouter */
	{NULL, "context_length"},           /* OpenRouter, Moonshot, Together */
	{NULL, "max_context_length"},       /* Mistral, LM Studio */
	{NULL, "max_model_len"},            /* vLLM, SGLang */
	{NULL, "context_window"},           /* Groq */
};

static const struct limit_place output_places[] = {
	{NULL, "max_tokens"},
	{NULL, "outputTokenLimit"},
	{"top_provider", "max_completion_tokens"},
	{NULL, "max_completion_tokens"},
	{NULL, "max_output_tokens"},
};

/* ---- one model ---- */

static void
free_model(struct claude_model *model)
{
	free(model->id);
	free(model->display_name);
	free(model->served_by);
	free(model->created_at);
}

/* Gemini tells what a model can do; only what generates content can answer. */
static bool
can_answer(const struct json *element)
{
	const struct json *methods = json_member_array(element, "supportedGenerationMethods");

	JSON_EACH (method, methods)
		if (json_is_text(method, "generateContent"))
			return true;
	return methods == NULL;
}

/* A service's name for the model: `id`, of Ollama `model`, of Gemini "models/…". */
static char *
read_id(const struct json *element)
{
	static const char folder[] = "models/";
	const struct json *id = json_member_string(element, "id");

	if (id == NULL)
		id = json_member_string(element, "model");
	if (id != NULL)
		return json_copy(id);
	char *name = json_copy(json_member_string(element, "name"));
	if (name != NULL && strncmp(name, folder, sizeof(folder) - 1) == 0)
		memmove(name, name + sizeof(folder) - 1, strlen(name) - sizeof(folder) + 2);
	return name;
}

static char *
read_created(const struct json *element)
{
	struct buffer created = BUFFER_INIT(0);
	const struct json *told = json_member_string(element, "created_at");
	int64_t seconds = json_member_int(element, "created", 0);

	if (told != NULL)
		return json_copy(told);
	if (seconds > 0)
		clock_write_seconds(&created, seconds);
	else
		buffer_puts(&created, never);
	return buffer_take(&created);
}

/* The first limit that is told in one of the places. */
static uint64_t
read_limit(const struct json *element, const struct limit_place *places, size_t count)
{
	uint64_t limit = 0;

	for (size_t i = 0; i < count && limit == 0; i++) {
		const struct json *object = places[i].object != NULL
						    ? json_member(element, places[i].object)
						    : element;
		upstream_json_take_count(object, places[i].name, &limit);
	}
	return limit;
}

/* An element of any service's list.  False: it is no model. */
static bool
read_model(const struct json *element, struct claude_model *model)
{
	const struct json *name = json_member_string(element, "display_name");

	*model = (struct claude_model){0};
	if (!can_answer(element))
		return false;
	model->id = read_id(element);
	if (model->id == NULL || model->id[0] == '\0')
		return false;
	if (name == NULL)
		name = json_member_string(element, "displayName");
	model->display_name = name != NULL ? json_copy(name) : strdup(model->id);
	model->created_at = read_created(element);
	model->max_input_tokens = read_limit(element, input_places, COUNT(input_places));
	model->max_tokens = read_limit(element, output_places, COUNT(output_places));
	return true;
}

/* ---- the list ---- */

void
claude_models_free(struct claude_models *models)
{
	for (size_t i = 0; i < models->count; i++)
		free_model(&models->list[i]);
	free(models->list);
	*models = (struct claude_models){0};
}

const char *
claude_models_id(const struct claude_models *models, size_t index)
{
	return models->list[index].id;
}

/* Takes the model. */
static void
add(struct claude_models *models, struct claude_model model)
{
	struct claude_model *grown = models->list;
	size_t count = models->count;

	/* The list doubles at powers of two. */
	if ((count & (count - 1)) == 0)
		grown = reallocarray(models->list, count > 0 ? 2 * count : 1, sizeof(*grown));
	if (grown != NULL)
		models->list = grown;
	if (grown == NULL || model.display_name == NULL || model.created_at == NULL) {
		free_model(&model);
		models->failed = true;
		return;
	}
	models->list[models->count++] = model;
}

/* The position of the model among the first ${count}, or ${count}. */
static size_t
position_among(const struct claude_models *models, size_t count, const char *id)
{
	size_t i = 0;

	while (i < count && strcmp(models->list[i].id, id) != 0)
		i++;
	return i;
}

static size_t
position_of(const struct claude_models *models, const char *id)
{
	return position_among(models, models->count, id);
}

void
claude_models_add(
	struct claude_models *models, const char *name, const char *title, const char *served_by)
{
	if (position_of(models, name) == models->count)
		add(models, (struct claude_model){.id = strdup(name),
				    .display_name = strdup(title),
				    .served_by = served_by != NULL ? strdup(served_by) : NULL,
				    .created_at = strdup(never)});
}

static bool
is_model(const struct json *value)
{
	return json_is_text(json_member(value, "type"), "model") &&
	       json_member_string(value, "id") != NULL;
}

bool
claude_models_is_answer(const struct json *answer)
{
	const struct json *list = json_member_array(answer, "data");

	if (list == NULL)
		return is_model(answer);
	return json_is_bool(json_member(answer, "has_more")) &&
	       (json_first(list) == NULL || is_model(json_first(list)));
}

/* Add a model that is not among the first ${before}. */
static void
add_read(struct claude_models *models, size_t before, const struct json *element)
{
	struct claude_model model;

	if (read_model(element, &model) && position_among(models, before, model.id) == before)
		add(models, model);
	else
		free_model(&model);
}

int
claude_models_read(struct claude_models *models, const struct json *answer)
{
	const struct json *elements = json_member_array(answer, "data");
	size_t before = models->count;

	if (elements == NULL)
		elements = json_member_array(answer, "models");
	if (elements == NULL && json_is_array(answer))
		elements = answer;
	if (elements == NULL && json_member_string(answer, "id") == NULL)
		return -1;
	if (elements == NULL)
		add_read(models, before, answer);
	JSON_EACH (element, elements)
		add_read(models, before, element);
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

/* Which models the page contains. */
struct page {
	size_t first;
	size_t end;
	bool has_more;
};

static int
find_page(const struct claude_models *models, const char *query, struct page *page,
	struct api_error *error)
{
	char value[LONGEST_ID];
	size_t limit = USUAL_LIMIT;
	size_t count = models->count;
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

/* Whose time and limits hold for it: a route's name has those of the model that answers. */
static const struct claude_model *
facts_of(const struct claude_models *models, const struct claude_model *model)
{
	size_t position = model->served_by != NULL ? position_of(models, model->served_by)
						   : models->count;

	return position < models->count ? &models->list[position] : model;
}

static void
put_model(struct json_writer *out, const struct claude_models *models,
	const struct claude_model *model)
{
	const struct claude_model *facts = facts_of(models, model);

	json_open_object(out);
	json_put_text_member(out, "type", "model");
	json_put_text_member(out, "id", model->id);
	json_put_text_member(out, "display_name", model->display_name);
	json_put_text_member(out, "created_at", facts->created_at);
	if (facts->max_input_tokens > 0)
		json_put_uint_member(out, "max_input_tokens", facts->max_input_tokens);
	if (facts->max_tokens > 0)
		json_put_uint_member(out, "max_tokens", facts->max_tokens);
	json_close_object(out);
}

static int
finish(const struct claude_models *models, const struct buffer *out, struct api_error *error)
{
	return models->failed || out->failed ? api_error_no_memory(error) : 0;
}

int
claude_models_write_page(const struct claude_models *models, const char *query, struct buffer *out,
	struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);
	struct page page;

	if (find_page(models, query, &page, error) != 0)
		return -1;
	bool any = page.end > page.first;
	json_open_object(&w);
	json_open_array_member(&w, "data");
	for (size_t i = page.first; i < page.end; i++)
		put_model(&w, models, &models->list[i]);
	json_close_array(&w);
	json_put_bool_member(&w, "has_more", page.has_more);
	json_put_text_member(&w, "first_id", any ? models->list[page.first].id : NULL);
	json_put_text_member(&w, "last_id", any ? models->list[page.end - 1].id : NULL);
	json_close_object(&w);
	return finish(models, out, error);
}

int
claude_models_write_one(const struct claude_models *models, const char *id, struct buffer *out,
	struct api_error *error)
{
	struct json_writer w = JSON_WRITER(out);
	size_t position = position_of(models, id);

	if (position == models->count)
		return api_error_set(error, 404, "model: there is no model '%s'", id);
	put_model(&w, models, &models->list[position]);
	return finish(models, out, error);
}
