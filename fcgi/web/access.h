/*
 * Who may ask: the access key (SPEC §4).
 */
#ifndef ACCESS_H
#define ACCESS_H

struct api_error;
struct gateway;
struct settings;

/** Does the request present the access key, as `x-api-key` or `Authorization: Bearer`?  Return 0,
 * or -1 and a 401. */
int access_check(const struct gateway *, const struct settings *, struct api_error *error);

#endif
