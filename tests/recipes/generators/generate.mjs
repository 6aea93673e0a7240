// Write classes for every event of an AsyncAPI document, with Modelina: into the folders `java/uncia`, `typescript` and
// `uncia_events` of a folder.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as modelina from "@asyncapi/modelina";

const [file, folder] = process.argv.slice(2);
const document = JSON.parse(readFileSync(file, "utf8"));
// Modelina 5.10 knows no 3.1.0, and treats such a document as one JSON Schema. The two versions differ only in a binding.
document.asyncapi = "3.0.0";
const { JavaFileGenerator, PythonFileGenerator, TypeScriptFileGenerator } = modelina;
for (const [name, generator, options] of [
  ["java/uncia", new JavaFileGenerator({ presets: [modelina.JAVA_JACKSON_PRESET] }), { packageName: "uncia" }],
  ["typescript", new TypeScriptFileGenerator(), {}],
  ["uncia_events", new PythonFileGenerator({ presets: [modelina.PYTHON_PYDANTIC_PRESET] }), { packageName: "uncia_events" }],
]) {
  const target = join(folder, name);
  mkdirSync(target, { recursive: true });
  await generator.generateToFiles(document, target, options);
}
