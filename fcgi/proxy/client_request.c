/*
 * What a client wants from an upstream; see client_request.h.
 */
#include "proxy/client_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/api_error.h"
#include "base/log/log_body.h"
#include "base/settings/settings.h"
#include "http/web_request.h"
#include "store/config.h"
#include "translate/claude/request.h"

void
client_request_init(struct client_request *client, struct web_request *web,
	struct settings *settings, struct config *config)
{
	const char *content_type = web_request_text(web, "CONTENT_TYPE");

	*client = (struct client_request){
		.web = web,
		.settings = settings_retain(settings),
		.config = config != NULL ? config_retain(config) : NULL,
		.headers = BUFFER_INIT(0),
		.method = web_request_text(web, "REQUEST_METHOD"),
		.query = web_request_text(web, "QUERY_STRING"),
		.content_type = content_type[0] != '\0' ? content_type : NULL,
		.body = BUFFER_INIT(0),
	};
	random_id(client->id, sizeof(client->id), "req_");
}

int
client_request_refuse_size(const struct client_request *client, struct api_error *error)
{
	return api_error_set(error, 413,
		"the request is larger than %lld bytes; the owner of the proxy can raise "
		"MAX_REQUEST_BYTES",
		(long long)client->settings->max_request_bytes);
}

static int
read_body(struct client_request *client, struct api_error *error)
{
	struct buffer *body = &client->body;

	switch (web_request_take_body(client->web, body)) {
	case WEB_REQUEST_READ:
		if (client->settings->log_requests)
			log_body("request body", client->id, buffer_text(body), body->length, NULL,
				client->settings);
		return 0;
	case WEB_REQUEST_TOO_LARGE:
		return client_request_refuse_size(client, error);
	case WEB_REQUEST_MORE: /* it did not come in time */
	case WEB_REQUEST_BROKEN:
		return api_error_set(error, 400, "the request body was incomplete");
	case WEB_REQUEST_NO_MEMORY:
		break;
	}
	return api_error_no_memory(error);
}

/* Does the endpoint take a Claude request? */
static bool
takes_request(const struct client_request *client)
{
	return client->match.endpoint == ENDPOINT_MESSAGES ||
	       client->match.endpoint == ENDPOINT_COUNT_TOKENS;
}

int
client_request_read_again(const struct client_request *client, struct claude_request *request,
	struct api_error *error)
{
	*request = (struct claude_request){0};
	if (!takes_request(client))
		return 0;
	return claude_request_parse(
		buffer_text(&client->body), client->body.length, request, error);
}

int
client_request_read(
	struct client_request *client, struct claude_request *request, struct api_error *error)
{
	*request = (struct claude_request){0};
	if (read_body(client, error) != 0 || client_request_read_again(client, request, error) != 0)
		return -1;
	if (!takes_request(client))
		return 0;
	client->stream = request->stream;
	client->no_thinking = json_is_text(
		json_member(json_member(request->body, "thinking"), "type"), "disabled");
	client->model = strdup(request->model);
	return client->model != NULL ? 0 : api_error_no_memory(error);
}

void
client_request_forget_body(struct client_request *client)
{
	buffer_free(&client->body);
}

void
client_request_free(struct client_request *client)
{
	client_request_forget_body(client);
	buffer_free(&client->headers);
	buffer_free(&client->turns);
	free(client->match.path);
	free(client->model);
	settings_release(client->settings);
	config_release(client->config);
	*client = (struct client_request){0};
}
