/*
 * What a client asks of an upstream; see client_request.h.
 */
#include "proxy/client_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/log_body.h"
#include "base/settings.h"
#include "translate/claude/request.h"
#include "http/web_request.h"

int
inquiry_refuse_size(const struct settings *settings, struct api_error *error)
{
	return api_error_set(error, 413,
		"the request is larger than %lld bytes; the owner of the proxy can raise "
		"MAX_REQUEST_BYTES",
		(long long)settings->max_request_bytes);
}

static int
read_body(struct inquiry *inquiry, const struct settings *settings, const char *request_id,
	struct api_error *error)
{
	struct buffer *body = &inquiry->body;

	switch (gateway_take_body(inquiry->gateway, body)) {
	case GATEWAY_READ:
		if (settings->log_requests)
			log_body("request body", request_id, buffer_text(body), body->length, NULL,
				settings);
		return 0;
	case GATEWAY_TOO_LARGE:
		return inquiry_refuse_size(settings, error);
	case GATEWAY_MORE: /* it did not come in time */
	case GATEWAY_BROKEN:
		return api_error_set(error, 400, "the request's body did not arrive whole");
	case GATEWAY_NO_MEMORY:
		break;
	}
	return api_error_set(error, 500, "out of memory");
}

/* Does the endpoint take a Claude request? */
static bool
takes_request(const struct inquiry *inquiry)
{
	return inquiry->asked.endpoint == ENDPOINT_MESSAGES ||
	       inquiry->asked.endpoint == ENDPOINT_COUNT_TOKENS;
}

int
inquiry_read_again(
	const struct inquiry *inquiry, struct claude_request *request, struct api_error *error)
{
	*request = (struct claude_request){0};
	return takes_request(inquiry) ? claude_request_parse(buffer_text(&inquiry->body),
						inquiry->body.length, request, error)
				      : 0;
}

int
inquiry_read(struct inquiry *inquiry, struct gateway *gateway, const struct asked *asked,
	const struct settings *settings, const char *request_id, struct claude_request *request,
	struct api_error *error)
{
	const char *content_type = gateway_text(gateway, "CONTENT_TYPE");

	*inquiry = (struct inquiry){
		.asked = *asked,
		.method = gateway_text(gateway, "REQUEST_METHOD"),
		.query = gateway_text(gateway, "QUERY_STRING"),
		.content_type = content_type[0] != '\0' ? content_type : NULL,
		.gateway = gateway,
		.body = BUFFER_INIT(0),
	};
	*request = (struct claude_request){0};
	if (read_body(inquiry, settings, request_id, error) != 0 ||
		inquiry_read_again(inquiry, request, error) != 0)
		return -1;
	if (!takes_request(inquiry))
		return 0;
	inquiry->stream = request->stream;
	inquiry->no_thinking = json_is_text(
		json_member(json_member(request->body, "thinking"), "type"), "disabled");
	inquiry->model = strdup(request->model);
	return inquiry->model != NULL ? 0 : api_error_set(error, 500, "out of memory");
}

void
inquiry_forget_body(struct inquiry *inquiry)
{
	buffer_free(&inquiry->body);
}

void
inquiry_free(struct inquiry *inquiry)
{
	inquiry_forget_body(inquiry);
	free(inquiry->model);
	*inquiry = (struct inquiry){0};
}
