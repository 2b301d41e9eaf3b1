/** Cells that a column has at least; Docker's setting of Go's text/tabwriter. */
const MINIMUM_WIDTH = 10;
const PADDING = 3;

/**
 * Replaces tabs by blanks so that cells stand below each other, as Go's text/tabwriter does with Docker's settings: a
 * tab ends a cell, and neighbouring lines that have a cell in a column share its width. What stands behind the last tab
 * of a line is in no column. Widths count terminal cells.
 * @param text lines, each ended by a line break
 */
export function alignColumns(text: string): string {
  const lines = text.split("\n").map((line) => line.split("\t"));
  const widths = lines.map((cells) => new Array<number>(cells.length - 1).fill(0));
  const columns = Math.max(...widths.map(({ length }) => length));
  for (let column = 0; column < columns; column++) {
    for (let start = 0; start < lines.length; start++) {
      let end = start;
      let width = MINIMUM_WIDTH;
      for (; column < (widths[end]?.length ?? 0); end++) {
        width = Math.max(width, Bun.stringWidth(lines[end]?.[column] ?? "") + PADDING);
      }
      for (let line = start; line < end; line++) widths[line]?.splice(column, 1, width);
      start = end;
    }
  }
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[line]?.[column] ?? 0) - Bun.stringWidth(cell))))
        .join(""),
    )
    .join("\n");
}
