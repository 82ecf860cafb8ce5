/* The proxy's own web search: what services are sent and answer, and the request and the answer of
 * a model that searches by it (PROTOCOL.md §B.8). */
#include "answering.h"
#include "case_answer.h"

#include <curl/curl.h>

#include "store/config.h"
#include "translate/claude/own_search.h"
#include "translate/claude/request.h"
#include "upstream/search_provider.h"
#include "upstream/search_result.h"
#include "upstream/search_sites.h"

static char *allowed[] = {"example.com", "https://docs.example.org/a", NULL};
static char *blocked[] = {"bad.example.com", NULL};
static const struct search_sites anywhere = {0};
static const struct search_sites somewhere = {allowed, blocked};

static struct search_config
config_of(const char *provider, const char *url)
{
	return (struct search_config){(char *)provider, (char *)url, "a-key"};
}

/* ---- what is sent ---- */

static void
test_each_service_is_sent_what_it_takes(void **state)
{
	static const struct {
		const char *provider, *url, *query;
		const struct search_sites *sites;
		const char *sent, *body, *header;
	} rows[] = {
		{"searxng", "https://s.example", "a b&c", &anywhere,
			"https://s.example/search?q=a%20b%26c&format=json", "",
			"Accept: application/json"},
		{"searxng", "https://s.example/sx/search/", "é", &anywhere,
			"https://s.example/sx/search?q=%C3%A9&format=json", "", NULL},
		{"searxng", "https://s.example/?token=t", "a", &anywhere,
			"https://s.example/search?token=t&q=a&format=json", "", NULL},
		{"searxng", "https://s.example", "a", &somewhere,
			"https://s.example/search?q=a%20site%3Aexample.com%20OR%20site%3Adocs."
			"example.org%20-site%3Abad.example.com&format=json",
			"", NULL},
		{"brave", "", "a", &anywhere,
			"https://api.search.brave.com/res/v1/web/"
			"search?q=a&count=10&text_decorations=false",
			"", "X-Subscription-Token: a-key"},
		{"tavily", "", "a \"b\"", &anywhere, "https://api.tavily.com/search",
			"{\"query\":\"a \\\"b\\\"\",\"max_results\":10}",
			"Authorization: Bearer a-key"},
		{"tavily", "http://t", "a", &somewhere, "http://t/search",
			"{\"query\":\"a\",\"max_results\":10,\"include_domains\":[\"example.com\","
			"\"docs.example.org\"],\"exclude_domains\":[\"bad.example.com\"]}",
			"Content-Type: application/json"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct search_config config = config_of(rows[i].provider, rows[i].url);
		struct search_request r;
		assert_int_equal(search_request_write(&r, &config, rows[i].query, rows[i].sites),
			SEARCH_DONE);
		assert_string_equal(buffer_text(&r.url), rows[i].sent);
		assert_string_equal(buffer_text(&r.body), rows[i].body);
		assert_string_equal(r.method, r.body.length > 0 ? "POST" : "GET");
		bool found = rows[i].header == NULL;
		for (struct curl_slist *h = r.headers; h != NULL; h = h->next)
			found = found || strcmp(h->data, rows[i].header) == 0;
		assert_true(found);
		search_request_free(&r);
	}
}

static void
test_a_query_has_to_fit(void **state)
{
	static const struct {
		const char *provider, *piece;
		size_t times;
		enum search_outcome outcome;
	} rows[] = {
		{"searxng", " \t", 3, SEARCH_INVALID_INPUT},
		{"searxng", "", 0, SEARCH_INVALID_INPUT},
		{"searxng", "x", 2048, SEARCH_DONE},
		{"searxng", "x", 2049, SEARCH_QUERY_TOO_LONG},
		{"brave", "é", 400, SEARCH_DONE},
		{"brave", "é", 401, SEARCH_QUERY_TOO_LONG},
		{"nobody", "x", 1, SEARCH_UNAVAILABLE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct search_config config = config_of(rows[i].provider, "http://s");
		struct buffer query = BUFFER_INIT(0);
		struct search_request r;
		for (size_t n = 0; n < rows[i].times; n++)
			buffer_puts(&query, rows[i].piece);
		/* The sites' operators are left out where they would not fit. */
		assert_int_equal(search_request_write(&r, &config, buffer_text(&query), &somewhere),
			rows[i].outcome);
		search_request_free(&r);
		buffer_free(&query);
	}
}

/* ---- sites ---- */

static void
test_sites_are_hosts_and_beginnings_of_paths(void **state)
{
	static const struct {
		const char *site, *url;
		bool matches;
	} rows[] = {
		{"example.com", "https://example.com", true},
		{"example.com", "http://EXAMPLE.com:8080/a?b#c", true},
		{"example.com", "https://a.b.example.com/", true},
		{"example.com", "https://badexample.com/", false},
		{"example.com", "https://example.com.evil.org/", false},
		{"example.com", "https://evil.org/example.com", false},
		{"example.com", "https://example.com@evil.org/", false},
		{"a.example.com", "https://example.com/", false},
		{"*.example.com", "https://a.example.com/", true},
		{"https://example.com", "http://example.com/", true},
		{"example.com/docs", "https://example.com/docs/x", true},
		{"example.com/docs/*", "https://example.com/docs/x", true},
		{"example.com/docs", "https://example.com/other/docs", false},
		{"example.com", "https://example.com./", true},
		{"example.com/*/docs", "https://example.com/en/docs/x", true},
		{"example.com/*/docs", "https://example.com/en/other", false},
		{"example.com/a*b*c", "https://example.com/a-b-c-d", true},
		{"example.com/a*b*c", "https://example.com/a-c-b", false},
		{"", "https://example.com/", false},
		{"example.com", "no url", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *list[] = {(char *)rows[i].site, NULL};
		const struct search_sites only = {list, NULL};
		if (search_sites_admit(&only, rows[i].url) != rows[i].matches)
			fail_msg("%s %s", rows[i].site, rows[i].url);
	}
}

/* ---- what comes ---- */

static void
test_answers_are_read_as_each_service_gives_them(void **state)
{
	static const struct {
		const char *provider;
		int status;
		const char *body;
		enum search_outcome outcome;
		const char *found; /* url|title|text|age of the first, or the problem */
		size_t count;
	} rows[] = {
		{"searxng", 200,
			"{\"results\":[{\"url\":\"https://a/"
			"\",\"title\":\"T\",\"content\":\"x\\ny\","
			"\"publishedDate\":\"2026-01-02\"},5,{\"url\":\"https://a/\"}]}",
			SEARCH_DONE, "https://a/|T|x y|2026-01-02", 1},
		{"brave", 200,
			"{\"type\":\"search\",\"web\":{\"results\":[{\"url\":\"https://a/\","
			"\"description\":\"x\",\"extra_snippets\":[\"y\",5,\"z\"]}]}}",
			SEARCH_DONE, "https://a/|https://a/|x y  z|", 1},
		{"brave", 200, "{\"type\":\"search\"}", SEARCH_DONE, NULL, 0},
		{"tavily", 200, "{\"results\":[{\"url\":\"http://b\",\"title\":\"\\u001b[1m\"}]}",
			SEARCH_DONE, "http://b|\\u001b[1m||", 1},
		{"tavily", 200, "{\"results\":[]}", SEARCH_DONE, NULL, 0},
		{"tavily", 200, "{}", SEARCH_UNAVAILABLE, "no list of results", 0},
		{"tavily", 200, "[]", SEARCH_UNAVAILABLE, "not JSON", 0},
		{"searxng", 200, "<html>", SEARCH_UNAVAILABLE, "not JSON", 0},
		{"searxng", 403, "", SEARCH_UNAVAILABLE, "search.formats", 0},
		{"brave", 403, "", SEARCH_UNAVAILABLE, "refuses the key", 0},
		{"brave", 422, "", SEARCH_UNAVAILABLE, "refuses the key or the query", 0},
		{"tavily", 401, "", SEARCH_UNAVAILABLE, "refuses the key", 0},
		{"tavily", 432, "", SEARCH_TOO_MANY_REQUESTS, "432", 0},
		{"brave", 429, "", SEARCH_TOO_MANY_REQUESTS, "429", 0},
		{"brave", 503, "", SEARCH_UNAVAILABLE, "503", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct search_config config = config_of(rows[i].provider, "");
		struct buffer first = BUFFER_INIT(0);
		struct search_result r;
		search_read(
			&r, &config, rows[i].status, rows[i].body, strlen(rows[i].body), &anywhere);
		assert_int_equal(r.outcome, rows[i].outcome);
		assert_int_equal(r.count, rows[i].count);
		if (r.count > 0)
			buffer_printf(&first, "%s|%s|%s|%s", buffer_text(&r.hits[0].url),
				buffer_text(&r.hits[0].title), buffer_text(&r.hits[0].text),
				buffer_text(&r.hits[0].age));
		if (rows[i].outcome != SEARCH_DONE)
			assert_contains(r.problem, rows[i].found);
		else if (rows[i].found != NULL)
			assert_string_equal(buffer_text(&first), rows[i].found);
		buffer_free(&first);
		search_result_free(&r);
	}
}

/* ---- the request ---- */

#define FUNCTION "{\"name\":\"web_search\",\"description\":"
#define OFFER    "{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":3}"
#define REQUEST(tools, rest)                                                                       \
	"{\"model\":\"m\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],"  \
	"\"tools\":[" tools "]" rest "}"

static void
test_the_search_becomes_a_function(void **state)
{
	static const struct {
		const char *request;
		enum own_search_turn turn;
		const char *wanted[3];
	} rows[] = {
		{REQUEST(OFFER, ""), OWN_SEARCH_FIRST, {FUNCTION, "\"q\"},{\"T\":1}],", NULL}},
		{REQUEST(OFFER ",{\"name\":\"read\",\"input_schema\":{}}",
			 ",\"tool_choice\":{\"type\":\"any\"}"),
			OWN_SEARCH_FIRST,
			{",{\"name\":\"read\",\"input_schema\":{}}]",
				"\"tool_choice\":{\"type\":\"any\"}", NULL}},
		{REQUEST(OFFER, ",\"tool_choice\":{\"type\":\"any\"}"), OWN_SEARCH_FIRST,
			{"\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\"}", NULL,
				NULL}},
		{REQUEST(OFFER, ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"web_search\","
				"\"disable_parallel_tool_use\":true}"),
			OWN_SEARCH_NEXT,
			{"\"tool_choice\":{\"type\":\"auto\",\"disable_parallel_tool_use\":true}",
				NULL, NULL}},
		{REQUEST(OFFER, ""), OWN_SEARCH_LAST,
			{"\"tool_choice\":{\"type\":\"none\"}", NULL, NULL}},
		{REQUEST("{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"user_"
			 "location\":{"
			 "\"type\":\"approximate\",\"city\":\"Z\\u00fcrich\",\"country\":\"CH\"}}",
			 ""),
			OWN_SEARCH_FIRST, {" The user is in Z\\u00fcrich, CH.\"", NULL, NULL}},
		/* Of two versions of the search one is enough. */
		{REQUEST(OFFER "," OFFER, ""), OWN_SEARCH_NEXT,
			{"\"tools\":[" FUNCTION, NULL, NULL}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer turns = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		struct claude_request r;
		struct api_error error = API_ERROR_NONE;
		buffer_puts(&turns, ",{\"T\":1}");
		assert_int_equal(
			claude_request_parse(rows[i].request, strlen(rows[i].request), &r, &error),
			0);
		assert_int_equal(claude_request_check(&r, CLAUDE_TO_ANSWER, &error), 0);
		assert_int_equal(own_search_write_request(&r, rows[i].turn, &turns, &out), 0);
		for (size_t n = 0; n < 3 && rows[i].wanted[n] != NULL; n++)
			assert_contains(buffer_text(&out), rows[i].wanted[n]);
		assert_null(strstr(buffer_text(&out), "web_search_20250305"));
		assert_null(strstr(strstr(buffer_text(&out), FUNCTION) + 1, FUNCTION));
		claude_request_free(&r);
		buffer_free(&turns);
		buffer_free(&out);
	}
}

/* ---- the answer ---- */

#define DATA(json) "data: " json "\n\n"
#define SAID(text) DATA("{\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}")
#define CALL(i, name)                                                                              \
	DATA("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":" #i ",\"id\":\"c" #i           \
	     "\",\"function\":{\"name\":\"" name "\",\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}")
#define FINISH(reason)                                                                             \
	DATA("{\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}],\"usage\":{"          \
	     "\"prompt_tokens\":7,\"completion_tokens\":3}}")                                      \
	DATA("[DONE]")

static enum answer_state
feed(struct answer *a, const char *body, bool complete)
{
	answer_begin(a, &error_context);
	answer_head(a, 200, "text/event-stream", 0);
	answer_feed(a, body, strlen(body));
	return answer_end(a, complete);
}

/* The answer of a model that searches in its first turn, fails, and speaks in its second. */
static void
check_turns(bool stream)
{
	const struct answer_options options = {
		.translator = &openai_chat, .model = "asked", .stream = stream, .searches = true};
	struct buffer out = BUFFER_INIT(0);
	struct buffer outlined = BUFFER_INIT(0);
	struct answer *a = answer_new(&options, &out);
	struct claude_writer *w = answer_writer(a);

	assert_int_equal(
		feed(a, SAID("So.") CALL(0, "web_search") FINISH("tool_calls"), true), ANSWER_DONE);
	assert_true(answer_waits(a));
	assert_contains(buffer_text(claude_writer_turn(w)),
		"{\"type\":\"text\",\"text\":\"So.\"},{\"type\":\"tool_use\",\"id\":\"c0\","
		"\"name\":\"web_search\",\"input\":{\"a\":1}}");
	claude_writer_search_begin(w, "q", 1);
	claude_writer_search_end(w, "[]", 2, true);
	claude_writer_page(w, "https://a", "{\"url\":\"https://a\"}", 19);
	assert_int_equal(answer_next_turn(a, &options), 0);
	assert_false(answer_has_content(a));
	if (!stream)
		assert_int_equal(feed(a, SAID("lost"), false), ANSWER_FAILED);
	assert_int_equal(answer_switch_upstream(a, &options), 0);
	assert_int_equal(feed(a, SAID("By https://a.") FINISH("stop"), true), ANSWER_DONE);
	assert_false(answer_waits(a));
	outline_answer(buffer_text(&out), stream, &outlined);
	assert_string_equal(buffer_text(&outlined),
		"text[So.] web_search[{\"query\":\"q\"}] web_search_tool_result[] text[By "
		"https://a.] end_turn");
	assert_contains(buffer_text(&out), "\"input_tokens\":14,");
	assert_contains(buffer_text(&out), "\"output_tokens\":6,");
	assert_contains(buffer_text(&out), "\"web_search_requests\":1");
	assert_contains(buffer_text(&out), "{\"url\":\"https://a\"}");
	answer_free(a);
	buffer_free(&out);
	buffer_free(&outlined);
}

static void
test_an_answer_goes_on_after_a_search(void **state)
{
	(void)state;
	check_turns(false);
	check_turns(true);
}

/* A call of the client's behind one of the search is written after what was found. */
static void
test_a_call_behind_a_search_waits(void **state)
{
	static const char body[] = CALL(0, "web_search") CALL(1, "read") FINISH("tool_calls");

	(void)state;
	for (int stream = 0; stream < 2; stream++) {
		const struct answer_options options = {.translator = &openai_chat,
			.model = "asked",
			.stream = stream != 0,
			.searches = true};
		struct buffer out = BUFFER_INIT(0);
		struct buffer outlined = BUFFER_INIT(0);
		struct json_document index = {0};
		struct answer *a = answer_new(&options, &out);
		struct claude_writer *w = answer_writer(a);
		assert_int_equal(feed(a, body, true), ANSWER_DONE);
		const struct buffer *turn = claude_writer_turn(w);
		const struct json *blocks = json_member(
			json_read(&index, turn->data, turn->length, JSON_MAX_ANSWER_VALUES, NULL),
			"content");
		claude_writer_search_begin(w, "q", 1);
		claude_writer_search_end(w, "{}", 2, false);
		claude_writer_late_tool(w, json_next(json_first(blocks)));
		claude_writer_end(w, "end_turn");
		outline_answer(buffer_text(&out), stream != 0, &outlined);
		assert_string_equal(buffer_text(&outlined),
			"web_search[{\"query\":\"q\"}] web_search_tool_result[] read[{\"a\":1}] "
			"tool_use");
		assert_null(strstr(buffer_text(&out), "web_search_requests"));
		json_document_free(&index);
		answer_free(a);
		buffer_free(&out);
		buffer_free(&outlined);
	}
}

/* An answer that was cut runs nothing. */
static void
test_an_answer_that_is_cut_searches_nothing(void **state)
{
	const struct answer_options options = {
		.translator = &openai_chat, .model = "asked", .searches = true};
	struct buffer out = BUFFER_INIT(0);
	struct answer *a = answer_new(&options, &out);

	(void)state;
	assert_int_equal(
		feed(a, SAID("So.") CALL(0, "web_search") FINISH("length"), true), ANSWER_DONE);
	assert_false(answer_waits(a));
	assert_contains(buffer_text(&out), "\"stop_reason\":\"max_tokens\"");
	answer_free(a);
	buffer_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_service_is_sent_what_it_takes),
		cmocka_unit_test(test_a_query_has_to_fit),
		cmocka_unit_test(test_sites_are_hosts_and_beginnings_of_paths),
		cmocka_unit_test(test_answers_are_read_as_each_service_gives_them),
		cmocka_unit_test(test_the_search_becomes_a_function),
		cmocka_unit_test(test_an_answer_goes_on_after_a_search),
		cmocka_unit_test(test_a_call_behind_a_search_waits),
		cmocka_unit_test(test_an_answer_that_is_cut_searches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
