/*
 * What may be put into the configuration.  Each returns NULL, or what is wrong: a static text.
 */
#ifndef CHECK_H
#define CHECK_H

struct buffer;

/** The name of an upstream. */
const char *check_upstream_name(const char *name);

/** A model of a route, or the pattern for those that it serves. */
const char *check_model_name(const char *name);

/**
 * The base URL of an upstream; reads after "base URL " and what is appended to ${shown}: the URL in
 * quotes, its secrets masked; nothing if it may contain a password or is too long.
 */
const char *check_base_url(const char *url, struct buffer *shown);

/**
 * The proxy's own web search: provider, URL ("": the provider's) and key ("": none).  Reads after
 * what is appended to ${shown}, as check_base_url does.
 */
const char *
check_search(const char *provider, const char *url, const char *key, struct buffer *shown);

/** The shell command that prints an API key; reads after "--command: ". */
const char *check_command(const char *command);

/** An API key; reads after "… cannot be an API key: ". */
const char *check_api_key(const char *key);

#endif
