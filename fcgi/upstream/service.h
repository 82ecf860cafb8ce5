/*
 * The table of service types, and what follows from it: the URL and the headers of a request (SPEC
 * §5).  A new service type is one row here and one translator.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stddef.h>

struct api_key;
struct buffer;
struct curl_slist;
struct translator;
struct upstream;

struct service {
	const char *name; /* as the admin command takes it */
	const char
		*version; /* stands before the endpoint where the base URL has no path; "": never */
	const char *endpoint;   /* "/chat/completions" */
	const char *key_header; /* what stands before the API key: "Authorization: Bearer " */
	const struct translator *translator;
};

/** The service type of that name, or NULL. */
const struct service *service_find(const char *name);

/** The ${index}th service type, or NULL beyond the last: for messages and lists. */
const struct service *service_at(size_t index);

/**
 * Can requests be sent to this base URL: http or https, a host, no user name or password, no
 * fragment?  NULL if so, else what is wrong with it: a static text that reads after the URL.  A
 * query is kept.
 */
const char *service_check_base_url(const char *base_url);

/**
 * Append the URL of a request, by SPEC §5 "URL rule"; a path that is neither empty nor ends in a
 * version gets the endpoint alone.  Return 0 or -1.
 */
int service_write_url(const struct service *, const char *base_url, struct buffer *url);

/**
 * The request headers: content type, accepted answer, the key, and the upstream's own (`set …
 * header.<Name>`), which replace ours of the same name.  Free with curl_slist_free_all; NULL if
 * memory ran out.
 */
struct curl_slist *service_headers(
	const struct service *, const struct upstream *, const struct api_key *, bool stream);

#endif
