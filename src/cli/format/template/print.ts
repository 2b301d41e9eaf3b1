/*
 * How Go prints values: package fmt, "Printing". A verb and its flags say how one value looks; slices, maps and structs
 * apply the verb to what they hold. What a verb cannot print is printed as a complaint, `%!d(string=x)`, never an error.
 */
import { quoteText } from "../../../notation/go-quote.ts";
import { printTime } from "./time.ts";
import { Float, fieldsOf, isList, isMap, isStructure, kindOf, sortedEntries, typeName, type Value } from "./value.ts";

/** What stands between `%` and the verb. */
export interface PrintFlags {
  /** For `%v`: as data looks (`plain`), with the names of fields (`%+v`), or as Go's source would have it (`%#v`). */
  readonly style?: "named" | "syntax";
  readonly plus: boolean;
  readonly minus: boolean;
  readonly sharp: boolean;
  readonly space: boolean;
  readonly zero: boolean;
  readonly width: number | undefined;
  readonly precision: number | undefined;
}

const PLAIN: PrintFlags = {
  plus: false,
  minus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
};

/** A value as `%v` prints it. */
export function printValue(value: Value): string {
  return typeof value === "string" ? value : printVerb(value, "v", PLAIN);
}

/** Values as fmt.Sprint prints them: with a blank between two of which neither is a string. */
export function printAll(values: readonly Value[]): string {
  return values
    .map((value, index) => {
      const isApart = index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string";
      return (isApart ? " " : "") + printValue(value);
    })
    .join("");
}

/** Values as fmt.Sprintln prints them: with blanks between and a line's end. */
export function printLine(values: readonly Value[]): string {
  return `${values.map(printValue).join(" ")}\n`;
}

/**
 * One value as a verb of fmt.Sprintf prints it.
 * @param verb the letter
 */
export function printVerb(value: Value, verb: string, flags: PrintFlags): string {
  if (verb !== "v") return printInside(value, verb, flags, 0);
  // Here the two flags mean the style, not signs and prefixes of numbers.
  const style = flags.sharp ? { style: "syntax" as const } : flags.plus ? { style: "named" as const } : {};
  return printInside(value, verb, { ...flags, ...style, sharp: false, plus: false }, 0);
}

function printInside(value: Value, verb: string, flags: PrintFlags, depth: number): string {
  if (verb === "T") return depth === 0 ? pad(typeName(value), flags) : complaint(value, verb);
  if (verb === "p") return complaint(value, verb);
  if (value === undefined || value === null) {
    return verb === "v" ? pad(flags.style === "syntax" ? "interface {}(nil)" : "<nil>", flags) : complaint(value, verb);
  }
  if (isList(value)) return printList(value, verb, flags, depth);
  if (isMap(value)) {
    const entries = sortedEntries(value).map(
      ([key, element]) => [printInside(key, verb, flags, depth + 1), element] as const,
    );
    return printMembers(`${typeName(value)}{`, "map[", "]", entries, verb, flags, depth);
  }
  if (value instanceof Date) return printInside(printTime(value), verb, flags, depth);
  if (isStructure(value)) {
    const withNames = flags.style !== undefined;
    const entries = fieldsOf(value).map(([name, element]) => [withNames ? name : undefined, element] as const);
    return printMembers("struct{", "{", "}", entries, verb, flags, depth);
  }
  return printScalar(value, verb, flags) ?? complaint(value, verb);
}

function printList(list: readonly Value[], verb: string, flags: PrintFlags, depth: number): string {
  const elements = list.map((element) => printInside(element, verb, flags, depth + 1));
  return flags.style === "syntax" ? `${typeName(list)}{${elements.join(", ")}}` : `[${elements.join(" ")}]`;
}

/** A map or struct: its members separated by blanks, in Go's syntax (`%#v`) by commas. */
function printMembers(
  sharpOpen: string,
  open: string,
  close: string,
  entries: readonly (readonly [key: string | undefined, value: Value])[],
  verb: string,
  flags: PrintFlags,
  depth: number,
): string {
  const isSyntax = flags.style === "syntax";
  const members = entries.map(([key, element]) => {
    const text = printInside(element, verb, flags, depth + 1);
    return key === undefined ? text : `${key}:${text}`;
  });
  return isSyntax ? `${sharpOpen}${members.join(", ")}}` : `${open}${members.join(" ")}${close}`;
}

function complaint(value: Value, verb: string): string {
  if (value === undefined || value === null) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${printValue(value)})`;
}

function printScalar(value: Value, verb: string, flags: PrintFlags): string | undefined {
  switch (kindOf(value)) {
    case "string":
      return printString(value as string, verb, flags);
    case "bool":
      return verb === "t" || verb === "v" ? pad(String(value), flags) : undefined;
    case "int":
      return printInteger(value as number, verb, flags);
    default:
      return printFloat(value instanceof Float ? value.value : (value as number), verb, flags);
  }
}

/** Fills up to the width, with zeros where they were asked for on the left. */
function pad(text: string, flags: PrintFlags): string {
  const missing = Math.max(0, (flags.width ?? 0) - [...text].length);
  if (flags.minus) return text + " ".repeat(missing);
  return (flags.zero ? "0" : " ").repeat(missing) + text;
}

function printString(text: string, verb: string, flags: PrintFlags): string | undefined {
  const cut = flags.precision === undefined ? text : [...text].slice(0, flags.precision).join("");
  switch (verb) {
    case "v":
      return pad(flags.style === "syntax" ? quoteText(cut) : cut, flags);
    case "s":
      return pad(cut, flags);
    case "q":
      return pad(flags.sharp && canBackquote(cut) ? `\`${cut}\`` : quoteText(cut, flags.plus), flags);
    case "x":
    case "X": {
      const bytes = Buffer.from(text).subarray(0, flags.precision);
      const prefix = flags.sharp && bytes.length > 0 ? "0x" : "";
      const separator = flags.space ? ` ${prefix}` : "";
      const hex = prefix + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(separator);
      return pad(verb === "X" ? hex.toUpperCase() : hex, flags);
    }
    default:
      return undefined;
  }
}

function canBackquote(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(text);
}

const RADIXES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function printInteger(number: number, verb: string, flags: PrintFlags): string | undefined {
  const radix = RADIXES[verb];
  if (radix !== undefined)
    return padNumber(number < 0 || Object.is(number, -0), digitsOf(number, verb, radix, flags), flags);
  const character = number < 0 || number > 0x10ffff ? "\ufffd" : String.fromCodePoint(number);
  switch (verb) {
    case "c":
      return pad(character, flags);
    case "q":
      return pad(quoteText(character, flags.plus, "'"), flags);
    case "U": {
      const name = `U+${number
        .toString(16)
        .toUpperCase()
        .padStart(flags.precision ?? 4, "0")}`;
      return pad(flags.sharp ? `${name} '${character}'` : name, { ...flags, zero: false });
    }
    default:
      return undefined;
  }
}

/** The digits of a number with the prefix of their notation. */
function digitsOf(number: number, verb: string, radix: number, flags: PrintFlags) {
  if (flags.precision === 0 && number === 0) return { prefix: "", digits: "" };
  const digits = Math.abs(number)
    .toString(radix)
    .padStart(flags.precision ?? 0, "0");
  const prefixes: Readonly<Record<string, string>> = {
    b: "0b",
    o: digits.startsWith("0") ? "" : "0",
    x: "0x",
    X: "0X",
  };
  const prefix = verb === "O" ? "0o" : flags.sharp ? (prefixes[verb] ?? "") : "";
  return { prefix, digits: verb === "X" ? digits.toUpperCase() : digits };
}

/** Sign, prefix and digits; zeros that fill the width stand behind the sign, and count the prefix out, as in Go. */
function padNumber(
  isNegative: boolean,
  { prefix, digits }: { readonly prefix: string; readonly digits: string },
  flags: PrintFlags,
): string {
  const sign = isNegative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (!flags.zero || flags.minus || flags.precision !== undefined)
    return pad(sign + prefix + digits, { ...flags, zero: false });
  return sign + prefix + digits.padStart((flags.width ?? 0) - sign.length, "0");
}

function printFloat(number: number, verb: string, flags: PrintFlags): string | undefined {
  if (!"veEfFgG".includes(verb)) return undefined;
  const sign = number < 0 || Object.is(number, -0) ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  if (!Number.isFinite(number)) {
    const name = Number.isNaN(number) ? "NaN" : `${sign}Inf`;
    return pad(name, { ...flags, zero: false });
  }
  const magnitude = Math.abs(number);
  const lower = verb.toLowerCase();
  let digits: string;
  if (lower === "f") digits = magnitude.toFixed(Math.min(flags.precision ?? 6, 100));
  else if (lower === "e") digits = exponential(magnitude, Math.min(flags.precision ?? 6, 100));
  else digits = shorter(magnitude, flags.precision, flags.sharp);
  if (verb === "E" || verb === "G") digits = digits.toUpperCase();
  if (!flags.zero || flags.minus) return pad(sign + digits, { ...flags, zero: false });
  return sign + digits.padStart((flags.width ?? 0) - sign.length, "0");
}

/** With an exponent of two digits at least. */
function exponential(magnitude: number, precision: number | undefined): string {
  return magnitude.toExponential(precision).replace(/e([+-])(\d)$/, "e$10$2");
}

/** `%g`: with an exponent if that is below -4 or not below the precision, without zeros at the end. */
function shorter(magnitude: number, precision: number | undefined, keepsZeros: boolean): string {
  const digits = precision === undefined ? undefined : Math.min(Math.max(precision, 1), 100);
  const exact = magnitude.toExponential(digits === undefined ? (keepsZeros ? 5 : undefined) : digits - 1);
  const exponent = Number(exact.slice(exact.indexOf("e") + 1));
  const significant = exact.slice(0, exact.indexOf("e")).replace(".", "").length;
  const limit = digits ?? 6;
  const trim = (text: string) => (keepsZeros || !text.includes(".") ? text : text.replace(/\.?0+(?=e|$)/, ""));
  if (exponent < -4 || exponent >= limit) return trim(exponential(magnitude, significant - 1));
  return trim(magnitude.toFixed(Math.min(100, Math.max(0, significant - 1 - exponent))));
}
