/*
 * What a service that searches the web answers: the first byte chooses the service, the second the
 * status, a line the site that the search is limited to.  What is taken of the rest is bounded, on
 * one line, and has no character that acts.
 */
#include "fuzz.h"

#include "base/text/safe_text.h"
#include "store/config.h"
#include "upstream/search_result.h"
#include "upstream/search_sites.h"

/* A character that is escaped takes six bytes. */
enum { LONGEST_TEXT = 6 * 2048 + 16 };

static void
check_text(const struct buffer *text, size_t most)
{
	fuzz_check(!text->failed && text->length <= most);
	fuzz_check(strlen(buffer_text(text)) == text->length);
	fuzz_check(fuzz_is_utf8(buffer_text(text)) && safe_text_is_plain(buffer_text(text)));
}

static void
check_hit(const struct search_hit *hit, const struct search_sites *sites)
{
	check_text(&hit->url, 2048);
	check_text(&hit->title, LONGEST_TEXT);
	check_text(&hit->text, LONGEST_TEXT);
	check_text(&hit->age, LONGEST_TEXT);
	fuzz_check(strncasecmp(buffer_text(&hit->url), "http", 4) == 0 && hit->title.length > 0);
	fuzz_check(strpbrk(buffer_text(&hit->url), " \"\\<>\t\n") == NULL);
	fuzz_check(search_sites_admit(sites, buffer_text(&hit->url)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 200, 200, 200, 401, 403, 429, 500};
	static char key[] = "sk-0123456789abcdef";
	static char url[] = "https://s.example";
	struct fuzz_input in = fuzz_input(data, size);
	const struct search_provider *p = search_provider_at(fuzz_byte(&in) % 3);
	int status = statuses[fuzz_byte(&in) & 7];
	char *site = fuzz_text(&in, '\n');
	char *list[] = {site, NULL};
	const struct search_config config = {(char *)p->name, url, key};
	const struct search_sites sites = {.blocked = site[0] != '\0' ? list : NULL};
	struct search_result result;

	search_read(&result, &config, status, in.at, in.left, &sites);
	fuzz_check(result.count <= SEARCH_MOST_HITS);
	fuzz_check((result.outcome == SEARCH_DONE) == (result.problem[0] == '\0'));
	fuzz_check(status == 200 || result.outcome != SEARCH_DONE);
	for (size_t i = 0; i < result.count; i++)
		check_hit(&result.hits[i], &sites);
	search_result_free(&result);
	free(site);
	return 0;
}
