import type { Memory } from "./memory.ts";
import { decodeUtf8 } from "./utf8.ts";

declare const brand: unique symbol;

/**
 * A string in which every UTF-16 unit is one byte (0 to 255): how file names, which Linux keeps as arbitrary bytes,
 * travel through JavaScript without loss and at the price of a one-byte string. ASCII text looks the same in both
 * forms; anything else must go through `encodeText` and `decodeText`.
 */
export type ByteString = string & { readonly [brand]: true };

/** The UTF-8 bytes of `text` as a byte string. */
export function encodeText(text: string): ByteString {
  return isAscii(text) ? (text as string as ByteString) : utf8Bytes(text);
}

/** A function of its own: a function that mentions Buffer takes 0.2 ms when it is called first, whatever it does then. */
function utf8Bytes(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** The text that `bytes` spell in UTF-8; bytes that are not UTF-8 become U+FFFD. For showing to people only. */
export function decodeText(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** Takes the bytes `start` to `end` of `buffer` as a byte string. */
export function byteStringOf(buffer: Buffer, start = 0, end: number = buffer.length): ByteString {
  return buffer.toString("latin1", start, end) as ByteString;
}

/** Takes the first bytes of some memory as a byte string. */
export function byteStringAt(memory: Memory, length: number): ByteString {
  const { address, bytes } = memory;
  for (let index = 0; index < length; index++)
    if ((bytes[index] ?? 0) > 0x7f) return byteStringOf(memory.buffer, 0, length);
  return decodeUtf8(address, length) as ByteString;
}

/** Short texts are all that is looked at; for those a loop is as quick as what is built in, and needs no Buffer. */
function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
