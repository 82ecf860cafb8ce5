/*
 * The sites that a web search is limited to, and those that it leaves out, as a client names them:
 * a host, which stands for those below it, too, and perhaps the beginning of a path
 * ("example.com/docs"), in which `*` stands for anything.
 */
#ifndef SEARCH_SITES_H
#define SEARCH_SITES_H

#include <stdbool.h>
#include <stddef.h>

/* Lists that end in NULL; NULL: nothing is said. */
struct search_sites {
	char **allowed;
	char **blocked;
};

/** Does the page with this URL satisfy both? */
bool search_sites_admit(const struct search_sites *, const char *url);

/** The host of a site, without the scheme or `*.` that some write before it, and its length in
 * bytes. */
const char *search_site_host(const char *site, size_t *length);

void search_sites_free(struct search_sites *);

#endif
