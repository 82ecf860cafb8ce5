/* The map from texts to numbers: against an array that remembers the same. */
#include "unit.h"

#include "base/text/text_map.h"

static void
test_texts_lead_to_numbers(void **state)
{
	struct text_map map = {0};
	uint64_t number = 7;

	(void)state;
	assert_false(text_map_get(&map, "a", 1, &number));
	text_map_remove(&map, "a", 1);
	assert_int_equal(text_map_set(&map, "a", 1, 1), 0);
	assert_int_equal(text_map_set(&map, "ab", 2, 2), 0);
	assert_int_equal(text_map_set(&map, "", 0, 3), 0);
	assert_int_equal(text_map_set(&map, "a\0b", 3, UINT64_MAX), 0);
	assert_int_equal(map.count, 4);
	assert_false(text_map_get(&map, "b", 1, &number));
	assert_int_equal(number, 7);
	assert_true(text_map_get(&map, "a", 1, &number));
	assert_int_equal(number, 1);
	assert_true(text_map_get(&map, "", 0, &number));
	assert_int_equal(number, 3);
	assert_true(text_map_get(&map, "a\0b", 3, &number));
	assert_true(number == UINT64_MAX);
	assert_true(text_map_get(&map, "ab", 2, NULL));
	text_map_free(&map);
	assert_false(text_map_get(&map, "a", 1, NULL));
	assert_int_equal(text_map_set(&map, "a", 1, 4), 0);
	assert_true(text_map_get(&map, "a", 1, &number));
	assert_int_equal(number, 4);
	text_map_free(&map);
}

static void
test_a_text_is_copied_and_set_again(void **state)
{
	struct text_map map = {0};
	char text[] = "name";
	uint64_t number;

	(void)state;
	assert_int_equal(text_map_set(&map, text, 4, 1), 0);
	text[0] = 'g';
	assert_false(text_map_get(&map, "game", 4, NULL));
	assert_int_equal(text_map_set(&map, "name", 4, 2), 0);
	assert_int_equal(map.count, 1);
	assert_true(text_map_get(&map, "name", 4, &number));
	assert_int_equal(number, 2);
	text_map_free(&map);
}

/* Texts come and go at random: after every hundredth change all are looked up. */
static void
test_texts_come_and_go(void **state)
{
	enum { TEXTS = 500, CHANGES = 20000 };
	static uint64_t expected[TEXTS]; /* 0: not in the map */
	struct text_map map = {0};
	unsigned random = 20240607;

	(void)state;
	for (unsigned change = 1; change <= CHANGES; change++) {
		random = random * 1103515245 + 12345;
		unsigned key = (random >> 8) % TEXTS;
		if (random >> 28 < 7) {
			text_map_remove(&map, &key, sizeof(key));
			expected[key] = 0;
		} else {
			assert_int_equal(text_map_set(&map, &key, sizeof(key), change), 0);
			expected[key] = change;
		}
		size_t count = 0;
		for (unsigned i = 0; change % 100 == 0 && i < TEXTS; i++) {
			uint64_t number = 0;
			assert_true(
				text_map_get(&map, &i, sizeof(i), &number) == (expected[i] != 0));
			assert_int_equal(number, expected[i]);
			count += expected[i] != 0;
		}
		assert_true(change % 100 != 0 || map.count == count);
	}
	text_map_free(&map);
}

/* A map that was cleared is as a new one, whether its memory was kept or not. */
static void
test_a_map_is_cleared(void **state)
{
	struct text_map map = {0};
	uint64_t number = 0;

	(void)state;
	text_map_clear(&map);
	for (uint64_t texts = 1; texts <= 64; texts *= 2) {
		for (uint64_t i = 0; i < texts; i++)
			assert_int_equal(text_map_set(&map, &i, sizeof(i), texts + i), 0);
		assert_int_equal(map.count, texts);
		for (uint64_t i = 0; i < texts; i++)
			assert_true(
				text_map_get(&map, &i, sizeof(i), &number) && number == texts + i);
		text_map_clear(&map);
		assert_int_equal(map.count, 0);
		for (uint64_t i = 0; i < texts; i++)
			assert_false(text_map_get(&map, &i, sizeof(i), NULL));
	}
	text_map_free(&map);
}

/* A million texts take moments, whether they are found or not. */
static void
test_many_texts(void **state)
{
	enum { TEXTS = 1000000 };
	struct text_map map = {0};
	uint64_t number;

	(void)state;
	for (uint64_t i = 0; i < TEXTS; i++)
		assert_int_equal(text_map_set(&map, &i, sizeof(i), i), 0);
	for (uint64_t i = 0; i < TEXTS; i++) {
		uint64_t absent = i + TEXTS;
		assert_true(text_map_get(&map, &i, sizeof(i), &number) && number == i);
		assert_false(text_map_get(&map, &absent, sizeof(absent), NULL));
	}
	for (uint64_t i = 0; i < TEXTS; i++)
		text_map_remove(&map, &i, sizeof(i));
	assert_int_equal(map.count, 0);
	text_map_free(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_lead_to_numbers),
		cmocka_unit_test(test_a_text_is_copied_and_set_again),
		cmocka_unit_test(test_texts_come_and_go),
		cmocka_unit_test(test_a_map_is_cleared),
		cmocka_unit_test(test_many_texts),
	};

	return cmocka_run_group_tests_name("text map", tests, NULL, NULL);
}
