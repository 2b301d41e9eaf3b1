import { readIfThere } from "../../sys/read-if-there.ts";
import { InvalidValue } from "../invalid-value.ts";

/** What of a machine can be chosen from, and where the kernel says which of it are there. */
const ONLINE = {
  processors: "/sys/devices/system/cpu/online",
  "memory nodes": "/sys/devices/system/node/online",
} as const;

/**
 * Makes a parser for lists of the machine's processors or memory nodes, `0-2,4`; cpuset(7), "List format". As with
 * Docker, what is not there cannot be asked for: the kernel would take it without a word.
 * @param available the same for tests, without asking the kernel
 * @returns a function that throws InvalidValue
 */
export function resourceList(kind: keyof typeof ONLINE, available?: string): (text: string) => string {
  return (text) => {
    const asked = numbersOf(text);
    if (asked === undefined) throw new InvalidValue("expected a list such as 0-2,4");
    const there = (available ?? readIfThere(ONLINE[kind]) ?? "").trim();
    // A kernel without memory nodes has no such file.
    const online = there === "" ? undefined : numbersOf(there);
    const isThere = (number: number) => online?.some(([first, last]) => number >= first && number <= last) ?? true;
    for (const [first, last] of asked) {
      for (const number of [first, last]) {
        if (!isThere(number)) throw new InvalidValue(`this machine has the ${kind} ${there}, and no ${number}`);
      }
    }
    return text;
  };
}

/** Ranges, with both ends; undefined for what is no list. */
function numbersOf(text: string): readonly (readonly [first: number, last: number])[] | undefined {
  if (!/^\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*$/.test(text)) return undefined;
  const ranges = text.split(",").map((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return [first, last] as const;
  });
  return ranges.every(([first, last]) => first <= last) ? ranges : undefined;
}
