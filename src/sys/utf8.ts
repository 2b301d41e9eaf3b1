/*
 * UTF-8 without Buffer and TextDecoder: what a process does with the first of either takes 0.2 to 0.3 ms, which is more than
 * a brief command needs for all of its texts.
 */
import { CString } from "bun:ffi";

let encoder: TextEncoder | undefined;

/**
 * The text that some memory spells in UTF-8; bytes that are not UTF-8 become U+FFFD.
 * @param length bytes
 */
export function decodeUtf8(address: number, length: number): string {
  // It knows no empty piece of memory.
  if (length === 0) return "";
  return new CString(address as ConstructorParameters<typeof CString>[0], 0, length).toString();
}

/** A text's bytes. */
export function encodeUtf8(text: string): Uint8Array {
  encoder ??= new TextEncoder();
  return encoder.encode(text);
}

/**
 * Writes a text's bytes into memory.
 * @returns how many they are, or undefined when there is no room for all
 */
export function encodeUtf8Into(text: string, memory: Uint8Array): number | undefined {
  encoder ??= new TextEncoder();
  const { read, written } = encoder.encodeInto(text, memory);
  return read === text.length ? written : undefined;
}
