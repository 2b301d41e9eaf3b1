/* What the values of `--filter` mean that several lists have. */
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { parsePointInTime } from "./point-in-time.ts";

/**
 * Reads the values of a filter.
 * @param key,values of it
 * @param parse reads one; throws InvalidValue
 * @throws BunkerError `invalid_filter`
 */
export function readFilter<Result>(
  key: string,
  values: readonly string[],
  parse: (text: string) => Result,
): readonly Result[] {
  return values.map((text) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      throw invalidFilter(`${key}=${text}`, error.message);
    }
  });
}

/**
 * The value of a filter that is true or false.
 * @throws BunkerError `invalid_filter`
 */
export function truthFilter(name: string, text: string): boolean {
  try {
    return parseBoolean(text);
  } catch {
    throw invalidFilter(`${name}=${text}`, "expected true or false");
  }
}

/**
 * The pattern of a filter by names.
 * @throws BunkerError `invalid_filter`
 */
export function nameFilter(pattern: string): RegExp {
  return expressionFilter("name", pattern);
}

/**
 * The pattern of any other filter.
 * @throws BunkerError `invalid_filter`
 */
export function expressionFilter(name: string, pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch {
    throw invalidFilter(`${name}=${pattern}`, "expected a regular expression");
  }
}

/**
 * The values of a filter that has only some.
 * @throws BunkerError `invalid_filter`
 */
export function choiceFilter(name: string, values: readonly string[], choices: readonly string[]): readonly string[] {
  const wrong = values.find((value) => !choices.includes(value));
  if (wrong === undefined) return values;
  throw invalidFilter(`${name}=${wrong}`, `expected one of ${choices.join(", ")}`);
}

/**
 * The time of `until`, in milliseconds since 1970.
 * @throws BunkerError `invalid_filter`
 */
export function untilFilter(text: string, now: number): number {
  try {
    return parsePointInTime(text, now);
  } catch (error) {
    if (error instanceof InvalidValue) throw invalidFilter(`until=${text}`, error.message);
    throw error;
  }
}
