/*
 * Who may ask, and how often: the access key, the rate limit (SPEC §3, §4).
 */
#ifndef ACCESS_H
#define ACCESS_H

struct api_error;
struct buffer;
struct web_request;
struct settings;
struct store;

/** Does the request present the access key, as `x-api-key` or `Authorization: Bearer`?  Return 0,
 * or -1 and a 401. */
int access_check(const struct web_request *, const struct settings *, struct api_error *error);

/**
 * Count the request for its client's address where ENABLE_RATE_LIMIT says so: exact over all
 * processes.  Append the anthropic-ratelimit-requests-* headers to ${headers}.  Return 0, or -1 and
 * a 429. Where the database cannot count (logged), everybody may ask.  Blocks in SQLite.
 */
int access_count_request(const struct web_request *, const struct settings *, struct store *,
	struct buffer *headers, struct api_error *error);

#endif
