import { BunkerError } from "../../sys/error.ts";

/** Docker's default: ctrl-p, ctrl-q. */
const DEFAULT_KEYS = [0x10, 0x11];
const DELETE = 0x7f;
/** A terminal sends several bytes for what comes after it. */
const LAST_OF_ASCII = "\x7f";

/**
 * Reads a sequence of keys as Docker writes it: characters of ASCII, `ctrl-` with a letter or one of `@ [ \ ] ^ _`, and
 * `DEL`, with commas between. An empty text is no sequence.
 * @param text undefined for Docker's default, which is at hand: each start in the foreground asks for it
 * @returns the bytes that a terminal sends for it
 * @throws BunkerError `invalid_detach_keys`
 */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(DEFAULT_KEYS);
  if (text === "") return new Uint8Array();
  const bytes = text.split(",").map((key) => {
    if (key.length === 1 && key <= LAST_OF_ASCII) return key.charCodeAt(0);
    if (key === "DEL") return DELETE;
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
  return new Uint8Array(bytes);
}

/**
 * Looks for the detach keys in what is typed. Keys that may be the beginning of the sequence are held back until it is
 * clear that they are not; of `a,a,b` that is seen too late by whoever does not look for it in what was held back.
 * @param keys the bytes of the sequence; empty for none
 * @returns a function that takes what was typed and gives what is to be passed on, or undefined when the sequence is complete
 */
export function detachKeyFilter(keys: Uint8Array): (typed: Buffer) => Buffer | undefined {
  let matched = 0;
  return (typed) => {
    if (keys.length === 0) return typed;
    const passed: number[] = [];
    for (const byte of typed) {
      while (matched > 0 && byte !== keys[matched]) {
        const shorter = longestBeginning(keys.subarray(0, matched));
        passed.push(...keys.subarray(0, matched - shorter));
        matched = shorter;
      }
      if (byte === keys[matched]) matched++;
      else passed.push(byte);
      if (matched === keys.length) return undefined;
    }
    return Buffer.from(passed);
  };
}

/** The length of the longest beginning of some keys that they also end with, other than all of them. */
function longestBeginning(keys: Uint8Array): number {
  const isEnd = (length: number) => keys.subarray(-length).every((byte, index) => byte === keys[index]);
  let length = keys.length - 1;
  while (length > 0 && !isEnd(length)) length--;
  return length;
}
