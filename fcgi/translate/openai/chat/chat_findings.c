/*
 * What a Chat service tells of the web; see chat_findings.h.
 */
#include "translate/openai/chat/chat_findings.h"

#include <stddef.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "translate/answer/reader.h"
#include "translate/answer/web_findings.h"

static const struct json *
array_or_null(const struct json *value)
{
	return json_is_array(value) ? value : NULL;
}

int
chat_findings_take_annotations(struct reader *r, const struct json *annotations)
{
	JSON_EACH (annotation, array_or_null(annotations)) {
		const struct json *cited = json_member_object(annotation, "url_citation");
		const struct json *from = cited != NULL ? cited : annotation;
		const struct web_page page = {
			.url = json_member(from, "url"),
			.title = json_member(from, "title"),
			.quote = json_member(from, "content"), /* OpenRouter */
		};
		if (json_is_text(json_member(annotation, "type"), "url_citation") &&
			reader_citation(r, &page) != 0)
			return -1;
	}
	return 0;
}

/* A search goes by what it asked for, in `arguments`, which are JSON in a string: a stream has it
 * again with the pages. */
static int
take_query(struct reader *r, const struct json *arguments)
{
	struct buffer text = BUFFER_INIT(0);
	struct json_document index = {0};
	int status = 0;

	json_append(&text, arguments);
	const struct json *query = json_member_string(
		json_read(&index, buffer_text(&text), text.length, JSON_MAX_ANSWER_VALUES, NULL),
		"query");
	if (query != NULL)
		status = reader_search_query(r, query);
	json_document_free(&index);
	buffer_free(&text);
	return status;
}

int
chat_findings_take_executed(struct reader *r, const struct json *tools)
{
	JSON_EACH (tool, array_or_null(tools)) {
		const struct json *found = json_member_object(tool, "search_results");
		if (json_member_string(tool, "arguments") != NULL &&
			take_query(r, json_member(tool, "arguments")) != 0)
			return -1;
		JSON_EACH (result, json_member_array(found, "results")) {
			const struct web_page page = {
				.url = json_member(result, "url"),
				.title = json_member(result, "title"),
			};
			if (reader_search_page(r, &page) != 0)
				return -1;
		}
	}
	return 0;
}

int
chat_findings_take_found(struct reader *r, const struct json *pages)
{
	JSON_EACH (found, array_or_null(pages)) {
		const struct web_page page = {
			.url = json_member(found, "link"),
			.title = json_member(found, "title"),
			.age = json_member(found, "publish_date"),
		};
		if (reader_search_page(r, &page) != 0)
			return -1;
	}
	return 0;
}

int
chat_findings_take_addresses(struct reader *r, const struct json *addresses)
{
	JSON_EACH (address, array_or_null(addresses)) {
		const struct web_page page = {.url = address};
		if (json_starts_with(address, "http") && reader_search_page(r, &page) != 0)
			return -1;
	}
	return 0;
}
