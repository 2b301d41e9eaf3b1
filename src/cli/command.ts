import { compileReadily } from "../sys/just-in-time.ts";
import { argumentDefinitions } from "./argument-definitions.ts";
import type { DescribedCommand } from "./described-command.ts";
import { endingWith } from "./ending-with.ts";
import type { CommandSyntax, OptionTable, ParsedArguments } from "./option-table.ts";
import { readWords } from "./read-words.ts";

/** What the command tree tells a command besides its words. */
interface Invocation<Globals> {
  /** The command as typed, for messages and help: `bunker run`. */
  readonly name: string;
  /** What it does, one line. */
  readonly summary: string;
  /** What the options before its name came to. */
  readonly globals: Globals;
}

/**
 * A command of citty's, loaded and ready to be called. It is called with its `run` alone, never with citty's
 * `runCommand`: that reads the words first, forgets repeated options and lets unknown ones pass.
 */
export interface Command<Globals = unknown> extends DescribedCommand {
  /**
   * Reads the words and does what they ask; `--help` among them prints the help instead.
   * @param context of citty's context what is needed: the words behind the command's name, and what the tree adds
   * @returns the exit status
   * @throws BunkerError
   */
  run(context: { readonly rawArgs: readonly string[]; readonly data: Invocation<Globals> }): Promise<number>;
}

/**
 * A umask takes no right from whoever makes a file here: the command itself could not use its directories then, and would
 * leave them to others, which cannot either.
 */
function keepOwnRights(): void {
  process.umask(process.umask(0o077) & 0o077);
}

/**
 * Ties a command's words to what it does.
 * @param syntax its options and operands
 * @param run gets them read and typed, with the group's own options, and as they were written; returns the exit status
 */
export function defineCommand<
  const Table extends OptionTable,
  const Required extends readonly string[],
  Globals = unknown,
>(
  syntax: CommandSyntax<Table, Required>,
  run: (
    given: ParsedArguments<Table, Required>,
    globals: Globals,
    words: readonly string[],
  ) => Promise<number> | number,
): Command<Globals> {
  const command: Command<Globals> = {
    args: () => argumentDefinitions(syntax),
    async run({ rawArgs, data: { name, summary, globals } }) {
      if (syntax.isBrief !== true) compileReadily();
      const given = await readWords(name, syntax, rawArgs);
      if (given !== "help") {
        keepOwnRights();
        const status =
          syntax.failureStatus === undefined
            ? await run(given, globals, rawArgs)
            : await endingWith(syntax.failureStatus, () => run(given, globals, rawArgs));
        syntax.leave?.();
        return status;
      }
      const { printHelp } = await import("./help.ts");
      return printHelp({ ...command, meta: { name, description: summary } });
    },
  };
  return command;
}
