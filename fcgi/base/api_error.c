/*
 * An error to report to the client; see api_error.h.
 */
#include "base/api_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json/json_writer.h"

/* PROTOCOL.md §E.  A status that is not listed: client errors are the request's fault, the rest
 * ours. */
static const struct {
	int status;
	const char *type;
} types[] = {
	{400, "invalid_request_error"},
	{401, "authentication_error"},
	{402, "billing_error"},
	{403, "permission_error"},
	{404, "not_found_error"},
	{413, "request_too_large"},
	{429, "rate_limit_error"},
	{500, "api_error"},
	{504, "timeout_error"},
	{529, "overloaded_error"},
};

const char *
api_error_type(int status)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].status == status)
			return types[i].type;
	return status >= 400 && status < 500 ? "invalid_request_error" : "api_error";
}

int
api_error_set(struct api_error *error, int status, const char *format, ...)
{
	char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	api_error_clear(error);
	error->status = status;
	error->type = api_error_type(status);
	error->message = message;
	return -1;
}

int
api_error_no_memory(struct api_error *error)
{
	return api_error_set(error, 500, "out of memory");
}

int
api_error_set_permanent(struct api_error *error)
{
	error->lasting = true;
	return -1;
}

int
api_error_write(const struct api_error *error, const char *request_id, struct buffer *out)
{
	buffer_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
	json_write_text(out, error->type != NULL ? error->type : "api_error");
	buffer_puts(out, ",\"message\":");
	json_write_text(out, error->message != NULL ? error->message : "out of memory");
	if (error->code != NULL) {
		buffer_puts(out, ",\"details\":{\"error_code\":");
		json_write_text(out, error->code);
		buffer_putc(out, '}');
	}
	buffer_putc(out, '}');
	if (request_id != NULL) {
		buffer_puts(out, ",\"request_id\":");
		json_write_text(out, request_id);
	}
	return buffer_putc(out, '}');
}

int
api_error_copy(const struct api_error *error, struct api_error *copy)
{
	char *message = error->message != NULL ? strdup(error->message) : NULL;

	if (message == NULL && error->message != NULL)
		return -1;
	api_error_clear(copy);
	*copy = *error;
	copy->message = message;
	return 0;
}

void
api_error_clear(struct api_error *error)
{
	free(error->message);
	*error = API_ERROR_NONE;
}
