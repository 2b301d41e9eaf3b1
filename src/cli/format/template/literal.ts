import { Float, type Value } from "./value.ts";

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu;

/**
 * Reads a string of Go's with its quotation marks; Go language specification, "String literals". Bytes that are no UTF-8
 * together become U+FFFD.
 * @returns undefined for an escape that there is not
 */
export function parseString(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith("`")) return inner.replaceAll("\r", "");
  if (!inner.includes("\\")) return inner;
  const pieces: Buffer[] = [];
  let end = 0;
  for (const match of inner.matchAll(ESCAPE)) {
    const [whole, hex, octal, short, long, simple] = match;
    pieces.push(Buffer.from(inner.slice(end, match.index)));
    end = match.index + whole.length;
    const byte = hex === undefined ? (octal === undefined ? undefined : parseInt(octal, 8)) : parseInt(hex, 16);
    if (byte !== undefined) {
      if (byte > 0xff) return undefined;
      pieces.push(Buffer.of(byte));
    } else if (simple !== undefined) {
      const character = SIMPLE_ESCAPES[simple];
      if (character === undefined || character === (quoted.startsWith('"') ? "'" : '"')) return undefined;
      pieces.push(Buffer.from(character));
    } else {
      const code = parseInt(short ?? long ?? "", 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
      pieces.push(Buffer.from(String.fromCodePoint(code)));
    }
  }
  pieces.push(Buffer.from(inner.slice(end)));
  return Buffer.concat(pieces).toString();
}

/**
 * Reads a character in its marks, `'a'`.
 * @returns its code; undefined if it is none, or several
 */
export function parseCharacter(quoted: string): number | undefined {
  const byte = /^'\\(?:x([0-9a-fA-F]{2})|([0-7]{3}))'$/.exec(quoted);
  if (byte !== null) return byte[1] === undefined ? parseInt(byte[2] ?? "", 8) : parseInt(byte[1], 16);
  const text = parseString(quoted);
  const code = text?.codePointAt(0);
  return code === undefined || text !== String.fromCodePoint(code) ? undefined : code;
}

const DIGITS = /^(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;
const DECIMAL_FLOAT = /^(?:[0-9](?:_?[0-9])*)?(?:\.(?:[0-9](?:_?[0-9])*)?)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/;
const HEX_FLOAT = /^0[xX]((?:_?[0-9a-fA-F])*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?[0-9]+)$/;

/**
 * Reads a number; Go language specification, "Integer literals" and "Floating-point literals", with a sign.
 * @returns an integer, or a `Float` if it is written as one; undefined if it is neither
 */
export function parseNumber(text: string): Value {
  const negative = text.startsWith("-");
  const digits = text.replace(/^[+-]/, "");
  if (DIGITS.test(digits)) {
    const plain = digits.replaceAll("_", "");
    const number = Number(/^0[0-7]+$/.test(plain) ? `0o${plain}` : plain);
    return Number.isSafeInteger(number) ? (negative ? 0 - number : number) : undefined;
  }
  const float = parseFloatingPoint(digits);
  return float === undefined ? undefined : new Float(negative ? -float : float);
}

function parseFloatingPoint(digits: string): number | undefined {
  const [, whole = "", fraction = "", exponent] = HEX_FLOAT.exec(digits) ?? [];
  const mantissa = (whole + fraction).replaceAll("_", "");
  if (exponent !== undefined) {
    return mantissa === "" ? undefined : parseInt(mantissa, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
  }
  return DECIMAL_FLOAT.test(digits) && /^\.?[0-9]/.test(digits) && /[.eE]/.test(digits)
    ? Number(digits.replaceAll("_", ""))
    : undefined;
}
