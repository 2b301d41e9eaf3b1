import { MINIMUM_WIDTH, PADDING } from "./plain-table.ts";

interface Cell {
  readonly text: string;
  readonly width: number;
  /** Of its column there; what stands behind the last tab of a line is in none. */
  column: number;
}

/**
 * Replaces tabs by blanks so that cells stand below each other, as Go's text/tabwriter does with Docker's settings: a
 * tab ends a cell, and neighbouring lines that have a cell in a column share its width. What stands behind the last tab
 * of a line is in no column. Widths count terminal cells.
 * @param text lines, each ended by a line break
 */
export function alignColumns(text: string): string {
  // Plain loops, here and below: lists are made by commands that end at once, where each method of arrays costs as much
  // at its first call as a hundred lines.
  const lines: Cell[][] = [];
  for (const line of text.split("\n")) {
    const cells: Cell[] = [];
    for (const cell of line.split("\t")) cells.push({ text: cell, width: Bun.stringWidth(cell), column: 0 });
    lines.push(cells);
  }
  for (let start = 0; start < lines.length; start++) alignFrom(lines, start);
  let aligned = "";
  for (const cells of lines) {
    for (const { text: cell, width, column } of cells) aligned += cell + " ".repeat(Math.max(0, column - width));
    aligned += "\n";
  }
  // The text's end is an empty line here.
  return aligned.slice(0, -1);
}

/** Gives the columns that begin in a line their widths, in all the neighbouring lines that have them. */
function alignFrom(lines: readonly Cell[][], start: number): void {
  const first = lines[start] ?? [];
  for (let column = 0; column < first.length - 1; column++) {
    if (first[column]?.column !== 0) continue;
    let width = MINIMUM_WIDTH;
    let end = start;
    for (; column < (lines[end]?.length ?? 0) - 1; end++) {
      width = Math.max(width, (lines[end]?.[column]?.width ?? 0) + PADDING);
    }
    for (let line = start; line < end; line++) {
      const cell = lines[line]?.[column];
      if (cell !== undefined) cell.column = width;
    }
  }
}
