/**
 * Finds what somebody probably meant by a name that does not exist: an option, a command, a field, a signal. It stands
 * beside the rooms because all of them need it, down to the lowest, and it needs none of them.
 *
 * @param wanted the name as it was written; upper and lower case count as the same
 * @param known the names that exist
 * @returns the known name with the fewest single-character slips (one added, missing or changed, or two neighbours
 *   swapped) from `wanted`, the first of equals; undefined for an empty word, and when more than a third of the name would be wrong, because a
 *   far-fetched guess is worse than none
 */
export function nearestName(wanted: string, known: Iterable<string>): string | undefined {
  // Nobody means anything by nothing.
  if (wanted === "") return undefined;
  let nearest: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const slips = countSlips(wanted.toLowerCase(), name.toLowerCase());
    if (slips < fewest && slips <= Math.max(1, Math.floor(name.length / 3))) {
      nearest = name;
      fewest = slips;
    }
  }
  return nearest;
}

/** The optimal string alignment distance: one row of its table for each prefix of `from`, the last two are kept. */
function countSlips(from: string, to: string): number {
  let rowBeforeLast: number[] = [];
  let lastRow = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const changed = (lastRow[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      let slips = Math.min(changed, (lastRow[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        slips = Math.min(slips, (rowBeforeLast[column - 2] ?? 0) + 1);
      }
      current.push(slips);
    }
    rowBeforeLast = lastRow;
    lastRow = current;
  }
  return lastRow[to.length] ?? 0;
}
