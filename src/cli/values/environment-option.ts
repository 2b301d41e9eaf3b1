import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads the value of `--env`: `NAME=value`, or `NAME` alone for the value that Bunker's own environment has.
 * @returns `NAME=value`, undefined when Bunker's environment has no such variable
 * @throws InvalidValue
 */
export function parseEnvironmentOption(text: string): string | undefined {
  if (text === "" || text.startsWith("=")) throw new InvalidValue("the variable has no name");
  return text.includes("=") ? text : importedVariable(text);
}

/** `NAME=value` as Bunker's own environment has it. */
export function importedVariable(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined ? undefined : `${name}=${value}`;
}
