/*
 * claude-proxy.fcgi: settings, log, database, then FastCGI, or the one request of a CGI program.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/api_error.h"
#include "base/buffer.h"
#include "base/descriptors.h"
#include "base/log/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/settings/settings.h"
#include "http/response.h"
#include "server.h"
#include "store/store.h"

enum { WIDE_TABLE = 4095 }; /* descriptors: two thousand streams */

static const char help[] =
	"usage: claude-proxy.fcgi [--check | --help | --version]\n"
	"\n"
	"Serves the Claude Messages API from other AI services.  A web server starts it: as a\n"
	"FastCGI responder (standard input is a listening socket), or as a CGI program.  Settings\n"
	"come from the environment or an .env file; upstreams and keys from the database that\n"
	"claude-proxy-admin manages.  --check reads the settings, and reports what is wrong.\n";

/*
 * Let the kernel make its table of our descriptors large while there is one thread.  Later, at each
 * doubling, Linux would make the thread that opens a descriptor wait for an RCU grace period: 10 ms
 * in which the loop does nothing (measured).
 */
static void
widen_descriptor_table(void)
{
	int limit = descriptors_limit();
	int highest = limit - 1 < WIDE_TABLE ? limit - 1 : WIDE_TABLE;
	int descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, highest);
	if (descriptor >= 0)
		close(descriptor);
}

/* The client of a CGI program that cannot even begin must learn of it, not only the log. */
static int
refuse_start(bool is_cgi, const char *problem)
{
	struct api_error error = API_ERROR_NONE;
	struct buffer answer = BUFFER_INIT(0);
	char request_id[32];

	if (is_cgi) {
		random_id(request_id, sizeof(request_id), "req_");
		api_error_set(&error, 500, "the proxy cannot start: %s", problem);
		response_write_error(&answer, &error, request_id, NULL);
		fwrite(buffer_text(&answer), 1, answer.length, stdout);
		buffer_free(&answer);
		api_error_clear(&error);
	}
	return EXIT_FAILURE;
}

static int
serve(struct settings *settings, bool is_cgi)
{
	const struct log_options options = {
		settings->log_level, settings->log_json, settings->log_file};
	int status = EXIT_FAILURE;

	descriptors_raise_limit();
	if (!is_cgi) {
		memory_configure();
		widen_descriptor_table();
	}
	if (log_open(&options) != 0)
		return refuse_start(is_cgi, "could not open the log file");
	log_run_apart();
	struct store *store = store_open(settings->database);
	if (store == NULL) {
		refuse_start(is_cgi, "could not open the database: see the proxy's log");
		goto out;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	status = is_cgi ? server_run_cgi(store, settings) : server_run(store, settings);
	store_close(store);
	curl_global_cleanup();
out:
	log_close();
	return status;
}

/* A CGI program gets a query without `=` as its arguments (RFC 3875 4.4): they are the client's
 * words. */
static bool
is_web_request(void)
{
	return getenv("GATEWAY_INTERFACE") != NULL || getenv("REQUEST_METHOD") != NULL;
}

/* Started by hand there is neither a socket nor a request. */
static bool
is_started_by_hand(void)
{
	return FCGX_IsCGI() && !is_web_request();
}

/* Can it serve with these settings?  Return the exit status. */
static int
check_settings(void)
{
	struct buffer problem = BUFFER_INIT(0);
	struct settings *settings = settings_load(&problem);
	bool good = settings != NULL;

	if (!good)
		fprintf(stderr, "claude-proxy: %s\n", buffer_text(&problem));
	settings_release(settings);
	buffer_free(&problem);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Do what the arguments ask for.  Return the exit status, or -1 if there are none. */
static int
answer_arguments(int argc, char **argv)
{
	if (argc < 2 || is_web_request())
		return -1;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("claude-proxy " VERSION);
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check_settings();
	bool asked = strcmp(argv[1], "--help") == 0;
	fputs(help, asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int
main(int argc, char **argv)
{
	struct buffer problem = BUFFER_INIT(0);
	int answered = answer_arguments(argc, argv);

	if (answered >= 0)
		return answered;
	secret_forbid_dumps();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* a web server may have ignored it: how commands end is asked */
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	struct settings *settings = settings_load(&problem);
	if (settings == NULL) {
		fprintf(stderr, "claude-proxy: %s\n", buffer_text(&problem));
		int status = refuse_start(
			FCGX_IsCGI() && !is_started_by_hand(), buffer_text(&problem));
		buffer_free(&problem);
		return status;
	}
	if (is_started_by_hand()) {
		fputs(help, stderr);
		settings_release(settings);
		return 2;
	}
	if (!FCGX_IsCGI())
		server_hold_signals();
	FCGX_Init();
	int status = serve(settings, FCGX_IsCGI());
	settings_release(settings);
	return status;
}
