/*
 * Where a Claude request goes and what is sent there: the chosen upstream and key, and the
 * translated request.  Made by an acceptor thread, carried out by the exchange.
 */
#ifndef PLAN_H
#define PLAN_H

#include "base/buffer.h"

struct api_error;
struct api_key;
struct claude_request;
struct config;
struct curl_slist;
struct service;
struct settings;
struct store;
struct tool_names;
struct upstream;

struct plan {
	struct config *config; /* a reference; lends the rest of this block */
	const struct upstream *upstream;
	const struct api_key *key;
	const char *model; /* as the upstream is asked for it; lent by the config or the request */
	const struct service *service;
	struct tool_names *tool_names;
	struct buffer url;
	struct buffer body;
	struct curl_slist *headers;
};

/**
 * Choose by the routes and the strategy, and translate (SPEC §5, §6).  Return 0, or -1 and what the
 * client must be told. The request outlives the plan.  Either way free it with plan_free.
 */
int plan_make(struct plan *, struct store *, const struct settings *, const struct claude_request *,
	struct api_error *);

void plan_free(struct plan *);

#endif
