declare const brand: unique symbol;

/**
 * A string in which every UTF-16 unit is one byte (0 to 255): how file names, which Linux keeps as arbitrary bytes,
 * travel through JavaScript without loss and at the price of a one-byte string. ASCII text looks the same in both
 * forms; anything else must go through `encodeText` and `decodeText`.
 */
export type ByteString = string & { readonly [brand]: true };

/** The UTF-8 bytes of `text` as a byte string. */
export function encodeText(text: string): ByteString {
  return (isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1")) as ByteString;
}

/** The text that `bytes` spell in UTF-8; bytes that are not UTF-8 become U+FFFD. For showing to people only. */
export function decodeText(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** Takes the bytes `start` to `end` of `buffer` as a byte string. */
export function byteStringOf(buffer: Buffer, start = 0, end: number = buffer.length): ByteString {
  return buffer.toString("latin1", start, end) as ByteString;
}

/** Whether UTF-8 has a byte for each unit, which it has of ASCII alone. A regular expression takes twice as long. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}
