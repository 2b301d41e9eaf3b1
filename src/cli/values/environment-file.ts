import { readFileSync } from "node:fs";
import { BunkerError } from "../../sys/error.ts";
import { quote } from "../option-table.ts";
import { importedVariable } from "./environment-option.ts";
import { fileReadError } from "./file-read-error.ts";

/**
 * Reads a file of `--env-file`: one variable a line, `NAME=value` or `NAME` alone for the value that Bunker's own
 * environment has. White space before a name, empty lines and lines that begin with `#` do not count. The value is
 * everything behind the first `=` as it stands: quotation marks, white space and `#` are part of it.
 * @param path of the file
 * @returns `NAME=value` entries in the file's order
 * @throws BunkerError environment_file_unreadable, invalid_environment_file with the number of the line
 */
export function readEnvironmentFile(path: string): readonly string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw fileReadError("environment_file_unreadable", "read the environment file", path, error);
  }
  return parseEnvironmentFile(bytes, path);
}

/**
 * Reads the content of an environment file, see `readEnvironmentFile`.
 * @param path for messages
 * @throws BunkerError invalid_environment_file
 */
export function parseEnvironmentFile(content: Buffer, path: string): readonly string[] {
  const entries: string[] = [];
  const lines = content
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "")
    .split(/\r?\n/);
  for (const [index, bytes] of lines.entries()) {
    const complain = (reason: string) =>
      new BunkerError({
        code: "invalid_environment_file",
        operation: "read line",
        object: `${index + 1} of the environment file ${path}`,
        reason,
      });
    const line = decodeLine(bytes);
    if (line === undefined) throw complain("it is not valid UTF-8");
    const entry = line.trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const name = entry.split("=", 1)[0] ?? "";
    if (name === "") throw complain("the variable has no name");
    if (/\s/.test(name)) throw complain(`the name ${quote(name)} contains white space`);
    if (entry.includes("\0")) throw complain("it contains a NUL character");
    const variable = entry.includes("=") ? entry : importedVariable(name);
    if (variable !== undefined) entries.push(variable);
  }
  return entries;
}

function decodeLine(bytes: string): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, "latin1"));
  } catch {
    return undefined;
  }
}
