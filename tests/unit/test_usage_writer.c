/* Finished requests on their way to the database: none is lost unnoticed. */
#include "temporary_folder.h"
#include "unit.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log/log.h"
#include "proxy/usage_writer.h"
#include "store/database.h"
#include "store/usage.h"

enum { ROOM = 20000 }; /* rows that wait while the database cannot be written */

static char database[128];
static char log_path[128];
static uv_loop_t loop;
static atomic_int in_flight;
static struct store *store;
static struct usage_writer *usage_writer;

static int
set_up(void **state)
{
	(void)state;
	make_folder();
	snprintf(database, sizeof(database), "%s/proxy.db", folder);
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	const struct log_options options = {LOG_WARN, false, log_path};
	assert_int_equal(log_open(&options), 0);
	assert_int_equal(uv_loop_init(&loop), 0);
	store = store_open(database);
	assert_non_null(store);
	usage_writer = usage_writer_new(&loop, store, &in_flight);
	assert_non_null(usage_writer);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	usage_writer_free(usage_writer);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	store_close(store);
	log_close();
	return remove_folder();
}

static void
add_rows(int count)
{
	const struct usage_row row = {
		.kind = REQUEST_MESSAGE,
		.finished = clock_now_ms(),
		.upstream = "main",
		.model = "m",
		.status = 200,
	};

	for (int i = 0; i < count; i++)
		usage_writer_add(usage_writer, &row);
}

static int64_t
number_in(const char *sql)
{
	sqlite3_stmt *row = NULL;

	assert_int_equal(sqlite3_prepare_v2(store->reader, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return number;
}

static void
assert_logged(const char *words)
{
	static char text[16384];
	FILE *file = fopen(log_path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_contains(text, words);
}

/* More rows come while a batch is written than there is room for, and then it cannot be written. */
static int
refuse_commit(void *context)
{
	int *rows = context;

	add_rows(*rows);
	*rows = 0;
	return 1;
}

static void
write_in_vain(int rows_meanwhile)
{
	sqlite3_commit_hook(store->writer, refuse_commit, &rows_meanwhile);
	usage_writer_write(usage_writer);
	sqlite3_commit_hook(store->writer, NULL, NULL);
}

static void
test_rows_wait_until_the_database_can_be_written(void **state)
{
	(void)state;
	add_rows(3);
	write_in_vain(2);
	assert_int_equal(number_in("SELECT count(*) FROM usage"), 0);
	usage_writer_write(usage_writer);
	assert_int_equal(number_in("SELECT count(*) FROM usage"), 5);
	assert_int_equal(number_in("SELECT requests FROM request_totals"), 5);
}

static void
test_rows_without_room_are_counted_and_logged(void **state)
{
	(void)state;
	add_rows(5);
	write_in_vain(ROOM + 7); /* 7 find no room at first, 5 none beside those that wait */
	usage_writer_write(usage_writer);
	assert_int_equal(number_in("SELECT count(*) FROM usage"), ROOM);
	assert_int_equal(number_in("SELECT requests FROM request_totals"), ROOM + 12);
	assert_logged("usage of 12 requests is lost");
}

static void
test_rows_that_the_database_refuses_are_counted_and_logged(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_exec(store->writer,
				 "CREATE TRIGGER refuse BEFORE INSERT ON usage "
				 "WHEN (SELECT count(*) FROM usage) > 1 "
				 "BEGIN SELECT RAISE(ABORT, 'two are enough'); END",
				 NULL, NULL, NULL),
		SQLITE_OK);
	add_rows(5);
	usage_writer_write(usage_writer);
	assert_int_equal(number_in("SELECT count(*) FROM usage"), 2);
	assert_int_equal(number_in("SELECT requests FROM request_totals"), 5);
	assert_logged("recording usage: 3 rows were refused and are lost: two are enough");
	usage_writer_write(usage_writer);
	assert_int_equal(number_in("SELECT requests FROM request_totals"), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_rows_wait_until_the_database_can_be_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_rows_without_room_are_counted_and_logged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_rows_that_the_database_refuses_are_counted_and_logged, set_up,
			tear_down),
	};

	return cmocka_run_group_tests_name("usage_writer", tests, NULL, NULL);
}
