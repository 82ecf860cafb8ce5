/*
 * A configuration that comes as a whole (`claude-proxy-admin import`).
 */
#ifndef IMPORT_H
#define IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

/* All texts are lent. */
struct import_key {
	const char *secret;
	bool disabled;
};

struct import_option {
	const char *name;
	const char *value;
};

struct import_upstream {
	const char *name;
	const char *base_url;
	const char *service_type;
	struct import_key *keys;
	size_t key_count;
	struct import_option *options;
	size_t option_count;
};

struct import_route {
	const char *pattern;
	const char *model;
	const char *upstream; /* name; NULL: the current one */
};

struct import {
	struct import_upstream *upstreams;
	size_t upstream_count;
	struct import_route *routes;
	size_t route_count;
	const char *current;  /* name of an upstream; NULL if unset */
	const char *strategy; /* NULL if unset */
	const char *search;   /* the provider of the proxy's own web search; NULL if unset */
	const char *search_url;
	const char *search_key;
};

/**
 * Put it into the database in one transaction, all or nothing; it was checked.  Nothing is removed:
 * an upstream of the same name gets base URL, service type and options, and the keys that it
 * lacks; a route that is there already is not added again.
 */
enum store_result store_import(struct store *, const struct import *);

#endif
