/*
 * What refusals have taught; see store.h.
 */
#include "base/clock.h"
#include "store/database.h"

enum { MOST_LESSONS = 128 /* of an upstream */ };

/* Those that no longer count go, and the oldest of too many. */
static enum store_result
make_room(struct store *s, int64_t upstream_id, int64_t now)
{
	enum store_result result = database_unless_failed(
		database_run(s, "DELETE FROM lessons WHERE learned < ?", "i", now - LESSON_LASTS));

	if (result != STORE_OK)
		return result;
	return database_unless_failed(database_run(s,
		"DELETE FROM lessons WHERE upstream_id = ?1 AND (model, lesson) IN (SELECT model, "
		"lesson FROM lessons WHERE upstream_id = ?1 ORDER BY learned DESC LIMIT -1 OFFSET "
		"?2)",
		"ii", upstream_id, (int64_t)MOST_LESSONS - 1));
}

enum store_result
store_learn(
	struct store *s, int64_t upstream_id, const char *model, const char *lesson, bool *is_new)
{
	int64_t now = clock_now_ms();

	*is_new = false;
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(s,
		"UPDATE lessons SET times = times + 1, learned = ?4 WHERE upstream_id = ?1 AND "
		"model = ?2 AND lesson = ?3",
		"issi", upstream_id, model, lesson, now);
	if (result == STORE_NOT_FOUND) {
		result = make_room(s, upstream_id, now);
		*is_new = true;
		if (result == STORE_OK)
			result = database_run(s, "INSERT INTO lessons VALUES (?, ?, ?, ?, 1)",
				"issi", upstream_id, model, lesson, now);
	}
	result = database_end(s, result);
	*is_new = *is_new && result == STORE_OK;
	return result;
}

enum store_result
store_forget_lessons(struct store *s, int64_t upstream_id, const char *lesson, size_t *count)
{
	if (database_begin(s) != 0)
		return STORE_FAILED;
	enum store_result result = database_run(s,
		"DELETE FROM lessons WHERE (?1 = 0 OR upstream_id = ?1) AND (?2 IS NULL OR lesson "
		"= ?2)",
		"is", upstream_id, lesson);
	if (count != NULL)
		*count = result == STORE_OK ? (size_t)sqlite3_changes(s->writer) : 0;
	return database_end(s, database_unless_failed(result));
}
