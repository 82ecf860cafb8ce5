/*
 * What claude-proxy-admin prints of the configuration, for people and as JSON.  Keys are always
 * masked.
 */
#ifndef PRINT_H
#define PRINT_H

#include <stdbool.h>
#include <stddef.h>

struct admin;
struct api_key;
struct config;
struct search_config;
struct upstream;

/** The strategy in force: the stored one, or LOAD_BALANCE_STRATEGY. */
const char *print_strategy(const struct admin *);

/** Everything in force. */
void print_config(const struct admin *);
void print_config_json(const struct admin *);

/** The proxy's own web search, which is set. */
void print_search(const struct search_config *);

/** The keys of an upstream, ${indent} before each line. */
void print_keys(const struct upstream *, const char *indent);
void print_keys_json(const struct upstream *);

/** The options that are set, one per line, and which others there are. */
void print_options_of(const struct upstream *);

/** One option, or that it is not set. */
void print_option_of(const struct upstream *, const char *name);

void print_routes(const struct config *, const char *indent);
void print_routes_json(const struct config *);

#endif
