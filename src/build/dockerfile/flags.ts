import { nearestName } from "../../nearest-name.ts";
import { LanguageMistake } from "./dockerfile-error.ts";

type FlagKind = "boolean" | "text" | "texts";

type FlagValue<Kind extends FlagKind> = Kind extends "boolean"
  ? boolean | undefined
  : Kind extends "text"
    ? string | undefined
    : readonly string[];

type Flags<Kinds extends Readonly<Record<string, FlagKind>>> = {
  readonly [Name in keyof Kinds]: FlagValue<Kinds[Name]>;
};

/**
 * Reads the flags of an instruction, `--name=value`, or `--name` for what is true or false. All but those with several
 * values may be given once.
 * @param written each with its `--`
 * @param kinds the flags that the instruction has
 * @throws LanguageMistake
 */
export function readFlags<const Kinds extends Readonly<Record<string, FlagKind>>>(
  written: readonly string[],
  kinds: Kinds,
): Flags<Kinds> {
  const values: Record<string, boolean | string | string[] | undefined> = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [name, kind === "texts" ? [] : undefined]),
  );
  for (const flag of written) {
    const equals = flag.indexOf("=");
    const option = equals === -1 ? flag : flag.slice(0, equals);
    const name = option.slice(2);
    const value = equals === -1 ? undefined : flag.slice(equals + 1);
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) throw unknownFlag(option, Object.keys(kinds));
    const present = values[name];
    if (Array.isArray(present)) present.push(required(option, value));
    else if (present !== undefined) throw new LanguageMistake(`duplicate flag specified: ${option}`);
    else values[name] = kind === "boolean" ? readBoolean(option, value) : required(option, value);
  }
  return values as Flags<Kinds>;
}

function unknownFlag(option: string, names: readonly string[]): LanguageMistake {
  const nearest = nearestName(option.slice(2), names);
  return new LanguageMistake(`unknown flag: ${option}${nearest === undefined ? "" : ` (did you mean --${nearest}?)`}`);
}

function required(option: string, value: string | undefined): string {
  if (value === undefined) throw new LanguageMistake(`missing a value on flag: ${option}`);
  return value;
}

function readBoolean(option: string, value: string | undefined): boolean {
  if (value === "") throw new LanguageMistake(`missing a value on flag: ${option}`);
  const lower = value?.toLowerCase() ?? "true";
  if (lower === "true" || lower === "false") return lower === "true";
  throw new LanguageMistake(`expecting boolean value for flag ${option}, not: ${value}`);
}
