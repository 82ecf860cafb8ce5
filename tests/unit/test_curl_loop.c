/* When libcurl gets its rounds of the loop. */
#include "unit.h"

#include "base/watch.h"
#include "upstream/curl_loop.h"

enum { TRANSFERS = 40 };

struct fixture {
	uv_loop_t loop;
	CURLM *multi;
	struct watches *watches;
	struct curl_loop *curl;
	int begun;
	int rounds;
};

static void
begin_transfer(struct fixture *f)
{
	CURL *easy = curl_easy_init();

	assert_non_null(easy);
	/* It waits for no socket, and so ends in its first round. */
	curl_easy_setopt(easy, CURLOPT_URL, "file:///dev/null");
	curl_loop_add(f->curl, easy);
	f->begun++;
	assert_int_equal(uv_backend_timeout(&f->loop), 0);
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
	struct fixture *f = context;

	assert_int_equal(code, CURLE_OK);
	curl_multi_remove_handle(f->multi, easy);
	curl_easy_cleanup(easy);
	if (f->begun < TRANSFERS)
		begin_transfer(f);
}

static void
on_round_end(void *context)
{
	struct fixture *f = context;

	f->rounds++;
}

static void
begin(struct fixture *f)
{
	const struct curl_loop_owner owner = {
		.ended = on_ended, .round_end = on_round_end, .context = f};

	f->multi = curl_multi_init();
	assert_non_null(f->multi);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	f->watches = watches_new(&f->loop);
	f->curl = curl_loop_new(f->multi, &f->loop, f->watches, &owner);
	assert_non_null(f->curl);
}

static void
end(struct fixture *f)
{
	curl_loop_free(f->curl);
	watches_free(f->watches);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
}

/* However many there were before it, one after the other, without a wait in between. */
static void
test_a_transfer_that_begins_waits_for_nothing(void **state)
{
	struct fixture f = {.begun = 0};

	(void)state;
	begin(&f);
	begin_transfer(&f);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	assert_int_equal(f.begun, TRANSFERS);
	end(&f);
}

/* curl takes back the round that it wanted for a transfer which is gone; ours has to come. */
static void
test_a_wake_outlives_what_curl_calls_off(void **state)
{
	struct fixture f = {.begun = 0};
	CURL *easy = curl_easy_init();

	(void)state;
	begin(&f);
	curl_loop_wake(f.curl);
	assert_int_equal(curl_loop_add(f.curl, easy), CURLM_OK);
	curl_multi_remove_handle(f.multi, easy);
	curl_easy_cleanup(easy);
	uv_run(&f.loop, UV_RUN_DEFAULT);
	assert_int_equal(f.rounds, 1);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_transfer_that_begins_waits_for_nothing),
		cmocka_unit_test(test_a_wake_outlives_what_curl_calls_off),
	};

	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
