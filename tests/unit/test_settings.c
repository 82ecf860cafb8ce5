/* Settings: environment before file, defaults, and start-up errors that name the variable (SPEC
 * §3). */
#include <fcntl.h>
#include "temporary_folder.h"
#include "unit.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/settings/settings.h"

static char env_path[128];

static void
write_env(const char *text)
{
	FILE *f = fopen(env_path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int
set_up(void **state)
{
	(void)state;
	clearenv();
	make_folder();
	snprintf(env_path, sizeof(env_path), "%s/.env", folder);
	setenv("HOME", folder, 1);
	setenv("CLAUDE_PROXY_ENV", env_path, 1);
	write_env("");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return remove_folder();
}

static struct settings *
load(void)
{
	struct buffer problem = BUFFER_INIT(0);
	struct settings *s = settings_load(&problem);

	if (s == NULL)
		print_message("%s\n", buffer_text(&problem));
	assert_non_null(s);
	buffer_free(&problem);
	return s;
}

static void
test_defaults_are_those_of_the_specification(void **state)
{
	struct settings *s = load();

	(void)state;
	assert_null(s->access_key);
	assert_int_equal(s->port, 3000);
	assert_false(s->development);
	assert_string_equal(s->strategy, "failover");
	assert_int_equal(s->log_level, LOG_INFO);
	assert_int_equal(s->connect_timeout, 30000);
	assert_int_equal(s->silence_timeout, 300000);
	assert_int_equal(s->max_concurrent_requests, 100);
	assert_int_equal(s->max_request_bytes, 33554432);
	assert_true(s->health_check);
	assert_string_equal(s->health_check_path, "/health");
	assert_int_equal(s->ping_interval, 15000);
	assert_non_null(strstr(s->database, "claude-proxy.db"));
	settings_release(s);
}

static void
test_an_env_file_of_the_original_works_unchanged(void **state)
{
	(void)state;
	write_env("# "
		  "server\nPORT=8080\nNODE_ENV=development\n\nPROXY_ACCESS_KEY=your-proxy-access-"
		  "key\n"
		  "LOAD_BALANCE_STRATEGY=round-robin # or "
		  "random\nLOG_LEVEL=debug\nENABLE_REQUEST_LOGS=true\n"
		  "REQUEST_TIMEOUT=30000\nexport "
		  "CORS_ORIGIN='https://a.example'\nRATE_LIMIT_WINDOW=\"60000\"\n"
		  "SOMETHING_ELSE=1\nnot a setting\nHEALTH_CHECK_PATH=/up\r\n");
	struct settings *s = load();
	assert_int_equal(s->port, 8080);
	assert_true(s->development);
	assert_string_equal(s->access_key, "your-proxy-access-key");
	assert_string_equal(s->strategy, "round-robin");
	assert_int_equal(s->log_level, LOG_DEBUG);
	assert_true(s->log_requests);
	assert_int_equal(s->connect_timeout, 30000);
	assert_int_equal(s->silence_timeout, 30000);
	assert_string_equal(s->cors_origin, "https://a.example");
	assert_int_equal(s->rate_limit_window, 60000);
	assert_string_equal(s->health_check_path, "/up");
	assert_string_equal(s->env_file, env_path);
	settings_release(s);
}

static void
test_a_value_may_be_quoted_in_every_way(void **state)
{
	static const struct {
		const char *line, *value;
	} rows[] = {
		{"PROXY_ACCESS_KEY=plain", "plain"},
		{"PROXY_ACCESS_KEY=a#b  # comment\r\n", "a#b"},
		{" export PROXY_ACCESS_KEY = a b \n", "a b"},
		{"PROXY_ACCESS_KEY='a \\n #b' # comment\r\n", "a \\n #b"},
		{"PROXY_ACCESS_KEY=\"a\\\"b\\\\\" # comment\n", "a\"b\\"},
		{"PROXY_ACCESS_KEY=`a\"'b`\n", "a\"'b"},
		{"PROXY_ACCESS_KEY=\"open # comment\n", "\"open"},
		{"PROXY_ACCESS_KEY=it's\n", "it's"},
		{"\xef\xbb\xbfPROXY_ACCESS_KEY=marked\n", "marked"},
		{"#PROXY_ACCESS_KEY=no\nPROXY_ACCESS_KEY=one\nPROXY_ACCESS_KEY=two\n", "two"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_env(rows[i].line);
		struct settings *s = load();
		assert_string_equal(s->access_key, rows[i].value);
		settings_release(s);
	}
}

static void
test_the_environment_comes_before_the_file(void **state)
{
	(void)state;
	write_env("PORT=1111\nPROXY_ACCESS_KEY=file\n");
	setenv("PORT", "2222", 1);
	setenv("PROXY_ACCESS_KEY", "", 1);
	struct settings *s = load();
	assert_int_equal(s->port, 2222);
	assert_string_equal(s->access_key, "file");
	settings_release(s);
}

static void
test_a_value_that_cannot_be_parsed_is_named(void **state)
{
	static const struct {
		const char *name, *value, *allowed;
	} rows[] = {
		{"PORT", "http", "a whole number from 1 to 65535"},
		{"PORT", "0", "a whole number from 1 to 65535"},
		{"PORT", "80 ", "a whole number from 1 to 65535"},
		{"PORT", "99999999999999999999", "a whole number"},
		{"ENABLE_CORS", "maybe", "true or false"},
		{"LOG_LEVEL", "loud", "one of error, warn, info, debug"},
		{"LOG_FORMAT", "xml", "one of text, json"},
		{"LOAD_BALANCE_STRATEGY", "best", "one of round-robin, random, failover"},
		{"HEALTH_CHECK_PATH", "health", "a path that begins with /"},
		{"REQUEST_TIMEOUT", "-1", "a whole number from 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer problem = BUFFER_INIT(0);
		setenv(rows[i].name, rows[i].value, 1);
		assert_null(settings_load(&problem));
		assert_non_null(strstr(buffer_text(&problem), rows[i].name));
		assert_non_null(strstr(buffer_text(&problem), rows[i].value));
		assert_non_null(strstr(buffer_text(&problem), rows[i].allowed));
		assert_null(strchr(buffer_text(&problem), '\n'));
		unsetenv(rows[i].name);
		buffer_free(&problem);
	}
}

static void
test_development_is_verbose_unless_told_otherwise(void **state)
{
	(void)state;
	setenv("NODE_ENV", "development", 1);
	struct settings *s = load();
	assert_int_equal(s->log_level, LOG_DEBUG);
	settings_release(s);
	write_env("LOG_LEVEL=warn\n");
	s = load();
	assert_int_equal(s->log_level, LOG_WARN);
	settings_release(s);
}

static void
test_a_named_env_file_must_be_there(void **state)
{
	struct buffer problem = BUFFER_INIT(0);

	(void)state;
	unlink(env_path);
	assert_null(settings_load(&problem));
	assert_non_null(strstr(buffer_text(&problem), env_path));
	buffer_free(&problem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_defaults_are_those_of_the_specification, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_an_env_file_of_the_original_works_unchanged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_value_may_be_quoted_in_every_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_environment_comes_before_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_value_that_cannot_be_parsed_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_development_is_verbose_unless_told_otherwise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_named_env_file_must_be_there, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
