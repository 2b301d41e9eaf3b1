/*
 * Asking at the terminal. A password is read with the terminal raw, so that nothing of it is shown; what people expect
 * of a line (erasing, Ctrl-C) is done here then. The terminal's guard puts it back even if Bunker is killed meanwhile.
 */
import { readSync, writeSync } from "node:fs";
import { makeRawGuarded } from "../../launch/terminal-guard.ts";

const STANDARD_INPUT = 0;
const STANDARD_ERROR = 2;

const CONTROL_C = 0x03;
const CONTROL_D = 0x04;
const BACKSPACE = 0x08;
const CONTROL_U = 0x15;
const DELETE = 0x7f;
const LINE_ENDS: readonly number[] = [0x0a, 0x0d];

/** Asks for a line on standard error and reads it from standard input; without the line's end. */
export function ask(question: string): string {
  writeSync(STANDARD_ERROR, question);
  const bytes: number[] = [];
  for (let byte = readByte(); byte !== undefined && !LINE_ENDS.includes(byte); byte = readByte()) bytes.push(byte);
  return Buffer.from(bytes).toString("utf8");
}

/**
 * Asks for what nobody is to see.
 * @returns undefined when Ctrl-C was the answer
 * @throws BunkerError when standard input is no terminal
 */
export function askSecretly(question: string): string | undefined {
  const restore = makeRawGuarded(STANDARD_INPUT);
  try {
    writeSync(STANDARD_ERROR, question);
    let bytes: number[] = [];
    for (let byte = readByte(); byte !== undefined && !LINE_ENDS.includes(byte); byte = readByte()) {
      if (byte === CONTROL_C) return undefined;
      if (byte === CONTROL_D) break;
      if (byte === CONTROL_U) bytes = [];
      else if (byte === BACKSPACE || byte === DELETE) bytes = withoutLastCharacter(bytes);
      else bytes.push(byte);
    }
    return Buffer.from(bytes).toString("utf8");
  } finally {
    restore();
    writeSync(STANDARD_ERROR, "\n");
  }
}

function readByte(): number | undefined {
  const buffer = Buffer.alloc(1);
  return readSync(STANDARD_INPUT, buffer) === 0 ? undefined : buffer[0];
}

/** A character of UTF-8 may have several bytes, of which all but the first have the form 10xxxxxx. */
function withoutLastCharacter(bytes: readonly number[]): number[] {
  let end = bytes.length - 1;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.slice(0, Math.max(end, 0));
}
