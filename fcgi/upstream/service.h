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
struct upstream_options;

struct service {
	const char *name; /* as the admin command takes it */
	const char
		*version; /* stands before the endpoint where the base URL has no path; "": never */
	bool version_after_path; /* also behind a path that does not end in a version */
	/* Endpoints, with their query if they need one.  In them {model} stands for the model. */
	const char *endpoint;        /* of messages: "/chat/completions" */
	const char *stream_endpoint; /* of streamed ones; NULL: the same */
	const char *count_endpoint;  /* to count tokens; NULL: there is none */
	const char *models_endpoint;
	const char *key_header;      /* what stands before the API key: "Authorization: Bearer " */
	const char *bearer_prefix;   /* keys that begin so go as a bearer token; NULL: none do */
	const char *other_interface; /* the service type that some models need where a host has
					both; NULL: none */
	const struct translator *translator;
};

/* A header of the client's request that goes on to the upstream. */
struct forwarded_header {
	char *name; /* owned, as the value */
	char *value;
};

/* What a request's headers depend on besides upstream and key. */
struct service_head {
	const char *content_type; /* NULL: application/json */
	bool stream;              /* an event stream is wanted */
	bool has_body;
	const char *auth; /* how the key is sent: bearer, x-api-key; NULL: as the service has it */
	const struct forwarded_header *forwarded;
	size_t forwarded_count;
};

/** The service type of that name, or NULL. */
const struct service *service_find(const char *name);

/** The ${index}th service type, or NULL beyond the last: for messages and lists. */
const struct service *service_at(size_t index);

enum { SERVICE_LONGEST_URL = 2048 }; /* bytes of a base URL */

/**
 * Can requests be sent to this base URL: http or https, a host, no user name or password, no
 * fragment?  NULL if so, else what is wrong with it: a static text that reads after the URL.  A
 * query is kept.
 */
const char *service_check_base_url(const char *base_url);

/** Does the base URL end in the service's endpoint for messages, so that there is no other? */
bool service_is_endpoint(const struct service *, const char *base_url);

/** Does the key go as a bearer token, unless ${auth} (of service_head) says otherwise? */
bool service_uses_bearer(
	const struct service *, const struct upstream *, const char *key, const char *auth);

/** Does the owner withhold the beta of that name; with ${begins}, one whose name begins so? */
bool service_withholds_beta(
	const struct upstream_options *, const char *name, size_t length, bool begins);

/**
 * Append the URL of ${endpoint}, by SPEC §5 "URL rule"; a path that is neither empty nor ends in a
 * version gets the endpoint alone, or behind the version where the service's own clients do so.
 * ${model} (may be NULL) stands for {model}, percent-encoded.  ${query} (may be NULL or empty) is
 * added to the URL's own.  Return 0 or -1.
 */
int service_write_url(const struct service *, const char *base_url, const char *endpoint,
	const char *model, const char *query, struct buffer *url);

/**
 * The request headers: content type, accepted answer, the key (NULL: none), those forwarded, and
 * the upstream's own (`set … header.<Name>`), which replace all others of the same name.  Free with
 * curl_slist_free_all; NULL if memory ran out.
 */
struct curl_slist *service_headers(const struct service *, const struct upstream *,
	const struct api_key *, const struct service_head *);

/**
 * What of a request is secret: the key, the headers that the upstream's owner set, the values in
 * the query of its base URL, and a proxy with a password.  A list that ends in NULL, for
 * secret_redact; it is freed with free, and lends what upstream and key have.  NULL if memory ran
 * out.
 */
const char **service_secrets(const struct upstream *, const struct api_key *);

#endif
