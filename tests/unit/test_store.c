/* The store and the choice of keys (SPEC §5). */
#include "temporary_folder.h"
#include "unit.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log/log.h"
#include "store/config.h"
#include "store/options.h"
#include "store/store.h"
#include "store/totals.h"
#include "store/usage.h"
#include "upstream/balance.h"

static char path[128];

static int
set_up(void **state)
{
	static const struct log_options quiet = {LOG_ERROR, false, "/dev/null"};

	(void)state;
	log_open(&quiet);
	make_folder();
	snprintf(path, sizeof(path), "%s/new/folder/proxy.db", folder);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return remove_folder();
}

static struct store *
open_store(void)
{
	struct store *s = store_open(path);

	assert_non_null(s);
	return s;
}

static int64_t
id_of(struct store *s, const char *name)
{
	struct config *config = store_config(s);
	const struct upstream *u = config_find_upstream(config, name);
	int64_t id = u != NULL ? u->id : -1;

	config_release(config);
	return id;
}

/* The snapshot now; lent until the next one is made. */
static const struct config *
config_of(struct store *s)
{
	struct config *config = store_config(s);

	assert_non_null(config);
	config_release(config);
	return config;
}

static int64_t
number_in(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(row), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return number;
}

static void
execute(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_a_new_database_is_nobody_elses(void **state)
{
	struct stat info;
	struct store *s = open_store();

	(void)state;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	struct config *config = store_config(s);
	assert_int_equal(config->upstream_count, 0);
	assert_null(config->current);
	assert_false(config->has_strategy);
	config_release(config);
	store_close(s);
}

static void
test_changes_are_seen_by_another_connection_at_once(void **state)
{
	static const char *const keys[] = {"k1", "k2", "k1"};
	struct store *s = open_store();
	struct store *other = open_store();
	size_t added = 0;

	(void)state;
	config_release(store_config(other));
	assert_int_equal(store_add_upstream(s, "a", "http://a", "openai"), STORE_OK);
	assert_int_equal(store_add_upstream(s, "a", "http://b", "openai"), STORE_EXISTS);
	assert_int_equal(store_add_upstream(s, "b", "http://b", "custom"), STORE_OK);
	assert_int_equal(store_add_keys(s, id_of(s, "a"), keys, 3, &added), STORE_OK);
	assert_int_equal(added, 2);
	assert_int_equal(store_add_keys(s, 999, keys, 1, &added), STORE_NOT_FOUND);
	struct config *config = store_config(other);
	assert_int_equal(config->upstream_count, 2);
	assert_string_equal(config->current->name, "a");
	assert_int_equal(config->current->key_count, 2);
	assert_ptr_equal(config_find_upstream(config, "1"), &config->upstreams[1]);
	assert_ptr_equal(config_find_upstream(config, "b"), &config->upstreams[1]);
	assert_null(config_find_upstream(config, "2"));
	config_release(config);
	store_close(other);
	store_close(s);
}

static void
test_a_snapshot_stays_as_it_was(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	struct config *before = store_config(s);
	struct config *same = store_config(s);
	assert_ptr_equal(before, same);
	uint64_t count;
	assert_int_equal(store_rotate(s, id_of(s, "a"), &count), STORE_OK);
	struct config *counted = store_config(s);
	assert_ptr_equal(before, counted);
	assert_int_equal(store_clear(s), STORE_OK);
	struct config *after = store_config(s);
	assert_int_equal(after->upstream_count, 0);
	assert_string_equal(before->upstreams[0].name, "a");
	config_release(before);
	config_release(same);
	config_release(counted);
	config_release(after);
	store_close(s);
}

static void
test_removing_the_current_upstream_makes_the_first_current(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	store_add_upstream(s, "b", "http://b", "openai");
	store_add_upstream(s, "c", "http://c", "openai");
	assert_int_equal(store_use_upstream(s, id_of(s, "b")), STORE_OK);
	assert_int_equal(store_use_upstream(s, 999), STORE_NOT_FOUND);
	store_set_option(s, id_of(s, "c"), "fallback", "b");
	store_add_route(s, "x*", "y", id_of(s, "b"), 0);
	assert_int_equal(store_remove_upstream(s, id_of(s, "b")), STORE_OK);
	struct config *config = store_config(s);
	assert_string_equal(config->current->name, "a");
	assert_null(config_find_upstream(config, "c")->options.fallback);
	assert_int_equal(config->route_count, 0);
	config_release(config);
	store_close(s);
}

static void
test_routes_match_in_order(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	store_add_route(s, "claude-*haiku*", "small", id_of(s, "a"), 0);
	store_add_route(s, "claude-*", "large", 0, 0);
	struct config *config = store_config(s);
	assert_string_equal(config_find_route(config, "claude-3-haiku-1")->model, "small");
	assert_string_equal(config_find_route(config, "claude-opus")->model, "large");
	assert_null(config_find_route(config, "claude-opus")->upstream);
	assert_null(config_find_route(config, "gpt-4o"));
	config_release(config);
	store_close(s);
}

/* The models of the routes in their order, as one text. */
static void
check_order(struct store *s, const char *expected)
{
	struct config *config = store_config(s);
	char order[64] = "";

	for (size_t i = 0; i < config->route_count; i++)
		strcat(order, config->routes[i].model);
	assert_string_equal(order, expected);
	config_release(config);
}

static int64_t
route_id(struct store *s, const char *pattern)
{
	struct config *config = store_config(s);
	int64_t id = config->routes[config_route_index(config, pattern)].id;

	config_release(config);
	return id;
}

static void
test_routes_are_placed_and_moved(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_route(s, "a", "A", 0, 0);
	store_add_route(s, "b", "B", 0, 0);
	store_add_route(s, "c", "C", 0, route_id(s, "a"));
	check_order(s, "CAB");
	store_add_route(s, "d", "D", 0, route_id(s, "b"));
	check_order(s, "CADB");
	store_move_route(s, route_id(s, "b"), route_id(s, "c"));
	check_order(s, "BCAD");
	store_move_route(s, route_id(s, "b"), route_id(s, "d"));
	check_order(s, "CABD");
	store_move_route(s, route_id(s, "a"), 0);
	check_order(s, "CBDA");
	store_move_route(s, route_id(s, "b"), route_id(s, "b"));
	check_order(s, "CBDA");
	store_change_route(s, route_id(s, "d"), "X", 0);
	check_order(s, "CBXA");
	store_change_route(s, route_id(s, "d"), "Y", route_id(s, "c"));
	check_order(s, "YCBA");
	assert_int_equal(store_move_route(s, 9999, 0), STORE_NOT_FOUND);
	assert_int_equal(store_change_route(s, 9999, "Z", 0), STORE_NOT_FOUND);
	for (int i = 0; i < 100; i++)
		store_move_route(s, route_id(s, "a"), route_id(s, i % 2 == 0 ? "d" : "b"));
	check_order(s, "YCAB");
	store_close(s);
}

static void
test_routes_that_are_never_used(void **state)
{
	static const struct {
		const char *first, *second;
		bool shadowed;
	} rows[] = {{"claude-*", "claude-*haiku*", true}, {"claude-*haiku*", "claude-*", false},
		{"claude-*", "claude-*", true}, {"*", "gpt-?", true}, {"*", "x", true},
		{"gpt-?", "gpt-*", false}, {"gpt-?", "gpt-4", true}, {"gpt-?", "gpt-??", false},
		{"a*b", "a*", false}, {"a*b", "ab", true}, {"a*b", "a*cb", true},
		{"a*b*", "axxb", true}, {"a*bc", "a*b*c", false}, {"x", "y", false},
		{"[ab]", "a", false}, {"[ab]", "[ab]", true}, {"a", "a*", false}, {"**", "*", true},
		{"*a*", "*ba*c", true}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct route routes[] = {
			{.pattern = (char *)rows[i].first}, {.pattern = (char *)rows[i].second}};
		const struct config config = {.routes = routes, .route_count = 2};
		if ((config_shadowing_route(&config, 1) != NULL) != rows[i].shadowed)
			fail_msg("%s before %s", rows[i].first, rows[i].second);
		assert_null(config_shadowing_route(&config, 0));
	}
}

/* It is asked for by the first upstream's requests when that one fails. */
static void
test_a_route_of_a_fallback_is_used(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	store_add_upstream(s, "b", "http://b", "openai");
	store_add_route(s, "claude-*", "m", 0, 0);
	store_add_route(s, "claude-*", "n", id_of(s, "b"), 0);
	store_add_route(s, "claude-x", "o", id_of(s, "b"), 0);
	struct config *config = store_config(s);
	assert_ptr_equal(config_shadowing_route(config, 1), &config->routes[0]);
	config_release(config);
	store_set_option(s, id_of(s, "a"), "fallback", "b");
	config = store_config(s);
	assert_null(config_shadowing_route(config, 1));
	assert_ptr_equal(config_shadowing_route(config, 2), &config->routes[1]);
	config_release(config);
	store_close(s);
}

static void
test_options_are_checked(void **state)
{
	static const struct {
		const char *name, *value;
		bool good;
	} rows[] = {{"max-output-tokens", "100", true}, {"max-output-tokens", "0", false},
		{"max-output-tokens", "x", false}, {"timeout", "1", true}, {"timeout", "1s", true},
		{"timeout", "2m", true}, {"timeout", "250ms", true}, {"timeout", "1y", false},
		{"timeout", "2d", false}, {"timeout", "s", false}, {"timeout", "-1s", false},
		{"reasoning", "off", true}, {"reasoning", "on", false},
		{"proxy", "socks5h://127.0.0.1:1", true}, {"proxy", "127.0.0.1", false},
		{"header.X-A", "b c", true}, {"header.X A", "b", false},
		{"header.Host", "b", false}, {"header.X", "a\nb", false}, {"header.", "x", false},
		{"auth", "bearer", true}, {"auth", "api-key", true}, {"auth", "basic", false},
		{"beta", "none", true}, {"beta", "-a-1,-b", true}, {"beta", "a", false},
		{"beta", "-a,", false}, {"beta", "-", false}, {"beta", "-a b", false},
		{"images", "off", true}, {"images", "on", true}, {"images", "no", false},
		{"body.a", "1", true}, {"body.a.b", "{\"c\":[null]}", true}, {"body.a", "x", false},
		{"body.", "1", false}, {"body.a..b", "1", false}, {"body..a", "1", false},
		{"body.a.", "1", false}, {"body.stream", "true", false}, {"body.a", "", false},
		{"body.a", "[1,\n2]", false}, {"fallback", "x", true}, {"unknown", "x", false},
		{"timeouts", "1", false}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if ((option_check(rows[i].name, rows[i].value) == NULL) != rows[i].good)
			fail_msg("%s %s", rows[i].name, rows[i].value);
}

static void *
rotate_a_hundred_times(void *context)
{
	uint64_t count;

	for (int i = 0; i < 100; i++)
		assert_int_equal(store_rotate(context, 1, &count), STORE_OK);
	return NULL;
}

static void
test_rotation_is_exact_over_processes_and_threads(void **state)
{
	pid_t children[3];

	(void)state;
	struct store *s = open_store();
	store_add_upstream(s, "a", "http://a", "openai");
	store_close(s);
	for (size_t i = 0; i < COUNT(children); i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		pthread_t threads[3];
		struct store *own = store_open(path);
		for (size_t t = 0; t < COUNT(threads); t++)
			pthread_create(&threads[t], NULL, rotate_a_hundred_times, own);
		for (size_t t = 0; t < COUNT(threads); t++)
			pthread_join(threads[t], NULL);
		store_close(own);
		_exit(0);
	}
	for (size_t i = 0; i < COUNT(children); i++) {
		int status;
		waitpid(children[i], &status, 0);
		assert_int_equal(status, 0);
	}
	uint64_t count;
	s = open_store();
	assert_int_equal(store_rotate(s, 1, &count), STORE_OK);
	assert_int_equal(count, 900);
	store_close(s);
}

static void
test_a_database_made_by_two_at_once(void **state)
{
	pid_t children[4];

	(void)state;
	for (size_t i = 0; i < COUNT(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct store *s = store_open(path);
			_exit(s != NULL ? 0 : 1);
		}
	}
	for (size_t i = 0; i < COUNT(children); i++) {
		int status;
		waitpid(children[i], &status, 0);
		assert_int_equal(status, 0);
	}
}

static void
test_a_newer_or_damaged_database_is_refused_and_left_alone(void **state)
{
	(void)state;
	store_close(open_store());
	execute("PRAGMA user_version = 99");
	assert_null(store_open(path));
	FILE *f = fopen(path, "we");
	fputs("this is no database, but somebody's letter, and it must stay as it is", f);
	fclose(f);
	assert_null(store_open(path));
	char text[32] = "";
	f = fopen(path, "re");
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_memory_equal(text, "this is no database", 19);
}

/* Make the database of a new file one of version 1. */
static void
make_version_1(void)
{
	store_close(open_store());
	execute("DROP TABLE service; DROP TABLE request_totals; DROP TABLE latency_totals; "
		"DROP TABLE processes; DROP TABLE lessons; PRAGMA user_version = 1");
}

static void
test_an_older_database_is_brought_up_to_date(void **state)
{
	(void)state;
	make_version_1();
	execute("INSERT INTO upstreams (name, base_url, service_type) "
		"VALUES ('kept', 'http://a', 'openai')");
	struct store *s = open_store();
	assert_true(id_of(s, "kept") > 0);
	assert_int_equal(number_in("SELECT user_version FROM pragma_user_version"), 3);
	assert_int_equal(number_in("SELECT count(*) FROM service"), 1);
	assert_int_equal(number_in("SELECT count(*) FROM processes"), 0);
	store_close(s);
	/* And another time there is nothing left to do. */
	store_close(open_store());
	assert_int_equal(number_in("SELECT count(*) FROM service"), 1);
}

static void
test_an_older_database_brought_up_to_date_by_many_at_once(void **state)
{
	pid_t children[4];

	(void)state;
	make_version_1();
	for (size_t i = 0; i < COUNT(children); i++) {
		children[i] = fork();
		if (children[i] == 0)
			_exit(store_open(path) != NULL ? 0 : 1);
	}
	for (size_t i = 0; i < COUNT(children); i++) {
		int status;
		waitpid(children[i], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(number_in("SELECT count(*) FROM service"), 1);
}

/* ---- lessons ---- */

static size_t
lessons_of(struct store *s, const char *name)
{
	struct config *config = store_config(s);
	const struct upstream *u = config_find_upstream(config, name);
	size_t count = u != NULL ? u->lesson_count : 0;

	config_release(config);
	return count;
}

static void
test_lessons_are_kept_until_they_are_forgotten(void **state)
{
	struct store *s = open_store();
	struct store *other = open_store();
	bool is_new = false;
	size_t count = 0;

	(void)state;
	store_add_upstream(s, "taught", "http://a", "openai");
	store_add_upstream(s, "other", "http://b", "openai");
	int64_t id = id_of(s, "taught");
	assert_int_equal(store_learn(s, id, "m", "drop x", &is_new), STORE_OK);
	assert_true(is_new);
	/* Another process knows it at once. */
	assert_int_equal(lessons_of(other, "taught"), 1);
	assert_int_equal(lessons_of(other, "other"), 0);
	assert_int_equal(store_learn(other, id, "m", "drop x", &is_new), STORE_OK);
	assert_false(is_new);
	assert_int_equal(number_in("SELECT times FROM lessons"), 2);
	assert_int_equal(store_learn(s, id, "m", "drop y", &is_new), STORE_OK);
	assert_int_equal(store_forget_lessons(s, id, "drop x", &count), STORE_OK);
	assert_int_equal(count, 1);
	assert_int_equal(lessons_of(other, "taught"), 1);
	/* After 30 days it no longer counts, and goes with the next that is learned. */
	execute("UPDATE lessons SET learned = learned - 2592000001");
	assert_int_equal(lessons_of(other, "taught"), 0);
	store_learn(s, id, "m", "drop z", &is_new);
	assert_int_equal(number_in("SELECT count(*) FROM lessons"), 1);
	assert_int_equal(store_forget_lessons(s, 0, NULL, &count), STORE_OK);
	assert_int_equal(count, 1);
	assert_int_equal(store_learn(s, 4711, "m", "drop x", &is_new), STORE_NOT_FOUND);
	assert_false(is_new);
	store_close(other);
	store_close(s);
}

static void
test_an_upstream_has_a_bounded_number_of_lessons(void **state)
{
	struct store *s = open_store();
	char lesson[32];
	bool is_new;

	(void)state;
	store_add_upstream(s, "taught", "http://a", "openai");
	for (int i = 0; i < 140; i++) {
		snprintf(lesson, sizeof(lesson), "drop x%d", i);
		store_learn(s, id_of(s, "taught"), "m", lesson, &is_new);
	}
	assert_int_equal(number_in("SELECT count(*) FROM lessons"), 128);
	store_close(s);
}

/* ---- totals ---- */

static void
record(struct totals *t, enum request_kind kind, int status, int64_t duration)
{
	const struct usage_row row = {
		.kind = kind,
		.upstream = "main",
		.status = status,
		.input_tokens = 10,
		.cache_creation_input_tokens = 1,
		.first_byte = status == 200 ? 50 : -1,
		.duration = duration,
	};

	assert_int_equal(totals_add(t, &row), 0);
}

static void
write_totals(
	struct store *s, const struct totals *t, int64_t process, int64_t in_flight, int64_t now)
{
	const struct usage_batch batch = {
		.totals = t, .process = process, .in_flight = in_flight, .now = now};

	assert_int_equal(store_record_usage(s, &batch), STORE_OK);
}

static void
test_totals_add_up_in_memory_and_in_the_database(void **state)
{
	struct store *s = open_store();
	struct totals t = {0};
	struct totals more = {0};
	struct totals read = {0};

	(void)state;
	record(&t, REQUEST_STREAM, 200, 51);
	record(&t, REQUEST_STREAM, 200, 400000);
	record(&more, REQUEST_STREAM, 200, 0);
	record(&more, REQUEST_MESSAGE, 502, 100);
	totals_add_all(&t, &more);
	write_totals(s, &t, 1, 0, 1000);
	write_totals(s, &more, 1, 0, 1000);
	assert_int_equal(store_read_totals(s, &read), STORE_OK);
	assert_int_equal(read.count, 2);
	assert_int_equal(read.rows[0].kind, REQUEST_MESSAGE);
	assert_int_equal(read.rows[0].requests, 2);
	assert_int_equal(read.rows[0].first_byte.requests[0], 0);
	const struct request_total *streams = &read.rows[1];
	assert_string_equal(streams->upstream, "main");
	assert_int_equal(streams->status, 200);
	assert_int_equal(streams->requests, 4);
	assert_int_equal(streams->input_tokens, 40);
	assert_int_equal(streams->cache_creation_input_tokens, 4);
	assert_int_equal(streams->first_byte.requests[0], 4); /* a bound belongs to its bucket */
	assert_int_equal(streams->first_byte.duration[0], 200);
	assert_int_equal(streams->duration.requests[0], 2);
	assert_int_equal(streams->duration.requests[1], 1);
	assert_int_equal(streams->duration.requests[LATENCY_BUCKETS - 1], 1);
	assert_int_equal(streams->duration.duration[LATENCY_BUCKETS - 1], 400000);
	totals_free(&t);
	totals_free(&more);
	totals_free(&read);
	store_close(s);
}

static int64_t
in_flight_for(struct store *s, int64_t process, int64_t now)
{
	int64_t in_flight;
	int64_t began;

	assert_int_equal(store_read_service(s, process, now, &in_flight, &began), STORE_OK);
	assert_true(began > 1600000000000);
	return in_flight;
}

static void
test_sums_of_tokens_are_bounded(void **state)
{
	static const uint64_t most = USAGE_MOST_TOTAL;

	(void)state;
	assert_int_equal(usage_clamp(0), 0);
	assert_int_equal(usage_clamp(USAGE_MOST_TOKENS), USAGE_MOST_TOKENS);
	assert_int_equal(usage_clamp(USAGE_MOST_TOKENS + 1), 0);
	assert_int_equal(usage_clamp(UINT64_MAX), 0); /* a -1 without its sign */
	assert_int_equal(usage_sum(2, 3), 5);
	assert_int_equal(usage_sum(most - 1, 1), most);
	assert_int_equal(usage_sum(most, 1), most);
	assert_int_equal(usage_sum(1, UINT64_MAX), most);
	assert_int_equal(usage_sum(UINT64_MAX, UINT64_MAX), most);
}

/* What a version stored that took every count for true. */
static const char poison[] =
	"INSERT INTO request_totals VALUES "
	"('main', 'stream', 200, 7, 9223372036854775807, -2, 1000000000000000001, 4); "
	"INSERT INTO latency_totals VALUES "
	"('main', 'stream', 200, 'duration', 2, 7, 9223372036854775807); "
	"INSERT INTO usage (finished, upstream, key_id, model, status, input_tokens, "
	"output_tokens, cache_read_input_tokens, cache_creation_input_tokens, first_byte, "
	"duration) VALUES (1, 'main', 0, 'm', 200, 9223372036854775807, 5, -1, 0, 1, 1), "
	"(1, 'main', 0, 'm', 200, 9223372036854775807, 9223372036854775807, 0, 0, 1, 1), "
	"(1, 'main', 0, 'm', 200, 3, 1000000000000, 0, 0, 1, 1)";

static void
test_totals_that_absurd_counts_spoiled_begin_again(void **state)
{
	struct store *s = open_store();
	struct totals t = {0};
	struct totals read = {0};

	(void)state;
	execute(poison);
	assert_int_equal(store_read_totals(s, &read), STORE_OK);
	assert_int_equal(read.rows[0].input_tokens, 0);
	assert_int_equal(read.rows[0].output_tokens, 0);
	totals_free(&read);
	record(&t, REQUEST_STREAM, 200, 200);
	for (int i = 0; i < 2; i++)
		write_totals(s, &t, 1, 0, 1000);
	assert_int_equal(store_read_totals(s, &read), STORE_OK);
	assert_int_equal(read.count, 1);
	assert_int_equal(read.rows[0].requests, 9);
	assert_int_equal(read.rows[0].input_tokens, 20);
	assert_int_equal(read.rows[0].output_tokens, 0);
	assert_int_equal(read.rows[0].cache_read_input_tokens, 0);
	assert_int_equal(read.rows[0].cache_creation_input_tokens, 6);
	assert_int_equal(read.rows[0].duration.requests[2], 9);
	assert_int_equal(read.rows[0].duration.duration[2], 400);
	totals_free(&t);
	totals_free(&read);
	store_close(s);
}

static void
keep_total(void *context, const struct usage_total *total)
{
	struct usage_total *kept = context;

	assert_string_equal(total->name, "main");
	*kept = *total;
}

static void
test_a_report_leaves_absurd_counts_out(void **state)
{
	struct store *s = open_store();
	struct usage_total total = {0};

	(void)state;
	execute(poison);
	assert_int_equal(store_report_usage(s, 0, USAGE_BY_UPSTREAM, keep_total, &total), STORE_OK);
	assert_int_equal(total.requests, 3);
	assert_int_equal(total.input_tokens, 3);
	assert_int_equal(total.output_tokens, USAGE_MOST_TOKENS + 5);
	assert_int_equal(total.cache_read_input_tokens, 0);
	store_close(s);
}

static void
test_a_row_that_is_refused_holds_back_no_other(void **state)
{
	struct store *s = open_store();
	struct totals t = {0};
	struct usage_row rows[] = {
		{.upstream = "main", .model = "good", .status = 200},
		{.upstream = "main", .model = "bad", .status = 200},
		{.upstream = "main", .model = "good", .status = 200},
	};

	(void)state;
	execute("CREATE TRIGGER refuse BEFORE INSERT ON usage WHEN NEW.model = 'bad' "
		"BEGIN SELECT RAISE(ABORT, 'it is bad'); END; "
		"CREATE TRIGGER refuse_total BEFORE INSERT ON request_totals WHEN NEW.status = 502 "
		"BEGIN SELECT RAISE(ABORT, 'it is bad, too'); END");
	record(&t, REQUEST_MESSAGE, 502, 1);
	record(&t, REQUEST_MESSAGE, 200, 1);
	const struct usage_batch batch = {.rows = rows, .count = COUNT(rows), .totals = &t};
	assert_int_equal(store_record_usage(s, &batch), STORE_OK);
	assert_int_equal(number_in("SELECT count(*) FROM usage WHERE model = 'good'"), 2);
	assert_int_equal(number_in("SELECT count(*) FROM usage"), 2);
	assert_int_equal(number_in("SELECT sum(requests) FROM request_totals"), 1);
	totals_free(&t);
	store_close(s);
}

static void
test_what_processes_have_in_flight(void **state)
{
	struct store *s = open_store();
	const struct totals none = {0};

	(void)state;
	write_totals(s, &none, 1, 3, 1000);
	write_totals(s, &none, 2, 4, 2000);
	assert_int_equal(in_flight_for(s, 1, 2000), 4);
	assert_int_equal(in_flight_for(s, 9, 2000), 7);
	assert_int_equal(in_flight_for(s, 9, 1000 + PROCESS_FORGOTTEN), 4);
	write_totals(s, &none, 2, 0, 3000);
	assert_int_equal(in_flight_for(s, 9, 3000), 3);
	write_totals(s, &none, 2, 0, 1000 + PROCESS_FORGOTTEN);
	assert_int_equal(number_in("SELECT count(*) FROM processes"), 0);
	store_close(s);
}

/* ---- balance ---- */

/* Keys with the ids 1, 2, …: ${rests} until when each rests, -1: disabled. */
static struct upstream
upstream_with(struct api_key *keys, const int64_t *rests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct api_key){
			.id = (int64_t)i + 1, .enabled = rests[i] >= 0, .rests_until = rests[i]};
	return (struct upstream){.id = 1, .keys = keys, .key_count = count};
}

static void
test_failover_takes_the_first_in_working_order(void **state)
{
	static const struct {
		int64_t rests[3];
		int64_t tried[3];
		size_t tried_count;
		int64_t ready; /* the id; 0: none */
		int64_t resting;
	} rows[] = {
		{{0, 0, 0}, {0}, 0, 1, 1},
		{{500, 0, 0}, {0}, 0, 2, 2},
		{{-1, 500, 0}, {0}, 0, 3, 3},
		{{100, 0, 0}, {0}, 0, 1, 2},
		{{0, 0, 0}, {1}, 1, 2, 2},
		{{500, 300, 400}, {0}, 0, 0, 2},
		{{500, 300, 400}, {2}, 1, 0, 3},
		{{0, 0, 0}, {1, 2, 3}, 3, 0, 0},
		{{-1, -1, -1}, {0}, 0, 0, 0},
	};
	struct api_key keys[3];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct upstream u = upstream_with(keys, rows[i].rests, 3);
		const struct key_set tried = {(int64_t *)rows[i].tried, rows[i].tried_count};
		const struct api_key *ready = balance_choose_ready(
			NULL, STRATEGY_FAILOVER, &u, &tried, 100);
		const struct api_key *resting = balance_choose_resting(&u, &tried);
		assert_int_equal(ready != NULL ? ready->id : 0, rows[i].ready);
		assert_int_equal(resting != NULL ? resting->id : 0, rows[i].resting);
	}
}

static void
test_round_robin_takes_each_ready_one_in_turn(void **state)
{
	static const int64_t rests[] = {0, -1, 0, 500, 0};
	static const int64_t expected[] = {1, 3, 5, 1, 3, 5, 1, 3};
	static const struct key_set none;
	struct api_key keys[5];
	struct upstream u = upstream_with(keys, rests, 5);
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	u.id = id_of(s, "a");
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_int_equal(balance_choose_ready(s, STRATEGY_ROUND_ROBIN, &u, &none, 100)->id,
			expected[i]);
	store_close(s);
}

static void
test_random_takes_only_what_is_ready(void **state)
{
	static const int64_t rests[] = {0, -1, 0, 500};
	static const struct key_set none;
	struct api_key keys[4];
	struct upstream u = upstream_with(keys, rests, 4);
	int seen[5] = {0};

	(void)state;
	for (int i = 0; i < 300; i++)
		seen[balance_choose_ready(NULL, STRATEGY_RANDOM, &u, &none, 100)->id]++;
	assert_true(seen[1] > 50 && seen[3] > 50 && seen[2] == 0 && seen[4] == 0);
}

static void
test_a_rest_is_stored_and_only_grows(void **state)
{
	static const char *const keys[] = {"k1"};
	struct store *s = open_store();
	struct store *other = open_store();
	size_t added;

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	store_add_keys(s, id_of(s, "a"), keys, 1, &added);
	int64_t id = config_of(s)->current->keys[0].id;
	assert_int_equal(store_rest_key(s, id, 5000, "429: slow down"), STORE_OK);
	assert_int_equal(config_of(other)->current->keys[0].rests_until, 5000);
	assert_string_equal(config_of(other)->current->keys[0].last_error, "429: slow down");
	assert_int_equal(store_rest_key(s, id, 5500, "as long"), STORE_OK);
	assert_int_equal(store_rest_key(s, id, 1000, "shorter"), STORE_OK);
	assert_string_equal(config_of(other)->current->keys[0].last_error, "429: slow down");
	assert_int_equal(store_rest_key(s, id, 600000, "401: no"), STORE_OK);
	assert_int_equal(config_of(other)->current->keys[0].rests_until, 600000);
	assert_int_equal(store_enable_key(s, id, true), STORE_OK);
	assert_int_equal(config_of(other)->current->keys[0].rests_until, 0);
	store_close(other);
	store_close(s);
}

static void
test_a_window_begins_with_its_first_request(void **state)
{
	static const struct {
		const char *client;
		int64_t now;
		int64_t count;
		int64_t ends;
	} rows[] = {
		{"1.2.3.4", 1000, 1, 2000},
		{"1.2.3.4", 1000, 2, 2000},
		{"::1", 1500, 1, 2500},
		{"1.2.3.4", 1999, 3, 2000},
		{"1.2.3.4", 2000, 1, 3000},
		{"::1", 2499, 2, 2500},
		{"1.2.3.4", 9000, 1, 10000},
		{"1.2.3.4", 500, 1, 1500}, /* the clock went back */
		/* Who waited for the lock is counted after one who came later. */
		{"late", 5000, 1, 6000},
		{"late", 4998, 2, 6000},
		{"late", 5001, 3, 6000},
		{"late", 6000, 1, 7000},
		{"late", 5999, 2, 7000},
	};
	struct store *s = open_store();
	int64_t count;
	int64_t ends;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(
			store_count_request(s, rows[i].client, rows[i].now, 1000, &count, &ends),
			STORE_OK);
		assert_int_equal(count, rows[i].count);
		assert_int_equal(ends, rows[i].ends);
	}
	for (int i = 0; i < 500; i++)
		store_count_request(s, "x", 100000 + i * 1000LL, 1000, &count, &ends);
	store_close(s);
	assert_true(number_in("SELECT count(*) FROM rate_windows") < 3);
}

enum { COUNTERS = 4, COUNTS = 500 };

static void
count_many(void)
{
	struct store *s = open_store();
	int64_t count;
	int64_t ends;

	for (int i = 0; i < COUNTS; i++)
		store_count_request(s, "client", 1000 + i / 100, 1000000, &count, &ends);
	store_close(s);
}

static void
test_requests_are_counted_exactly_over_processes(void **state)
{
	(void)state;
	store_close(open_store());
	for (int i = 0; i < COUNTERS; i++) {
		if (fork() == 0) {
			count_many();
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	assert_int_equal(number_in("SELECT sum(count) FROM rate_windows"), COUNTERS * COUNTS);
	assert_int_equal(number_in("SELECT count(*) FROM rate_windows"), 1);
}

static void
test_the_last_snapshot_serves_while_the_database_is_broken(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	assert_int_equal(config_of(s)->upstream_count, 1);
	execute("DROP TABLE revision");
	assert_false(store_is_readable(s));
	assert_string_equal(config_of(s)->current->name, "a");
	store_close(s);
}

/* An owner may remove everything; a file in which nothing is current because it is damaged has not
 * said so. */
static void
test_a_database_that_is_damaged_is_not_believed_to_be_empty(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	assert_string_equal(config_of(s)->current->name, "a");
	execute("DELETE FROM settings WHERE name = 'current_upstream'; "
		"CREATE TABLE x (a); INSERT INTO x VALUES (NULL); PRAGMA writable_schema = ON; "
		"UPDATE sqlite_schema SET sql = 'CREATE TABLE x (a NOT NULL)' WHERE name = 'x'");
	assert_false(store_is_readable(s));
	assert_string_equal(config_of(s)->current->name, "a");
	execute("UPDATE x SET a = 1");
	assert_true(store_is_readable(s));
	assert_null(config_of(s)->current);
	store_close(s);
}

static void
count_row(void *context, const struct usage_total *total)
{
	assert_non_null(total->name);
	++*(int *)context;
}

/* Take the constraints off a table. */
static void
loosen(const char *table)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		"CREATE TABLE loose AS SELECT * FROM %s; DROP TABLE %s; "
		"ALTER TABLE loose RENAME TO %s",
		table, table, table);
	execute(sql);
}

/* Damage does not keep to the schema: every column of a row may be NULL. */
static void
test_rows_that_break_the_schema_are_read_without_harm(void **state)
{
	struct store *s = open_store();
	struct totals read = {0};
	int groups = 0;

	(void)state;
	store_add_upstream(s, "a", "http://a", "openai");
	loosen("request_totals");
	loosen("latency_totals");
	loosen("usage");
	execute("INSERT INTO request_totals (kind, requests) VALUES (NULL, 1), ('stream', 2); "
		"INSERT INTO latency_totals (kind, bucket, requests) VALUES (NULL, 0, 1), "
		"('stream', 0, 2); "
		"INSERT INTO usage (finished) VALUES (1)");
	assert_int_equal(store_read_totals(s, &read), STORE_OK);
	assert_int_equal(read.count, 1);
	assert_string_equal(read.rows[0].upstream, "");
	assert_int_equal(read.rows[0].requests, 2);
	assert_int_equal(read.rows[0].duration.requests[0], 2);
	totals_free(&read);
	for (int group = USAGE_BY_UPSTREAM; group <= USAGE_BY_DAY; group++)
		assert_int_equal(
			store_report_usage(s, 0, (enum usage_group)group, count_row, &groups),
			STORE_OK);
	assert_int_equal(groups, USAGE_BY_DAY + 1);
	store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_new_database_is_nobody_elses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_changes_are_seen_by_another_connection_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_snapshot_stays_as_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_removing_the_current_upstream_makes_the_first_current, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_routes_match_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_routes_are_placed_and_moved, set_up, tear_down),
		cmocka_unit_test(test_routes_that_are_never_used),
		cmocka_unit_test_setup_teardown(
			test_a_route_of_a_fallback_is_used, set_up, tear_down),
		cmocka_unit_test(test_options_are_checked),
		cmocka_unit_test_setup_teardown(
			test_rotation_is_exact_over_processes_and_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_database_made_by_two_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_newer_or_damaged_database_is_refused_and_left_alone, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_older_database_is_brought_up_to_date, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_older_database_brought_up_to_date_by_many_at_once, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_lessons_are_kept_until_they_are_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_upstream_has_a_bounded_number_of_lessons, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_totals_add_up_in_memory_and_in_the_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_processes_have_in_flight, set_up, tear_down),
		cmocka_unit_test(test_sums_of_tokens_are_bounded),
		cmocka_unit_test_setup_teardown(
			test_totals_that_absurd_counts_spoiled_begin_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_report_leaves_absurd_counts_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_row_that_is_refused_holds_back_no_other, set_up, tear_down),
		cmocka_unit_test(test_failover_takes_the_first_in_working_order),
		cmocka_unit_test_setup_teardown(
			test_round_robin_takes_each_ready_one_in_turn, set_up, tear_down),
		cmocka_unit_test(test_random_takes_only_what_is_ready),
		cmocka_unit_test_setup_teardown(
			test_a_rest_is_stored_and_only_grows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_window_begins_with_its_first_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_requests_are_counted_exactly_over_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_last_snapshot_serves_while_the_database_is_broken, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_database_that_is_damaged_is_not_believed_to_be_empty, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_rows_that_break_the_schema_are_read_without_harm, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
