/*
 * The sites of a web search; see search_sites.h.
 */
#include "upstream/search_sites.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *
search_site_host(const char *site, size_t *length)
{
	const char *scheme = strstr(site, "://");
	const char *host = scheme != NULL ? scheme + strlen("://") : site;

	if (strncmp(host, "*.", 2) == 0)
		host += 2;
	*length = strcspn(host, "/");
	return host;
}

/* Is ${host} the one of the site, or below it?  A dot at its end says that it is whole. */
static bool
is_below(const char *host, const char *site, size_t length)
{
	size_t all = strlen(host);

	if (all > 0 && host[all - 1] == '.')
		all--;
	if (length == 0 || all < length || strncasecmp(host + all - length, site, length) != 0)
		return false;
	return all == length || host[all - length - 1] == '.';
}

/* Does the path begin as the pattern says, in which each `*` stands for anything? */
static bool
begins_so(const char *path, const char *pattern)
{
	size_t length = strcspn(pattern, "*");

	if (strncmp(path, pattern, length) != 0)
		return false;
	while (pattern[length] == '*') {
		path += length;
		pattern += length + 1;
		length = strcspn(pattern, "*");
		path = memmem(path, strlen(path), pattern, length);
		if (path == NULL)
			return false;
	}
	return true;
}

static bool
matches(const char *host, const char *path, const char *site)
{
	size_t length;
	const char *own = search_site_host(site, &length);

	return is_below(host, own, length) && begins_so(path, own + length);
}

static bool
is_among(const char *host, const char *path, char *const *sites)
{
	for (; *sites != NULL; sites++)
		if (matches(host, path, *sites))
			return true;
	return false;
}

bool
search_sites_admit(const struct search_sites *sites, const char *text)
{
	CURLU *url = curl_url();
	char *host = NULL;
	char *path = NULL;
	bool admitted = false;

	if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PATH, &path, 0) == CURLUE_OK)
		admitted = (sites->allowed == NULL || is_among(host, path, sites->allowed)) &&
			   (sites->blocked == NULL || !is_among(host, path, sites->blocked));
	curl_free(host);
	curl_free(path);
	curl_url_cleanup(url);
	return admitted;
}

static void
free_list(char **list)
{
	for (char **each = list; each != NULL && *each != NULL; each++)
		free(*each);
	free(list);
}

void
search_sites_free(struct search_sites *sites)
{
	free_list(sites->allowed);
	free_list(sites->blocked);
	*sites = (struct search_sites){0};
}
