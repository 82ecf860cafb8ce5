/*
 * A query string in the first line, and an upstream's list of models after it: what is answered is
 * valid JSON, and who follows `last_id` from page to page sees each model once.
 */
#include "fuzz.h"

#include "base/api_error.h"
#include "translate/claude/models.h"

enum { MOST_PAGES = 64 };

static void
check_any_page(const struct claude_models *models, const char *query)
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
check_each(const struct claude_models *models)
{
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	for (size_t i = 0; i < models->count; i++) {
		buffer_clear(&out);
		fuzz_check(claude_models_write_one(
				   models, claude_models_id(models, i), &out, &error) == 0);
		fuzz_check(fuzz_is_json(buffer_text(&out), out.length));
	}
	fuzz_check(claude_models_write_one(models, "no such model", &out, &error) == 0 ||
		   error.status == 404);
	api_error_clear(&error);
	buffer_free(&out);
}

/* The id after which the next page begins, into ${query}; false: this was the last. */
static bool
next_page(const struct buffer *page, struct buffer *query, size_t *seen)
{
	struct json_document document = {0};
	struct buffer id = BUFFER_INIT(0);
	const struct json *value = fuzz_json(&document, buffer_text(page), page->length);

	fuzz_check(value != NULL);
	*seen += json_count(json_member_array(value, "data"));
	bool more = json_member_bool(value, "has_more", false);
	json_append(&id, json_member_string(value, "last_id"));
	buffer_clear(query);
	buffer_puts(query, "limit=3&after_id=");
	for (size_t i = 0; i < id.length; i++)
		buffer_printf(query, "%%%02X", (unsigned char)id.data[i]);
	buffer_free(&id);
	json_document_free(&document);
	return more;
}

/* Only where ids tell models apart and are short enough to be asked for. */
static bool
can_be_followed(const struct claude_models *models)
{
	for (size_t i = 0; i < models->count; i++) {
		const char *id = claude_models_id(models, i);
		if (strlen(id) > 500)
			return false;
		for (size_t j = 0; j < i; j++)
			if (strcmp(id, claude_models_id(models, j)) == 0)
				return false;
	}
	return models->count < MOST_PAGES;
}

static void
check_pages(const struct claude_models *models)
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
	fuzz_check(seen == models->count);
	buffer_free(&query);
	buffer_free(&page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	char *query = fuzz_text(&in, '\n');
	struct json_document document = {0};
	struct claude_models models = {0};

	fuzz_quiet();
	claude_models_add(&models, "a-route", "a-model", "served");
	const struct json *answer = fuzz_json(&document, in.at, in.left);
	if (answer != NULL && claude_models_read(&models, answer) == 0) {
		check_each(&models);
		if (can_be_followed(&models))
			check_pages(&models);
	}
	check_any_page(&models, query);
	json_document_free(&document);
	claude_models_free(&models);
	free(query);
	return 0;
}
