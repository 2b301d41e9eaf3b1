import {
  type AnyCommandSyntax,
  type CommandSyntax,
  type OptionTable,
  type ParsedArguments,
  parseArguments,
} from "./option-table.ts";

/** One call of a command. */
interface Invocation<Globals> {
  /** The command as typed, for messages and help: `bunker run`. */
  readonly name: string;
  /** What it does, one line. */
  readonly summary: string;
  /** The words behind its name. */
  readonly words: readonly string[];
  /** What the options before its name came to. */
  readonly globals: Globals;
}

/** A command, loaded and ready to be called. */
export interface Command<Globals = unknown> {
  /**
   * Reads the words and does what they ask; `--help` among them prints the help instead.
   * @returns the exit status
   * @throws BunkerError
   */
  execute(invocation: Invocation<Globals>): Promise<number>;
}

/**
 * Ties a command's words to what it does.
 * @param syntax its options and operands
 * @param run gets them read and typed, with the group's own options; returns the exit status
 */
export function defineCommand<
  const Table extends OptionTable,
  const Required extends readonly string[],
  Globals = unknown,
>(
  syntax: CommandSyntax<Table, Required>,
  run: (given: ParsedArguments<Table, Required>, globals: Globals) => Promise<number> | number,
): Command<Globals> {
  return {
    async execute({ name, summary, words, globals }) {
      const given = parseArguments(name, syntax, words);
      return given === "help" ? printHelp(name, summary, syntax) : run(given, globals);
    },
  };
}

async function printHelp(name: string, summary: string, syntax: AnyCommandSyntax): Promise<number> {
  const { renderHelp } = await import("./help.ts");
  console.log(renderHelp({ name, summary, syntax }));
  return 0;
}
