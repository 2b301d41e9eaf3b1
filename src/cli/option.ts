import { InvalidValue } from "./invalid-value.ts";

/**
 * One option of a command: how it is written, what its values are, and what the command gets when it was given never,
 * once or several times. `flag`, `single` and `list` make them.
 */
export interface Option<Value, Result> {
  /** The long name without its dashes: `read-only`. */
  readonly name: string;
  /** Further long names; accepted, not shown in the help. */
  readonly aliases: readonly string[];
  /** One letter without its dash. */
  readonly short: string | undefined;
  /** One line for the help. */
  readonly description: string;
  /** How the help calls the value; undefined for a flag, which takes a value only behind `=`. */
  readonly valueName: string | undefined;
  readonly repeatable: boolean;
  /** The default in the user's notation, for the help. */
  readonly defaultText: string | undefined;
  /**
   * Reads one value as it was written.
   * @throws InvalidValue
   */
  parse(text: string): Value;
  /** What the command gets for the values in the order given. */
  collect(values: readonly Value[]): Result;
}

interface Description {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly short?: string;
  readonly description: string;
}

interface ValueDescription<Value> extends Description {
  readonly valueName: string;
  /** Reads one value; throws `InvalidValue`. */
  readonly parse: (text: string) => Value;
}

/** An option that is on or off: `--rm`, `--rm=false`. Off unless `initial` says otherwise; the last one given wins. */
export function flag(description: Description & { readonly initial?: boolean }): Option<boolean, boolean> {
  const { initial = false, ...rest } = description;
  return {
    ...common(rest),
    valueName: undefined,
    repeatable: false,
    defaultText: initial ? "true" : undefined,
    parse: parseBoolean,
    collect: (values) => values[values.length - 1] ?? initial,
  };
}

/**
 * An option with one value, of which the last one given wins.
 * @param description with `initial`, the result when the option is absent, and `initialText`, what the help says of it
 */
export function single<Value>(description: ValueDescription<Value>): Option<Value, Value | undefined>;
export function single<Value, const Initial>(
  description: ValueDescription<Value> & { readonly initial: Initial; readonly initialText?: string },
): Option<Value, Value | Initial>;
export function single<Value, Initial>(
  description: ValueDescription<Value> & { readonly initial?: Initial; readonly initialText?: string },
): Option<Value, Value | Initial | undefined> {
  return {
    ...common(description),
    valueName: description.valueName,
    repeatable: false,
    defaultText: description.initialText,
    parse: description.parse,
    collect: (values) => (values.length > 0 ? values[values.length - 1] : description.initial),
  };
}

/**
 * An option with one value of which an empty one counts as none, as with Docker: scripts give what a variable holds,
 * `--user "$USER_ID"`.
 */
export function singleOrEmpty<Value>(
  description: ValueDescription<Value>,
): Option<Value | undefined, Value | undefined>;
export function singleOrEmpty<Value, const Initial>(
  description: ValueDescription<Value> & { readonly initial: Initial; readonly initialText?: string },
): Option<Value | undefined, Value | Initial>;
export function singleOrEmpty<Value, Initial>(
  description: ValueDescription<Value> & { readonly initial?: Initial; readonly initialText?: string },
): Option<Value | undefined, Value | Initial | undefined> {
  return {
    ...single(description),
    parse: (text) => (text === "" ? undefined : description.parse(text)),
    collect: (values) => values[values.length - 1] ?? description.initial,
  };
}

/** An option that may be given again and again; all its values count, in their order. */
export function list<Value>(description: ValueDescription<Value>): Option<Value, readonly Value[]> {
  return {
    ...common(description),
    valueName: description.valueName,
    repeatable: true,
    defaultText: undefined,
    parse: description.parse,
    collect: (values) => values,
  };
}

function common(description: Description) {
  return {
    name: description.name,
    aliases: description.aliases ?? [],
    short: description.short,
    description: description.description,
  };
}

/**
 * Reads a truth value in any of the spellings that Docker takes.
 * @throws InvalidValue
 */
export function parseBoolean(text: string): boolean {
  switch (text) {
    case "1":
    case "t":
    case "T":
    case "true":
    case "TRUE":
    case "True":
      return true;
    case "0":
    case "f":
    case "F":
    case "false":
    case "FALSE":
    case "False":
      return false;
    default:
      throw new InvalidValue("expected true or false");
  }
}
