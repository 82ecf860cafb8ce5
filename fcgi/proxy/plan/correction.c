/*
 * Requests that are corrected after a refusal; see correction.h.
 */
#include "proxy/plan/correction.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/api_error.h"
#include "base/log/log.h"
#include "proxy/client_request.h"
#include "proxy/plan/plan.h"
#include "store/config.h"
#include "store/store.h"
#include "translate/refusals/refusals.h"
#include "upstream/service.h"

enum {
	MOST_HEADERS = 64,
	MOST_CORRECTIONS = 8, /* of one request, each for another refusal */
};

/* A correction under way. */
struct correction {
	const struct plan *refused;
	struct plan same; /* what was refused, written again */
	struct store *store;
	const struct client_request *client;
	const struct api_error *error;
	const struct buffer *body;
	char *lines[MOST_HEADERS]; /* of the headers that are passed on: name and value */
	const char *headers[2 * MOST_HEADERS + 1];
};

bool
correction_may_help(const struct api_error *error)
{
	return error->message != NULL && refusal_may_teach(error->status);
}

/* ---- what was sent ---- */

/* The headers of the client's that were passed on, as names and values. */
static int
read_headers(struct correction *c)
{
	size_t count = 0;

	for (struct curl_slist *h = c->same.request.headers; h != NULL; h = h->next) {
		if (count == MOST_HEADERS || strncasecmp(h->data, "anthropic-", 10) != 0)
			continue;
		char *line = strdup(h->data);
		char *colon = line != NULL ? strstr(line, ": ") : NULL;
		if (colon == NULL) {
			free(line);
			return line == NULL ? -1 : 0;
		}
		*colon = '\0';
		c->lines[count] = line;
		c->headers[2 * count] = line;
		c->headers[2 * count + 1] = colon + 2;
		count++;
	}
	return 0;
}

static bool
is_bearer(const struct correction *c)
{
	const struct upstream_request *r = &c->same.request;
	struct upstream_lessons lessons;
	bool bearer = upstream_lessons_gather(&lessons, r) == 0 && r->key != NULL &&
		      service_uses_bearer(
			      r->service, r->upstream, r->key->secret, lesson_auth(&lessons.list));

	upstream_lessons_free(&lessons);
	return bearer;
}

/* ---- lessons ---- */

/* Do something with each of the lessons, which are a line each. */
static void
each_lesson(const struct correction *c, const char *lessons,
	void (*act)(const struct correction *, const char *lesson))
{
	char *copy = strdup(lessons);
	char *save = NULL;

	for (char *line = copy != NULL ? strtok_r(copy, "\n", &save) : NULL; line != NULL;
		line = strtok_r(NULL, "\n", &save))
		act(c, line);
	free(copy);
}

/* It is logged once. */
static void
store_one(const struct correction *c, const char *lesson)
{
	const struct upstream_request *r = &c->refused->request;
	bool is_new = false;

	if (strlen(lesson) > LESSON_LONGEST)
		return;
	store_learn(c->store, r->upstream->id, r->model, lesson, &is_new);
	if (is_new)
		log_info("upstream '%s', model '%s': learned from a refusal: %s", r->upstream->name,
			r->model, lesson);
}

static void
forget_one(const struct correction *c, const char *lesson)
{
	store_forget_lessons(c->store, c->refused->request.upstream->id, lesson, NULL);
}

/* Did an earlier refusal of this request teach the same?  Then it is no news, and might go round.
 */
static bool
is_known(const struct correction *c, const char *lesson)
{
	const char *known = c->refused->request.lessons;
	size_t length = strlen(lesson);

	for (const char *at = known; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, lesson, length) == 0 && (at[length] == '\0' || at[length] == '\n'))
			return true;
	}
	return false;
}

/* Does the request differ with the lesson?  Those about headers were found in them. */
static bool
differs(const struct correction *c, const struct plan *next, const char *lesson)
{
	const struct buffer *was = &c->same.request.body;
	const struct buffer *is = &next->request.body;

	if (strncmp(lesson, "without ", 8) == 0 || strncmp(lesson, "auth ", 5) == 0)
		return true;
	return was->length != is->length ||
	       memcmp(buffer_text(was), buffer_text(is), is->length) != 0;
}

/* Keep in the plan what it follows.  Return 0, or -1: it is one correction too many, which the next
 * request knows. */
static int
note_correction(const struct correction *c, struct plan *next, const char *lesson)
{
	struct correction_made *made = &next->corrects;

	free(made->refusal);
	free(made->lesson);
	made->refusal = strdup(c->error->message);
	made->lesson = strdup(lesson);
	made->count++;
	return made->refusal != NULL && made->lesson != NULL && made->count <= MOST_CORRECTIONS
		       ? 0
		       : -1;
}

/* Try the lessons of the refusal one after the other, until one changes the request. */
static int
learn(struct correction *c, struct plan *next)
{
	const struct refusal_of_request said = {
		.status = c->error->status,
		.message = c->error->message,
		.body = buffer_text(c->body),
		.length = c->body->length,
		.sent = buffer_text(&c->same.request.body),
		.sent_length = c->same.request.body.length,
		.headers = c->headers,
		.passes = c->same.pass,
		.bearer = is_bearer(c),
	};
	struct buffer lesson = BUFFER_INIT(0);
	enum refusal_scope scope;
	size_t row = 0;
	int status = -1;

	*next = (struct plan){0};
	while ((scope = refusal_find_lesson(&said, &row, &lesson)) != REFUSAL_UNKNOWN) {
		const char *text = buffer_text(&lesson);
		if (lesson.failed)
			break;
		if (is_known(c, text))
			continue;
		if (plan_repeat(c->refused, next, c->client, text) != 0)
			break;
		if (differs(c, next, text)) {
			if (scope == REFUSAL_LASTS)
				each_lesson(c, text, store_one);
			status = note_correction(c, next, text);
			break;
		}
		plan_free(next);
	}
	if (status != 0)
		plan_free(next);
	buffer_free(&lesson);
	return status;
}

int
correction_find(const struct plan *refused, struct plan *next, struct store *store,
	const struct client_request *client, const struct api_error *error,
	const struct buffer *body)
{
	struct correction c = {
		.refused = refused,
		.store = store,
		.client = client,
		.error = error,
		.body = body,
	};
	const char *before = refused->corrects.refusal;
	int status = -1;

	/* The last lessons did not help. */
	if (before != NULL && strcmp(before, error->message) == 0) {
		each_lesson(&c, refused->corrects.lesson, forget_one);
		return -1;
	}
	if (plan_repeat(refused, &c.same, client, NULL) != 0)
		return -1;
	if (read_headers(&c) == 0)
		status = learn(&c, next);
	for (size_t i = 0; i < MOST_HEADERS; i++)
		free(c.lines[i]);
	plan_free(&c.same);
	return status;
}
