/*
 * Errors with status 200; see errors.h.
 */
#include "translate/openai/errors.h"

#include "base/api_error.h"
#include "base/json/json.h"
#include "translate/answer/upstream_error.h"

bool
openai_error_in(const struct json *object, const struct json *value,
	const struct error_context *who, struct api_error *error)
{
	if (value == NULL || !upstream_error_is_told(value))
		return false;
	upstream_error_from_object(object, who, error);
	return true;
}

/* ---- instead of an answer ---- */

static bool
has_text(const struct json *object, const char *name)
{
	return json_content_length(json_member(object, name)) > 0;
}

/* What is called an error wherever it stands, and FastAPI's detail. */
static bool
is_called_error(const struct json *object)
{
	return upstream_error_is(object) || has_text(object, "detail") ||
	       json_first(json_member_array(object, "detail")) != NULL;
}

/* A code that is not that of success: a number, or a word. */
static bool
has_bad_code(const struct json *object)
{
	static const char *const names[] = {"code", "error_code", "status_code", "status"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct json *code = json_member(object, names[i]);
		int64_t number = json_int(code, 0);
		if (number != 0 && number != 200)
			return true;
		if (i == 0 && json_content_length(code) > 0 && !json_is_text(code, "0") &&
			!json_is_text(code, "200"))
			return true;
		if (json_is_text(code, "error") || json_is_text(code, "failed"))
			return true;
	}
	return json_is(json_member(object, "success"), JSON_FALSE);
}

bool
openai_error_instead(
	const struct json *object, const struct error_context *who, struct api_error *error)
{
	bool message = has_text(object, "message") || has_text(object, "msg") ||
		       has_text(object, "error_msg");

	if (!is_called_error(object) &&
		!(message && (has_bad_code(object) || json_count(object) == 1)))
		return false;
	upstream_error_from_object(object, who, error);
	return true;
}
