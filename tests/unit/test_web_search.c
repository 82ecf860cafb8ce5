/* What services found on the web, in Claude's blocks (PROTOCOL.md §C.5). */
#include "answering.h"

#define DATA(json) "data: " json "\n\n"
#define DONE       DATA("[DONE]")

/* The blocks, as a whole message has them; ids without their random part. */
#define SEARCHED(query)                                                                            \
	"{\"type\":\"server_tool_use\",\"id\":\"srvtoolu_\",\"name\":\"web_search\",\"input\":{"   \
	"\"query\":\"" query "\"}}"
#define FOUND(pages)                                                                               \
	"{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_\",\"content\":[" pages   \
	"]}"
#define PAGE(url, title, age)                                                                      \
	"{\"type\":\"web_search_result\",\"url\":\"" url "\",\"title\":\"" title                   \
	"\",\"encrypted_content\":\"\",\"page_age\":" age "}"
#define CITED(quote, url, title)                                                                   \
	"{\"type\":\"web_search_result_location\",\"cited_text\":\"" quote "\",\"url\":\"" url     \
	"\",\"title\":\"" title "\",\"encrypted_index\":\"\"}"
#define SAID(text, citations)                                                                      \
	"{\"type\":\"text\",\"text\":\"" text "\",\"citations\":[" citations "]}"
#define COUNT_OF(n) "\"server_tool_use\":{\"web_search_requests\":" #n ",\"web_fetch_requests\":0}"

/* Responses */
#define SEARCH(query, rest)                                                                        \
	"{\"type\":\"web_search_call\",\"id\":\"ws_" query                                         \
	"\",\"status\":\"completed\",\"action\":{\"type\":\"search\",\"query\":\"" query "\"" rest \
	"}}"
#define OPENED                                                                                     \
	"{\"type\":\"web_search_call\",\"id\":\"ws_o\",\"action\":{\"type\":\"open_page\","        \
	"\"url\":\"https://a\"}}"
#define NOTE(url, title)                                                                           \
	"{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":1,\"url\":\"" url              \
	"\",\"title\":\"" title "\"}"
#define MESSAGE(text, notes)                                                                       \
	"{\"type\":\"message\",\"id\":\"m\",\"content\":[{\"type\":\"output_text\",\"text\":"      \
	"\"" text "\",\"annotations\":[" notes "]}]}"
#define RESPONSE(output) "{\"status\":\"completed\",\"output\":[" output "]}"
#define ITEM(i, item)                                                                              \
	DATA("{\"type\":\"response.output_item.done\",\"output_index\":" #i ",\"item\":" item "}")
#define PIECE(text)                                                                                \
	DATA("{\"type\":\"response.output_text.delta\",\"item_id\":\"m\",\"output_index\":2,"      \
	     "\"delta\":\"" text "\"}")
#define ADDED(note)                                                                                \
	DATA("{\"type\":\"response.output_text.annotation.added\",\"item_id\":\"m\","              \
	     "\"output_index\":2,\"annotation\":" note "}")
#define COMPLETED(output)                                                                          \
	DATA("{\"type\":\"response.completed\",\"response\":" RESPONSE(output) "}")

/* Chat Completions */
#define CHAT_NOTE(url, rest)                                                                       \
	"{\"type\":\"url_citation\",\"url_citation\":{\"url\":\"" url "\"" rest "}}"
#define CHUNK(delta) DATA("{\"choices\":[{\"index\":0,\"delta\":" delta "}]}")
#define FINISH       DATA("{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}")
#define WHOLE(message, rest)                                                                       \
	"{\"choices\":[{\"message\":" message ",\"finish_reason\":\"stop\"}]" rest "}"

/* Gemini */
#define GEMINI(text, rest)                                                                         \
	"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text "\"}]}" rest "}]}"
#define GROUNDING(queries)                                                                         \
	",\"groundingMetadata\":{\"webSearchQueries\":[" queries                                   \
	"],\"groundingChunks\":[{\"web\":{\"uri\":\"https://a\",\"title\":\"A\"}},{\"image\":{}}," \
	"{\"web\":{\"uri\":\"https://b\"}}],\"groundingSupports\":[{\"segment\":{\"endIndex\":2}," \
	"\"groundingChunkIndices\":[2,1,9,-1]}]}"

#define SOURCES                                                                                    \
	",\"sources\":[{\"type\":\"url\",\"url\":\"https://s\"},{\"type\":\"url\",\"url\":"        \
	"\"https://t\"}]"
#define EXECUTED(rest)                                                                             \
	"{\"index\":0,\"type\":\"browser_search\",\"arguments\":\"{\\\"query\\\":"                 \
	"\\\"q\\\\u00e9\\\"}\"" rest "}"
#define FOUND_BY_GROQ                                                                              \
	",\"output\":\"x\",\"search_results\":{\"results\":[{\"title\":\"A\",\"url\":\"https://"   \
	"a\","                                                                                     \
	"\"score\":0.5}]}"

struct row {
	const struct translator *translator;
	const char *whole, *stream;
	const char *content; /* of the message, in both forms */
	const char *usage;
};

static const struct row rows[] = {
	/* Pages that the annotations tell belong to the last search; what was opened is no search.
	 */
	{&openai_responses,
		RESPONSE(SEARCH("p", "") "," SEARCH("q", "") "," OPENED "," MESSAGE(
			"\\u00e9 was.", NOTE("https://a", "A") "," NOTE("https://a", "A"))),
		ITEM(0, SEARCH("p", "")) ITEM(1, SEARCH("q", "")) ITEM(3, OPENED) PIECE("\\u00e9 ")
			ADDED(NOTE("https://a", "A")) PIECE("was.")
				COMPLETED(MESSAGE("\\u00e9 was.", NOTE("https://a", "A"))),
		SEARCHED("p") "," FOUND("") "," SEARCHED("q") "," FOUND(PAGE("https://a", "A",
			"null")) "," SAID("\\u00e9 was.", CITED("", "https://a", "A")),
		COUNT_OF(2)},
	/* Each search with the pages that it tells itself; one that nothing follows. */
	{&openai_responses,
		RESPONSE(SEARCH("p", ",\"sources\":[{\"type\":\"url\",\"url\":\"https://s\"}]")),
		ITEM(0, SEARCH("p", ",\"sources\":[{\"type\":\"url\",\"url\":\"https://s\"}]"))
			COMPLETED(""),
		SEARCHED("p") "," FOUND(PAGE("https://s", "https://s", "null")), COUNT_OF(1)},
	/* A source is told by its address, and its title with what is cited. */
	{&openai_responses,
		RESPONSE(SEARCH("p", SOURCES) "," SEARCH("q", "") "," MESSAGE(
			"was.", NOTE("https://t", "T"))),
		ITEM(0, SEARCH("p", SOURCES)) ITEM(1, SEARCH("q", "")) PIECE("was.") ADDED(
			NOTE("https://t", "T")) COMPLETED(MESSAGE("was.", NOTE("https://t", "T"))),
		SEARCHED("p") "," FOUND(PAGE("https://s", "https://s", "null") "," PAGE(
			"https://t", "T", "null")) "," SEARCHED("q") "," FOUND("") "," SAID("was.",
			CITED("", "https://t", "T")),
		COUNT_OF(2)},
	/* Groq tells what its search has done; in a stream first that it began. */
	{&openai_chat,
		WHOLE("{\"content\":\"ab\",\"executed_tools\":[" EXECUTED(FOUND_BY_GROQ) ",7]}",
			""),
		CHUNK("{\"executed_tools\":[" EXECUTED("") "]}") CHUNK("{\"content\":\"ab\"}")
			CHUNK("{\"executed_tools\":[" EXECUTED(FOUND_BY_GROQ) "]}") FINISH DONE,
		"{\"type\":\"text\",\"text\":\"ab\"}," SEARCHED("q\\u00e9") "," FOUND(
			PAGE("https://a", "A", "null")),
		COUNT_OF(1)},
	/* Addresses alone. */
	{&openai_chat, WHOLE("{\"content\":\"ab\"}", ",\"citations\":[\"https://a\",\"none\",1]"),
		DATA("{\"choices\":[{\"delta\":{\"content\":\"ab\"}}],\"citations\":[\"https://"
		     "a\"]}") FINISH DONE,
		"{\"type\":\"text\",\"text\":\"ab\"}," SEARCHED("") "," FOUND(
			PAGE("https://a", "https://a", "null")),
		COUNT_OF(1)},
	/* OpenRouter and OpenAI's models that search in Chat tell no query. */
	{&openai_chat,
		WHOLE("{\"content\":\"ab\",\"annotations\":[" CHAT_NOTE("https://a",
			      ",\"title\":\"A\",\"content\":\"c\\u00e9\"") ",{\"type\":\"file\"},"
									   "5]}",
			""),
		CHUNK("{\"content\":\"a\"}") CHUNK("{\"content\":\"b\"}")
			CHUNK("{\"content\":\"\",\"annotations\":[" CHAT_NOTE("https://a",
				",\"title\":\"A\",\"content\":\"c\\u00e9\"") "]}") FINISH DONE,
		SAID("ab", CITED("c\\u00e9", "https://a", "A")) "," SEARCHED("") "," FOUND(
			PAGE("https://a", "A", "null")),
		COUNT_OF(1)},
	/* GLM tells what it found beside its choices. */
	{&openai_chat,
		WHOLE("{\"content\":\"ab\"}",
			",\"web_search\":[{\"title\":\"A\",\"link\":\"https://"
			"a\",\"publish_date\":\"2026\"},{\"link\":5}]"),
		DATA("{\"choices\":[{\"delta\":{\"content\":\"ab\"}}],\"web_search\":[{\"title\":"
		     "\"A\",\"link\":\"https://a\",\"publish_date\":\"2026\"}]}") FINISH DONE,
		"{\"type\":\"text\",\"text\":\"ab\"}," SEARCHED("") "," FOUND(
			PAGE("https://a", "A", "\"2026\"")),
		COUNT_OF(1)},
	/* Gemini's grounding, also before the last chunk, and again; what is cited may not exist.
	 */
	{&gemini, GEMINI("ab", GROUNDING("\"p\",\"q\"") ",\"finishReason\":\"STOP\""),
		DATA(GEMINI("a", "")) DATA(GEMINI("b", GROUNDING("\"p\",\"q\"")))
			DATA(GEMINI("", GROUNDING("\"q\"") ",\"finishReason\":\"STOP\"")),
		SAID("ab", CITED("", "https://b", "https://b")) "," SEARCHED("p") "," FOUND(
			"") "," SEARCHED("q") "," FOUND(PAGE("https://a", "A",
			"null") "," PAGE("https://b", "https://b", "null")),
		COUNT_OF(2)},
};

/* Cut the random part of each id that a search has. */
static void
cut_ids(const char *text, struct buffer *out)
{
	static const char prefix[] = "srvtoolu_";

	for (const char *at = text; *at != '\0';) {
		size_t length = strncmp(at, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 1;
		buffer_append(out, at, length);
		at += length;
		if (length > 1)
			at += strcspn(at, "\"");
	}
}

static void
check_whole(const struct row *row)
{
	struct buffer out = BUFFER_INIT(0);
	struct buffer cut = BUFFER_INIT(0);
	struct buffer expected = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	assert_int_equal(answer_of(row->translator, "application/json", row->whole, false, true,
				 100000, &out, &error),
		ANSWER_DONE);
	cut_ids(buffer_text(&out), &cut);
	buffer_printf(&expected, "\"content\":[%s],\"stop_reason\":\"end_turn\"", row->content);
	if (strstr(buffer_text(&cut), buffer_text(&expected)) == NULL ||
		strstr(buffer_text(&cut), row->usage) == NULL)
		fail_msg("%s\n%s", buffer_text(&cut), buffer_text(&expected));
	buffer_free(&expected);
	buffer_free(&cut);
	buffer_free(&out);
}

/* ---- the message that a stream amounts to ---- */

struct collected {
	struct buffer content;
	struct buffer pieces; /* of the open block's text or input */
	struct buffer citations;
};

static void
begin_block(struct collected *c, const struct json *block)
{
	const char *end;

	if (c->content.length > 0)
		buffer_putc(&c->content, ',');
	json_write(&c->content, block);
	/* A text goes on before its quote, an input in the place of {}, a result is whole. */
	end = json_is_text(json_member(block, "type"), "text")              ? "\"}"
	      : json_is_text(json_member(block, "type"), "server_tool_use") ? "{}}"
									    : "";
	buffer_cut(&c->content, c->content.length - strlen(end));
}

static void
take_delta(struct collected *c, const struct json *delta)
{
	const struct json *text = json_member(delta, "text");
	const struct json *citation = json_member(delta, "citation");

	buffer_append(&c->pieces, json_content(text), json_content_length(text));
	json_append(&c->pieces, json_member(delta, "partial_json"));
	if (citation == NULL)
		return;
	if (c->citations.length > 0)
		buffer_putc(&c->citations, ',');
	json_write(&c->citations, citation);
}

static void
end_block(struct collected *c, bool text, bool whole)
{
	buffer_puts(&c->content, buffer_text(&c->pieces));
	if (text)
		buffer_putc(&c->content, '"');
	if (c->citations.length > 0)
		buffer_printf(&c->content, ",\"citations\":[%s]", buffer_text(&c->citations));
	if (!whole)
		buffer_putc(&c->content, '}');
	buffer_clear(&c->pieces);
	buffer_clear(&c->citations);
}

static void
collect(const char *stream, struct buffer *content)
{
	struct collected c = {0};
	struct json_document index = {0};
	bool text = false;
	bool whole = false;

	for (const char *at = stream; (at = strstr(at, "\ndata: ")) != NULL;) {
		at += strlen("\ndata: ");
		const struct json *event = json_read(
			&index, at, strcspn(at, "\n"), JSON_MAX_ANSWER_VALUES, NULL);
		const struct json *type = json_member(event, "type");
		const struct json *block = json_member_object(event, "content_block");
		if (block != NULL) {
			text = json_is_text(json_member(block, "type"), "text");
			whole = json_is_text(json_member(block, "type"), "web_search_tool_result");
			begin_block(&c, block);
		}
		if (json_is_text(type, "content_block_delta"))
			take_delta(&c, json_member(event, "delta"));
		if (json_is_text(type, "content_block_stop"))
			end_block(&c, text, whole);
	}
	cut_ids(buffer_text(&c.content), content);
	buffer_free(&c.content);
	buffer_free(&c.pieces);
	buffer_free(&c.citations);
	json_document_free(&index);
}

static void
check_streamed(const struct row *row, size_t size)
{
	struct buffer out = BUFFER_INIT(0);
	struct buffer content = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	assert_int_equal(answer_of(row->translator, "text/event-stream", row->stream, true, true,
				 size, &out, &error),
		ANSWER_DONE);
	collect(buffer_text(&out), &content);
	assert_string_equal(buffer_text(&content), row->content);
	assert_non_null(strstr(buffer_text(&out), row->usage));
	buffer_free(&content);
	buffer_free(&out);
}

/* A stream amounts to the message that the same answer is when it comes whole. */
static void
test_findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		check_whole(&rows[i]);
		check_streamed(&rows[i], 1);
		check_streamed(&rows[i], 100000);
	}
}

/* The text behind a search waits for its pages, and a call of the client's does not lose it. */
static void
test_calls_behind_a_search(void **state)
{
	static const char call[] = "{\"type\":\"function_call\",\"call_id\":\"t\",\"name\":\"f\","
				   "\"arguments\":\"{}\"}";

	(void)state;
	char body[2048];
	snprintf(body, sizeof(body),
		ITEM(0, SEARCH("p", "")) PIECE("ab")
			DATA("{\"type\":\"response.output_item.done\",\"output_index\":3,\"item\":"
			     "%s}") COMPLETED(""),
		call);
	check_outline(&openai_responses, body,
		"web_search[{\"query\":\"p\"}] web_search_tool_result[] text[ab] f[{}] tool_use");
}

/* A thousand pages more than are kept are no fault. */
static void
test_too_many_pages(void **state)
{
	struct buffer body = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	(void)state;
	buffer_puts(&body, "{\"choices\":[{\"message\":{\"content\":\"a\",\"annotations\":[5");
	for (int i = 0; i < 2000; i++)
		buffer_printf(&body,
			",{\"type\":\"url_citation\",\"url\":\"https://%d\",\"title\":\"t\"}", i);
	buffer_puts(&body, "]},\"finish_reason\":\"stop\"}]}");
	assert_int_equal(answer_of(&openai_chat, "application/json", buffer_text(&body), false,
				 true, 100000, &out, &error),
		ANSWER_DONE);
	assert_non_null(strstr(buffer_text(&out), "\"https://400\""));
	assert_null(strstr(buffer_text(&out), "\"https://1100\""));
	buffer_free(&body);
	buffer_free(&out);
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_calls_behind_a_search),
		cmocka_unit_test(test_too_many_pages),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("web search", tests, NULL, NULL);
}
