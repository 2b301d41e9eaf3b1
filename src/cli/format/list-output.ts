/*
 * How commands print lists: rows are structs for templates, and the command says what a table's columns are called. With
 * `table` the template makes a line of cells from each row and, carried out over the names of the columns, the header;
 * columns are aligned over all of it. Without, each row is a line. A template that begins with `{{range .}}` is Podman's
 * way, and is carried out once over all rows. The usual table, of fields alone, needs no template, and the code for
 * templates is not loaded for it.
 *
 * Tables are for people, so what could steer their terminal is kept out of them: much of it was written by whoever made
 * an image. Other output is for programs, and goes as it is.
 */
import { alignColumns } from "./align-columns.ts";
import type { OutputFormat } from "./format-option.ts";
import type { Structure } from "./template/value.ts";

/** What a command lists. */
export interface ListDescription {
  /** The fields that a row has, each with its title in a table. */
  readonly titles: Readonly<Record<string, string>>;
  /** The fields of the table that is shown when no other is asked for. */
  readonly columns: readonly string[];
  /** Whether tables go without the line of titles. */
  readonly isWithoutHeading?: boolean;
}

const WHOLE_LIST = /^\{\{-?\s*range\s+\.\s*-?\}\}/;

/**
 * Formats a list.
 * @param format what the user asked for; the usual table unless given
 * @param rows structs with all the fields that have titles, in the alphabet's order as Docker's JSON has them; those that
 *   cost something as getters
 * @returns lines, each ended by a line break; empty if there is nothing to print
 * @throws BunkerError `invalid_template`
 */
export async function formatList(
  { titles, columns, isWithoutHeading = false }: ListDescription,
  format: OutputFormat | undefined,
  rows: readonly Structure[],
): Promise<string> {
  const { kind, template: source } = format ?? { kind: "table", template: undefined };
  if (source === undefined) {
    const lines = isWithoutHeading ? rows : [titles, ...rows];
    return table(lines.map((row) => usualLine(columns, row)).join(""));
  }
  const { executeTemplate, readTemplate } = await import("./user-template.ts");
  const template = readTemplate(source);
  if (kind === "template" && WHOLE_LIST.test(source)) return executeTemplate(template, rows);
  const lines = rows.map((row) => `${executeTemplate(template, row)}\n`).join("");
  if (kind === "template") return lines;
  if (isWithoutHeading) return table(lines);
  const { headerFunctions } = await import("./template/docker-functions.ts");
  const header = executeTemplate(template, { ...titles, Label: labelTitle }, headerFunctions);
  return table(`${header}\n${lines}`);
}

function table(lines: string): string {
  return alignColumns(withoutControls(lines));
}

/** A line of the table that is shown when no other is asked for; the same as of the template `{{.A}}\t{{.B}}`. */
function usualLine(columns: readonly string[], row: Structure): string {
  return `${columns.map((field) => cell(field, row[field])).join("\t")}\n`;
}

function cell(field: string, value: Structure[string]): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  throw new Error(`a row has no text for the column ${field}`);
}

/** Control characters become question marks, but for tabs and line breaks, which make the table. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are all of them
  return text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "?");
}

/** The title of a column of one label, as Docker derives it: of `com.example.some-thing`, `some thing`. */
function labelTitle(label: string): string {
  return label.slice(label.lastIndexOf(".") + 1).replace(/[-_]/g, " ");
}
