/*
 * What Bunker says to people beside a command's own output: consola's messages, on standard error, each one line with a
 * word in front that tells what it is.
 *
 * Import it when there is something to say, not before: most commands have nothing to say. Code below this room knows
 * nothing of it; it throws, or calls back with its warnings.
 */
import { type ConsolaInstance, type ConsolaReporter, createConsola, type LogType } from "consola/core";
import { standardError } from "./standard-error.ts";

const INTRODUCTIONS: Partial<Record<LogType, string>> = { error: "bunker: ", info: "hint: ", warn: "warning: " };

const reporter: ConsolaReporter = {
  log({ type, args }) {
    standardError.writeLine(`${INTRODUCTIONS[type] ?? ""}${oneLine(args.join(" "))}`);
  },
};

let instance: ConsolaInstance | undefined;

/** Made for the first message: whoever may have to warn of something has nothing to say in most cases. */
function consola(): ConsolaInstance {
  // What is said often is said as often: consola would hold back the sixth of equal messages until after the exit.
  instance ??= createConsola({ reporters: [reporter], throttleMin: Number.POSITIVE_INFINITY });
  return instance;
}

/**
 * Says what went wrong: `bunker: …`, and `hint: …` on a line of its own.
 * @param hint what the user can do about it
 */
export function error(message: string, hint?: string): void {
  consola().error(message);
  if (hint !== undefined) consola().info(hint);
}

/** Says what the user should know although the command goes on: `warning: …`. */
export function warning(message: string): void {
  consola().warn(message);
}

/** Shows lines of a text that is wrong, as they are. */
export function excerpt(lines: string): void {
  for (const line of lines.split("\n")) consola().log(line);
}

/** Shows where an error came from: the lines of its stack without the message. */
export function stack(error: Error): void {
  for (const line of error.stack?.split("\n") ?? []) if (/^ +at /.test(line)) consola().log(line);
}

/**
 * Names from images and users may hold line breaks, terminal controls and marks that turn the direction of writing; a
 * message does not pass them on.
 */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) =>
    character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
