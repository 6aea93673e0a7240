// Print what AsyncAPI's own parser finds in the document; exit with status 1 if it finds anything, be it a hint.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { code, message, path } of diagnostics) console.log(code, message, path.join("."));
process.exit(document && diagnostics.length === 0 ? 0 : 1);
