/*
 * Errors with status 200; see errors.h.
 */
#include "translate/openai/errors.h"

#include "base/api_error.h"
#include "base/json.h"
#include "translate/upstream_error.h"

/* Is it there, and no error of nothing: "", {}, false, 0, {"code":0,"message":""}? */
static bool
is_error(const struct json *value)
{
	if (json_is_string(value))
		return json_content_length(value) > 0;
	if (json_is_number(value))
		return json_int(value, 0) != 0;
	if (!json_is_object(value))
		return json_is(value, JSON_TRUE) || json_first(value) != NULL;
	const struct json *code = json_member(value, "code");
	bool good_code = json_is_number(code) && json_int(code, 0) == 0;
	return json_first(value) != NULL &&
	       !(good_code && json_content_length(json_member(value, "message")) == 0);
}

bool
openai_error_in(const struct json *object, const struct json *value,
	const struct upstream_identity *who, struct api_error *error)
{
	if (value == NULL || !is_error(value))
		return false;
	upstream_error_from_object(object, who, error);
	return true;
}

/* ---- MiniMax ---- */

/* Its codes, as the statuses that the same refusals have elsewhere. */
static const struct {
	int64_t code;
	int status;
} minimax_codes[] = {
	{1002, 429},              /* too many requests */
	{1039, 429},              /* too many tokens */
	{1004, 401}, {2049, 401}, /* invalid key */
	{1008, 402},              /* insufficient balance */
	{1026, 400},              /* the input is not allowed */
	{2013, 400},              /* invalid parameters, the context's length among them */
};

bool
openai_error_of_minimax(
	const struct json *base_resp, const struct upstream_identity *who, struct api_error *error)
{
	int64_t code = json_member_int(base_resp, "status_code", 0);
	int status = 502;

	if (code == 0)
		return false;
	for (size_t i = 0; i < sizeof(minimax_codes) / sizeof(minimax_codes[0]); i++)
		if (minimax_codes[i].code == code)
			status = minimax_codes[i].status;
	upstream_error_from_status(status, 0, base_resp->text, base_resp->length, who, error);
	return true;
}

/* ---- in the place of an answer ---- */

static bool
has_text(const struct json *object, const char *name)
{
	return json_content_length(json_member(object, name)) > 0;
}

/* vLLM's {"object":"error"}, FastAPI's detail, lists of errors. */
static bool
is_called_error(const struct json *object)
{
	return json_is_text(json_member(object, "object"), "error") ||
	       json_is_text(json_member(object, "type"), "error") || has_text(object, "detail") ||
	       json_first(json_member_array(object, "detail")) != NULL ||
	       json_first(json_member_array(object, "errors")) != NULL;
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
	const struct json *object, const struct upstream_identity *who, struct api_error *error)
{
	bool message = has_text(object, "message") || has_text(object, "msg") ||
		       has_text(object, "error_msg");

	if (!is_called_error(object) &&
		!(message && (has_bad_code(object) || json_count(object) == 1)))
		return false;
	upstream_error_from_object(object, who, error);
	return true;
}
