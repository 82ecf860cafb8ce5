/*
 * Responses; see response.h.
 */
#include "http/response.h"

#include "base/api_error.h"
#include "base/buffer.h"

/* Web servers take the reason from here; clients read only the number. */
static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{200, "OK"},
	{204, "No Content"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{413, "Payload Too Large"},
	{429, "Too Many Requests"},
	{500, "Internal Server Error"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{529, "Overloaded"},
};

static const char *
reason_of(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

int
response_write_status(struct buffer *out, int status)
{
	buffer_puts(out, "Status: ");
	buffer_put_uint(out, (uint64_t)status);
	buffer_putc(out, ' ');
	buffer_puts(out, reason_of(status));
	return buffer_puts(out, "\r\n");
}

int
response_write_head(struct buffer *out, int status, const char *request_id,
	const char *content_type, const char *extra)
{
	response_write_status(out, status);
	buffer_puts(out, "request-id: ");
	buffer_puts(out, request_id);
	if (content_type != NULL) {
		buffer_puts(out, "\r\nContent-Type: ");
		buffer_puts(out, content_type);
	}
	buffer_puts(out, "\r\n");
	if (extra != NULL)
		buffer_puts(out, extra);
	return buffer_puts(out, "\r\n");
}

int
response_write_stream_head(struct buffer *out, const char *request_id, const char *extra)
{
	struct buffer lines = BUFFER_INIT(0);

	buffer_puts(&lines, "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
	if (extra != NULL)
		buffer_puts(&lines, extra);
	if (lines.failed)
		out->failed = true;
	int status = response_write_head(
		out, 200, request_id, "text/event-stream; charset=utf-8", buffer_text(&lines));
	buffer_free(&lines);
	return status;
}

int
response_write_json(struct buffer *out, int status, const char *request_id, const char *body,
	size_t length, const char *extra)
{
	struct buffer lines = BUFFER_INIT(0);

	buffer_puts(&lines, "Content-Length: ");
	buffer_put_uint(&lines, length);
	buffer_puts(&lines, "\r\n");
	if (extra != NULL)
		buffer_puts(&lines, extra);
	if (lines.failed)
		out->failed = true;
	response_write_head(out, status, request_id, "application/json", buffer_text(&lines));
	buffer_free(&lines);
	return buffer_append(out, body, length);
}

int
response_write_error(struct buffer *out, const struct api_error *error, const char *request_id,
	const char *extra)
{
	struct buffer body = BUFFER_INIT(0);
	struct buffer lines = BUFFER_INIT(0);

	if (error->retry_after > 0)
		buffer_printf(&lines, "retry-after: %lld\r\n", (long long)error->retry_after);
	/* The official SDKs obey it.  Claude Code would ask again even after a 401, for minutes. */
	if (error->lasting)
		buffer_puts(&lines, "x-should-retry: false\r\n");
	if (extra != NULL)
		buffer_puts(&lines, extra);
	api_error_write(error, request_id, &body);
	if (body.failed || lines.failed)
		out->failed = true;
	int status = response_write_json(out, error->status, request_id, buffer_text(&body),
		body.length, buffer_text(&lines));
	buffer_free(&lines);
	buffer_free(&body);
	return status;
}
