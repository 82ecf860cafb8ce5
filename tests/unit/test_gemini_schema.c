/* Schemas of tools as Gemini takes them (PROTOCOL.md §B.2 "Schema cleaning", §H.11). */
#include "unit.h"

#include "base/buffer.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "translate/gemini/schema.h"

enum { MOST_BYTES = 2 << 20 }; /* that one schema may become, whatever it is */

static const char *const rows[][2] = {
	{"{}", "{\"type\":\"object\"}"},
	{"null", "{\"type\":\"object\"}"},
	{"true", "{\"type\":\"object\"}"},
	{"5", "{\"type\":\"object\"}"},
	{"[]", "{\"type\":\"object\"}"},
	{"{\"type\":\"object\"}", "{\"type\":\"object\"}"},
	{"{\"type\":\"string\"}", "{\"type\":\"object\"}"},
	{"{\"type\":\"object\",\"properties\":{}}", "{\"type\":\"object\"}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":1,"
	 "\"maxLength\":2,\"pattern\":\"^a\",\"description\":\"d\",\"title\":\"t\",\"default\":"
	 "\"x\",\"example\":\"y\"}},\"required\":[\"a\",\"b\",\"a\",5]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"title\":\"t\","
		"\"description\":\"d\",\"default\":\"x\",\"example\":\"y\",\"pattern\":\"^a\","
		"\"minLength\":1,\"maxLength\":2}},\"required\":[\"a\"]}"},
	{"{\"$schema\":\"x\",\"$id\":\"y\",\"type\":\"object\",\"additionalProperties\":false,"
	 "\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9,\"format\":"
	 "\"int32\",\"multipleOf\":2}},\"patternProperties\":{},\"$defs\":{},\"examples\":[1],"
	 "\"not\":{},\"if\":{},\"then\":{},\"else\":{}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":0,"
		"\"maximum\":9,\"format\":\"int32\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\"},\"format\":{"
	 "\"type\":\"string\",\"format\":\"uri\"},\"$ref\":{\"type\":\"string\"},\"type\":{"
	 "\"type\":\"string\"},\"properties\":{\"type\":\"object\",\"properties\":{\"required\":{"
	 "\"type\":\"boolean\"}}}}}",
		"{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\"},\"format\":{"
		"\"type\":\"string\"},\"$ref\":{\"type\":\"string\"},\"type\":{\"type\":\"string\"}"
		",\"properties\":{\"type\":\"object\",\"properties\":{\"required\":{\"type\":"
		"\"boolean\"}}}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/"
	 "x\"}},\"$defs\":{\"x\":{\"type\":\"string\",\"format\":\"date-time\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"date-"
		"time\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/"
	 "x\",\"description\":\"mine\"}},\"$defs\":{\"x\":{\"type\":\"string\",\"description\":"
	 "\"its\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"description\":"
		"\"mine\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/definitions/"
	 "a~1b\"},\"b\":{\"$ref\":\"#/definitions/c%20d\"},\"c\":{\"$ref\":\"#/definitions/"
	 "none\"},\"d\":{\"$ref\":\"http://x/y\"},\"e\":{\"$ref\":\"#/properties/"
	 "a\"}},\"definitions\":{\"a/b\":{\"type\":\"number\"},\"c d\":{\"type\":\"boolean\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},\"b\":{\"type\":"
		"\"boolean\"},\"c\":{\"type\":\"string\"},\"d\":{\"type\":\"string\"},\"e\":{"
		"\"type\":\"number\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"n\":{\"$ref\":\"#/$defs/"
	 "node\"}},\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":"
	 "\"string\"},\"next\":{\"$ref\":\"#/$defs/node\"}}}}}",
		"{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"object\",\"properties\":{"
		"\"v\":{\"type\":\"string\"},\"next\":{\"type\":\"object\"}}}}}"},
	{"{\"type\":\"object\",\"properties\":{\"self\":{\"$ref\":\"#\"}}}",
		"{\"type\":\"object\",\"properties\":{\"self\":{\"type\":\"object\",\"properties\":"
		"{\"self\":{\"type\":\"object\"}}}}}"},
	{"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/"
	 "$defs/a\"}}}",
		"{\"type\":\"object\"}"},
	{"{\"$ref\":\"#/$defs/"
	 "a\",\"$defs\":{\"a\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}"
	 "}",
		"{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"x\"},\"b\":{\"const\":5},\"c\":{"
	 "\"const\":true},\"d\":{\"const\":1.5},\"e\":{\"const\":null},\"f\":{\"type\":\"string\","
	 "\"const\":\"y\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"enum\":[\"x\"]},"
		"\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"boolean\"},\"d\":{\"type\":"
		"\"number\"},\"e\":{\"type\":\"string\"},\"f\":{\"type\":\"string\",\"enum\":["
		"\"y\"]}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"null\"]},\"b\":{"
	 "\"type\":[\"string\",\"integer\"],\"description\":\"d\",\"minimum\":1},\"c\":{\"type\":["
	 "\"null\"]},\"d\":{\"type\":[\"array\",\"null\"],\"items\":{\"type\":\"string\"}},\"e\":{"
	 "\"type\":[\"string\",\"number\",\"null\"]},\"f\":{\"type\":\"null\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"nullable\":true}"
		",\"b\":{\"description\":\"d\",\"anyOf\":[{\"type\":\"string\"},{\"type\":"
		"\"integer\",\"minimum\":1}]},\"c\":{\"type\":\"string\",\"nullable\":true},\"d\":{"
		"\"type\":\"array\",\"items\":{\"type\":\"string\"},\"nullable\":true},\"e\":{"
		"\"anyOf\":[{\"type\":\"string\"},{\"type\":\"number\"}],\"nullable\":true},\"f\":{"
		"\"type\":\"string\",\"nullable\":true}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"oneOf\":[{\"type\":\"string\"},{\"type\":"
	 "\"integer\"}]},\"b\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}],"
	 "\"description\":\"d\",\"default\":null},\"c\":{\"anyOf\":[{\"type\":\"string\"},{"
	 "\"type\":\"integer\"},{\"type\":\"null\"}]},\"d\":{\"anyOf\":[]},\"e\":{\"oneOf\":[{"
	 "\"const\":\"a\"},{\"const\":\"b\"}]}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"string\"},{"
		"\"type\":\"integer\"}]},\"b\":{\"description\":\"d\",\"type\":\"string\","
		"\"nullable\":true},\"c\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]"
		",\"nullable\":true},\"d\":{\"type\":\"string\"},\"e\":{\"anyOf\":[{\"type\":"
		"\"string\",\"enum\":[\"a\"]},{\"type\":\"string\",\"enum\":[\"b\"]}]}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"anyOf\":[{"
	 "\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"},
	{"{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}},{\"type\":"
	 "\"object\",\"properties\":{\"b\":{\"type\":\"integer\"}}}]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"integer\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"allOf\":[{\"type\":\"object\","
	 "\"properties\":{\"x\":{\"type\":\"string\"}},\"required\":[\"x\"]},{\"properties\":{"
	 "\"y\":{\"type\":\"integer\"}},\"required\":[\"y\"]}],\"description\":\"d\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"description\":"
		"\"d\",\"properties\":{\"x\":{\"type\":\"string\"},\"y\":{\"type\":\"integer\"}},"
		"\"required\":[\"x\",\"y\"]}}}"},
	{"{\"allOf\":[{\"$ref\":\"#/$defs/"
	 "a\"},{\"properties\":{\"y\":{\"type\":\"string\"}}}],\"$defs\":{\"a\":{\"type\":"
	 "\"object\",\"properties\":{\"x\":{\"type\":\"string\"}},\"required\":[\"x\"]}}}",
		"{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"},\"y\":{\"type\":"
		"\"string\"}},\"required\":[\"x\"]}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"exclusiveMinimum\":0,"
	 "\"exclusiveMaximum\":1.50},\"b\":{\"type\":\"integer\",\"exclusiveMinimum\":true,"
	 "\"minimum\":3},\"c\":{\"type\":\"string\",\"minimum\":1}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":0,"
		"\"maximum\":1.50},\"b\":{\"type\":\"integer\",\"minimum\":3},\"c\":{\"type\":"
		"\"string\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"enum\":[\"x\",\"y\",\"x\",\"\"]},\"b\":{"
	 "\"type\":\"integer\",\"enum\":[1,2]},\"c\":{\"enum\":[1,2]},\"d\":{\"enum\":[\"a\",null,"
	 "1]},\"e\":{\"type\":\"string\",\"enum\":[]},\"f\":{\"type\":[\"string\",\"null\"],"
	 "\"enum\":[\"a\",null]}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"enum\":[\"x\","
		"\"y\"]},\"b\":{\"type\":\"integer\"},\"c\":{\"type\":\"integer\"},\"d\":{\"type\":"
		"\"string\",\"enum\":[\"a\"]},\"e\":{\"type\":\"string\"},\"f\":{\"type\":"
		"\"string\",\"enum\":[\"a\"],\"nullable\":true}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"format\":\"uuid\"},"
	 "\"b\":{\"type\":\"string\",\"format\":\"date-time\"},\"c\":{\"type\":\"string\","
	 "\"format\":\"enum\"},\"d\":{\"type\":\"number\",\"format\":\"double\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"string\",\"format\":\"date-time\"},\"c\":{\"type\":\"string\",\"format\":"
		"\"enum\"},\"d\":{\"type\":\"number\",\"format\":\"double\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\"},\"b\":{\"type\":"
	 "\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":true}},\"c\":{\"type\":"
	 "\"array\",\"items\":[{\"type\":\"integer\"},{\"type\":\"string\"}]},\"d\":{\"type\":"
	 "\"array\",\"prefixItems\":[{\"type\":\"boolean\"}],\"minItems\":1,\"maxItems\":1,"
	 "\"uniqueItems\":true},\"e\":{\"type\":\"array\",\"items\":true},\"f\":{\"items\":{"
	 "\"type\":\"string\"}}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{"
		"\"type\":\"string\"}},\"b\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
		"\"c\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},\"d\":{\"type\":"
		"\"array\",\"minItems\":1,\"maxItems\":1,\"items\":{\"type\":\"boolean\"}},\"e\":{"
		"\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"f\":{\"type\":\"array\","
		"\"items\":{\"type\":\"string\"}}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"properties\":{\"x\":{}}},\"b\":{},\"c\":"
	 "true,\"d\":false,\"e\":{\"description\":\"only\"},\"f\":{\"type\":\"strange\"},\"g\":{"
	 "\"type\":\"INTEGER\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{"
		"\"x\":{\"type\":\"string\"}}},\"b\":{\"type\":\"string\"},\"c\":{\"type\":"
		"\"string\"},\"d\":{\"type\":\"string\"},\"e\":{\"description\":\"only\",\"type\":"
		"\"string\"},\"f\":{\"type\":\"string\"},\"g\":{\"type\":\"integer\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":\"3\","
	 "\"description\":5,\"pattern\":{},\"nullable\":1,\"title\":[]},\"b\":{\"type\":\"object\","
	 "\"properties\":[]},\"c\":{\"type\":5}},\"required\":{}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"object\"},\"c\":{\"type\":\"string\"}}}"},
	{"{\"type\":\"object\",\"required\":[\"a\"]}", "{\"type\":\"object\"}"},
	{"{\"type\":\"object\",\"nullable\":true,\"minProperties\":1,\"maxProperties\":3,"
	 "\"properties\":{\"a\":{\"type\":\"string\",\"nullable\":true}},\"propertyOrdering\":["
	 "\"a\",\"z\"]}",
		"{\"type\":\"object\",\"nullable\":true,\"minProperties\":1,\"maxProperties\":3,"
		"\"properties\":{\"a\":{\"type\":\"string\",\"nullable\":true}},"
		"\"propertyOrdering\":[\"a\"]}"},
	{"{\"type\":[\"object\",\"null\"],\"properties\":{\"a\":{\"type\":\"string\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"nullable\":"
		"true}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{"
	 "\"type\":\"array\",\"items\":{\"$ref\":\"#/properties/a\"}}}}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{"
		"\"b\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"b\":{"
		"\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
	 "n\"},{\"type\":\"null\"}]}},\"$defs\":{\"n\":{\"type\":\"object\",\"properties\":{\"k\":{"
	 "\"type\":\"string\"}},\"required\":[\"k\"]}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"properties\":{"
		"\"k\":{\"type\":\"string\"}},\"required\":[\"k\"],\"nullable\":true}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":0.10,"
	 "\"maximum\":1e21,\"default\":-0}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"default\":-0,"
		"\"minimum\":0.10,\"maximum\":1e21}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\",\"additionalProperties\":"
	 "{\"type\":\"string\"},\"propertyNames\":{\"pattern\":\"x\"}}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"object\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"anyOf\":[{"
	 "\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"number\"}}]}}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"array\",\"items\":{"
		"\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":"
		"\"number\"}}]}}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"contentEncoding\":"
	 "\"base64\",\"readOnly\":true,\"deprecated\":true}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"},
	{"{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":["
		"\"a\"]}"},
	{"{\"type\":\"object\",\"properties\":{\"todos\":{\"type\":\"array\",\"items\":{\"type\":"
	 "\"object\",\"properties\":{\"content\":{\"type\":\"string\",\"minLength\":1},\"status\":{"
	 "\"type\":\"string\",\"enum\":[\"pending\",\"done\"]}},\"required\":[\"content\","
	 "\"status\"],\"additionalProperties\":false}}},\"required\":[\"todos\"],"
	 "\"additionalProperties\":false,\"$schema\":\"https://json-schema.org/draft/2020-12/"
	 "schema\"}",
		"{\"type\":\"object\",\"properties\":{\"todos\":{\"type\":\"array\",\"items\":{"
		"\"type\":\"object\",\"properties\":{\"content\":{\"type\":\"string\","
		"\"minLength\":1},\"status\":{\"type\":\"string\",\"enum\":[\"pending\",\"done\"]}}"
		",\"required\":[\"content\",\"status\"]}}},\"required\":[\"todos\"]}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":\"\"},\"b\":{\"type\":\"string\","
	 "\"const\":\"\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"string\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"format\":\"uint8\"},"
	 "\"b\":{\"type\":\"number\",\"format\":\"uuid\"},\"c\":{\"type\":\"integer\",\"format\":"
	 "\"int64\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
		"\"number\"},\"c\":{\"type\":\"integer\",\"format\":\"int64\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"minLength\":-1,"
	 "\"maxLength\":18446744073709551615}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":[\"string\",\"string\"]},\"b\":{"
	 "\"enum\":[null,1,2]}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"integer\"}}}"},
	{"{\"properties\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/A\"},{\"$ref\":\"#/$defs/"
	 "B\"}]}},\"$defs\":{\"A\":{\"$ref\":\"#/$defs/C\"},\"B\":{\"$ref\":\"#/$defs/"
	 "C\"},\"C\":{\"enum\":[\"x\"]}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"enum\":[\"x\"]}}"
		"}"},
	{"{\"properties\":{\"a\":{\"$ref\":\"#/$defs//x\"},\"b\":{\"$ref\":\"#/$defs/"
	 "l\"}},\"$defs\":{\"\":{\"x\":{\"type\":\"integer\"}},\"l\":{\"$ref\":\"#/$defs/l\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
		"\"object\"}}}"},
	{"{\"$schema\":\"http://json-schema.org/draft-07/"
	 "schema#\",\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"path\","
	 "\"edits\"],\"properties\":{\"path\":{\"type\":\"string\",\"format\":\"uri\","
	 "\"description\":\"p\"},\"edits\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":"
	 "\"#/$defs/"
	 "edit\"}},\"mode\":{\"anyOf\":[{\"const\":\"fast\"},{\"type\":\"null\"}],\"default\":null}"
	 "},\"$defs\":{\"edit\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":["
	 "\"old\"],\"properties\":{\"old\":{\"type\":\"string\"},\"count\":{\"type\":\"integer\","
	 "\"exclusiveMinimum\":0}}}}}",
		"{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\","
		"\"description\":\"p\"},\"edits\":{\"type\":\"array\",\"minItems\":1,\"items\":{"
		"\"type\":\"object\",\"properties\":{\"old\":{\"type\":\"string\"},\"count\":{"
		"\"type\":\"integer\",\"minimum\":0}},\"required\":[\"old\"]}},\"mode\":{\"type\":"
		"\"string\",\"enum\":[\"fast\"],\"nullable\":true}},\"required\":[\"path\","
		"\"edits\"]}"},
	{"{\"type\":\"object\",\"anyOf\":[{\"properties\":{\"a\":{\"type\":\"string\"}},"
	 "\"required\":[\"a\"]},{\"properties\":{\"b\":{\"type\":\"integer\"}}}]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
		"\"integer\"}}}"},
	{"{\"type\":\"object\",\"properties\":{\"o\":{\"type\":\"object\",\"oneOf\":[{\"required\":"
	 "[\"x\"]}]}}}",
		"{\"type\":\"object\",\"properties\":{\"o\":{\"type\":\"object\"}}}"},
	/* Of duplicates, the last counts. */
	{"{\"type\":\"string\",\"type\":\"object\",\"properties\":{\"a\":{},\"a\":{\"type\":"
	 "\"integer\"}}}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"},
	/* Half a pair of surrogates; U+0000, which no name of a parameter has. */
	{"{\"properties\":{\"a\\u0000b\":{},\"a\":{\"description\":\"\\u0000\",\"enum\":["
	 "\"x\\u0000\",\"x\",\"\\ud800\"]}},\"required\":[\"a\\u0000b\",\"a\"]}",
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"description\":"
		"\"\\u0000\",\"enum\":[\"x\",\"\\ud800\"]}},\"required\":[\"a\"]}"},
};

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
	assert_int_equal(json_tree_write(out, cleaned), 0);
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

static void
test_schemas(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_cleaned(rows[i][0], rows[i][1]);
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
	struct buffer deep = BUFFER_INIT(0);
	struct buffer wide = BUFFER_INIT(0);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_text(rows[i][0]);
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
		cmocka_unit_test(test_schemas),
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
