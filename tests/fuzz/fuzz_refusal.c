/*
 * Any bytes as an upstream's refusal of a request, and as that request: a lesson is a line of
 * bounded length, and a request that follows it is still JSON.
 */
#include "fuzz.h"

#include "translate/lesson.h"
#include "translate/refusals/refusals.h"

static void
check_lesson(const char *lesson, const struct refusal_of_request *said)
{
	const struct lessons one = {&lesson, 1};
	struct buffer body = BUFFER_INIT(0);
	struct buffer value = BUFFER_INIT(0);

	fuzz_check(*lesson != '\0' && strlen(lesson) <= LESSON_LONGEST);
	for (const char *c = lesson; *c != '\0'; c++)
		fuzz_check((unsigned char)*c >= ' ');
	lesson_fixes(&one);
	lesson_auth(&one);
	lesson_withholds(&one, "anthropic-beta");
	lesson_write_header(&one, "anthropic-beta", "a, b-2025-01-01,c", &value);
	buffer_append(&body, said->sent, said->sent_length);
	fuzz_check(lesson_edit_body(&one, &body) == 0);
	if (fuzz_is_json(said->sent, said->sent_length))
		fuzz_check(fuzz_is_json(buffer_text(&body), body.length));
	buffer_free(&value);
	buffer_free(&body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const headers[] = {"anthropic-beta", "a,b-2025-01-01,c", NULL};
	static const int statuses[] = {400, 401, 403, 404, 413, 422, 500, 200};
	struct fuzz_input in = fuzz_input(data, size);
	unsigned choice = fuzz_byte(&in);
	char *sent = fuzz_text(&in, '\n');
	char *message = fuzz_text(&in, '\n');
	char *body = fuzz_text(&in, '\n');
	struct buffer lesson = BUFFER_INIT(0);
	const struct refusal_of_request said = {
		.status = statuses[choice & 7],
		.message = message,
		.body = body,
		.length = strlen(body),
		.sent = sent,
		.sent_length = strlen(sent),
		.headers = headers,
		.bearer = choice & 8,
	};
	size_t row = 0;

	fuzz_quiet();
	while (refusal_find_lesson(&said, &row, &lesson) != REFUSAL_UNKNOWN) {
		char *save = NULL;
		for (char *line = strtok_r(lesson.data, "\n", &save); line != NULL;
			line = strtok_r(NULL, "\n", &save))
			check_lesson(line, &said);
		buffer_clear(&lesson);
	}
	buffer_free(&lesson);
	free(sent);
	free(message);
	free(body);
	return 0;
}
