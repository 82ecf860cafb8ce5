/* The log: lines that nobody forges, and that nobody waits for. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/log/log_writer.h"

static char path[] = "/tmp/claude-proxy-log-" UNIQUE;

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void
begin(bool json)
{
	const struct log_options options = {LOG_INFO, json, path};

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(log_open(&options), 0);
}

/* Close the log, and append what was written. */
static void
end(struct buffer *written)
{
	char piece[65536];
	size_t n;

	log_close();
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_append(written, piece, n);
	fclose(file);
}

static size_t
count_lines(const struct buffer *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->length; i++)
		lines += text->data[i] == '\n';
	return lines;
}

static const char nasty[] =
	"a\n2030-01-01 error forged\033[2J\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xff";

static void
log_nasty(void)
{
	const struct log_field fields[] = {
		{"model", nasty, 0}, {"plain", "\xe2\x80\xae\xc2\x9b", 0}};

	log_line(LOG_INFO, nasty, fields, COUNT(fields));
}

static void
test_what_a_remote_sent_neither_forges_a_line_nor_steers_a_terminal(void **state)
{
	static const char shown[] =
		"a\\u000a2030-01-01 error forged\\u001b[2J\\u007f\\u009b\\u2028\\u202e\xef\xbf\xbd "
		"model=\"a\\n2030-01-01 error "
		"forged\\u001b[2J\\u007f\\u009b\\u2028\\u202e\xef\xbf\xbd\" "
		"plain=\\u202e\\u009b\n";
	struct buffer written = BUFFER_INIT(0);

	(void)state;
	begin(false);
	log_nasty();
	end(&written);
	assert_contains(buffer_text(&written), shown);
	assert_int_equal(count_lines(&written), 1);
	buffer_free(&written);
}

static void
test_the_same_as_json_says_what_was_sent(void **state)
{
	struct buffer written = BUFFER_INIT(0);
	struct json_document index = {0};

	(void)state;
	begin(true);
	log_nasty();
	end(&written);
	assert_int_equal(count_lines(&written), 1);
	for (size_t i = 0; i + 1 < written.length; i++)
		assert_in_range((unsigned char)written.data[i], 0x20, 0xfe);
	assert_null(memchr(written.data, 0x7f, written.length));
	assert_null(strstr(written.data, "\xe2\x80"));
	const struct json *line = json_read(&index, written.data, written.length, 100, NULL);
	assert_true(json_is_text(json_member(line, "model"),
		"a\n2030-01-01 error "
		"forged\033[2J\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xef\xbf\xbd"));
	json_document_free(&index);
	buffer_free(&written);
}

static void
test_a_line_is_bounded_and_ends_in_its_line_break(void **state)
{
	static const char *const parts[] = {
		"x", "\x01", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\xff"};
	enum { LONG = 3 << 20 };
	char *text = malloc(LONG + 1);

	(void)state;
	for (size_t row = 0; row < 2 * COUNT(parts); row++) {
		const char *part = parts[row / 2];
		bool json = row % 2 == 1;
		struct buffer written = BUFFER_INIT(0);
		for (size_t i = 0; i < LONG; i++)
			text[i] = part[i % strlen(part)];
		text[LONG] = '\0';
		const struct log_field fields[] = {
			{"model", text, 0}, {"late", "no room", 0}, {"n", NULL, -7}};
		begin(json);
		log_line(LOG_INFO, "first", fields, COUNT(fields));
		log_info("second");
		end(&written);
		assert_int_equal(count_lines(&written), 2);
		assert_in_range(written.length, 1 << 20, 7 << 20);
		const char *second = strchr(written.data, '\n') + 1;
		assert_contains(second, "second");
		if (json) {
			struct json_document index = {0};
			const struct json *line = json_read(
				&index, written.data, (size_t)(second - written.data), 100, NULL);
			assert_int_equal(json_member_int(line, "n", 0), -7);
			json_document_free(&index);
		}
		buffer_free(&written);
	}
	free(text);
}

/* Read until ${words} have come, and the line that they are in. */
static void
read_until(int fd, struct buffer *text, const char *words)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char piece[65536];
	size_t from = 0;

	for (;;) {
		assert_int_equal(poll(&p, 1, 20000), 1);
		ssize_t n = read(fd, piece, sizeof(piece));
		assert_true(n > 0);
		buffer_append(text, piece, (size_t)n);
		if (text->data[text->length - 1] == '\n' &&
			strstr(text->data + from, words) != NULL)
			return;
		if (text->length > 1000)
			from = text->length - 1000;
	}
}

/* How many lines the log says that it lost. */
static int
lost_lines(const struct buffer *text)
{
	const char *told = strstr(buffer_text(text), "were lost");
	int lost = 0;

	if (told == NULL)
		return 0;
	assert_int_equal(sscanf(strstr(told, "lines="), "lines=%d", &lost), 1);
	return lost;
}

/* Lines of a kibibyte, more than may wait; how many. */
static int
log_too_much(void)
{
	const int count = 3 * (LOG_WRITER_MOST_WAITING >> 10);
	char text[901];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < count; i++)
		log_info("line %d %s", i, text);
	return count;
}

static void
test_nobody_waits_for_who_reads_the_log(void **state)
{
	char pipe_path[sizeof(path) + 5];
	struct buffer written = BUFFER_INIT(0);

	(void)state;
	snprintf(pipe_path, sizeof(pipe_path), "%s.pipe", path);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	int reader = open(pipe_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	const struct log_options options = {LOG_INFO, false, pipe_path};
	assert_int_equal(log_open(&options), 0);
	log_run_apart();
	int count = log_too_much();
	read_until(reader, &written, "were lost");
	assert_in_range(lost_lines(&written), count / 3, count);
	assert_int_equal(lost_lines(&written) + (int)count_lines(&written) - 1, count);
	log_info("and on it goes");
	read_until(reader, &written, "and on it goes\n");
	log_close();
	close(reader);
	unlink(pipe_path);
	buffer_free(&written);
}

static void
test_another_file_takes_the_place_of_a_pipe_that_nobody_reads(void **state)
{
	struct buffer written = BUFFER_INIT(0);
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	log_writer_use(ends[1]);
	log_run_apart();
	for (int i = 0; i < 200; i++)
		log_info("%01000d", i);
	begin(false);
	log_info("last");
	end(&written);
	/* What the pipe took, it has: nobody read it. */
	assert_in_range(count_lines(&written), 100, 201);
	assert_contains(written.data + written.length - 10, "last\n");
	close(ends[0]);
	buffer_free(&written);
}

static void
test_what_cannot_be_written_is_counted(void **state)
{
	struct buffer written = BUFFER_INIT(0);

	(void)state;
	log_writer_use(open("/dev/null", O_RDONLY | O_CLOEXEC)); /* nobody can write to it */
	log_run_apart();
	for (int i = 0; i < 10; i++)
		log_info("line");
	begin(false);
	log_info("line");
	end(&written);
	/* The thread may have come too late to lose all of them. */
	int told = lost_lines(&written) > 0;
	assert_int_equal(lost_lines(&written) + (int)count_lines(&written) - told, 11);
	buffer_free(&written);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_a_remote_sent_neither_forges_a_line_nor_steers_a_terminal),
		cmocka_unit_test(test_the_same_as_json_says_what_was_sent),
		cmocka_unit_test(test_a_line_is_bounded_and_ends_in_its_line_break),
		cmocka_unit_test(test_nobody_waits_for_who_reads_the_log),
		cmocka_unit_test(test_another_file_takes_the_place_of_a_pipe_that_nobody_reads),
		cmocka_unit_test(test_what_cannot_be_written_is_counted),
	};

	return cmocka_run_group_tests_name("log", tests, make_file, remove_file);
}
