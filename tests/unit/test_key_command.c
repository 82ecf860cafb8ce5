/* What a command that prints an API key may print, and how it is run and kept. */
#include "temporary_folder.h"
#include "unit.h"

#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log/log.h"
#include "store/config.h"
#include "store/store.h"
#include "upstream/key_command.h"

enum { NOW = 1700000000 /* s */ };

static void
test_what_it_prints(void **state)
{
	static const struct {
		const char *output, *token; /* NULL: refused */
		int64_t seconds;            /* until it expires */
	} rows[] = {
		{"abc", "abc", 3000},
		{"\n  abc \r\n\n", "abc", 3000},
		{"{\"access_token\":\"t\",\"expires_in\":60}", "t", 60},
		{"{\"accessToken\":\"t\",\"expires_on\":1700000090}", "t", 90},
		{" {\"token\":\"t\"}\n", "t", 3000},
		{"{\"token\":\"t\",\"expires_in\":-5}", "t", 3000},
		{"{\"token\":\"t\",\"expires_in\":1e99}", "t", 3000},
		{"{\"token\":\"t\",\"expires_on\":5}", "t", 3000},
		{"", NULL, 0},
		{"  \n", NULL, 0},
		{"two words", NULL, 0},
		{"two\nlines", NULL, 0},
		{"\xc3\xa4", NULL, 0},
		{"{\"token\":7}", NULL, 0},
		{"{\"token\":\"a b\"}", NULL, 0},
		{"{\"token\":\"\"}", NULL, 0},
		{"{broken", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer problem = BUFFER_INIT(0);
		struct key_token token;
		int status = key_command_read(rows[i].output, 1000LL * NOW, &token, &problem);
		assert_int_equal(status, rows[i].token != NULL ? 0 : -1);
		if (rows[i].token != NULL) {
			assert_string_equal(token.text, rows[i].token);
			assert_int_equal(token.expires, 1000 * (NOW + rows[i].seconds));
			free(token.text);
		} else {
			assert_int_not_equal(problem.length, 0);
		}
		buffer_free(&problem);
	}
}

static int
set_up(void **state)
{
	static const struct log_options quiet = {LOG_ERROR, false, "/dev/null"};

	(void)state;
	log_open(&quiet);
	make_folder();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return remove_folder();
}

/* A store with one upstream, whose key the command prints. */
static struct store *
open_with(const char *command)
{
	char path[128];
	char text[256];
	const char *const keys[] = {text};
	size_t added;

	snprintf(path, sizeof(path), "%s/proxy.db", folder);
	snprintf(text, sizeof(text), "!%s", command);
	struct store *s = store_open(path);
	store_add_upstream(s, "a", "http://a", "openai");
	struct config *config = store_config(s);
	assert_int_equal(store_add_keys(s, config->upstreams[0].id, keys, 1, &added), STORE_OK);
	config_release(config);
	return s;
}

/* See to the key as it is now, and check what comes of it. */
static void
check(struct store *s, int expected, const char *secret)
{
	struct buffer problem = BUFFER_INIT(0);
	struct config *config = store_config(s);

	assert_int_equal(key_command_see_to(s, &config->upstreams[0].keys[0], &problem), expected);
	config_release(config);
	config = store_config(s);
	assert_string_equal(config->upstreams[0].keys[0].secret, secret);
	config_release(config);
	buffer_free(&problem);
}

static void
test_it_is_run_once_and_kept(void **state)
{
	char command[160];
	int64_t id;

	(void)state;
	snprintf(command, sizeof(command), "echo x >>%s/runs; wc -l <%s/runs", folder, folder);
	struct store *s = open_with(command);
	check(s, 1, "1");
	check(s, 0, "1");
	struct config *config = store_config(s);
	id = config->upstreams[0].keys[0].id;
	config_release(config);
	/* It is renewed a minute before its end. */
	store_save_token(s, id, "old", clock_now_ms() + KEY_COMMAND_EARLY / 2);
	check(s, 1, "2");
	store_forget_token(s, id);
	check(s, 1, "3");
	store_remove_key(s, id);
	store_save_token(s, id, "late", clock_now_ms() + 1000);
	config = store_config(s);
	assert_int_equal(config->upstreams[0].key_count, 0);
	config_release(config);
	store_close(s);
}

static void
test_a_command_that_fails_pauses_the_key(void **state)
{
	static const char *const commands[] = {
		"exit 3", "echo two words", "kill -9 $$", "true", "no-such-program"};

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct store *s = open_with(commands[i]);
		check(s, -1, "");
		struct config *config = store_config(s);
		const struct api_key *key = &config->upstreams[0].keys[0];
		assert_int_equal(api_key_state(key, clock_now_ms()), KEY_RESTING);
		assert_contains(key->last_error, "command: it ");
		config_release(config);
		store_close(s);
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
	}
}

/* While a token is valid, a failing renewal is nobody's problem. */
static void
test_a_valid_token_survives_a_failing_renewal(void **state)
{
	struct store *s = open_with("exit 1");
	struct config *config = store_config(s);

	(void)state;
	store_save_token(
		s, config->upstreams[0].keys[0].id, "old", clock_now_ms() + KEY_COMMAND_EARLY / 2);
	config_release(config);
	check(s, 0, "old");
	store_close(s);
}

/* Descriptors of ours, such as clients' connections, are not the command's. */
static void
test_it_inherits_nothing(void **state)
{
	struct store *s;
	int ours = dup(STDERR_FILENO);

	(void)state;
	assert_true(ours > STDERR_FILENO);
	setenv("HTTP_PROXY", "http://evil.example", 1); /* NOLINT(concurrency-mt-unsafe) */
	s = open_with(
		"for fd in /proc/self/fd/*; do echo ${fd##*/}; done | grep -cE '^([4-9]|..+)$'; "
		"true");
	check(s, 1, "0");
	store_close(s);
	assert_int_equal(tear_down(state), 0);
	assert_int_equal(set_up(state), 0);
	s = open_with("echo ${HTTP_PROXY:-none}");
	check(s, 1, "none");
	store_close(s);
	unsetenv("HTTP_PROXY"); /* NOLINT(concurrency-mt-unsafe) */
	close(ours);
}

static void
test_more_than_it_may_print_is_no_key(void **state)
{
	struct store *s = open_with("head -c 1000000 /dev/zero | tr '\\0' a");

	(void)state;
	check(s, -1, "");
	store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_prints),
		cmocka_unit_test_setup_teardown(test_it_is_run_once_and_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_command_that_fails_pauses_the_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_valid_token_survives_a_failing_renewal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_inherits_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_more_than_it_may_print_is_no_key, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
