/*
 * Tables of plain text, which most are, with few functions: a list is made by a command that ends at once, in which the
 * first regular expression takes 0.4 ms, and a function that is called for each cell of a hundred lines is compiled, on
 * threads that have to be made for it. So here are loops alone, and what text is plain say two of the engine's functions.
 */
import { SHORTENED } from "./shorten.ts";

/** Cells that a column has at least; Docker's setting of Go's text/tabwriter. */
export const MINIMUM_WIDTH = 10;
/** Blanks behind the widest cell of a column. */
export const PADDING = 3;

/**
 * Makes a table as `alignColumns` does, of printable ASCII and the mark of what was shortened.
 * @param columns the cells of each column, all of them as many
 * @returns lines, each ended by a line break; undefined when there is another character
 */
export function plainTable(columns: readonly (readonly string[])[]): string | undefined {
  const lines: string[] = [];
  for (let column = 0; column < columns.length; column++) {
    const cells = columns[column] ?? [];
    const isLast = column === columns.length - 1;
    let width = MINIMUM_WIDTH;
    for (const cell of cells) if (cell.length + PADDING > width) width = cell.length + PADDING;
    const blanks = " ".repeat(width);
    for (let line = 0; line < cells.length; line++) {
      const cell = cells[line] ?? "";
      lines[line] = `${lines[line] ?? ""}${cell}${isLast ? "\n" : blanks.slice(cell.length)}`;
    }
  }
  const table = lines.join("");
  // Of ASCII only what is printable has a width, of one each: besides the breaks, nothing else may be there.
  const text = table.replaceAll(SHORTENED, ".");
  const isAscii = new TextEncoder().encode(text).length === text.length;
  const isPlain = isAscii && Bun.stringWidth(text) === text.length - lines.length;
  return isPlain ? table : undefined;
}
