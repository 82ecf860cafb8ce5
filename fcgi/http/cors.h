/*
 * Pages of other origins may ask: the CORS headers and the answer to a preflight (SPEC §3, Fetch
 * standard §3.2).
 */
#ifndef CORS_H
#define CORS_H

struct buffer;
struct web_request;
struct settings;

/**
 * Append the headers that let the page that asks read the response, if ENABLE_CORS and CORS_ORIGIN
 * let it; whole lines.  Every response has them.
 */
void
cors_write_headers(const struct web_request *, const struct settings *, struct buffer *headers);

/** Append those that say what such a page may send: for the answer to OPTIONS, besides the above.
 */
void
cors_write_preflight(const struct web_request *, const struct settings *, struct buffer *headers);

#endif
