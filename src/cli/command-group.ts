/*
 * A command that is a list of commands: `bunker`, and below it `bunker runtime`. Options before the name of the command
 * belong to the group, everything behind it to the command. A group is a command itself, so groups nest, and it loads
 * the code of exactly the command that is called.
 */

import { nearestName } from "../nearest-name.ts";
import { BunkerError } from "../sys/error.ts";
import type { Command } from "./command.ts";
import { type OptionTable, type OptionValues, parseArguments, quote } from "./option-table.ts";

/** A command as its group knows it, without its code. */
interface CommandEntry<Globals> {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  load(): Promise<Command<Globals>>;
}

/** What a group consists of. */
export interface CommandGroup<Table extends OptionTable> {
  readonly options: Table;
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
  const syntax = {
    options: group.options,
    required: [],
    optional: "COMMAND [ARG...]",
    stopAtFirstOperand: true,
  } as const;
  return {
    async execute({ name, summary, words }) {
      const given = parseArguments(name, syntax, words);
      if (given === "help") return printHelp();
      const globals = given.options;
      const status = await group.instead?.(globals);
      if (status !== undefined) return status;
      const { called, rest } = resolve(given.operands);
      if (called === undefined) return printHelp();
      const entry = findCommand(name, group.commands, called);
      const proceed = async () => {
        const command = await entry.load();
        return command.execute({ name: `${name} ${entry.name}`, summary: entry.summary, words: rest, globals });
      };
      return group.around === undefined ? proceed() : group.around(globals, proceed);

      async function printHelp(): Promise<number> {
        const { renderHelp } = await import("./help.ts");
        console.log(renderHelp({ name, summary, syntax, commands: group.commands }));
        return 0;
      }
    },
  };
}

/** Which command the operands call, and with which words: `help run` is `run --help`, `help` alone is none. */
function resolve(operands: readonly string[]) {
  const [called, ...rest] = operands;
  if (called !== "help") return { called, rest };
  const [topic, ...subtopics] = rest;
  return { called: topic, rest: [...subtopics, "--help"] };
}

function findCommand<Globals>(
  group: string,
  commands: readonly CommandEntry<Globals>[],
  name: string,
): CommandEntry<Globals> {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const nearest = nearestName(
    name,
    commands.map((command) => command.name),
  );
  const advice = nearest === undefined ? `${group} --help lists the commands` : `did you mean ${group} ${nearest}?`;
  throw new BunkerError({ code: "unknown_command", operation: `unknown command ${quote(name)}; ${advice}` });
}
