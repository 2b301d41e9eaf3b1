import { readFileSync } from "node:fs";
import { fileReadError } from "./file-read-error.ts";
import { parseLabel } from "./life-values.ts";

/**
 * Reads a file of `--label-file`: `KEY[=VALUE]`, one a line; empty lines and lines that begin with `#` do not count.
 * @throws BunkerError `label_file_unreadable`
 */
export function readLabelFile(path: string): readonly (readonly [key: string, value: string])[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileReadError("label_file_unreadable", "read the label file", path, error);
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(parseLabel);
}
