import { BunkerError } from "../../sys/error.ts";
import type { Option } from "../option.ts";
import { single } from "../option.ts";
import { dockerFunctions } from "./template/docker-functions.ts";
import { parseTemplate, type Template } from "./template/template.ts";
import { TemplateError } from "./template/template-error.ts";
import type { TemplateFunctions } from "./template/template-function.ts";
import type { Value } from "./template/value.ts";

/** A command line whose template cannot be read; Docker's. */
const MALFORMED_TEMPLATE = 64;
const TABLE = "table";

/** What `--format` asks for; a template of undefined is the command's own. */
export type OutputFormat =
  | { readonly kind: "table"; readonly template: string | undefined }
  | { readonly kind: "template"; readonly template: string };

/** `--format` of a command that lists things: `table`, `table TEMPLATE`, `json` or `TEMPLATE`. */
export const listFormatOption: Option<OutputFormat, OutputFormat | undefined> = single({
  name: "format",
  valueName: "FORMAT",
  description: "Show it as table, as table with a Go template's columns, as json, or by a Go template",
  parse: parseListFormat,
});

/**
 * Reads `--format` of a list. As in Docker, `\t` and `\n` stand for a tab and a line break.
 */
export function parseListFormat(text: string): OutputFormat {
  if (text === "json") return { kind: "template", template: "{{json .}}" };
  const unescaped = (source: string) => source.trim().replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  if (!text.startsWith(TABLE)) return { kind: "template", template: unescaped(text) };
  const template = unescaped(text.slice(TABLE.length));
  return { kind: "table", template: template === "" ? undefined : template };
}

/**
 * Reads a template of the user's, with Docker's functions.
 * @throws BunkerError `invalid_template`, exit status 64
 */
export function readTemplate(source: string): Template {
  try {
    return parseTemplate(source, dockerFunctions);
  } catch (error) {
    throw templateFailure(error, MALFORMED_TEMPLATE);
  }
}

/**
 * Carries a template of the user's out.
 * @throws BunkerError `invalid_template`, exit status 1
 */
export function executeTemplate(template: Template, data: Value, overriding?: TemplateFunctions): string {
  try {
    return template.execute(data, overriding);
  } catch (error) {
    throw templateFailure(error, 1);
  }
}

function templateFailure(error: unknown, exitStatus: number): unknown {
  if (!(error instanceof TemplateError)) return error;
  const operation = `template parsing error: ${error.message}`;
  return new BunkerError({ code: "invalid_template", operation, hint: error.hint, exitStatus }, { cause: error });
}
