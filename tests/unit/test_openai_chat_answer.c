/* Answers of Chat Completions as services really give them (PROTOCOL.md §C, §D.2 "Chat chunks"). */
#include "answering.h"

#include "base/base64.h"

#define DATA(json)        "data: " json "\n\n"
#define CHUNK(delta)      DATA("{\"choices\":[{\"index\":0,\"delta\":" delta "}]}")
#define FINISH(value)     DATA("{\"choices\":[{\"delta\":{},\"finish_reason\":\"" value "\"}]}")
#define DONE              DATA("[DONE]")
#define SAYS(text)        CHUNK("{\"content\":\"" text "\"}")
#define CALL(members)     CHUNK("{\"tool_calls\":[{" members "}]}")
#define FUNCTION(members) "\"function\":{" members "}"
#define ID(id)            "\"id\":\"" id "\","
#define NAME(name)        "\"name\":\"" name "\","
#define ARGUMENTS(text)   "\"arguments\":\"" text "\""
#define INDEX(i)          "\"index\":" #i ","
#define WHOLE(message)    "{\"choices\":[{\"message\":" message ",\"finish_reason\":\"stop\"}]}"
#define SECOND(delta)     DATA("{\"choices\":[{\"index\":1,\"delta\":" delta "}]}")
#define MESSAGE(message)  DATA("{\"choices\":[{\"message\":" message "}]}")

struct outline_row {
	const char *body, *outline;
};

static void
check_outlines(const struct outline_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_outline(&openai_chat, rows[i].body, rows[i].outline);
}

static void
test_calls_are_told_apart(void **state)
{
	static const struct outline_row rows[] = {
		/* All of them number 0: by id, with arguments or without; by name; by arguments. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) CALL(
			 INDEX(0) ID("b") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("")))
				CALL(INDEX(0) ID("b") FUNCTION(NAME("g") ARGUMENTS(""))) DONE,
			"f[{}] g[{}] tool_use"},
		{CALL(INDEX(0) FUNCTION(NAME("f") ARGUMENTS("{}")))
				CALL(INDEX(0) FUNCTION(NAME("g") ARGUMENTS("{}"))) DONE,
			"f[{}] g[{}] tool_use"},
		{CALL(INDEX(0) FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}")))
				CALL(INDEX(0) FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
		/* One id for all, with numbers and without; blank ids. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) CALL(
			 INDEX(1) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
		{CALL(ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}")))
				CALL(ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
		{CALL(INDEX(0) ID(" ") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) CALL(
			 INDEX(1) ID("") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":1}] tool_use"},
		/* The id changes from piece to piece, or the head comes with each of them. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("")))
				CALL(INDEX(0) ID("b") FUNCTION(ARGUMENTS("{\\\"x\\\"")))
					CALL(INDEX(0) ID("c") FUNCTION(ARGUMENTS(":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		{CALL(ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\"")))
				CALL(ID("b") FUNCTION(ARGUMENTS(":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\"")))
				CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS(":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		/* The id comes after the name; numbers have gaps, and begin anywhere. */
		{CALL(INDEX(0) FUNCTION(NAME("f") ARGUMENTS("")))
				CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}"))) DONE,
			"f[{}] tool_use"},
		{CALL(INDEX(3) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) CALL(
			 INDEX(7) ID("b") FUNCTION(NAME("g") ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] g[{\"x\":2}] tool_use"},
		/* One call without a list around it. */
		{CHUNK("{\"tool_calls\":{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
		       "\"{}\"}}}") DONE,
			"f[{}] tool_use"},
		/* Name and arguments beside the id. */
		{CALL(INDEX(0) ID("a") NAME("f") ARGUMENTS("{\\\"x\\\":1}")) DONE,
			"f[{\"x\":1}] tool_use"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

static void
test_arguments_come_once(void **state)
{
	static const struct outline_row rows[] = {
		/* Each piece restates those before it. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x"))) CALL(
			 INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":")))
				CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":1,"))) CALL(INDEX(
					0) FUNCTION(ARGUMENTS("{\\\"x\\\":1,\\\"y\\\":2}"))) DONE,
			"f[{\"x\":1,\"y\":2}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{"))) CALL(
			 INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\""))) CALL(INDEX(0)
				 ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		{CALL(FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\"")))
				CALL(FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		/* An object inside that begins like the one around it. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":")))
				CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":1}}"))) DONE,
			"f[{\"x\":{\"x\":1}}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":")))
				CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":[")))
					CALL(INDEX(0) FUNCTION(ARGUMENTS("2]}}"))) DONE,
			"f[{\"x\":{\"x\":[2]}}] tool_use"},
		/* All of them once more, or more than once, at the end. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\""))) CALL(
			 INDEX(0) FUNCTION(ARGUMENTS(":1}"))) CALL(INDEX(0)
				 FUNCTION(ARGUMENTS("{\\\"x\\\":1}"))) CALL(INDEX(0) ID("a")
				 FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}{\\\"x\\\":1}")))
				DONE,
			"f[{\"x\":1}] tool_use"},
		/* An empty object stands in for what follows; or for nothing. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") "\"arguments\":{}"))
				CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\"")))
					CALL(INDEX(0) FUNCTION(ARGUMENTS(":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}")))
				CALL(INDEX(1) ID("b") FUNCTION(NAME("g") ARGUMENTS("{}")))
					CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":1}"))) CALL(
						INDEX(1) FUNCTION(ARGUMENTS("{\\\"y\\\":1}"))) DONE,
			"f[{\"x\":1}] g[{\"y\":1}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		/* Objects, nulls, objects that were encoded twice, and what is none. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") "\"arguments\":{\"x\":[1]}")) CALL(
			 INDEX(1) ID("b") FUNCTION(NAME("g") ARGUMENTS("null"))) CALL(INDEX(2)
				 ID("c") FUNCTION(NAME("h") "\"arguments\":null")) DONE,
			"f[{\"x\":[1]}] g[{}] h[{}] tool_use"},
		{CALL(INDEX(0) ID("a")
				 FUNCTION(NAME("f") ARGUMENTS("\\\"{\\\\\\\"x\\\\\\\":1}\\\"")))
				CALL(INDEX(1) ID("b") FUNCTION(NAME("g") ARGUMENTS("[1]"))) DONE,
			"f[{\"x\":1}] g[{\"_raw\":\"[1]\"}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}")))
				CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("")))
					CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":1}"))) DONE,
			"f[{\"x\":1}] tool_use"},
		/* A head alone, of the same id, begins another call when arguments follow. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}")))
				CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("")))
					CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\"x\\\":2}"))) DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
		/* A bracket in a string closes nothing. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":\\\"}")))
				CALL(INDEX(0) FUNCTION(ARGUMENTS("{\\\\\\\"\\\"}"))) DONE,
			"f[{\"x\":\"}{\\\"\"}] tool_use"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

#define CALLS "\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]"

static void
test_several_choices_are_one_answer(void **state)
{
	static const struct outline_row rows[] = {
		{"{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"tool_calls\"},"
		 "{\"message\":{" CALLS "},\"finish_reason\":\"tool_calls\"}]}",
			"text[x] f[{}] tool_use"},
		{SAYS("x") SECOND("{" CALLS "}") FINISH("stop") DONE, "text[x] f[{}] tool_use"},
		/* An answer that nobody asked for ends as it likes. */
		{SAYS("x") SECOND("{\"content\":\"y\"}") FINISH("stop") DATA(
			 "{\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"length\"}]}")
				DONE,
			"text[x] end_turn"},
		/* Each numbers its calls; what the first told the second tells again. */
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}")))
				SECOND("{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{"
				       "\"name\":\"g\",\"arguments\":\"{\\\"x\\\":2}\"}}]}") DONE,
			"f[{\"x\":1}] g[{\"x\":2}] tool_use"},
		{"{\"choices\":[{\"message\":{\"content\":\"x\"," CALLS "}},{\"message\":"
		 "{\"content\":\"x\"," CALLS "}}]}",
			"text[x] f[{}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":1}")))
				SECOND("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{"
				       "\"name\":\"f\",\"arguments\":\"{\\\"x\\\":2}\"}}]}") DONE,
			"f[{\"x\":1}] f[{\"x\":2}] tool_use"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

static void
test_texts_come_once(void **state)
{
	static const struct outline_row rows[] = {
		/* Each piece restates those before it, also short ones. */
		{SAYS("He") SAYS("Hello") SAYS("Hello there") FINISH("stop") DONE,
			"text[Hello there] end_turn"},
		{SAYS("H") SAYS("Hi") FINISH("stop") DONE, "text[Hi] end_turn"},
		{CHUNK("{\"reasoning_content\":\"So\"}")
				CHUNK("{\"reasoning_content\":\"So it is\"}") SAYS("Yes") DONE,
			"thinking[So it is] text[Yes] end_turn"},
		/* Pieces that only happen to begin alike. */
		{SAYS("ha") SAYS("haha") SAYS("!") DONE, "text[hahaha!] end_turn"},
		{SAYS("--") SAYS("----") DONE, "text[------] end_turn"},
		{SAYS("no ") SAYS("no ") DONE, "text[no no ] end_turn"},
		{SAYS("It goes on and on like that, I fear. ")
				SAYS("It goes on and on like that, I fear. ")
					SAYS("It goes on and on like that, I fear. ") DONE,
			"text[It goes on and on like that, I fear. It goes on and on like that, I "
			"fear. It goes on and on like that, I fear. ] end_turn"},
		{SAYS("a") SAYS("b") SAYS("ab") SAYS("abab") DONE, "text[abababab] end_turn"},
		{SAYS("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
				SAYS("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") DONE,
			"text["
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]"
			" end_turn"},
		/* The whole text once more, as a piece and as a message. */
		{SAYS("This is a text that is long enough, ") SAYS("and it goes on.")
				SAYS("This is a text that is long enough, and it goes on.") DONE,
			"text[This is a text that is long enough, and it goes on.] end_turn"},
		{SAYS("a") SAYS("b") MESSAGE("{\"content\":\"ab\"}") FINISH("stop") DONE,
			"text[ab] end_turn"},
		{CHUNK("{\"reasoning_content\":\"t\"}") SAYS("a")
				CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}"))) MESSAGE(
					"{\"content\":\"ab\",\"reasoning_content\":\"t\"," CALLS
					"}") DONE,
			"thinking[t] text[a] f[{}] text[b] tool_use"},
		/* A message in the place of pieces. */
		{": waits\n\n{\"choices\":[{\"message\":{\"content\":\"a\"," CALLS "}}]}\n",
			"text[a] f[{}] tool_use"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

static void
test_events_that_are_not_kept_apart(void **state)
{
	static const struct outline_row rows[] = {
		{"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}" SAYS("b") DONE,
			"text[ab] end_turn"},
		{"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n" SAYS("b") DONE,
			"text[ab] end_turn"},
		{"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]} "
		 "{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}[DONE]\n",
			"text[ab] end_turn"},
		{"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}, "
		 "{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n" DONE,
			"text[ab] end_turn"},
		{"\xef\xbb\xbf" SAYS("a") SAYS("b") DONE, "text[ab] end_turn"},
		{SAYS("a") "{\"choices\":[\n{\"delta\":{\"content\":\"b\"}}\n]}\n\n" DONE,
			"text[ab] end_turn"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
	check_failure(&openai_chat, "text/event-stream",
		"data: {\"choices\":[{\"delta\":{\"cont\n\n" FINISH("stop") DONE, true, 502,
		"cannot be read");
	check_failure(&openai_chat, "text/event-stream", "data: busy\n\n" FINISH("stop") DONE, true,
		502, "");
	check_failure(&openai_chat, "text/event-stream", SAYS("a") "data: out of memory\n\n", true,
		502, "broke off");
}

#define DETAIL(type, more) "{\"type\":\"reasoning." type "\"," more "}"
#define DETAILS(list)      CHUNK("{\"reasoning_details\":[" list "]}")

static void
test_thinking_wherever_it_comes(void **state)
{
	static const struct outline_row rows[] = {
		{CHUNK("{\"reasoning\":\"t\"}") SAYS("a") DONE, "thinking[t] text[a] end_turn"},
		{CHUNK("{\"reasoning_text\":\"t\"}") SAYS("a") DONE,
			"thinking[t] text[a] end_turn"},
		{CHUNK("{\"reasoning_content\":\"t\",\"reasoning\":\"t\",\"content\":\"a\"}") DONE,
			"thinking[t] text[a] end_turn"},
		{DETAILS(DETAIL("text", "\"text\":\"t\""))
				DETAILS(DETAIL("summary", "\"summary\":\"u\"")) SAYS("a") DONE,
			"thinking[tu] text[a] end_turn"},
		{WHOLE("{\"content\":[\"a\",\"b\"]}"), "text[ab] end_turn"},
		{WHOLE("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
		       "\"text\":\"t\"}]},{\"type\":\"text\",\"text\":\"a\"}]}"),
			"thinking[t] text[a] end_turn"},
		/* Between tags, which may be cut, escaped, unclosed, or more than one. */
		{WHOLE("{\"content\":\"<think>t</think>a\"}"), "thinking[t] text[a] end_turn"},
		{SAYS("\\n<th") SAYS("ou") SAYS("ght>t") SAYS(" u</th") SAYS("ought>\\n\\n")
				SAYS("a") DONE,
			"thinking[t u] text[a] end_turn"},
		{SAYS("\\u003cthink\\u003Et\\u003c") SAYS("\\/think>a\\u003cthink>") DONE,
			"thinking[t] text[a<think>] end_turn"},
		{SAYS("<think>t<b>u</b>") DONE, "thinking[t<b>u</b>] end_turn"},
		{SAYS("<think>t</think><think>u</think>a") DONE, "thinking[tu] text[a] end_turn"},
		{SAYS("<think>t</think>") CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}")))
				DONE,
			"thinking[t] f[{}] tool_use"},
		/* Qwen that was told not to think; blanks before a thought belong to it. */
		{SAYS("<think>\\n") SAYS("\\n</thi") SAYS("nk>\\n\\na") DONE, "text[a] end_turn"},
		{SAYS("<think>\\n") SAYS("t</think>a") DONE, "thinking[\nt] text[a] end_turn"},
		{SAYS("<think>\\n<") DONE, "thinking[\n<] end_turn"},
		/* What is no tag, or is written about. */
		{SAYS("<thi") SAYS("s>") DONE, "text[<this>] end_turn"},
		{SAYS("<think") DONE, "text[<think] end_turn"},
		{SAYS(" ") SAYS("a <think>b</think>") DONE, "text[ a <think>b</think>] end_turn"},
		{SAYS("<thinking>a</thinking>") DONE, "text[<thinking>a</thinking>] end_turn"},
		/* Blanks alone wait for neither thinking nor calls. */
		{SAYS("\\n") CHUNK("{\"reasoning\":\"t\"}") SAYS("a") DONE,
			"thinking[t] text[\na] end_turn"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

/* The members of the signature of the first thinking block, or of the first call's id. */
static void
check_carried(const char *body, bool hide, const char *prefix, const char *members)
{
	const struct answer_options options = {
		.translator = &openai_chat, .model = "asked", .hide_thinking = hide};
	struct buffer out = BUFFER_INIT(0);
	struct answer *a = answer_new(&options, &out);

	answer_begin(a, &error_context);
	answer_head(a, 200, "text/event-stream", 0);
	answer_feed(a, body, strlen(body));
	assert_int_equal(answer_end(a, true), ANSWER_DONE);
	const char *start = strstr(buffer_text(&out), prefix);
	assert_non_null(start);
	start += strlen(prefix);
	char decoded[1024] = "";
	assert_int_equal(base64_read(start, strcspn(start, "\""), decoded), 0);
	assert_string_equal(decoded, members);
	answer_free(a);
	buffer_free(&out);
}

static void
test_what_must_come_back_is_carried(void **state)
{
	static const char details[] = DETAILS(
		DETAIL("text", "\"text\":\"t\",\"index\":0,\"signature\":null"))
		DETAILS(DETAIL("text", "\"text\":\"u\",\"index\":0"))
			DETAILS(DETAIL("text", "\"signature\":\"s\",\"index\":0"))
				DETAILS(DETAIL("encrypted", "\"data\":\"E\",\"index\":1"))
					CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}")))
						DONE;
	static const char joined[] =
		"\"m\":\"reasoning_details\",\"reasoning_details\":[{\"type\":\"reasoning.text\","
		"\"text\":\"tu\",\"index\":0,\"signature\":\"s\"},{\"type\":\"reasoning."
		"encrypted\",\"data\":\"E\",\"index\":1}]}";
	char expected[512];

	(void)state;
	check_carried(CHUNK("{\"reasoning\":\"t\"}") SAYS("a") DONE, false, "cp1.",
		"{\"k\":\"openai\",\"m\":\"reasoning\"}");
	check_carried(SAYS("<think>t</think>a") DONE, false, "cp1.",
		"{\"k\":\"openai\",\"m\":\"think\"}");
	check_carried(CHUNK("{\"reasoning_text\":\"t\",\"reasoning_opaque\":\"o\"}") SAYS("a") DONE,
		false, "cp1.",
		"{\"k\":\"openai\",\"m\":\"reasoning_text\",\"reasoning_opaque\":\"o\"}");
	snprintf(expected, sizeof(expected), "{\"k\":\"openai\",%s", joined);
	check_carried(details, false, "cp1.", expected);
	/* The call carries it where the client is given no thinking. */
	snprintf(expected, sizeof(expected), "{\"k\":\"openai\",\"id\":\"a\",\"x\":{%s}", joined);
	check_carried(details, true, "toolu_cp1_", expected);
	/* An id that the client could not be given goes with the one that it gets. */
	check_carried(CALL(INDEX(0) ID("functions.f:0") FUNCTION(NAME("f") ARGUMENTS("{}"))) DONE,
		false, "toolu_cp1_", "{\"k\":\"openai\",\"id\":\"functions.f:0\"}");
}

/* MiniMax has all of the thinking in each chunk, and all of everything in a message at the end. */
static void
test_details_that_come_again_are_carried_once(void **state)
{
#define SO         DETAIL("text", "\"text\":\"So it is\",\"index\":0,\"id\":\"r\"")
#define BOTH(text) CHUNK("{\"reasoning_details\":[" SO "],\"content\":\"" text "\"}")
	static const char stream[] = DETAILS(DETAIL("text",
		"\"text\":\"So\",\"index\":0,\"id\":\"r\"")) DETAILS(SO) BOTH("Y") BOTH("Yes")
		BOTH("Yes!") MESSAGE("{\"reasoning_details\":[" SO "],\"content\":\"Yes!\"}") DONE;

	(void)state;
	check_outline(&openai_chat, stream, "thinking[So it is] text[Yes!] end_turn");
	check_carried(stream, false, "cp1.",
		"{\"k\":\"openai\",\"m\":\"reasoning_details\",\"reasoning_details\":["
		"{\"type\":\"reasoning.text\",\"text\":\"So it is\",\"index\":0,\"id\":\"r\"}]}");
}

static void
test_failures_are_failures(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *words;
	} streams[] = {
		{DATA("{\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\","
		      "\"error\":{\"code\":502,\"message\":\"idle\"}}]}"),
			502, "idle"},
		{SAYS("a") DATA("{\"choices\":[{\"delta\":{\"error\":{\"message\":\"m\"}}}]}"), 502,
			"m"},
		{SAYS("a") FINISH("error") DONE, 502, "error"},
		{SAYS("a") FINISH("network_error") DONE, 502, "network_error"},
		{SAYS("a") FINISH("abort") DONE, 502, "abort"},
		{SAYS("a") FINISH("insufficient_system_resource") DONE, 529, "resource"},
		{SAYS("a") DATA("{\"object\":\"error\",\"message\":\"m\",\"code\":400}"), 400, "m"},
		{SAYS("a") DATA("{\"error\":\"m\"}"), 502, "m"},
		{SAYS("a") DATA("{\"detail\":\"m\"}"), 502, "m"},
		{SAYS("a") DATA("{\"code\":\"500\",\"msg\":\"m\"}"), 502, "m"},
		{SAYS("a") DATA("{\"status\":500,\"message\":\"m\"}"), 502, "m"},
		{SAYS("a") DATA("{\"message\":\"m\"}"), 502, "m"},
		{SAYS("a") DATA("{\"errors\":[{\"message\":\"m\"}]}"), 502, "m"},
		{SAYS("a") "{\"error\":{\"message\":\"m\"}}", 502, "m"},
		{SAYS("a") "{\n  \"error\": {\n    \"message\": \"m\"\n  }\n}\n", 502, "m"},
		{SAYS("a") DATA("{\"x_groq\":{\"error\":{\"message\":\"m\"}},\"choices\":[]}"), 502,
			"m"},
		{DATA("{\"base_resp\":{\"status_code\":1002,\"status_msg\":\"m\"}}"), 429, "m"},
		{DATA("{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"m\"}}"), 401, "m"},
		{DATA("{\"base_resp\":{\"status_code\":1000,\"status_msg\":\"m\"}}"), 502, "m"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{\\\"x\\\":"))), 502,
			"in the middle of a tool call"},
	};
	static const struct {
		const char *body;
		int status;
		const char *words;
	} wholes[] = {
		{"{\"choices\":[{\"error\":{\"code\":502,\"message\":\"idle\"},\"message\":"
		 "{\"content\":\"\"}}]}",
			502, "idle"},
		{"{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"error\"}]}",
			502, "error"},
		{"{\"error\":{\"message\":\"m\",\"code\":429}}", 429, "m"},
		{"{\"choices\":null,\"base_resp\":{\"status_code\":1008,\"status_msg\":\"m\"}}",
			402, "m"},
		{"{\"code\":500,\"msg\":\"m\",\"success\":false}", 500, "m"},
		{"{\"object\":\"error\",\"message\":\"m\"}", 502, "m"},
		{"{\"choices\":[{}]}", 502, "without content"},
		{"[{\"error\":{\"message\":\"m\",\"code\":503}}]", 529, "m"},
		{"<html><title>busy</title></html>", 502, "not JSON"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++)
		check_failure(&openai_chat, "text/event-stream", streams[i].body, true,
			streams[i].status, streams[i].words);
	for (size_t i = 0; i < COUNT(wholes); i++)
		check_failure(&openai_chat, "application/json", wholes[i].body, true,
			wholes[i].status, wholes[i].words);
}

static void
test_what_only_looks_like_a_failure(void **state)
{
	static const struct outline_row rows[] = {
		{SAYS("a") DATA("{\"error\":null,\"choices\":[]}")
				DATA("{\"error\":{},\"choices\":[]}") DATA(
					"{\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"},"
					"\"choices\":[]}") FINISH("stop") DONE,
			"text[a] end_turn"},
		{SAYS("a") DATA("{\"status\":\"processing\",\"message\":\"loading\"}")
				FINISH("stop") DONE,
			"text[a] end_turn"},
		{SAYS("a") DATA("{\"type\":\"ping\"}") FINISH("stop") DONE, "text[a] end_turn"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

static void
test_finish_reasons(void **state)
{
	static const struct outline_row rows[] = {
		{SAYS("a") FINISH("eos") DONE, "text[a] end_turn"},
		{SAYS("a") FINISH("model_length") DONE, "text[a] max_tokens"},
		{SAYS("a") FINISH("model_context_window_exceeded") DONE,
			"text[a] model_context_window_exceeded"},
		{SAYS("a") FINISH("sensitive") DONE, "text[a] refusal"},
		{SAYS("a") FINISH("sideways") DONE, "text[a] end_turn"},
		/* A call is what makes it tool_use; one that was cut must not run. */
		{SAYS("a") FINISH("tool_calls") DONE, "text[a] end_turn"},
		{WHOLE("{\"content\":\"a\",\"tool_calls\":[]}"), "text[a] end_turn"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}"))) FINISH("stop") DONE,
			"f[{}] tool_use"},
		{CALL(INDEX(0) ID("a") FUNCTION(NAME("f") ARGUMENTS("{}"))) FINISH("length") DONE,
			"f[{}] max_tokens"},
	};

	(void)state;
	check_outlines(rows, COUNT(rows));
}

#define TOLD(usage) DATA("{\"choices\":[],\"usage\":" usage "}")

static void
test_usage_in_every_shape_and_place(void **state)
{
	static const struct {
		const char *body;
		unsigned input, written, cached, output;
	} rows[] = {
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_tokens_details\":"
		      "{\"cached_tokens\":40,\"cache_write_tokens\":30}}"),
			30, 30, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_tokens_details\":"
		      "{\"cached_tokens\":40,\"cache_creation_tokens\":30}}"),
			30, 30, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_tokens_details\":"
		      "{\"cached_tokens\":40,\"cache_creation_input_tokens\":30}}"),
			30, 30, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"cached_tokens\":40}"), 60,
			0, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"num_cached_tokens\":40}"),
			60, 0, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_cache_hit_tokens\":"
		      "40}"),
			60, 0, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"cache_read_input_tokens\":"
		      "40,\"cache_creation_input_tokens\":30}"),
			30, 30, 40, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"prompt_token_details\":"
		      "{\"cached_tokens\":40}}"),
			60, 0, 40, 7},
		{TOLD("{\"input_tokens\":100,\"output_tokens\":7,\"input_tokens_details\":"
		      "{\"cached_tokens\":40}}"),
			60, 0, 40, 7},
		{DATA("{\"choices\":[{\"delta\":{},\"usage\":{\"prompt_tokens\":100,"
		      "\"completion_tokens\":7}}]}"),
			100, 0, 0, 7},
		{DATA("{\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":100,"
		      "\"completion_tokens\":7}}}"),
			100, 0, 0, 7},
		{DATA("{\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":7},"
		      "\"timings\":{\"cache_n\":40}}"),
			60, 0, 40, 7},
		/* xAI counts reasoning apart, which only its total shows. */
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"total_tokens\":110,"
		      "\"completion_tokens_details\":{\"reasoning_tokens\":3}}"),
			100, 0, 0, 10},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7,\"total_tokens\":107,"
		      "\"completion_tokens_details\":{\"reasoning_tokens\":3}}"),
			100, 0, 0, 7},
		/* What tells nothing erases nothing; what is absurd is no count. */
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7}") TOLD("{}")
				TOLD("{\"prompt_tokens\":0,\"completion_tokens\":0}"),
			100, 0, 0, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":7}")
				TOLD("{\"prompt_tokens\":-5,\"completion_tokens\":4294967295}"),
			100, 0, 0, 7},
		{TOLD("{\"prompt_tokens\":100,\"completion_tokens\":0}"), 100, 0, 0, 1},
		{TOLD("{\"prompt_tokens\":\"many\",\"completion_tokens\":[]}"), 0, 0, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer body = BUFFER_INIT(0);
		struct buffer out = BUFFER_INIT(0);
		struct api_error error = API_ERROR_NONE;
		char expected[200];
		buffer_printf(&body, "%s%s%s", SAYS("a") FINISH("stop"), rows[i].body, DONE);
		assert_int_equal(answer_of(&openai_chat, "text/event-stream", buffer_text(&body),
					 false, true, 99999, &out, &error),
			ANSWER_DONE);
		snprintf(expected, sizeof(expected),
			"{\"input_tokens\":%u,\"cache_creation_input_tokens\":%u,"
			"\"cache_read_input_tokens\":%u,\"output_tokens\":%u}",
			rows[i].input, rows[i].written, rows[i].cached, rows[i].output);
		assert_contains(buffer_text(&out), expected);
		buffer_free(&out);
		buffer_free(&body);
	}
}

int
main(void)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_are_told_apart),
		cmocka_unit_test(test_arguments_come_once),
		cmocka_unit_test(test_several_choices_are_one_answer),
		cmocka_unit_test(test_texts_come_once),
		cmocka_unit_test(test_events_that_are_not_kept_apart),
		cmocka_unit_test(test_thinking_wherever_it_comes),
		cmocka_unit_test(test_what_must_come_back_is_carried),
		cmocka_unit_test(test_details_that_come_again_are_carried_once),
		cmocka_unit_test(test_failures_are_failures),
		cmocka_unit_test(test_what_only_looks_like_a_failure),
		cmocka_unit_test(test_finish_reasons),
		cmocka_unit_test(test_usage_in_every_shape_and_place),
	};

	log_open(&quiet);
	return cmocka_run_group_tests_name("openai chat answer", tests, NULL, NULL);
}
