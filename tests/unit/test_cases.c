/* The cases of tests/cases, each as a test of its own (tests/cases/README.md).  With arguments:
 * those whose name contains one of them.  UPDATE=1: what is expected is made what was found. */
#include "case_answer.h"
#include "case_file.h"
#include "case_text.h"

#include <glob.h>

#include "base/api_error.h"
#include "base/json/json_tree.h"
#include "base/json/json_writer.h"
#include "base/log/log.h"
#include "translate/answer/answer.h"
#include "translate/claude/request.h"
#include "translate/gemini/schema.h"
#include "translate/lesson.h"
#include "translate/tokens.h"
#include "translate/tool_names.h"
#include "translate/translator.h"

static const struct error_context error_context = {
	.name = "up", .key = "sk-secret-0123456789", .model = "m", .max_tokens = 32000};

static const struct {
	const char *name;
	const struct translator *translator;
} services[] = {
	{"chat", &openai_chat},
	{"responses", &openai_responses},
	{"gemini", &gemini},
	{"claude", &passthrough},
};

static const char *const setting_names[] = {"model", "host", "max-output-tokens", "reasoning",
	"search", "compare", "asks", "thinking", "complete", "content-type", "status",
	"byte-order-mark", NULL};
static const char *const input_names[] = {
	"request", "lessons", "answer", "events", "stream", "schema", NULL};
static const char *const expected_names[] = {"upstream body", "refusal", "error", "error has",
	"outline", "message", "client events", "client stream", "client body", "usage", "counted",
	"cleaned", NULL};

static const struct translator *
translator_of(struct test_case *t)
{
	const char *service = t->file->service;

	for (size_t i = 0; i < COUNT(services); i++)
		if (strcmp(services[i].name, service) == 0)
			return services[i].translator;
	fail_msg("%s: there is no service '%s'", t->file->path, service);
	return NULL;
}

static bool
is_among(const char *const *names, const char *name)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

/* A name that means nothing would show nothing. */
static void
check_names(const struct test_case *t)
{
	for (size_t i = 0; i < t->setting_count; i++)
		if (!is_among(setting_names, t->settings[i].name))
			fail_msg("%s:%d: there is no setting '%s'", t->file->path,
				t->settings[i].line, t->settings[i].name);
	for (size_t i = 0; i < t->section_count; i++)
		if (!is_among(input_names, t->sections[i].name) &&
			!is_among(expected_names, t->sections[i].name))
			fail_msg("%s:%d: there is no section '%s'", t->file->path,
				t->sections[i].line, t->sections[i].name);
}

/* Nor would what is expected, and never compared; or nothing that is. */
static void
check_compared(struct test_case *t)
{
	bool any = false;

	for (size_t i = 0; i < COUNT(expected_names) - 1; i++)
		any = any || case_section(t, expected_names[i]) != NULL;
	if (!any)
		fail_msg("%s:%d: it expects nothing", t->file->path, t->line);
	for (size_t i = 0; i < t->section_count; i++)
		if (is_among(expected_names, t->sections[i].name) && !t->sections[i].compared)
			fail_msg("%s:%d: nothing became of it: %s", t->file->path,
				t->sections[i].line, t->sections[i].name);
}

static bool
setting_is(struct test_case *t, const char *name, const char *value)
{
	return strcmp(case_setting(t, name, ""), value) == 0;
}

/* ---- what is expected ---- */

enum form { TEXT, JSON, EVENTS };

/* As a person would write it. */
static void
show(const char *found, enum form form, struct buffer *out)
{
	if (form == TEXT) {
		buffer_puts(out, found);
		return;
	}
	for (const char *line = found; *line != '\0'; line += *line == '\n') {
		buffer_puts(out, out->length > 0 ? "\n" : "");
		line = lay_out(line, 0, out);
	}
}

static void
tell_difference(const struct test_case *t, const struct case_part *part, const char *expected,
	const char *found)
{
	size_t at = 0;

	while (expected[at] == found[at] && found[at] != '\0')
		at++;
	size_t from = at > 40 ? at - 40 : 0;
	fail_msg("%s:%d: %s differs after %zu bytes\n  expected: %.80s\n  found:    %.80s\n%s",
		t->file->path, part->line, part->name, at, expected + from, found + from, found);
}

/* Nothing happens where the case does not say what is expected. */
static void
expect(struct test_case *t, const char *name, const char *found, enum form form)
{
	struct case_part *part = case_section(t, name);
	struct buffer expected = BUFFER_INIT(0), actual = BUFFER_INIT(0);

	if (part == NULL)
		return;
	part->compared = true;
	if (form == TEXT)
		buffer_puts(&expected, part->text);
	else
		compact(part->text, &expected);
	for (const char *at = found; *at != '\0'; at++)
		if (form != EVENTS || *at != '\n')
			buffer_putc(&actual, *at);
	if (strcmp(buffer_text(&expected), buffer_text(&actual)) != 0) {
		struct buffer shown = BUFFER_INIT(0);
		if (getenv("UPDATE") == NULL)
			tell_difference(t, part, buffer_text(&expected), buffer_text(&actual));
		show(found, form, &shown);
		case_rewrite(t->file, part, buffer_text(&shown));
		buffer_free(&shown);
	}
	buffer_free(&expected);
	buffer_free(&actual);
}

/* Each line of the section is in the text. */
static void
expect_lines(struct test_case *t, const char *name, const char *text)
{
	struct case_part *part = case_section(t, name);

	if (part == NULL)
		return;
	part->compared = true;
	for (const char *line = part->text; *line != '\0';) {
		char *wanted = strndup(line, strcspn(line, "\n"));
		if (strstr(text, wanted) == NULL)
			fail_msg(
				"%s:%d: %s: %s\n%s", t->file->path, part->line, name, wanted, text);
		line += strlen(wanted);
		line += *line == '\n';
		free(wanted);
	}
}

/* ---- requests ---- */

/* The lines of the section, in ${list} as well, which ends in NULL; the caller frees both. */
static char *
lines_of(const char *text, const char *list[CASE_MOST_PARTS])
{
	char *copy = strdup(text != NULL ? text : "");
	size_t count = 0;

	for (char *save = NULL, *line = strtok_r(copy, "\n", &save);
		line != NULL && count < CASE_MOST_PARTS - 1; line = strtok_r(NULL, "\n", &save))
		list[count++] = line;
	list[count] = NULL;
	return copy;
}

/* Return 0 and the body, or -1 and why there is none. */
static int
translate(struct test_case *t, const char *text, struct tool_names *names, struct buffer *out,
	struct api_error *error)
{
	const struct translator *translator = translator_of(t);
	const char *list[CASE_MOST_PARTS];
	char *copy = lines_of(case_text(t, "lessons"), list);
	struct lessons lessons = {list, 0};
	struct claude_request request;

	while (list[lessons.count] != NULL)
		lessons.count++;
	const char *model = case_setting(t, "model", "up");
	const struct translate_target target = {
		.model = model,
		.facts = model_facts_find(case_setting(t, "host", NULL), model),
		.max_output_tokens = atoll(case_setting(t, "max-output-tokens", "0")),
		.reasoning_off = setting_is(t, "reasoning", "off"),
		.builtin_search = setting_is(t, "search", "builtin"),
		.fixes = lesson_fixes(&lessons),
	};
	int status = claude_request_parse(text, strlen(text), &request, error);
	if (status == 0 && !translator->passes_through)
		status = claude_request_check(&request, CLAUDE_TO_ANSWER, error);
	if (status == 0)
		status = translator->write_request(&request, &target, names, out, error);
	if (status == 0) {
		assert_int_equal(lesson_edit_body(&lessons, out), 0);
		assert_true(translator->passes_through || tokens_estimate_input(&request) > 0);
	}
	claude_request_free(&request);
	free(copy);
	return status;
}

static void
check_request(struct test_case *t, struct tool_names *names)
{
	struct buffer text = BUFFER_INIT(0), body = BUFFER_INIT(0), shown = BUFFER_INIT(0);
	struct api_error error = API_ERROR_NONE;

	pack_carried(case_text(t, "request"), &text);
	if (translate(t, buffer_text(&text), names, &body, &error) != 0) {
		if (case_text(t, "refusal") == NULL)
			fail_msg("%s:%d: refused: %s", t->file->path, t->line, error.message);
		assert_int_equal(error.status, 400);
		expect(t, "refusal", error.message, TEXT);
		api_error_clear(&error);
	} else {
		if (case_text(t, "refusal") != NULL)
			fail_msg("%s:%d: it is taken", t->file->path, t->line);
		bool bytes = setting_is(t, "compare", "bytes");
		unpack_carried(buffer_text(&body), &shown);
		expect(t, "upstream body", buffer_text(bytes ? &body : &shown),
			bytes ? TEXT : JSON);
	}
	buffer_free(&text);
	buffer_free(&body);
	buffer_free(&shown);
}

/* ---- answers ---- */

/* The payload of an event as the upstream sends it; lines that begin with a blank go on with it. */
static size_t
write_event(const char *text, bool named, const char *line_end, struct buffer *out)
{
	struct buffer payload = BUFFER_INIT(0);
	struct json_document index = {0};
	const char *at = text;

	do {
		size_t length = strcspn(at, "\n");
		buffer_append(&payload, at, length);
		at += length + (at[length] == '\n');
	} while (*at == ' ' || *at == '\t');
	const struct json *event = json_read(
		&index, payload.data, payload.length, JSON_MAX_ANSWER_VALUES, NULL);
	const struct json *type = json_member_string(event, "type");
	if (named && type != NULL)
		buffer_printf(out, "event: %.*s%s", JSON_SHOWN(type), line_end);
	buffer_printf(out, "data: %s%s%s", buffer_text(&payload), line_end, line_end);
	buffer_free(&payload);
	json_document_free(&index);
	return (size_t)(at - text);
}

/* One of the ways in which the answer comes and is asked for. */
struct way {
	const char *section; /* that it stands in: one of answer_sections */
	bool stream;
	size_t size; /* of the pieces that it comes in */
	const char *line_end;
};

static const char *const answer_sections[] = {"answer", "stream", "events"};

/* The bytes of the upstream's answer. */
static void
write_answer(struct test_case *t, const struct way *way, struct buffer *out)
{
	const char *text = case_text(t, way->section);
	size_t length = strlen(text);
	bool open = length >= 2 && strcmp(text + length - 2, "\n\\") == 0;
	bool named = translator_of(t) == &openai_responses;

	if (setting_is(t, "byte-order-mark", "yes"))
		buffer_puts(out, "\xef\xbb\xbf");
	if (strcmp(way->section, "events") == 0) {
		while (*text != '\0')
			text += write_event(text, named, way->line_end, out);
		return;
	}
	buffer_append(out, text, length - (open ? 2 : 0));
	buffer_puts(out, strcmp(way->section, "stream") == 0 && !open ? "\n\n" : "");
}

/* Put the upstream's answer through; the caller frees it. */
static struct answer *
answer_by(struct test_case *t, const struct way *way, const struct tool_names *names,
	const char *body, struct buffer *out)
{
	const char *type = case_setting(t, "content-type",
		strcmp(way->section, "answer") == 0 ? "application/json" : "text/event-stream");
	const struct answer_options options = {
		.translator = translator_of(t),
		.tool_names = names,
		.model = "asked",
		.stream = way->stream,
		.hide_thinking = setting_is(t, "thinking", "hidden"),
		.pass = translator_of(t)->passes_through,
		.message = true,
	};
	struct answer *a = answer_new(&options, out);
	size_t length = strlen(body);

	answer_begin(a, &error_context);
	answer_head(a, atoi(case_setting(t, "status", "200")),
		strcmp(type, "none") != 0 ? type : NULL, 0);
	for (size_t at = 0; at < length && answer_state(a) == ANSWER_OPEN; at += way->size)
		answer_feed(a, body + at, length - at < way->size ? length - at : way->size);
	answer_end(a, !setting_is(t, "complete", "no"));
	return a;
}

static void
expect_error(struct test_case *t, const struct answer *a)
{
	struct buffer told = BUFFER_INIT(0);
	const struct api_error *error = answer_error(a);

	if (case_section(t, "error") == NULL && case_section(t, "error has") == NULL)
		fail_msg("%s:%d: failed: %s", t->file->path, t->line, error->message);
	buffer_printf(&told, "%d %s", error->status, error->message);
	while (is_blank(told.data[told.length - 1])) /* of what is quoted: a line end, or two */
		buffer_cut(&told, told.length - 1);
	expect(t, "error", buffer_text(&told), TEXT);
	expect_lines(t, "error has", buffer_text(&told));
	buffer_free(&told);
}

/* The client's stream or body, byte for byte. */
static void
expect_bytes(struct test_case *t, const struct way *way, const char *out)
{
	struct buffer text = BUFFER_INIT(0);

	buffer_puts(&text, out);
	if (way->stream && text.length > 0) {
		bool whole = text.length >= 2 && strcmp(out + text.length - 2, "\n\n") == 0;
		buffer_cut(&text, text.length - (whole ? 2 : 0));
		buffer_puts(&text, whole ? "" : "\n\\");
	}
	expect(t, way->stream ? "client stream" : "client body", buffer_text(&text), TEXT);
	buffer_free(&text);
}

static void
expect_answer(struct test_case *t, const struct way *way, const struct answer *a, const char *out)
{
	struct buffer events = BUFFER_INIT(0), message = BUFFER_INIT(0), outline = BUFFER_INIT(0);
	struct buffer usage = BUFFER_INIT(0);

	if (case_section(t, "error") != NULL || case_section(t, "error has") != NULL)
		fail_msg("%s:%d: it is no error: %s", t->file->path, t->line, out);
	buffer_printf(&usage, "%llu in, %llu out, %s%s",
		(unsigned long long)answer_usage(a)->input_tokens,
		(unsigned long long)answer_usage(a)->output_tokens, answer_stop_reason(a),
		answer_passes(a) ? ", passed on" : "");
	expect(t, "counted", buffer_text(&usage), TEXT);
	buffer_clear(&usage);
	events_of(out, &events);
	if (way->stream)
		expect(t, "client events", buffer_text(&events), EVENTS);
	message_of(out, way->stream, &message);
	expect(t, "message", buffer_text(&message), JSON);
	if (case_section(t, "outline") != NULL)
		outline_of(buffer_text(&message), &outline);
	expect(t, "outline", buffer_text(&outline), TEXT);
	usage_of(buffer_text(&message), &usage);
	expect(t, "usage", buffer_text(&usage), JSON);
	buffer_free(&events);
	buffer_free(&message);
	buffer_free(&outline);
	buffer_free(&usage);
}

static void
check_answer_by(struct test_case *t, const struct way *way, const struct tool_names *names)
{
	struct buffer packed = BUFFER_INIT(0), body = BUFFER_INIT(0), out = BUFFER_INIT(0);
	struct buffer unpacked = BUFFER_INIT(0), shown = BUFFER_INIT(0);

	write_answer(t, way, &packed);
	pack_carried(buffer_text(&packed), &body);
	struct answer *a = answer_by(t, way, names, buffer_text(&body), &out);
	unpack_carried(buffer_text(&out), &unpacked);
	number_ids(buffer_text(&unpacked), buffer_text(&body), &shown);
	if (answer_state(a) != ANSWER_FAILED) {
		expect_answer(t, way, a, buffer_text(&shown));
	} else if (!answer_pass_refusal(a)) {
		expect_error(t, a);
		if (answer_started(a))
			answer_write_error(a, answer_error(a));
	}
	expect_bytes(t, way, buffer_text(&out));
	answer_free(a);
	buffer_free(&packed);
	buffer_free(&body);
	buffer_free(&out);
	buffer_free(&unpacked);
	buffer_free(&shown);
}

/* Streamed and whole, in pieces of any size, with either line end. */
static void
check_answer(struct test_case *t, const char *section, const struct tool_names *names)
{
	static const size_t sizes[] = {1, 2, 3, 7, 1 << 20};
	static const char *const line_ends[] = {"\n", "\r\n"};
	size_t ends = strcmp(section, "events") == 0 ? COUNT(line_ends) : 1;

	for (size_t i = 0; i < 2 * COUNT(sizes) * ends; i++) {
		const struct way way = {
			.section = section,
			.stream = i % 2 == 0,
			.size = sizes[i / 2 % COUNT(sizes)],
			.line_end = line_ends[i / 2 / COUNT(sizes)],
		};
		if (!setting_is(t, "asks", way.stream ? "message" : "stream"))
			check_answer_by(t, &way, names);
	}
}

/* ---- schemas ---- */

static void
check_schema(struct test_case *t)
{
	const char *text = case_text(t, "schema");
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct json_document index = {0};
	struct buffer out = BUFFER_INIT(0);
	const struct json *schema = json_read(
		&index, text, strlen(text), JSON_MAX_REQUEST_VALUES, NULL);

	assert_non_null(schema);
	struct json_object *cleaned = gemini_schema_clean(schema, &budget);
	assert_non_null(cleaned);
	json_put_tree(&JSON_WRITER(&out), cleaned);
	expect(t, "cleaned", buffer_text(&out), JSON);
	assert_true(budget > GEMINI_SCHEMA_BUDGET * 99 / 100);
	json_object_put(cleaned);
	json_document_free(&index);
	buffer_free(&out);
}

/* ---- */

static void
run_case(void **state)
{
	struct test_case *t = *state;
	struct tool_names *names = tool_names_new(translator_of(t)->name_rule);

	check_names(t);
	check_names(&t->file->common);
	if (case_section(t, "request") != NULL)
		check_request(t, names);
	for (size_t i = 0; i < COUNT(answer_sections); i++)
		if (case_section(t, answer_sections[i]) != NULL)
			check_answer(t, answer_sections[i], names);
	if (case_section(t, "schema") != NULL)
		check_schema(t);
	check_compared(t);
	tool_names_free(names);
}

static bool
is_wanted(const struct test_case *t, int count, char **words)
{
	for (int i = 1; i < count; i++)
		if (strstr(t->name, words[i]) != NULL)
			return true;
	return count <= 1;
}

int
main(int argc, char **argv)
{
	static const struct log_options quiet = {LOG_ERROR, false, NULL};
	glob_t found;
	size_t count = 0;

	log_open(&quiet);
	if (glob("tests/cases/*/*.txt", 0, NULL, &found) != 0) {
		fputs("tests/cases is not here: run this at the top of the tree\n", stderr);
		return 1;
	}
	struct case_file *files = calloc(found.gl_pathc, sizeof(*files));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		case_file_read(&files[i], found.gl_pathv[i]);
		count += files[i].count;
	}
	struct CMUnitTest *tests = calloc(count, sizeof(*tests));
	count = 0;
	for (size_t i = 0; i < found.gl_pathc; i++)
		for (size_t j = 0; j < files[i].count; j++)
			if (is_wanted(&files[i].cases[j], argc, argv))
				tests[count++] = (struct CMUnitTest){.name = files[i].cases[j].name,
					.test_func = run_case,
					.initial_state = &files[i].cases[j]};
	int status = _cmocka_run_group_tests("cases", tests, count, NULL, NULL);
	for (size_t i = 0; i < found.gl_pathc; i++)
		case_file_free(&files[i]);
	free(tests);
	free(files);
	globfree(&found);
	return status;
}
