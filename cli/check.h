/*
 * What may be put into the configuration.  Each gives NULL, or what is wrong: a static text.
 */
#ifndef CHECK_H
#define CHECK_H

/** The name of an upstream. */
const char *check_upstream_name(const char *name);

/** An API key; reads after "… cannot be an API key: ". */
const char *check_api_key(const char *key);

#endif
