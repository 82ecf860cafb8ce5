/*
 * The configuration as JSON, for `claude-proxy-admin --json` and /admin/dev/info.  Keys and header
 * values, which may be secrets, are masked.
 */
#ifndef CONFIG_JSON_H
#define CONFIG_JSON_H

#include <stdint.h>

#include "base/text/url.h"

struct buffer;
struct config;
struct search_config;
struct upstream;

/** Append the members of an object: strategy (the one in force), currentUpstream, upstreams with
 * their keys as they are at ${now} (ms since 1970) and their base URLs as ${write_url} writes them,
 * routes, and the proxy's own search. */
void config_json_config(struct buffer *, const struct config *, const char *strategy, int64_t now,
	url_writer *write_url);

/** Append the upstream's keys, or the routes, as a list. */
void config_json_keys(struct buffer *, const struct upstream *, int64_t now);
void config_json_routes(struct buffer *, const struct config *);

/** Append the proxy's own search as an object; null: there is none. */
void config_json_search(struct buffer *, const struct search_config *, url_writer *);

/** A proxy's URL, or that it contains a password. */
const char *config_json_proxy(const char *proxy);

#endif
