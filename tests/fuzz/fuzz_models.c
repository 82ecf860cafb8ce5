/*
 * A query string in the first line, and an upstream's list of models after it: what is answered is
 * valid JSON, and who follows `last_id` from page to page sees each model once.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "translate/claude_models.h"

enum { MOST_PAGES = 64 };

static void
check_any_page(struct json_object *models, const char *query)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	if (claude_models_write_page(models, query, &out, &error) == 0)
		fuzz_check(fuzz_is_json(buffer_text(&out), out.length));
	else
		fuzz_check(error.status == 400);
	api_error_clear(&error);
	buffer_free(&out);
}

static void
check_each(struct json_object *models)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	for (size_t i = 0; i < json_object_array_length(models); i++) {
		struct json_object *model = json_object_array_get_idx(models, i);
		const char *id = json_member_string(model, "id");
		buffer_clear(&out);
		fuzz_check(claude_models_write_one(models, id, &out, &error) == 0);
		fuzz_check(fuzz_is_json(buffer_text(&out), out.length));
	}
	fuzz_check(claude_models_write_one(models, "no such model", &out, &error) == 0 ||
		   error.status == 404);
	api_error_clear(&error);
	buffer_free(&out);
}

/* The id behind which the next page begins, into ${query}; false: this was the last. */
static bool
next_page(const struct buffer *page, struct buffer *query, size_t *seen)
{
	struct json_object *value;

	fuzz_check(fuzz_json(buffer_text(page), page->length, &value));
	*seen += json_object_array_length(json_member_array(value, "data"));
	bool more = json_member_bool(value, "has_more", false);
	buffer_clear(query);
	buffer_puts(query, "limit=3&after_id=");
	for (const char *c = json_member_string(value, "last_id"); more && *c != '\0'; c++)
		buffer_printf(query, "%%%02X", (unsigned char)*c);
	json_object_put(value);
	return more;
}

/* Only where ids tell models apart and are short enough to be asked for. */
static bool
can_be_followed(struct json_object *models)
{
	size_t count = json_object_array_length(models);

	for (size_t i = 0; i < count; i++) {
		const char *id = json_member_string(json_object_array_get_idx(models, i), "id");
		if (strlen(id) > 500)
			return false;
		for (size_t j = 0; j < i; j++)
			if (strcmp(id, json_member_string(
					       json_object_array_get_idx(models, j), "id")) == 0)
				return false;
	}
	return count < MOST_PAGES;
}

static void
check_pages(struct json_object *models)
{
	struct buffer query = BUFFER_INIT(0);
	struct buffer page = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;
	size_t seen = 0;

	buffer_puts(&query, "limit=3");
	do {
		buffer_clear(&page);
		fuzz_check(
			claude_models_write_page(models, buffer_text(&query), &page, &error) == 0);
	} while (next_page(&page, &query, &seen) && seen < MOST_PAGES);
	fuzz_check(seen == json_object_array_length(models));
	buffer_free(&query);
	buffer_free(&page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	char *query = fuzz_text(&in, '\n');
	struct json_object *models = json_object_new_array();
	struct json_object *answer;

	fuzz_quiet();
	claude_models_add(models, "a-route");
	if (fuzz_json(in.at, in.left, &answer) && claude_models_read(models, answer) == 0) {
		check_each(models);
		if (can_be_followed(models))
			check_pages(models);
	}
	check_any_page(models, query);
	json_object_put(answer);
	json_object_put(models);
	free(query);
	return 0;
}
