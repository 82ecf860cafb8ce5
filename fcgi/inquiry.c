/*
 * What a client asks of an upstream; see inquiry.h.
 */
#include "inquiry.h"

#include "base/api_error.h"
#include "base/log_body.h"
#include "base/settings.h"
#include "web/gateway.h"

static const char *
parameter(const struct gateway *g, const char *name)
{
	const char *value = gateway_parameter(g, name);

	return value != NULL ? value : "";
}

static int
read_body(struct inquiry *inquiry, const struct settings *settings, const char *request_id,
	struct api_error *error)
{
	size_t limit = (size_t)settings->max_request_bytes;
	struct buffer *body = &inquiry->body;

	switch (gateway_read_body(inquiry->gateway, limit, body)) {
	case GATEWAY_READ:
		if (settings->log_requests)
			log_body("request body", request_id, buffer_text(body), body->length, NULL,
				settings);
		return 0;
	case GATEWAY_TOO_LARGE:
		return api_error_set(error, 413,
			"the request is larger than %zu bytes; the owner of the proxy can raise "
			"MAX_REQUEST_BYTES",
			limit);
	case GATEWAY_BROKEN:
		return api_error_set(error, 400, "the request's body did not arrive whole");
	case GATEWAY_NO_MEMORY:
		break;
	}
	return api_error_set(error, 500, "out of memory");
}

int
inquiry_read(struct inquiry *inquiry, struct gateway *gateway, const struct asked *asked,
	const struct settings *settings, const char *request_id, struct api_error *error)
{
	const char *content_type = parameter(gateway, "CONTENT_TYPE");
	enum endpoint endpoint = asked->endpoint;

	*inquiry = (struct inquiry){
		.asked = *asked,
		.method = parameter(gateway, "REQUEST_METHOD"),
		.query = parameter(gateway, "QUERY_STRING"),
		.content_type = content_type[0] != '\0' ? content_type : NULL,
		.gateway = gateway,
		.body = BUFFER_INIT(0),
	};
	if (read_body(inquiry, settings, request_id, error) != 0)
		return -1;
	if (endpoint != ENDPOINT_MESSAGES && endpoint != ENDPOINT_COUNT_TOKENS)
		return 0;
	return claude_request_parse(
		buffer_text(&inquiry->body), inquiry->body.length, &inquiry->request, error);
}

struct claude_request
inquiry_end(struct inquiry *inquiry)
{
	struct claude_request request = inquiry->request;

	/* Its text goes with the body. */
	request.text = NULL;
	request.length = 0;
	buffer_free(&inquiry->body);
	return request;
}
