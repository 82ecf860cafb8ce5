/*
 * What a client asks of an upstream; see inquiry.h.
 */
#include "inquiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/log_body.h"
#include "base/settings.h"
#include "web/gateway.h"

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

int
inquiry_read(struct inquiry *inquiry, struct gateway *gateway, const struct asked *asked,
	const struct settings *settings, const char *request_id, struct api_error *error)
{
	const char *content_type = gateway_text(gateway, "CONTENT_TYPE");
	enum endpoint endpoint = asked->endpoint;

	*inquiry = (struct inquiry){
		.asked = *asked,
		.method = gateway_text(gateway, "REQUEST_METHOD"),
		.query = gateway_text(gateway, "QUERY_STRING"),
		.content_type = content_type[0] != '\0' ? content_type : NULL,
		.gateway = gateway,
		.body = BUFFER_INIT(0),
	};
	if (read_body(inquiry, settings, request_id, error) != 0)
		return -1;
	if (endpoint != ENDPOINT_MESSAGES && endpoint != ENDPOINT_COUNT_TOKENS)
		return 0;
	if (claude_request_parse(buffer_text(&inquiry->body), inquiry->body.length,
		    &inquiry->request, error) != 0)
		return -1;
	inquiry->model = strdup(inquiry->request.model);
	inquiry->request.model = inquiry->model;
	return inquiry->model != NULL ? 0 : api_error_set(error, 500, "out of memory");
}

void
inquiry_forget_body(struct inquiry *inquiry)
{
	const struct claude_request kept = {
		.model = inquiry->model,
		.stream = inquiry->request.stream,
		.thinking = inquiry->request.thinking,
	};

	buffer_free(&inquiry->body);
	claude_request_free(&inquiry->request);
	inquiry->request = kept;
}

void
inquiry_free(struct inquiry *inquiry)
{
	inquiry_forget_body(inquiry);
	free(inquiry->model);
	*inquiry = (struct inquiry){0};
}
