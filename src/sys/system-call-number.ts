/*
 * The numbers of system calls by their names.
 *
 * They are looked up in a text, and those of the calls that Bunker's own process makes are constants
 * (own-system-calls.ts). An object of all of them takes a third of a millisecond to fill and 0.13 MB, which each command
 * and each supervisor would have for a few dozen of its 380 members.
 */
import type { Architecture } from "./architecture.ts";
import { SYSTEM_CALL_TABLE } from "./system-call-table.ts";

/** The name of a system call that exists on both architectures. */
export type SystemCallName = NameIn<LineOf<typeof SYSTEM_CALL_TABLE>>;

type LineOf<Text extends string, Lines = never> = Text extends `${infer Line}\n${infer Rest}`
  ? LineOf<Rest, Lines | Line>
  : Lines;
type NameIn<Line> = Line extends `${infer Name} ${number} ${number}` ? Name : never;

const found: Readonly<Record<Architecture, Map<SystemCallName, number>>> = { "x86-64": new Map(), arm64: new Map() };

/** The number of a system call on an architecture. */
export function systemCallNumber(name: SystemCallName, architecture: Architecture): number {
  const known = found[architecture].get(name);
  if (known !== undefined) return known;
  const number = findNumber(name, architecture);
  found[architecture].set(name, number);
  return number;
}

function findNumber(name: SystemCallName, architecture: Architecture): number {
  const start = SYSTEM_CALL_TABLE.indexOf(`\n${name} `) + 1;
  return Number(numberInLine(SYSTEM_CALL_TABLE.slice(start, SYSTEM_CALL_TABLE.indexOf("\n", start)), architecture));
}

function numberInLine(line: string, architecture: Architecture): string | undefined {
  return line.split(" ")[architecture === "x86-64" ? 1 : 2];
}

/** The numbers of all system calls of an architecture, for who needs most of them. */
export function systemCallNumbers(architecture: Architecture): Readonly<Record<string, number>> {
  const lines = SYSTEM_CALL_TABLE.trim().split("\n");
  const numbers = lines.map((line) => [line.slice(0, line.indexOf(" ")), Number(numberInLine(line, architecture))]);
  return Object.fromEntries(numbers.filter(([, number]) => !Number.isNaN(number)));
}
