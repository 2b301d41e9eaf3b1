import { BunkerError } from "../../sys/error.ts";

/** Docker's default: ctrl-p, ctrl-q. */
const DEFAULT_KEYS = [0x10, 0x11];

/**
 * Reads a sequence of keys as Docker writes it: letters, or `ctrl-` with a letter or one of `@ [ \ ] ^ _`, with commas
 * between. An empty text is no sequence.
 * @param text undefined for Docker's default, which is at hand: each start in the foreground asks for it
 * @returns the bytes that a terminal sends for it
 * @throws BunkerError `invalid_detach_keys`
 */
export function parseDetachKeys(text: string | undefined): Buffer {
  if (text === undefined) return Buffer.from(DEFAULT_KEYS);
  if (text === "") return Buffer.alloc(0);
  const bytes = text.split(",").map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const [, letter] = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key) ?? [];
    if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) & 0x1f;
    throw new BunkerError({
      code: "invalid_detach_keys",
      operation: "read the detach keys",
      object: JSON.stringify(text),
      reason: `${JSON.stringify(key)} is no key`,
      hint: "Write letters or ctrl-LETTER, with commas between, such as ctrl-p,ctrl-q.",
    });
  });
  return Buffer.from(bytes);
}

/**
 * Looks for the detach keys in what is typed. Keys that may be the beginning of the sequence are held back until it is
 * clear that they are not.
 * @param keys the bytes of the sequence; empty for none
 * @returns a function that takes what was typed and gives what is to be passed on, or undefined when the sequence is complete
 */
export function detachKeyFilter(keys: Buffer): (typed: Buffer) => Buffer | undefined {
  let matched = 0;
  return (typed) => {
    if (keys.length === 0) return typed;
    const passed: number[] = [];
    for (const byte of typed) {
      if (byte !== keys[matched]) {
        passed.push(...keys.subarray(0, matched));
        matched = 0;
      }
      if (byte === keys[matched]) matched++;
      else passed.push(byte);
      if (matched === keys.length) return undefined;
    }
    return Buffer.from(passed);
  };
}
