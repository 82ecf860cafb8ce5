/*
 * The table of service types; see service.h.
 */
#include "upstream/service.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "base/text/url.h"
#include "store/config.h"
#include "translate/model_facts.h"
#include "translate/translator.h"

static const char bearer[] = "Authorization: Bearer ";

static const struct service services[] = {
	{
		.name = "openai",
		.version = "/v1",
		.endpoint = "/chat/completions",
		.models_endpoint = "/models",
		.key_header = bearer,
		.other_interface = "openai-responses",
		.translator = &openai_chat,
	},
	{
		.name = "openai-responses",
		.version = "/v1",
		.endpoint = "/responses",
		.count_endpoint = "/responses/input_tokens",
		.models_endpoint = "/models",
		.key_header = bearer,
		.translator = &openai_responses,
	},
	{
		.name = "gemini",
		.version = "/v1beta",
		.version_after_path = true,
		.endpoint = "/models/{model}:generateContent",
		.stream_endpoint = "/models/{model}:streamGenerateContent?alt=sse",
		.count_endpoint = "/models/{model}:countTokens",
		.models_endpoint = "/models?pageSize=1000",
		.key_header = "x-goog-api-key: ",
		.bearer_prefix = "ya29.",
		.translator = &gemini,
	},
	{
		.name = "claude",
		.version = "/v1",
		.version_after_path = true,
		.endpoint = "/messages",
		.count_endpoint = "/messages/count_tokens",
		.models_endpoint = "/models?limit=1000",
		.key_header = "x-api-key: ",
		.bearer_prefix = "sk-ant-oat",
		.translator = &passthrough,
	},
	{
		.name = "custom",
		.version = "",
		.endpoint = "/chat/completions",
		.models_endpoint = "/models",
		.key_header = bearer,
		.translator = &openai_chat,
	},
};

const struct service *
service_at(size_t index)
{
	return index < sizeof(services) / sizeof(services[0]) ? &services[index] : NULL;
}

const struct service *
service_find(const char *name)
{
	const struct service *s = NULL;

	for (size_t i = 0; (s = service_at(i)) != NULL; i++)
		if (strcmp(s->name, name) == 0)
			break;
	return s;
}

static const char *
check_parts(CURLU *url)
{
	char *scheme = NULL;
	char *part = NULL;
	const char *problem = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0))
		problem = "must begin with http:// or https://";
	else if (curl_url_get(url, CURLUPART_USER, &part, 0) == CURLUE_OK)
		problem = "must not contain a user name or password";
	else if (curl_url_get(url, CURLUPART_FRAGMENT, &part, 0) == CURLUE_OK)
		problem = "must not end in a #fragment";
	curl_free(scheme);
	curl_free(part);
	return problem;
}

const char *
service_check_base_url(const char *base_url)
{
	const char *problem = "is not a URL like https://api.example.com/v1";

	if (strstr(base_url, "://") == NULL)
		return "must begin with http:// or https://";
	for (const char *c = base_url; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			return "must not contain spaces or control characters";
	if (strstr(base_url, "…") != NULL)
		return "is masked; export --secrets prints it whole";
	if (strlen(base_url) > SERVICE_LONGEST_URL)
		return "is longer than 2048 bytes";
	CURLU *url = curl_url();
	if (url == NULL)
		return "cannot be checked: out of memory";
	if (curl_url_set(url, CURLUPART_URL, base_url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK)
		problem = check_parts(url);
	curl_url_cleanup(url);
	return problem;
}

/* Does the path end in a version: /v1, /v1beta, /api/v3? */
static bool
ends_in_version(const char *path)
{
	const char *segment = strrchr(path, '/');

	if (segment == NULL || segment[1] != 'v' || !isdigit((unsigned char)segment[2]))
		return false;
	for (const char *c = segment + 2; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c))
			return false;
	return true;
}

/* How much of the path is the service's endpoint for messages, at its end: bytes, 0: none. */
static size_t
endpoint_length(const struct service *s, const char *path)
{
	const char *variable = strstr(s->endpoint, "{model}");
	const char *end = variable != NULL ? variable + strlen("{model}") : s->endpoint;
	size_t length = strlen(path);
	size_t end_length = strlen(end);

	if (length < end_length || strcmp(path + length - end_length, end) != 0)
		return 0;
	if (variable == NULL)
		return end_length;
	const char *start = NULL;
	size_t before = (size_t)(variable - s->endpoint);
	for (const char *at = path; (at = strchr(at, '/')) != NULL; at++)
		if (strncmp(at, s->endpoint, before) == 0)
			start = at;
	return start != NULL ? length - (size_t)(start - path) : 0;
}

bool
service_is_endpoint(const struct service *s, const char *base_url)
{
	size_t length = strcspn(base_url, "?");

	while (length > 0 && base_url[length - 1] == '/')
		length--;
	char *path = strndup(base_url, length);
	bool is = path != NULL && endpoint_length(s, path) > 0;
	free(path);
	return is;
}

static void
write_encoded(struct buffer *out, const char *segment)
{
	static const char unreserved[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *c = (const unsigned char *)segment; *c != '\0'; c++) {
		if (strchr(unreserved, *c) != NULL) {
			buffer_putc(out, (char)*c);
			continue;
		}
		buffer_putc(out, '%');
		buffer_putc(out, hex[*c >> 4]);
		buffer_putc(out, hex[*c & 15]);
	}
}

/* The endpoint up to its query, with the model in it.  Gemini lists its models as models/…. */
static void
write_endpoint(struct buffer *out, const char *endpoint, const char *model)
{
	size_t length = strcspn(endpoint, "?");
	const char *variable = strstr(endpoint, "{model}");

	if (variable == NULL || model == NULL) {
		buffer_append(out, endpoint, length);
		return;
	}
	const char *after = variable + strlen("{model}");
	buffer_append(out, endpoint, (size_t)(variable - endpoint));
	write_encoded(out, strncmp(model, "models/", 7) == 0 ? model + 7 : model);
	buffer_append(out, after, length - (size_t)(after - endpoint));
}

/* Is it that host, or one below it? */
static bool
is_host(const char *host, const char *known)
{
	size_t length = strlen(host);
	size_t end = strlen(known);

	if (length < end || strcasecmp(host + length - end, known) != 0)
		return false;
	return length == end || known[0] == '.' || host[length - end - 1] == '.';
}

/* Hosts whose interfaces do not lie where a base URL without a path would have them. */
static const char *
host_prefix(const struct service *s, const char *host)
{
	static const struct {
		const char *host;   /* itself, or the end of its name */
		const char *claude; /* prefix of what speaks Claude's language; NULL: the usual */
		const char *others;
	} rows[] = {
		{".openai.azure.com", "/anthropic", "/openai"},
		{".services.ai.azure.com", "/anthropic", "/openai"},
		{".amazonaws.com", "/anthropic", "/openai"},
		{".api.aws", "/anthropic", NULL},
		{"openrouter.ai", "/api", "/api"},
		{"api.deepseek.com", "/anthropic", NULL},
		{"api.groq.com", NULL, "/openai"},
		{"api.fireworks.ai", "/inference", "/inference"},
		{"api.z.ai", "/api/anthropic", NULL},
		{"open.bigmodel.cn", "/api/anthropic", NULL},
		{"api.minimax.io", "/anthropic", NULL},
		{"api.minimaxi.com", "/anthropic", NULL},
		{"api.moonshot.ai", "/anthropic", NULL},
		{"api.moonshot.cn", "/anthropic", NULL},
	};
	bool claude = s->translator->passes_through;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && s->version[0] != '\0'; i++) {
		const char *prefix = claude ? rows[i].claude : rows[i].others;
		if (is_host(host, rows[i].host))
			return prefix != NULL ? prefix : "";
	}
	return "";
}

/* How much of the path, at its end, is the service's list of models: people copy it from there. */
static size_t
models_length(const struct service *s, const char *path)
{
	size_t length = strcspn(s->models_endpoint, "?");
	size_t path_length = strlen(path);

	return s->version[0] != '\0' && path_length >= length &&
			       strncmp(path + path_length - length, s->models_endpoint, length) == 0
		       ? length
		       : 0;
}

/* Vertex has its version before the publisher: …/v1/…/publishers/google. */
static bool
ends_in_publisher(const char *path)
{
	static const char publishers[] = "/publishers";
	const char *segment = strrchr(path, '/');
	size_t before = segment != NULL ? (size_t)(segment - path) : 0;

	return before >= sizeof(publishers) - 1 &&
	       strncmp(segment - (sizeof(publishers) - 1), publishers, sizeof(publishers) - 1) == 0;
}

/* The URL rule.  ${path} comes without trailing slashes. */
static void
write_path(const struct service *s, char *path, const char *endpoint, const char *model,
	struct buffer *out)
{
	path[strlen(path) - models_length(s, path)] = '\0';
	size_t given = endpoint_length(s, path);

	if (given > 0 && (endpoint == s->endpoint || endpoint == s->stream_endpoint)) {
		buffer_puts(out, path);
		return;
	}
	buffer_append(out, path, strlen(path) - given);
	if (given == 0 && !ends_in_version(path) && !ends_in_publisher(path) &&
		(path[0] == '\0' || s->version_after_path))
		buffer_puts(out, s->version);
	write_endpoint(out, endpoint, model);
}

/* Add to the URL's own query; nothing for an empty one.  Return 0 or -1. */
static int
add_query(CURLU *url, const char *query)
{
	if (query == NULL || query[0] == '\0')
		return 0;
	return curl_url_set(url, CURLUPART_QUERY, query, CURLU_APPENDQUERY) == CURLUE_OK ? 0 : -1;
}

int
service_write_url(const struct service *s, const char *base_url, const char *endpoint,
	const char *model, const char *query, struct buffer *out)
{
	struct buffer new_path = BUFFER_INIT(0);
	const char *own_query = strchr(endpoint, '?');
	CURLU *url = curl_url();
	char *host = NULL;
	char *path = NULL;
	char *whole = NULL;
	int status = -1;

	if (url == NULL || curl_url_set(url, CURLUPART_URL, base_url, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		goto out;
	for (size_t length = strlen(path); length > 0 && path[length - 1] == '/';)
		path[--length] = '\0';
	if (path[0] == '\0')
		buffer_puts(&new_path, host_prefix(s, host));
	write_path(s, path, endpoint, model, &new_path);
	if (!new_path.failed &&
		curl_url_set(url, CURLUPART_PATH, buffer_text(&new_path), 0) == CURLUE_OK &&
		add_query(url, own_query != NULL ? own_query + 1 : NULL) == 0 &&
		add_query(url, query) == 0 &&
		curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK)
		status = buffer_puts(out, whole);
out:
	curl_free(whole);
	curl_free(path);
	curl_free(host);
	curl_url_cleanup(url);
	buffer_free(&new_path);
	return status;
}

/* Does the upstream send a header of its own in the place of ${line}? */
static bool
is_replaced(const struct upstream_options *options, const char *line)
{
	size_t length = strcspn(line, ":");

	for (size_t i = 0; i < options->header_count; i++)
		if (strlen(options->headers[i].name) == length &&
			strncasecmp(options->headers[i].name, line, length) == 0)
			return true;
	return false;
}

/* Append `${name}${value}` to the list; on failure the list is freed and NULL. */
static void
add_header(struct curl_slist **list, bool *failed, const char *name, const char *between,
	const char *value)
{
	struct buffer line = BUFFER_INIT(0);

	if (*failed)
		return;
	buffer_puts(&line, name);
	buffer_puts(&line, between);
	buffer_puts(&line, value);
	struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, line.data);
	*failed = longer == NULL;
	if (!*failed)
		*list = longer;
	if (line.data != NULL)
		secret_erase(line.data, line.length);
	buffer_free(&line);
}

/* Is the key of a service that speaks Claude's language known to go as a bearer token there? */
static bool
wants_bearer(const struct service *s, const struct upstream *upstream)
{
	struct buffer host = BUFFER_INIT(0);
	bool wants = false;

	if (s->translator->passes_through &&
		model_facts_write_host(&host, upstream->base_url) == 0) {
		const struct model_facts facts = model_facts_find(buffer_text(&host), "");
		wants = model_facts_host_is(&facts, HOST_BEARER);
	}
	buffer_free(&host);
	return wants;
}

bool
service_uses_bearer(
	const struct service *s, const struct upstream *upstream, const char *key, const char *auth)
{
	if (upstream->options.auth != AUTH_BY_SERVICE)
		return upstream->options.auth == AUTH_BEARER;
	if (auth != NULL)
		return strcmp(auth, "bearer") == 0;
	if (s->bearer_prefix != NULL &&
		strncmp(key, s->bearer_prefix, strlen(s->bearer_prefix)) == 0)
		return true;
	return s->key_header == bearer || wants_bearer(s, upstream);
}

/* What stands before the key: as the owner decided, as was learned, or as the service's clients do.
 */
static const char *
key_header(
	const struct service *s, const struct upstream *upstream, const char *key, const char *auth)
{
	if (service_uses_bearer(s, upstream, key, auth))
		return bearer;
	if (upstream->options.auth == AUTH_API_KEY)
		return "api-key: ";
	if (upstream->options.auth == AUTH_X_API_KEY || auth != NULL)
		return "x-api-key: ";
	return s->key_header;
}

bool
service_withholds_beta(
	const struct upstream_options *options, const char *name, size_t length, bool begins)
{
	const char *at = options->beta != NULL ? options->beta : "";

	if (strcmp(at, "none") == 0)
		return true;
	while (*at != '\0') {
		size_t word = strcspn(at, ",");
		if (word > length && (begins || word == length + 1) &&
			strncmp(at + 1, name, length) == 0)
			return true;
		at += word;
		at += *at == ',';
	}
	return false;
}

/* Append the betas of the client that are not withheld. */
static void
write_betas(struct buffer *out, const struct upstream_options *options, const char *value)
{
	static const char between[] = ", \t";

	for (value += strspn(value, between); *value != '\0'; value += strspn(value, between)) {
		size_t length = strcspn(value, between);
		if (!service_withholds_beta(options, value, length, false)) {
			buffer_puts(out, out->length > 0 ? "," : "");
			buffer_append(out, value, length);
		}
		value += length;
	}
}

/* A header of the client's, without what the owner withholds. */
static void
add_forwarded(struct curl_slist **list, bool *failed, const struct upstream_options *options,
	const struct forwarded_header *header)
{
	struct buffer betas = BUFFER_INIT(0);

	if (options->beta == NULL || strcasecmp(header->name, "anthropic-beta") != 0) {
		add_header(list, failed, header->name, ": ", header->value);
		return;
	}
	write_betas(&betas, options, header->value);
	*failed = *failed || betas.failed;
	if (betas.length > 0)
		add_header(list, failed, header->name, ": ", buffer_text(&betas));
	buffer_free(&betas);
}

struct curl_slist *
service_headers(const struct service *s, const struct upstream *upstream, const struct api_key *key,
	const struct service_head *head)
{
	const struct upstream_options *options = &upstream->options;
	const char *type = head->content_type != NULL ? head->content_type : "application/json";
	const char *secret = key != NULL ? key->secret : NULL;
	const char *const ours[][2] = {
		{"Accept: ", head->stream ? "text/event-stream" : "application/json"},
		{"User-Agent: ", "claude-proxy/" VERSION},
		{secret != NULL ? key_header(s, upstream, secret, head->auth) : "", secret},
		{"Content-Type: ", type},
	};
	size_t count = sizeof(ours) / sizeof(ours[0]) - (head->has_body ? 0 : 1);
	struct curl_slist *list = NULL;
	bool failed = false;

	for (size_t i = 0; i < count; i++)
		if (ours[i][1] != NULL && !is_replaced(options, ours[i][0]))
			add_header(&list, &failed, ours[i][0], "", ours[i][1]);
	for (size_t i = 0; i < head->forwarded_count; i++)
		if (!is_replaced(options, head->forwarded[i].name))
			add_forwarded(&list, &failed, options, &head->forwarded[i]);
	for (size_t i = 0; i < options->header_count; i++)
		add_header(
			&list, &failed, options->headers[i].name, ": ", options->headers[i].value);
	/* curl would ask for "100 Continue" before a large body and wait a second for those that
	 * ignore it. */
	add_header(&list, &failed, "Expect:", "", "");
	if (failed) {
		curl_slist_free_all(list);
		return NULL;
	}
	return list;
}

/* Secrets that are parts of a URL, one after the other, each with its NUL. */
struct url_secrets {
	struct buffer texts;
	size_t count;
};

static void
add_secret(struct url_secrets *secrets, const char *text, size_t length)
{
	buffer_append(&secrets->texts, text, length);
	buffer_putc(&secrets->texts, '\0');
	secrets->count++;
}

/* As it is written in the URL, and as it is meant: an upstream may repeat it in either form. */
static void
take_query_value(void *context, const char *value, size_t length)
{
	struct url_secrets *secrets = context;
	int decoded_length = 0;
	char *decoded = curl_easy_unescape(NULL, value, (int)length, &decoded_length);

	add_secret(secrets, value, length);
	if (decoded == NULL)
		secrets->texts.failed = true;
	else if ((size_t)decoded_length != length)
		add_secret(secrets, decoded, strlen(decoded));
	curl_free(decoded);
}

static void
take_password(struct url_secrets *secrets, const char *proxy)
{
	CURLU *url = curl_url();
	char *password = NULL;

	add_secret(secrets, proxy, strlen(proxy));
	if (url != NULL &&
		curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PASSWORD, &password, CURLU_URLDECODE) == CURLUE_OK)
		add_secret(secrets, password, strlen(password));
	curl_free(password);
	curl_url_cleanup(url);
}

const char **
service_secrets(const struct upstream *upstream, const struct api_key *key)
{
	const struct upstream_options *options = &upstream->options;
	struct url_secrets parts = {.texts = BUFFER_INIT(0)};
	const char **secrets = NULL;
	size_t count = 0;

	url_each_query_value(upstream->base_url, take_query_value, &parts);
	if (options->proxy != NULL && strchr(options->proxy, '@') != NULL)
		take_password(&parts, options->proxy);
	/* One block: the list, and behind it the texts that nobody else has. */
	size_t most = options->header_count + parts.count + 2;
	if (!parts.texts.failed)
		secrets = calloc(1, most * sizeof(*secrets) + parts.texts.length);
	if (secrets == NULL)
		goto out;
	if (key != NULL)
		secrets[count++] = key->secret;
	for (size_t i = 0; i < options->header_count; i++)
		secrets[count++] = options->headers[i].value;
	char *text = (char *)(secrets + most);
	memcpy(text, buffer_text(&parts.texts), parts.texts.length);
	for (size_t i = 0; i < parts.count; i++, text += strlen(text) + 1)
		secrets[count++] = text;
out:
	if (parts.texts.data != NULL)
		secret_erase(parts.texts.data, parts.texts.length);
	buffer_free(&parts.texts);
	return secrets;
}
