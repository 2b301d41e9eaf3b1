/*
 * A command that is a list of commands: `bunker`, and below it `bunker runtime`. Options before the name of the command
 * belong to the group, everything behind it to the command. A group is a command itself, so groups nest.
 *
 * The tree is made of citty's commands, and citty writes the help from it. A group knows the name and the one line of
 * each command without loading it; the code is loaded when the command is called, and only that command's. Which
 * command the words call is found here and not by citty's `runCommand`, which takes a word for a command's name that is
 * the value of an unknown option, takes `toString` for a name that exists, and drops what the group's options said.
 */

import { nearestName } from "../nearest-name.ts";
import { BunkerError } from "../sys/error.ts";
import { argumentDefinitions } from "./argument-definitions.ts";
import type { Command } from "./command.ts";
import type { DescribedCommand } from "./described-command.ts";
import { endingWith } from "./ending-with.ts";
import { type OptionTable, type OptionValues, quote } from "./option-table.ts";
import { readWords } from "./read-words.ts";

/** A command as its group knows it, without its code. */
interface CommandEntry<Globals> {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Whether neither help nor error messages mention it: it is not for people. */
  readonly hidden?: boolean;
  load(): Promise<Command<Globals>>;
}

/** What a group consists of. */
export interface CommandGroup<Table extends OptionTable> {
  readonly options: Table;
  /** What errors end with that say nothing else; undefined for the engine's. */
  readonly failureStatus?: number;
  /** In the order of the help. */
  readonly commands: readonly CommandEntry<OptionValues<Table>>[];
  /** What the options do instead of any command (`--version`): the exit status, or undefined for nothing of the kind. */
  readonly instead?: (globals: OptionValues<Table>) => Promise<number | undefined>;
  /** Called around each command, for what the group's options ask of all of them, such as where errors are logged. */
  readonly around?: (globals: OptionValues<Table>, proceed: () => Promise<number>) => Promise<number>;
}

/**
 * Makes a command of a list of commands. Without a name it prints its help, as does `help`; `help NAME` prints the help
 * of that command.
 * @returns a command that throws BunkerError unknown_command, with the nearest name, besides what its commands throw
 */
export function defineCommandGroup<const Table extends OptionTable>(group: CommandGroup<Table>): Command {
  const options = { options: group.options, required: [] } as const;
  const syntax = { ...options, optional: "COMMAND [ARG...]", stopAtFirstOperand: true } as const;
  const command: Command = {
    args: () => argumentDefinitions(options),
    // The help alone needs them all.
    get subCommands() {
      return Object.fromEntries(group.commands.map((entry) => [entry.name, described(entry)]));
    },
    async run({ rawArgs, data: { name, summary } }) {
      const printHelp = async () => {
        const help = await import("./help.ts");
        return help.printHelp({ ...command, meta: { name, description: summary } });
      };
      const call = async () => {
        const given = await readWords(name, syntax, rawArgs);
        if (given === "help") return printHelp();
        const globals = given.options;
        const status = await group.instead?.(globals);
        if (status !== undefined) return status;
        const { called, rest } = resolve(given.operands);
        if (called === undefined) return printHelp();
        const entry = namedEntry(group.commands, called);
        if (entry === undefined) {
          const { refusedCommand } = await import("./refused-commands.ts");
          throw refusedCommand(name, called) ?? unknownCommand(name, called, group.commands);
        }
        const proceed = async () => {
          const loaded = await entry.load();
          return loaded.run({ rawArgs: rest, data: { name: `${name} ${called}`, summary: entry.summary, globals } });
        };
        return group.around === undefined ? proceed() : group.around(globals, proceed);
      };
      return group.failureStatus === undefined ? call() : endingWith(group.failureStatus, call);
    },
  };
  return command;
}

/** A loop, because methods of arrays that are JavaScript inside the engine cost 0.1 ms at their first call. */
function namedEntry<Entry extends CommandEntry<never>>(commands: readonly Entry[], name: string): Entry | undefined {
  for (const entry of commands) if (entry.name === name) return entry;
  return undefined;
}

/** A command in the tree, as its group's help shows it. */
function described({ name, summary, hidden = false }: CommandEntry<never>): DescribedCommand {
  return { meta: { name, description: summary, hidden } };
}

/** Which command the operands call, and with which words: `help run` is `run --help`, `help` alone is none. */
function resolve(operands: readonly string[]) {
  const [called, ...rest] = operands;
  if (called !== "help") return { called, rest };
  const [topic, ...subtopics] = rest;
  return { called: topic, rest: [...subtopics, "--help"] };
}

function unknownCommand(group: string, name: string, commands: readonly CommandEntry<never>[]): BunkerError {
  const visible = commands.filter((command) => !command.hidden).map((command) => command.name);
  const nearest = nearestName(name, visible);
  const advice = nearest === undefined ? `${group} --help lists the commands` : `did you mean ${group} ${nearest}?`;
  return new BunkerError({ code: "unknown_command", operation: `unknown command ${quote(name)}; ${advice}` });
}
