/*
 * How commands print lists: rows are structs for templates, and the command says what a table's columns are called. With
 * `table` the template makes a line of cells from each row and, carried out over the names of the columns, the header;
 * columns are aligned over all of it. Without, each row is a line. A template that begins with `{{range .}}` is Podman's
 * way, and is carried out once over all rows.
 *
 * Tables are for people, so what could steer their terminal is kept out of them: much of it was written by whoever made
 * an image. Other output is for programs, and goes as it is.
 */
import { alignColumns } from "./align-columns.ts";
import { executeTemplate, type OutputFormat, readTemplate } from "./format-option.ts";
import { headerFunctions } from "./template/docker-functions.ts";
import type { Structure } from "./template/value.ts";

/** What a command lists. */
export interface ListDescription {
  /** The fields that a row has, each with its title in a table. */
  readonly titles: Readonly<Record<string, string>>;
  /** The fields of the table that is shown when no other is asked for. */
  readonly columns: readonly string[];
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
export function formatList(
  { titles, columns }: ListDescription,
  format: OutputFormat | undefined,
  rows: readonly Structure[],
): string {
  const { kind, template: source = usualTemplate(columns) } = format ?? { kind: "table", template: undefined };
  const template = readTemplate(source);
  if (kind === "template" && WHOLE_LIST.test(source)) return executeTemplate(template, rows);
  const lines = rows.map((row) => `${executeTemplate(template, row)}\n`).join("");
  if (kind === "template") return lines;
  const header = executeTemplate(template, { ...titles, Label: labelTitle }, headerFunctions);
  return alignColumns(withoutControls(`${header}\n${lines}`));
}

/** Control characters become question marks, but for tabs and line breaks, which make the table. */
function withoutControls(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]/gu, "?");
}

/** The template of a table with these fields. */
function usualTemplate(columns: readonly string[]): string {
  return columns.map((field) => `{{.${field}}}`).join("\t");
}

/** The title of a column of one label, as Docker derives it: of `com.example.some-thing`, `some thing`. */
function labelTitle(label: string): string {
  return label.slice(label.lastIndexOf(".") + 1).replace(/[-_]/g, " ");
}
