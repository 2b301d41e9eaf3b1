import type { ArgDef, ArgsDef } from "citty";
import type { Option } from "./option.ts";
import type { AnyCommandSyntax } from "./option-table.ts";

/**
 * A command's words as citty's help wants them described: the operands in their order, the options in the alphabet's,
 * `--help` last. citty reads no words by this; `parseArguments` does, by the same syntax.
 */
export function argumentDefinitions(syntax: AnyCommandSyntax): ArgsDef {
  const options = Object.values(syntax.options);
  const hasOwnH = options.some((option) => option.short === "h");
  return Object.fromEntries([
    ...syntax.required.map((name) => [name, operand(true)] as const),
    // `[COMMAND] [ARG...]` are two operands to citty, which writes the brackets itself.
    ...(syntax.optional?.split(" ") ?? []).map((name) => [name.replace(/^\[(.*)\]$/, "$1"), operand(false)] as const),
    ...options
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((option) => [option.name, definition(option)] as const),
    ["help", { type: "boolean", alias: hasOwnH ? [] : ["h"], description: "Show this help" }],
  ]);
}

function operand(required: boolean): ArgDef {
  return { type: "positional", required };
}

function definition(option: Option<unknown, unknown>): ArgDef {
  // An alias of citty's is written with one dash, so the further long names are none.
  const alias = option.short === undefined ? [] : [option.short];
  if (option.valueName === undefined) {
    // By its own default of true citty would show a `--no-` form, which there is not.
    const note = option.defaultText === undefined ? "" : ` (Default: ${option.defaultText})`;
    return { type: "boolean", alias, description: option.description + note };
  }
  return {
    type: "string",
    alias,
    valueHint: option.valueName,
    description: option.repeatable ? `${option.description} (repeatable)` : option.description,
    ...(option.defaultText === undefined ? {} : { default: option.defaultText }),
  };
}
