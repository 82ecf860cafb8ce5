/*
 * API keys that a command prints; see key_command.h.
 */
#include "upstream/key_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/secret.h"
#include "store/config.h"
#include "store/store.h"

extern char **environ;

enum { LONGEST_TOKEN = 16384, QUOTED = 300, /* bytes of what it complained */ PIECE = 4096 };

/* ---- what it printed ---- */

static const struct json *
first_string(const struct json *object, const char *const *names)
{
	const struct json *found = NULL;

	for (size_t i = 0; names[i] != NULL && found == NULL; i++)
		found = json_member_string(object, names[i]);
	return found;
}

static int64_t
expiry_of(const struct json *object, int64_t now)
{
	int64_t lives = json_member_int(object, "expires_in", 0);
	int64_t ends = json_member_int(object, "expires_on", 0);

	/* Nobody's token lives for a year: what is larger is no number of seconds. */
	if (lives > 0 && lives < 31536000)
		return now + 1000 * lives;
	return ends > now / 1000 && ends < now / 1000 + 31536000 ? 1000 * ends
								 : now + KEY_COMMAND_VALID;
}

static int
read_json(const char *output, int64_t now, struct key_token *token)
{
	static const char *const names[] = {"access_token", "accessToken", "token", NULL};
	struct json_document index = {0};
	const struct json *object = json_read(
		&index, output, strlen(output), JSON_MAX_ANSWER_VALUES, NULL);
	const struct json *text = first_string(object, names);

	if (text != NULL) {
		token->text = json_copy(text);
		token->expires = expiry_of(object, now);
	}
	json_document_free(&index);
	return token->text != NULL ? 0 : -1;
}

static bool
is_token(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 127)
			return false;
	return text[0] != '\0' && strlen(text) <= LONGEST_TOKEN;
}

static void
forget(struct key_token *token)
{
	if (token->text != NULL)
		secret_erase(token->text, strlen(token->text));
	free(token->text);
	*token = (struct key_token){0};
}

int
key_command_read(const char *output, int64_t now, struct key_token *token, struct buffer *problem)
{
	static const char blanks[] = " \t\r\n";
	const char *start = output + strspn(output, blanks);
	size_t length = strlen(start);

	*token = (struct key_token){.expires = now + KEY_COMMAND_VALID};
	while (length > 0 && strchr(blanks, start[length - 1]) != NULL)
		length--;
	if (start[0] == '{')
		read_json(start, now, token);
	else
		token->text = strndup(start, length);
	if (token->text != NULL && is_token(token->text))
		return 0;
	forget(token);
	buffer_puts(problem, length == 0       ? "it printed nothing"
			     : start[0] == '{' ? "it printed JSON without access_token"
					       : "it printed more than one word");
	return -1;
}

/* ---- running it ---- */

/* As CGI, clients fill variables such as HTTP_PROXY: none of theirs is for the command. */
static void
drop_headers(char **variables)
{
	char **kept = variables;

	for (; *variables != NULL; variables++)
		if (strncmp(*variables, "HTTP_", 5) != 0)
			*kept++ = *variables;
	*kept = NULL;
}

/* The child after fork: only what is safe in a copy of one thread. */
static void
become_command(const char *command, int out, int complaints)
{
	struct rlimit limit;
	sigset_t none;
	int nothing = open("/dev/null", O_RDONLY);

	dup2(nothing, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(complaints, STDERR_FILENO);
	/* Connections of clients are not for it. */
	int most = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536
			   ? (int)limit.rlim_cur
			   : 65536;
	for (int fd = STDERR_FILENO + 1; fd < most; fd++)
		close(fd);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	drop_headers(environ);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* A running command: what it prints, and what it complains. */
struct run {
	pid_t process;
	int out[2]; /* pipes */
	int complaints[2];
	struct buffer printed;
	struct buffer complained;
};

static void
close_pipe(int pipe_ends[2])
{
	for (int i = 0; i < 2; i++) {
		if (pipe_ends[i] >= 0)
			close(pipe_ends[i]);
		pipe_ends[i] = -1;
	}
}

static int
start(struct run *run, const char *command)
{
	if (pipe2(run->out, O_CLOEXEC) != 0 || pipe2(run->complaints, O_CLOEXEC) != 0)
		return -1;
	run->process = fork();
	if (run->process == 0)
		become_command(command, run->out[1], run->complaints[1]);
	close(run->out[1]);
	close(run->complaints[1]);
	run->out[1] = run->complaints[1] = -1;
	return run->process > 0 ? 0 : -1;
}

/* Take what is there.  False: there will be no more. */
static bool
take(int fd, struct buffer *into)
{
	char piece[PIECE];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n > 0)
		buffer_append(into, piece, (size_t)n);
	secret_erase(piece, sizeof(piece));
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Read both pipes to their end.  Return 0, or -1 if that takes too long. */
static int
read_all(struct run *run)
{
	int64_t deadline = clock_monotonic_ms() + KEY_COMMAND_PATIENCE;
	struct pollfd pipes[] = {{.fd = run->out[0], .events = POLLIN},
		{.fd = run->complaints[0], .events = POLLIN}};
	struct buffer *const into[] = {&run->printed, &run->complained};

	while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
		int64_t left = deadline - clock_monotonic_ms();
		if (left <= 0)
			return -1;
		if (poll(pipes, 2, (int)left) < 0 && errno != EINTR)
			return -1;
		for (int i = 0; i < 2; i++)
			if (pipes[i].fd >= 0 && pipes[i].revents != 0 &&
				!take(pipes[i].fd, into[i]))
				pipes[i].fd = -1;
	}
	return 0;
}

/* End it with all that it started, and its status. */
static int
end(struct run *run, bool in_time)
{
	int status = -1;

	if (!in_time) {
		kill(-run->process, SIGKILL);
		kill(run->process, SIGKILL); /* before it had a group of its own */
	}
	while (waitpid(run->process, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
write_complaint(struct buffer *problem, const struct buffer *complained)
{
	const char *text = buffer_text(complained);
	size_t length = strcspn(text, "\r\n");

	if (length > 0) {
		buffer_puts(problem, ": ");
		secret_redact(problem, text, secret_safe_cut(text, length, QUOTED), NULL, NULL);
	}
}

/* Run the command, and read what it prints. */
static int
run_command(const char *command, struct key_token *token, struct buffer *problem)
{
	struct run run = {.out = {-1, -1},
		.complaints = {-1, -1},
		.printed = BUFFER_INIT(KEY_COMMAND_MOST),
		.complained = BUFFER_INIT(KEY_COMMAND_MOST)};
	int result = -1;

	if (start(&run, command) != 0) {
		buffer_printf(problem, "it could not be started: %s", strerror(errno));
	} else {
		bool in_time = read_all(&run) == 0;
		int status = end(&run, in_time);
		if (!in_time)
			buffer_printf(
				problem, "it took longer than %d s", KEY_COMMAND_PATIENCE / 1000);
		else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			buffer_printf(problem, "it failed with %s %d",
				WIFEXITED(status) ? "status" : "signal",
				WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
		else
			result = key_command_read(
				buffer_text(&run.printed), clock_now_ms(), token, problem);
		if (result != 0)
			write_complaint(problem, &run.complained);
	}
	close_pipe(run.out);
	close_pipe(run.complaints);
	if (run.printed.data != NULL)
		secret_erase(run.printed.data, run.printed.length);
	buffer_free(&run.printed);
	buffer_free(&run.complained);
	return result;
}

/* ---- the key ---- */

/* How the key is in the configuration now: another thread or process may have been faster. */
static const struct api_key *
find_key(const struct config *config, int64_t id)
{
	for (size_t i = 0; config != NULL && i < config->upstream_count; i++)
		for (size_t j = 0; j < config->upstreams[i].key_count; j++)
			if (config->upstreams[i].keys[j].id == id)
				return &config->upstreams[i].keys[j];
	return NULL;
}

static bool
is_valid(const struct api_key *key, int64_t early)
{
	return key->command == NULL || key->expires - early > clock_now_ms();
}

static const char failed[] = "command: ";

/* Did the command fail a moment ago?  Those who waited for it, and whoever comes next, need not try
 * the same. */
static bool
has_just_failed(const struct api_key *key)
{
	int64_t left = key->rests_until - clock_now_ms();

	return key->last_error != NULL && strncmp(key->last_error, failed, strlen(failed)) == 0 &&
	       left > KEY_COMMAND_PAUSE - KEY_COMMAND_AGAIN && left <= KEY_COMMAND_PAUSE;
}

/* Run the command, and store what it prints; or pause the key. */
static int
run_and_store(struct store *store, const struct api_key *key, struct buffer *problem)
{
	struct buffer reason = BUFFER_INIT(0);
	struct key_token token = {0};
	int result = run_command(key->command, &token, problem) == 0 ? 1 : -1;

	if (result == 1 &&
		store_save_token(store, key->id, token.text, token.expires) != STORE_OK) {
		buffer_puts(problem, "the database cannot be written");
		result = -1;
	}
	if (result == -1) {
		log_warn("the command that prints an API key failed: %s", buffer_text(problem));
		buffer_printf(&reason, "%s%s", failed, buffer_text(problem));
		store_rest_key(
			store, key->id, clock_now_ms() + KEY_COMMAND_PAUSE, buffer_text(&reason));
	}
	forget(&token);
	buffer_free(&reason);
	return result;
}

/* The lock is held. */
static int
renew(struct store *store, const struct api_key *key, struct buffer *problem)
{
	struct config *config = store_config(store);
	const struct api_key *now = find_key(config, key->id);
	int result = 1;

	if (now != NULL && has_just_failed(now)) {
		buffer_puts(problem, now->last_error + strlen(failed));
		result = -1;
	} else if (now == NULL || !is_valid(now, KEY_COMMAND_EARLY)) {
		result = run_and_store(store, key, problem);
	}
	config_release(config);
	return result;
}

int
key_command_see_to(struct store *store, const struct api_key *key, struct buffer *problem)
{
	if (is_valid(key, KEY_COMMAND_EARLY))
		return 0;
	/* While it is still valid, one thread renews it, and the others go on. */
	bool valid = is_valid(key, 0);
	if (store_lock_tokens(store, !valid) != 0)
		return 0;
	int result = renew(store, key, problem);
	store_unlock_tokens(store);
	return result < 0 && valid ? 0 : result;
}
