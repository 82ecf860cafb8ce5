// node tokens.mjs <file>…: how many tokens of o200k_base each file is, a number a line.
import fs from "node:fs";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";

for (const name of process.argv.slice(2)) console.log(countTokens(fs.readFileSync(name, "utf8")));
