import { type PrintFlags, printValue, printVerb } from "./print.ts";
import { typeName, type Value } from "./value.ts";

/** The widest that a width or precision may be, as in Go. */
const WIDEST = 1_000_000;

/**
 * Go's fmt.Sprintf: verbs with flags `+-# 0`, width and precision (also `*`), and explicit indexes, `%[2]d`. What does
 * not fit is printed as Go complains of it: `%!d(MISSING)`, `%!(EXTRA int=1)`, `%!(NOVERB)`.
 */
export function formatPrintf(format: string, values: readonly Value[]): string {
  let output = "";
  let position = 0;
  let next = 0;
  let isReordered = false;
  let indexIsGood = true;

  /** Reads `[n]`, which says which value comes next. */
  const readIndex = (): void => {
    if (format[position] !== "[") return;
    isReordered = true;
    const close = format.indexOf("]", position);
    const number = close < 0 ? Number.NaN : Number(/^\d+$/.exec(format.slice(position + 1, close))?.[0]);
    if (number >= 1 && number <= values.length) next = number - 1;
    else indexIsGood = false;
    position = close < 0 ? position + 1 : close + 1;
  };
  /** Reads a width or a precision: digits, or `*` for the next value. */
  const readNumber = (): number | "bad" | undefined => {
    readIndex();
    if (format[position] === "*") {
      position++;
      const value = next < values.length ? values[next++] : undefined;
      const isGood = typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= WIDEST;
      return isGood ? value : "bad";
    }
    const digits = /^\d+/.exec(format.slice(position, position + 8))?.[0];
    position += digits?.length ?? 0;
    return digits === undefined || Number(digits) > WIDEST ? undefined : Number(digits);
  };

  while (position < format.length) {
    const percent = format.indexOf("%", position);
    output += format.slice(position, percent < 0 ? undefined : percent);
    if (percent < 0) break;
    position = percent + 1;
    indexIsGood = true;
    const written = /^[+\-# 0]*/.exec(format.slice(position))?.[0] ?? "";
    position += written.length;
    let width = readNumber();
    let minus = written.includes("-");
    if (width === "bad") output += "%!(BADWIDTH)";
    else if (width !== undefined && width < 0) {
      minus = true;
      width = -width;
    }
    let precision: number | "bad" | undefined;
    if (format[position] === ".") {
      position++;
      precision = readNumber() ?? 0;
      if (precision === "bad") output += "%!(BADPREC)";
      else if (precision < 0) precision = "bad";
    }
    readIndex();
    if (position >= format.length) {
      output += "%!(NOVERB)";
      break;
    }
    const verb = String.fromCodePoint(format.codePointAt(position) ?? 0);
    position += verb.length;
    if (verb === "%") output += "%";
    else if (!indexIsGood) output += `%!${verb}(BADINDEX)`;
    else if (next >= values.length) output += `%!${verb}(MISSING)`;
    else {
      const flags: PrintFlags = {
        plus: written.includes("+"),
        minus,
        sharp: written.includes("#"),
        space: written.includes(" "),
        zero: written.includes("0") && !minus,
        width: width === "bad" ? undefined : width,
        precision: precision === "bad" ? undefined : precision,
      };
      output += printVerb(values[next++], verb, flags);
    }
  }
  if (isReordered || next >= values.length) return output;
  const extra = values
    .slice(next)
    .map((value) => (value === undefined || value === null ? "<nil>" : `${typeName(value)}=${printValue(value)}`));
  return `${output}%!(EXTRA ${extra.join(", ")})`;
}
