import { ProcessFacts } from "./process-facts.ts";
import { chosenColumns } from "./ps-words.ts";

/**
 * What ps(1) would show of processes: a row of titles, and one for each that has not ended meanwhile.
 * @param first the pid of the container's first process
 * @param words options of ps(1), or columns; none are `-ef`
 * @throws BunkerError as `chosenColumns`
 */
export function processTable(first: number, pids: readonly number[], words: readonly string[]): readonly string[][] {
  const columns = chosenColumns(words, first);
  const rows = pids.flatMap((pid) => ProcessFacts.read(pid) ?? []);
  return [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ value }) => value(row)))];
}
