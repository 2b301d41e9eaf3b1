/*
 * The strict reading of a command's words by a table of its options, with the meaning that Docker (pflag) gives them:
 *
 *   --name value   --name=value   -n value   -nvalue   -n=value   -it   -itv /a:/b   --flag   --flag=false   --
 *
 * A value is taken as it stands, even when it begins with a dash or is empty; a lone `-` is an operand; `--` ends the
 * options. A table may end them at the first operand as well: everything behind `run`'s image belongs to the container.
 * Nothing is guessed: a word that no option of the table explains is an error that names the nearest option, never
 * ignored and never passed on. Words before `--help` are checked, words after it are not read.
 *
 * Long names are not abbreviated, and flags have no `--no-` form, as in Docker.
 */

import { nearestName } from "../nearest-name.ts";
import { BunkerError } from "../sys/error.ts";
import { InvalidValue } from "./invalid-value.ts";
import type { Option } from "./option.ts";

/** The values of an option that was not given. */
const NONE: readonly never[] = [];

/** The options of a command by the property under which it reads their results. */
export type OptionTable = Readonly<Record<string, Option<unknown, unknown>>>;

/** What a command line gives for a table: each property has the type that its option results in. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Property in keyof Table]: Table[Property] extends Option<infer _, infer Result> ? Result : never;
};

/** The words a command takes. */
export interface CommandSyntax<Table extends OptionTable, Required extends readonly string[]> {
  readonly options: Table;
  /** The operands that must be there, by the names that the help gives them: `["IMAGE"]`. */
  readonly required: Required;
  /** What may follow them, as the help writes it: `[COMMAND] [ARG...]`. */
  readonly optional?: string;
  /** Of the options the flags that stand for the first required operand: with one that is not typed, and given as "". */
  readonly insteadOfFirst?: readonly string[];
  /** How many operands may follow the required ones; any number unless given, none without `optional`. */
  readonly optionalLimit?: number;
  /** The exit status when it fails, rather than what the error says; Docker's is 1 for most commands. */
  readonly failureStatus?: number;
  /** Whether the first operand ends the options. */
  readonly stopAtFirstOperand?: boolean;
  /** Whether it takes some dozen milliseconds, in which compiling what it executes does not pay; sys/just-in-time.ts. */
  readonly isBrief?: boolean;
  /** What it does last, behind everything else, unless it fails. */
  readonly leave?: () => void;
}

/** Any command's words. */
export type AnyCommandSyntax = CommandSyntax<OptionTable, readonly string[]>;

/** What a command line says: the options' results, the required operands, then the optional ones. */
export interface ParsedArguments<Table extends OptionTable, Required extends readonly string[]> {
  readonly options: OptionValues<Table>;
  readonly operands: readonly [...{ readonly [Index in keyof Required]: string }, ...string[]];
}

/**
 * Reads the words of a command.
 * @param command the command as typed, for messages: `bunker run`
 * @param words what stands behind that
 * @returns the results, or "help" when `--help` (or `-h`, where the table has no other use for it) was asked for
 * @throws BunkerError unknown_option, missing_value, invalid_value, missing_operand, unexpected_operand; exit status 125
 */
export function parseArguments<const Table extends OptionTable, const Required extends readonly string[]>(
  command: string,
  syntax: CommandSyntax<Table, Required>,
  words: readonly string[],
): ParsedArguments<Table, Required> | "help" {
  const table = Object.values(syntax.options);
  const given = new Map<Option<unknown, unknown>, unknown[]>();
  const take = (option: Option<unknown, unknown>, text: string) => {
    const value = parseValue(option, text);
    const values = given.get(option);
    if (values === undefined) given.set(option, [value]);
    else values.push(value);
  };
  const operands: string[] = [];
  let position = 0;

  /** The word behind the current one, which is the value of `written` whatever it looks like. */
  const nextWord = (written: string): string => {
    const word = words[++position];
    if (word === undefined) throw refusal("missing_value", `option ${written} needs a value`);
    return word;
  };

  const readLong = (word: string): "help" | undefined => {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const option = optionOfName(table, name);
    if (option === undefined) {
      if (word === "--help") return "help";
      throw unknownOption(command, `--${name}`, name, longNames(table));
    }
    if (equals >= 0) take(option, word.slice(equals + 1));
    else take(option, option.valueName === undefined ? "true" : nextWord(`--${name}`));
    return undefined;
  };

  const readCluster = (word: string): "help" | undefined => {
    for (let index = 1; index < word.length; index++) {
      const letter = word.slice(index, index + 1);
      const option = optionOfLetter(table, letter);
      if (option === undefined) {
        if (letter === "h") return "help";
        const written = word.length > 2 ? `-${letter} in ${word}` : word;
        // People write -name for --name.
        throw unknownOption(command, written, word.slice(1), word.length > 2 ? longNames(table) : []);
      }
      const rest = word.slice(index + 1);
      if (rest.startsWith("=")) {
        take(option, rest.slice(1));
        return undefined;
      }
      if (option.valueName !== undefined) {
        take(option, rest === "" ? nextWord(`-${letter}`) : rest);
        return undefined;
      }
      take(option, "true");
    }
    return undefined;
  };

  for (; position < words.length; position++) {
    const word = words[position] ?? "";
    if (word === "--") {
      operands.push(...words.slice(position + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (syntax.stopAtFirstOperand) {
        operands.push(...words.slice(position));
        break;
      }
      operands.push(word);
    } else if ((word.startsWith("--") ? readLong(word) : readCluster(word)) === "help") {
      return "help";
    }
  }

  // Loops, because methods of arrays that are JavaScript inside the engine cost every command 0.1 ms at their first call.
  for (const property of syntax.insteadOfFirst ?? []) {
    const option = syntax.options[property];
    if (option === undefined || option.collect(given.get(option) ?? NONE) !== true) continue;
    operands.unshift("");
    break;
  }
  checkOperands(command, syntax, operands);
  // Written over a copy of the table: an object that gets a hundred members one by one takes several times as long.
  const results: Record<string, unknown> = { ...syntax.options };
  for (const property of Object.keys(syntax.options)) {
    const option = syntax.options[property];
    if (option !== undefined) results[property] = option.collect(given.get(option) ?? NONE);
  }
  // The table's own parsers made every result, and the operands were just counted.
  return { options: results, operands } as unknown as ParsedArguments<Table, Required>;
}

/*
 * Searches, because few options are given: maps of all names take longer to make than the table takes to look through.
 */

function optionOfName(table: readonly Option<unknown, unknown>[], name: string): Option<unknown, unknown> | undefined {
  for (const option of table) if (option.name === name || option.aliases.includes(name)) return option;
  return undefined;
}

function optionOfLetter(
  table: readonly Option<unknown, unknown>[],
  letter: string,
): Option<unknown, unknown> | undefined {
  for (const option of table) if (option.short === letter) return option;
  return undefined;
}

function longNames(table: readonly Option<unknown, unknown>[]): readonly string[] {
  return table.flatMap((option) => [option.name, ...option.aliases]);
}

/**
 * Reads the value of an option.
 * @throws BunkerError `invalid_value`
 */
export function parseValue<Value>(option: Pick<Option<Value, unknown>, "name" | "parse">, text: string): Value {
  try {
    return option.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw refusal("invalid_value", `invalid value ${quote(text)} for --${option.name}: ${error.message}`, error);
  }
}

function unknownOption(command: string, written: string, name: string, known: Iterable<string>): BunkerError {
  const nearest = nearestName(name, known);
  const advice = nearest === undefined ? `${command} --help lists the options` : `did you mean --${nearest}?`;
  return new UnknownOption(name, `unknown option ${written}; ${advice}`);
}

function checkOperands(command: string, syntax: AnyCommandSyntax, operands: readonly string[]): void {
  const missing = syntax.required[operands.length];
  if (missing !== undefined) {
    throw refusal("missing_operand", `${command} needs ${missing}; ${command} --help shows how it is used`);
  }
  const limit = syntax.optional === undefined ? 0 : syntax.optionalLimit;
  const surplus = limit === undefined ? undefined : operands[syntax.required.length + limit];
  if (surplus !== undefined) {
    throw refusal(
      "unexpected_operand",
      `unexpected argument ${quote(surplus)}; ${command} --help shows how it is used`,
    );
  }
}

/** A word that looks like an option, and that no option of the command explains. */
export class UnknownOption extends BunkerError {
  /** The option's name without its dashes. */
  readonly option: string;

  constructor(option: string, sentence: string) {
    super({ code: "unknown_option", operation: sentence });
    this.option = option;
  }
}

/** A command line that was not understood: nothing was attempted yet, so the sentence is the whole message. */
function refusal(code: string, sentence: string, cause?: Error): BunkerError {
  return new BunkerError({ code, operation: sentence }, { cause });
}

/** A word of the user's in quotation marks, on one line whatever it contains. */
export function quote(word: string): string {
  return JSON.stringify(word);
}
