/*
 * What the inspect commands have in common: some things by their names, shown as a JSON list or each by a template. As in
 * Docker, what is found is shown even if something else is not, and then the command fails.
 */

import { BunkerError } from "../sys/error.ts";
import { toJson } from "./format/template/to-json.ts";
import type { Structure } from "./format/template/value.ts";
import { print } from "./print.ts";
import { reportError } from "./report-error.ts";

const INDENT = 4;

/**
 * Shows things.
 * @param names as the user gave them
 * @param format the user's `--format`
 * @param find what is shown of the thing with a name
 * @returns the exit status: 0, or 1 when something was not found
 * @throws BunkerError `invalid_template`
 */
export async function printInspections(
  names: readonly string[],
  format: string | undefined,
  find: (name: string) => Structure,
): Promise<number> {
  const show = format === undefined || format === "json" || format === "" ? undefined : await templatePrinter(format);
  const found: Structure[] = [];
  const failures: BunkerError[] = [];
  for (const name of names) {
    try {
      found.push(find(name));
    } catch (error) {
      if (!(error instanceof BunkerError)) throw error;
      failures.push(error);
    }
  }
  if (show === undefined) {
    // In Docker an empty list is on one line.
    print(toJson(found, format === "json" ? 0 : INDENT));
  } else {
    for (const thing of found) show(thing);
  }
  for (const failure of failures) await reportError(failure);
  return failures.length > 0 ? 1 : 0;
}

async function templatePrinter(format: string): Promise<(thing: Structure) => void> {
  const { executeInspection, readTemplate } = await import("./format/user-template.ts");
  const template = readTemplate(format);
  return (thing) => print(executeInspection(template, thing));
}
