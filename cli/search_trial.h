/*
 * One search, made as the responder makes it.  For the commands `search` and `doctor`.
 */
#ifndef SEARCH_TRIAL_H
#define SEARCH_TRIAL_H

struct admin;
struct search_result;

/** Search for ${query}, which is UTF-8, as the configuration says, and wait.  Free the result. */
void search_try(const struct admin *, const char *query, struct search_result *);

#endif
