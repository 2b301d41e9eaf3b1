import type { Option } from "../option.ts";
import { singleOrEmpty } from "../option.ts";

const TABLE = "table";

/** What `--format` asks for; a template of undefined is the command's own. */
export type OutputFormat =
  | { readonly kind: "table"; readonly template: string | undefined }
  | {
      readonly kind: "template";
      readonly template: string;
      /** Whether it was the word `json`, which as with Docker asks for nothing that is costly. */
      readonly isJson?: true;
    };

/** `--format` of a command that lists things: `table`, `table TEMPLATE`, `json` or `TEMPLATE`. */
export const listFormatOption: Option<OutputFormat | undefined, OutputFormat | undefined> = singleOrEmpty({
  name: "format",
  valueName: "FORMAT",
  description: "Show it as table, as table with a Go template's columns, as json, or by a Go template",
  parse: parseListFormat,
});

/**
 * Reads `--format` of a list. As in Docker, `\t` and `\n` stand for a tab and a line break.
 */
export function parseListFormat(text: string): OutputFormat {
  if (text === "json") return { kind: "template", template: "{{json .}}", isJson: true };
  const unescaped = (source: string) => source.trim().replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  if (!text.startsWith(TABLE)) return { kind: "template", template: unescaped(text) };
  const template = unescaped(text.slice(TABLE.length));
  return { kind: "table", template: template === "" ? undefined : template };
}

/** `--format` of a command that shows single things. */
export const inspectFormatOption = singleOrEmpty({
  name: "format",
  short: "f",
  valueName: "FORMAT",
  description: "Show it as json on one line, or by a Go template",
  parse: (text) => text,
});
