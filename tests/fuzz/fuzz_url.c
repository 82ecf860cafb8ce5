/*
 * A base URL, a model and a query, each in its line: a URL that was found fit leads to the same
 * server for every endpoint, whatever the model's name is.
 */
#include "fuzz.h"

#include <curl/curl.h>

#include "upstream/service.h"

static char *
part_of(const char *text, CURLUPart part)
{
	CURLU *url = curl_url();
	char *value = NULL;
	char *copy = NULL;

	fuzz_check(curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK);
	if (curl_url_get(url, part, &value, CURLU_DEFAULT_PORT) == CURLUE_OK)
		copy = strdup(value);
	curl_free(value);
	curl_url_cleanup(url);
	return copy;
}

static void
check_same_part(const char *a, const char *b, CURLUPart part)
{
	char *of_a = part_of(a, part);
	char *of_b = part_of(b, part);

	fuzz_check(of_a != NULL && of_b != NULL && strcmp(of_a, of_b) == 0);
	free(of_a);
	free(of_b);
}

static size_t
slashes_in_path(const char *url)
{
	char *path = part_of(url, CURLUPART_PATH);
	size_t count = 0;

	for (const char *c = path; *c != '\0'; c++)
		count += *c == '/';
	free(path);
	return count;
}

static void
check_url(const char *base_url, const char *url)
{
	for (const char *c = url; *c != '\0'; c++)
		fuzz_check((unsigned char)*c > ' ' && *c != 127);
	check_same_part(base_url, url, CURLUPART_SCHEME);
	check_same_part(base_url, url, CURLUPART_HOST);
	check_same_part(base_url, url, CURLUPART_PORT);
}

static void
check_endpoint(const struct service *s, const char *base_url, const char *endpoint,
	const char *model, const char *query)
{
	struct buffer url = BUFFER_INIT(0);
	struct buffer plain = BUFFER_INIT(0);

	if (endpoint == NULL)
		return;
	bool made = service_write_url(s, base_url, endpoint, model, query, &url) == 0;
	if (made)
		check_url(base_url, buffer_text(&url));
	/* No name of a model is another path. */
	if (made && service_write_url(s, base_url, endpoint, "plain", NULL, &plain) == 0)
		fuzz_check(
			slashes_in_path(buffer_text(&url)) == slashes_in_path(buffer_text(&plain)));
	buffer_free(&url);
	buffer_free(&plain);
}

/* A URL that is complete is taken as it is. */
static void
check_again(const struct service *s, const char *base_url)
{
	struct buffer first = BUFFER_INIT(0);
	struct buffer second = BUFFER_INIT(0);

	if (service_write_url(s, base_url, s->endpoint, "m", NULL, &first) == 0) {
		fuzz_check(service_check_base_url(buffer_text(&first)) == NULL);
		fuzz_check(service_write_url(
				   s, buffer_text(&first), s->endpoint, "m", NULL, &second) == 0);
		fuzz_check(fuzz_same(&first, &second));
	}
	buffer_free(&first);
	buffer_free(&second);
}

/* A web server refuses a request whose query has anything else in it. */
static void
keep_visible(char *query)
{
	for (char *c = query; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 127)
			*c = '_';
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input(data, size);
	char *base_url = fuzz_text(&in, '\n');
	char *model = fuzz_text(&in, '\n');
	char *query = fuzz_text(&in, '\n');
	const struct service *s;

	keep_visible(query);
	for (size_t i = 0; service_check_base_url(base_url) == NULL && (s = service_at(i)) != NULL;
		i++) {
		check_endpoint(s, base_url, s->endpoint, model, query);
		check_endpoint(s, base_url, s->stream_endpoint, model, query);
		check_endpoint(s, base_url, s->count_endpoint, model, query);
		check_endpoint(s, base_url, s->models_endpoint, model, query);
		check_again(s, base_url);
	}
	free(base_url);
	free(model);
	free(query);
	return 0;
}
