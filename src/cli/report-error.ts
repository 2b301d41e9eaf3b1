import { BunkerError } from "../sys/error.ts";

/** 128 + SIGPIPE: what a shell reports of a program that wrote to a pipe nobody reads any more. */
const BROKEN_PIPE_STATUS = 141;

/**
 * Tells the user what went wrong, on standard error: one line `bunker: …`, and `hint: …` where there is one. An
 * exception that is no `BunkerError` is a fault of Bunker's; its stack is shown with BUNKER_DEBUG=1. Nothing is said
 * when the reader of standard output has gone.
 * @returns the exit status
 */
export function reportError(error: unknown): number {
  const wantsStack = process.env["BUNKER_DEBUG"] === "1";
  if (error instanceof BunkerError) {
    console.error(`bunker: ${oneLine(error.message)}`);
    if (error.hint !== undefined) console.error(`hint: ${oneLine(error.hint)}`);
    if (wantsStack) printStack(error);
    return error.exitStatus;
  }
  if (isBrokenPipe(error)) return BROKEN_PIPE_STATUS;
  console.error(`bunker: internal_error: ${oneLine(error instanceof Error ? error.message : String(error))}`);
  if (!wantsStack) console.error("hint: run it again with BUNKER_DEBUG=1 to see where, and report it");
  else if (error instanceof Error) printStack(error);
  return 125;
}

/** The lines of the stack without the message, which has been said. */
function printStack(error: Error): void {
  for (const line of error.stack?.split("\n") ?? []) if (/^ +at /.test(line)) console.error(line);
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
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
