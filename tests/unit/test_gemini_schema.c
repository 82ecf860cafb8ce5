/* Schemas of tools as Gemini takes them, beyond tests/cases/gemini/schemas.txt: what holds for all
 * of them, and their bounds (PROTOCOL.md §B.2 "Schema cleaning", §H.11). */
#include "case_file.h"

#include "base/buffer.h"
#include "base/json/json.h"
#include "base/json/json_tree.h"
#include "base/json/json_writer.h"
#include "translate/gemini/schema.h"

enum { MOST_BYTES = 2 << 20 }; /* that one schema may become, whatever it is */

/* The schema cleaned, as text in ${out}; the caller frees the tree. */
static struct json_object *
clean(const char *text, size_t *budget, struct buffer *out)
{
	struct json_document index = {0};
	struct json_problem problem;
	const struct json *schema = json_read(
		&index, text, strlen(text), JSON_MAX_REQUEST_VALUES, &problem);

	if (schema == NULL)
		fail_msg("%s at %zu: %s", problem.what, problem.offset, text);
	struct json_object *cleaned = gemini_schema_clean(schema, budget);
	assert_non_null(cleaned);
	json_put_tree(&JSON_WRITER(out), cleaned);
	json_document_free(&index);
	return cleaned;
}

static void
check_cleaned(const char *text, const char *expected)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct buffer out = BUFFER_INIT(0);
	struct json_object *cleaned = clean(text, &budget, &out);

	assert_string_equal(buffer_text(&out), expected);
	assert_true(budget > GEMINI_SCHEMA_BUDGET * 99 / 100);
	json_object_put(cleaned);
	buffer_free(&out);
}

/* ---- whatever comes in, what goes out is a Schema ---- */

enum value { STRING, WHOLE, NUMBER, TRUTH, TEXTS, SCHEMA, SCHEMAS, ANYTHING };

static const struct {
	const char *name;
	enum value value;
} known[] = {{"type", STRING}, {"format", STRING}, {"title", STRING}, {"description", STRING},
	{"nullable", TRUTH}, {"enum", TEXTS}, {"maxItems", WHOLE}, {"minItems", WHOLE},
	{"properties", SCHEMAS}, {"required", TEXTS}, {"minProperties", WHOLE},
	{"maxProperties", WHOLE}, {"minLength", WHOLE}, {"maxLength", WHOLE}, {"pattern", STRING},
	{"example", ANYTHING}, {"anyOf", SCHEMAS}, {"propertyOrdering", TEXTS},
	{"default", ANYTHING}, {"items", SCHEMA}, {"minimum", NUMBER}, {"maximum", NUMBER}};

static void check_schema(struct json_object *schema);

static void
check_texts(struct json_object *list)
{
	assert_true(json_object_is_type(list, json_type_array));
	for (size_t i = 0; i < json_object_array_length(list); i++)
		assert_true(json_tree_is_string(json_object_array_get_idx(list, i)));
}

static void
check_schemas(struct json_object *schemas)
{
	if (json_object_is_type(schemas, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(schemas); i++)
			check_schema(json_object_array_get_idx(schemas, i));
		return;
	}
	json_object_object_foreach(schemas, name, schema)
	{
		(void)name;
		check_schema(schema);
	}
}

static void
check_value(struct json_object *value, enum value kind)
{
	bool whole = json_object_is_type(value, json_type_int);

	switch (kind) {
	case STRING:
		assert_true(json_tree_is_string(value));
		break;
	case WHOLE:
		assert_true(whole);
		break;
	case NUMBER:
		assert_true(whole || json_object_is_type(value, json_type_double));
		break;
	case TRUTH:
		assert_true(json_object_is_type(value, json_type_boolean));
		break;
	case TEXTS:
		check_texts(value);
		break;
	case SCHEMA:
		check_schema(value);
		break;
	case SCHEMAS:
		check_schemas(value);
		break;
	case ANYTHING:
		break;
	}
}

static void
check_schema(struct json_object *schema)
{
	assert_true(json_object_is_type(schema, json_type_object));
	assert_true(json_tree_member(schema, "type") != NULL ||
		    json_tree_member(schema, "anyOf") != NULL);
	assert_int_equal(json_tree_is_text(json_tree_member(schema, "type"), "array"),
		json_tree_member(schema, "items") != NULL);
	json_object_object_foreach(schema, name, value)
	{
		size_t i = 0;
		while (i < COUNT(known) && strcmp(known[i].name, name) != 0)
			i++;
		if (i == COUNT(known))
			fail_msg("'%s' is no keyword of Gemini", name);
		check_value(value, known[i].value);
	}
}

/* Whatever ${text} is, what becomes of it is a Schema, and bounded. */
static void
check_text(const char *text)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct buffer out = BUFFER_INIT(0);
	struct json_object *cleaned = clean(text, &budget, &out);

	check_schema(cleaned);
	assert_in_range(out.length, 1, MOST_BYTES);
	assert_in_range(budget, GEMINI_SCHEMA_BUDGET / 4 * 3, GEMINI_SCHEMA_BUDGET);
	json_object_put(cleaned);
	buffer_free(&out);
}

/* Definitions of which each refers to the next eight times: 8 to the 30th schemas. */
static void
write_fan_out(struct buffer *out)
{
	buffer_puts(out, "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d0\"}},\"$defs\":{");
	for (int i = 0; i < 30; i++) {
		buffer_printf(out, "%s\"d%d\":{\"properties\":{", i > 0 ? "," : "", i);
		for (int p = 0; p < 8; p++)
			buffer_printf(out, "%s\"p%d\":{\"$ref\":\"#/$defs/d%d\"}", p > 0 ? "," : "",
				p, i + 1);
		buffer_puts(out, "}}");
	}
	buffer_puts(out, "}}");
}

static void
test_hostile_schemas(void **state)
{
	static const char *const texts[] = {
		"{\"allOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"},{\"$ref\":\"#/allOf\"}]}",
		"{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#/anyOf/0\"},{\"$ref\":5}]}",
		"{\"type\":{},\"properties\":5,\"items\":5,\"required\":5,\"enum\":5,\"anyOf\":5,"
		"\"allOf\":5,\"format\":5,\"const\":[],\"$ref\":\"#/~\"}",
		"{\"properties\":{\"a\":{\"type\":[5,null,[],\"array\",\"x\"],\"items\":[]}}}",
	};
	struct case_file cases;
	struct buffer deep = BUFFER_INIT(0);
	struct buffer wide = BUFFER_INIT(0);

	(void)state;
	case_file_read(&cases, "tests/cases/gemini/schemas.txt");
	assert_true(cases.count > 50);
	for (size_t i = 0; i < cases.count; i++)
		check_text(case_text(&cases.cases[i], "schema"));
	case_file_free(&cases);
	for (size_t i = 0; i < COUNT(texts); i++)
		check_text(texts[i]);
	for (int i = 0; i < 60; i++)
		buffer_puts(&deep, "{\"properties\":{\"a\":");
	buffer_puts(&deep, "{}");
	for (int i = 0; i < 60; i++)
		buffer_puts(&deep, "}}");
	check_text(buffer_text(&deep));
	write_fan_out(&wide);
	check_text(buffer_text(&wide));
	buffer_free(&deep);
	buffer_free(&wide);
}

/* A thousand references to one definition that repeats something 4,000 times, numbered where ${end}
 * is given. */
static void
check_multiplied(const char *before, const char *item, const char *end, const char *after)
{
	struct buffer out = BUFFER_INIT(0);

	buffer_puts(&out, "{\"properties\":{");
	for (int i = 0; i < 1000; i++)
		buffer_printf(&out, "\"p%d\":{\"$ref\":\"#/$defs/x\"},", i);
	buffer_printf(&out, "\"last\":{}},\"$defs\":{\"x\":{%s", before);
	for (int i = 0; i < 4000; i++) {
		buffer_puts(&out, item);
		if (end != NULL)
			buffer_printf(&out, "%d%s", i, end);
	}
	buffer_printf(&out, "%s}}}", after);
	check_text(buffer_text(&out));
	buffer_free(&out);
}

static void
test_references_do_not_multiply_what_is_large(void **state)
{
	static const struct {
		const char *before, *item, *end, *after;
	} large[] = {
		{"\"type\":\"string\",\"description\":\"", "d", "", "\""},
		{"\"type\":\"string\",\"default\":[", "", ",", "0]"},
		{"\"type\":[", "\"string\",", NULL, "\"null\"]"},
		{"\"enum\":[", "\"v", "\",", "\"v\"]"},
		{"\"enum\":[", "", ",", "0]"},
		{"\"type\":\"string\",\"properties\":{", "\"q", "\":{},", "\"q\":{}}"},
		{"\"properties\":{\"a\":{}},\"required\":[", "\"a\",", NULL, "\"a\"]"},
		{"\"anyOf\":[", "{\"type\":\"null\"},", NULL, "{}]"},
		{"\"$ref\":\"#", "/", "", "\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(large); i++)
		check_multiplied(large[i].before, large[i].item, large[i].end, large[i].after);
}

/* ---- all schemas of a request ---- */

/* What ${count} tools with the same schema become together, in bytes. */
static size_t
bytes_of_tools(const char *text, int count)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct buffer out = BUFFER_INIT(0);
	size_t bytes = 0;

	for (int i = 0; i < count; i++) {
		size_t before = budget;
		struct json_object *cleaned = clean(text, &budget, &out);
		assert_in_range(budget, before - before / 4, before);
		check_schema(cleaned);
		json_object_put(cleaned);
		bytes += out.length;
		buffer_clear(&out);
	}
	buffer_free(&out);
	return bytes;
}

static void
test_many_tools_share_one_budget(void **state)
{
	static const char *const texts[] = {
		/* Circles, one definition in several, and all of them several times. */
		"{\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"},\"b\":{\"$ref\":\"#/$defs/b\"}},"
		"\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/b\"},{"
		"\"$ref\":\"#/$defs/c\"}]},\"b\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"},"
		"\"c\":{\"$ref\":\"#/$defs/c\"},\"d\":{\"$ref\":\"#/$defs/d\"}}},\"c\":{\"items\":{"
		"\"allOf\":[{\"$ref\":\"#/$defs/d\"},{\"$ref\":\"#/$defs/a\"}]}},\"d\":{"
		"\"properties\":{\"a\":{\"$ref\":\"#/$defs/a\"},\"b\":{\"$ref\":\"#/$defs/b\"},"
		"\"c\":{\"$ref\":\"#/$defs/c\"},\"self\":{\"$ref\":\"#\"}}}}}",
	};
	struct buffer fan_out = BUFFER_INIT(0);

	(void)state;
	write_fan_out(&fan_out);
	assert_in_range(bytes_of_tools(buffer_text(&fan_out), 300), 100000, MOST_BYTES);
	for (size_t i = 0; i < COUNT(texts); i++)
		assert_in_range(bytes_of_tools(texts[i], 300), 10000, MOST_BYTES);
	buffer_free(&fan_out);
}

/* Definitions that bring the next one twice in ${word}: 2 to the 30th. */
static void
check_doubled(const char *word)
{
	struct buffer text = BUFFER_INIT(0);

	buffer_puts(&text, "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/d0\"}},\"$defs\":{");
	for (int i = 0; i < 30; i++)
		buffer_printf(&text,
			"\"d%d\":{\"description\":\"%0500d\",\"%s\":[{\"$ref\":\"#/$defs/d%d\"},{"
			"\"$ref\":\"#/$defs/d%d\"}]},",
			i, i, word, i + 1, i + 1);
	buffer_puts(&text, "\"d30\":{\"type\":\"string\"}}}");
	assert_in_range(bytes_of_tools(buffer_text(&text), 300), 1, 4 * MOST_BYTES);
	buffer_free(&text);
}

static void
test_doubled_references(void **state)
{
	(void)state;
	check_doubled("anyOf");
	check_doubled("oneOf");
	check_doubled("allOf");
}

static const char plain[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},"
			    "\"b\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}}}";

static void
test_a_schema_that_explodes_leaves_something_for_others(void **state)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct buffer fan_out = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	write_fan_out(&fan_out);
	for (int i = 0; i < 10; i++)
		json_object_put(clean(buffer_text(&fan_out), &budget, &out));
	buffer_clear(&out);
	json_object_put(clean(plain, &budget, &out));
	assert_string_equal(buffer_text(&out), plain);
	buffer_free(&out);
	buffer_free(&fan_out);
}

/* Where the budget ends, so does what is told, and it is a Schema still. */
static void
test_a_budget_that_is_used_up_cuts_the_rest(void **state)
{
	struct buffer out = BUFFER_INIT(0);
	size_t length = 0;

	(void)state;
	for (size_t budget = 0; budget < 100; budget++) {
		size_t left = budget;
		buffer_clear(&out);
		struct json_object *cleaned = clean(plain, &left, &out);
		check_schema(cleaned);
		assert_in_range(left, budget - budget / 4, budget);
		assert_true(out.length >= length);
		length = out.length;
		json_object_put(cleaned);
		if (budget < 32)
			assert_string_equal(buffer_text(&out), "{\"type\":\"object\"}");
	}
	assert_string_equal(buffer_text(&out), plain);
	buffer_free(&out);
}

/* Nothing is read of a schema that is too large as it comes. */
static void
test_a_schema_beyond_the_budget_is_cut(void **state)
{
	size_t budget = GEMINI_SCHEMA_BUDGET;
	struct buffer text = BUFFER_INIT(0);
	struct buffer out = BUFFER_INIT(0);

	(void)state;
	buffer_puts(&text, "{\"default\":[{}");
	for (int i = 0; i < GEMINI_SCHEMA_BUDGET; i++)
		buffer_puts(&text, ",{}");
	buffer_puts(&text, "]}");
	json_object_put(clean(buffer_text(&text), &budget, &out));
	assert_string_equal(buffer_text(&out), "{\"type\":\"object\"}");
	assert_in_range(budget, GEMINI_SCHEMA_BUDGET - 1, GEMINI_SCHEMA_BUDGET);
	buffer_free(&out);
	buffer_free(&text);
}

/* Where one is expected, and where nobody looks. */
static void
test_numbers_of_any_length(void **state)
{
	enum { DIGITS = 10000 };
	char digits[DIGITS + 1];
	struct buffer in = BUFFER_INIT(0);
	struct buffer expected = BUFFER_INIT(0);

	(void)state;
	memset(digits, '7', DIGITS);
	digits[DIGITS] = '\0';
	buffer_printf(&in,
		"{\"properties\":{\"a\":{\"type\":\"number\",\"maximum\":%s,\"maxLength\":%s},"
		"\"b\":{"
		"\"type\":\"string\",\"maxLength\":%s}}}",
		digits, digits, digits);
	buffer_printf(&expected,
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"maximum\":%s},"
		"\"b\":{\"type\":\"string\"}}}",
		digits);
	check_cleaned(buffer_text(&in), buffer_text(&expected));
	buffer_free(&in);
	buffer_free(&expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_schemas),
		cmocka_unit_test(test_references_do_not_multiply_what_is_large),
		cmocka_unit_test(test_many_tools_share_one_budget),
		cmocka_unit_test(test_doubled_references),
		cmocka_unit_test(test_a_schema_that_explodes_leaves_something_for_others),
		cmocka_unit_test(test_a_budget_that_is_used_up_cuts_the_rest),
		cmocka_unit_test(test_a_schema_beyond_the_budget_is_cut),
		cmocka_unit_test(test_numbers_of_any_length),
	};

	return cmocka_run_group_tests_name("gemini schema", tests, NULL, NULL);
}
