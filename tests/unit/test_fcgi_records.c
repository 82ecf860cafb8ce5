/* The records of FastCGI: where a head ends, and what is the body, in pieces of any size. */
#include "unit.h"

#include "base/buffer.h"
#include "http/fcgi_records.h"

enum { BEGIN = 1, ABORT = 2, PARAMETERS = 4, INPUT = 5, DATA = 8 };

static void
put_record(struct buffer *out, int type, int id, const char *content, size_t padding)
{
	size_t length = strlen(content);
	const char header[] = {1, (char)type, (char)(id >> 8), (char)id, (char)(length >> 8),
		(char)length, (char)padding, 0};

	buffer_append(out, header, sizeof(header));
	buffer_append(out, content, length);
	for (size_t i = 0; i < padding; i++)
		buffer_putc(out, 'p');
}

static void
put_head(struct buffer *out)
{
	put_record(out, BEGIN, 300, "12345678", 0);
	put_record(out, PARAMETERS, 300, "abc", 5);
	put_record(out, PARAMETERS, 300, "defgh", 0);
	put_record(out, PARAMETERS, 300, "", 2);
}

static const unsigned char *
bytes_of(const struct buffer *b)
{
	return (const unsigned char *)b->data;
}

static void
test_a_head_ends_behind_its_parameters(void **state)
{
	struct buffer b = BUFFER_INIT(0);

	(void)state;
	put_head(&b);
	size_t head = b.length;
	put_record(&b, INPUT, 300, "body", 0);
	assert_int_equal(fcgi_head_length((const unsigned char *)"", 0), 0);
	for (size_t length = 0; length <= b.length; length++)
		assert_int_equal(
			fcgi_head_length(bytes_of(&b), length), length < head ? 0 : (int)head);
	b.data[0] = 2;
	assert_int_equal(fcgi_head_length(bytes_of(&b), 1), -1);
	b.data[0] = 1;
	b.data[16] = 'G';
	assert_int_equal(fcgi_head_length(bytes_of(&b), b.length), -1);
	buffer_free(&b);
}

/* What of the records is the body, when they come in pieces of ${size}. */
static void
read_body(const struct buffer *records, size_t size, struct fcgi_records *r, struct buffer *body)
{
	unsigned char piece[64];

	for (size_t at = 0; at < records->length; at += size) {
		size_t n = records->length - at < size ? records->length - at : size;
		memcpy(piece, records->data + at, n);
		buffer_append(body, piece, fcgi_records_body(r, piece, n));
	}
}

static void
test_the_body_is_what_it_is_however_it_is_cut(void **state)
{
	struct buffer records = BUFFER_INIT(0);

	(void)state;
	put_record(&records, INPUT, 300, "one ", 0);
	put_record(&records, INPUT, 7, "of another request", 1);
	put_record(&records, INPUT, 7, "", 0);
	put_record(&records, ABORT, 7, "", 0);
	put_record(&records, INPUT, 300, "two ", 7);
	put_record(&records, DATA, 300, "for a filter", 0);
	put_record(&records, 99, 0, "of a later version", 3);
	put_record(&records, INPUT, 300, "three", 3);
	put_record(&records, INPUT, 300, "", 0);
	put_record(&records, INPUT, 300, "too late", 0);
	for (size_t size = 1; size <= 64; size++) {
		struct fcgi_records r = {.request_id = 300};
		struct buffer body = BUFFER_INIT(0);
		read_body(&records, size, &r, &body);
		assert_string_equal(buffer_text(&body), "one two three");
		assert_true(r.ended && !r.broken);
		buffer_free(&body);
	}
	buffer_free(&records);
}

static void
test_a_body_breaks_off(void **state)
{
	(void)state;
	for (int row = 0; row < 2; row++) {
		struct buffer records = BUFFER_INIT(0);
		put_record(&records, INPUT, 1, "one", 0);
		put_record(&records, row == 0 ? ABORT : INPUT, 1, "", 0);
		if (row == 1)
			records.data[11] = 2; /* a version that is none */
		put_record(&records, INPUT, 1, "two", 0);
		for (size_t size = 1; size <= 64; size++) {
			struct fcgi_records r = {.request_id = 1};
			struct buffer body = BUFFER_INIT(0);
			read_body(&records, size, &r, &body);
			assert_string_equal(buffer_text(&body), "one");
			assert_true(r.broken && !r.ended);
			buffer_free(&body);
		}
		buffer_free(&records);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_head_ends_behind_its_parameters),
		cmocka_unit_test(test_the_body_is_what_it_is_however_it_is_cut),
		cmocka_unit_test(test_a_body_breaks_off),
	};

	return cmocka_run_group_tests_name("fcgi records", tests, NULL, NULL);
}
