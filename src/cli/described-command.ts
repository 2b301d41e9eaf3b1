import type { CommandDef } from "citty";

/** What help shows of a command: a command of citty's but for what it does. */
export interface DescribedCommand extends Omit<CommandDef, "run" | "subCommands"> {
  readonly subCommands?: Record<string, DescribedCommand>;
}
