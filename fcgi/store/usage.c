/*
 * Usage; see usage.h.
 */
#include "store/usage.h"

#include "store/database.h"

static const char insert[] = "INSERT INTO usage (finished, upstream, key_id, model, status, "
			     "input_tokens, output_tokens, cache_read_input_tokens, "
			     "cache_creation_input_tokens, first_byte, duration) "
			     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

static int
insert_row(sqlite3_stmt *statement, const struct usage_record *row)
{
	sqlite3_bind_int64(statement, 1, row->finished);
	sqlite3_bind_text(statement, 2, row->upstream, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, row->key_id);
	sqlite3_bind_text(statement, 4, row->model, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 5, row->status);
	sqlite3_bind_int64(statement, 6, (int64_t)row->input_tokens);
	sqlite3_bind_int64(statement, 7, (int64_t)row->output_tokens);
	sqlite3_bind_int64(statement, 8, (int64_t)row->cache_read_input_tokens);
	sqlite3_bind_int64(statement, 9, (int64_t)row->cache_creation_input_tokens);
	sqlite3_bind_int64(statement, 10, row->first_byte);
	sqlite3_bind_int64(statement, 11, row->duration);
	int step = sqlite3_step(statement);
	sqlite3_reset(statement);
	return step == SQLITE_DONE ? 0 : -1;
}

/* In the transaction that is open. */
static int
write_rows(struct store *s, const struct usage_record *rows, size_t count, int64_t forget_before)
{
	sqlite3_stmt *statement = NULL;
	int status = sqlite3_prepare_v2(s->writer, insert, -1, &statement, NULL) == SQLITE_OK ? 0
											      : -1;

	for (size_t i = 0; i < count && status == 0; i++)
		status = insert_row(statement, &rows[i]);
	sqlite3_finalize(statement);
	if (status != 0 || forget_before == 0)
		return status;
	char *forget = sqlite3_mprintf(
		"DELETE FROM usage WHERE finished < %lld", (long long)forget_before);
	status = sqlite3_exec(s->writer, forget, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
	sqlite3_free(forget);
	return status;
}

enum store_result
store_record_usage(
	struct store *s, const struct usage_record *rows, size_t count, int64_t forget_before)
{
	enum store_result result = STORE_FAILED;

	pthread_mutex_lock(&s->write_lock);
	if (sqlite3_exec(s->writer, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK) {
		if (write_rows(s, rows, count, forget_before) == 0 &&
			sqlite3_exec(s->writer, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
			result = STORE_OK;
	}
	if (result != STORE_OK) {
		database_complain_now_and_then(
			s->writer, s->path, "recording usage", &s->write_complained);
		sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
	}
	pthread_mutex_unlock(&s->write_lock);
	return result;
}
