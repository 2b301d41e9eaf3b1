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
import type { OutputFormat } from "./format-option.ts";
import { plainTable } from "./plain-table.ts";
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
    const cells = cellsOf(columns, isWithoutHeading ? rows : [titles, ...rows]);
    return plainTable(cells) ?? table(linesOf(cells));
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

async function table(lines: string): Promise<string> {
  const { alignColumns } = await import("./align-columns.ts");
  return alignColumns(withoutControls(lines));
}

/** What the table shows that is shown when no other is asked for: the cells of each column. */
function cellsOf(columns: readonly string[], rows: readonly Structure[]): readonly (readonly string[])[] {
  const cells: string[][] = [];
  for (const field of columns) {
    const column: string[] = [];
    for (const row of rows) {
      const value = row[field];
      if (typeof value === "string") column.push(value);
      else if (typeof value === "number" || typeof value === "boolean") column.push(String(value));
      else throw new Error(`a row has no text for the column ${field}`);
    }
    cells.push(column);
  }
  return cells;
}

/** The same as of the template `{{.A}}\t{{.B}}`. */
function linesOf([first = [], ...others]: readonly (readonly string[])[]): string {
  return first.map((cell, line) => `${[cell, ...others.map((column) => column[line])].join("\t")}\n`).join("");
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
