import {
  type CommandSyntax,
  type OptionTable,
  type ParsedArguments,
  parseArguments,
  UnknownOption,
} from "./option-table.ts";

/** Reads a command's words. What others have and Bunker has not is no mistake of the user's, and has a reason. */
export async function readWords<const Table extends OptionTable, const Required extends readonly string[]>(
  command: string,
  syntax: CommandSyntax<Table, Required>,
  words: readonly string[],
): Promise<ParsedArguments<Table, Required> | "help"> {
  try {
    return parseArguments(command, syntax, words);
  } catch (error) {
    if (!(error instanceof UnknownOption)) throw error;
    const { refusedOption } = await import("./refused-options.ts");
    throw refusedOption(command, error.option) ?? error;
  }
}
