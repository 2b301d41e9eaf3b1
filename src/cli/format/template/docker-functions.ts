/*
 * The functions that Docker and Podman add to Go's for their `--format`: docs.docker.com, "Format command and log
 * output".
 */
import type { TemplateFunctions } from "./template-function.ts";
import { toJson } from "./to-json.ts";
import type { Value } from "./value.ts";

/** Docker's functions. */
export const dockerFunctions: TemplateFunctions = {
  join: {
    parameters: ["[]string", "string"],
    call: (elements: readonly string[], separator: string) => elements.join(separator),
  },
  json: { parameters: ["any"], call: (value: Value) => toJson(value) },
  lower: { parameters: ["string"], call: (text: string) => text.toLowerCase() },
  pad: {
    parameters: ["string", "int", "int"],
    call: (text: string, before: number, after: number) =>
      text === "" ? "" : " ".repeat(Math.max(0, before)) + text + " ".repeat(Math.max(0, after)),
  },
  split: {
    parameters: ["string", "string"],
    call: (text: string, separator: string) => (separator === "" ? [...text] : text.split(separator)),
  },
  title: {
    parameters: ["string"],
    call: (text: string) => text.replace(/(?<![\p{L}\p{N}_])\p{L}/gu, (letter) => letter.toUpperCase()),
  },
  truncate: { parameters: ["string", "int"], call: truncate },
  upper: { parameters: ["string"], call: (text: string) => text.toUpperCase() },
};

/** The same as far as a table's header is concerned, which they are not to change; it stays as wide as it must be. */
export const headerFunctions: TemplateFunctions = {
  ...dockerFunctions,
  json: { parameters: ["any"], call: () => "" },
  lower: { parameters: ["string"], call: (text: string) => text },
  slice: { parameters: ["any"], rest: "any", call: (item: Value) => item },
  title: { parameters: ["string"], call: (text: string) => text },
  truncate: { parameters: ["string", "int"], call: (text: string) => text },
  upper: { parameters: ["string"], call: (text: string) => text },
};

/** The first bytes of a text. */
function truncate(text: string, length: number): string {
  if (length < 0) throw new Error(`slice bounds out of range [:${length}]`);
  return Buffer.from(text).subarray(0, length).toString();
}
