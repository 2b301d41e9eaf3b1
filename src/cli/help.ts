import type { Option } from "./option.ts";
import type { AnyCommandSyntax } from "./option-table.ts";

/** What a help page is made of. */
export interface HelpPage {
  /** The command as typed. */
  readonly name: string;
  readonly summary: string;
  readonly syntax: AnyCommandSyntax;
  /** For a group: what can stand behind its name. */
  readonly commands?: readonly { readonly name: string; readonly summary: string }[];
}

/** The help of a command in Docker's layout, without the last line's end. */
export function renderHelp({ name, summary, syntax, commands = [] }: HelpPage): string {
  const options = Object.values(syntax.options).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const words = [name, "[OPTIONS]", ...syntax.required, syntax.optional].filter((word) => word !== undefined);
  const sections = [
    `Usage:  ${words.join(" ")}`,
    summary,
    section(
      "Commands",
      commands.map((command) => [command.name, command.summary]),
    ),
    section("Options", [
      ...options.map((option) => [written(option), described(option)] as const),
      ["    --help", "Show this help"],
    ]),
    commands.length > 0 ? `'${name} COMMAND --help' shows the help of a command.` : undefined,
  ];
  return sections.filter((text) => text !== undefined).join("\n\n");
}

/** A heading and two columns, or nothing for no rows. */
function section(title: string, rows: readonly (readonly [string, string])[]): string | undefined {
  if (rows.length === 0) return undefined;
  const width = Math.max(...rows.map(([left]) => left.length)) + 3;
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)].join("\n");
}

/** `-e, --env NAME[=VALUE]...`; the dots say that it may be repeated. */
function written(option: Option<unknown, unknown>): string {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const value = option.valueName === undefined ? "" : ` ${option.valueName}`;
  return `${short}--${option.name}${value}${option.repeatable ? "..." : ""}`;
}

function described(option: Option<unknown, unknown>): string {
  return option.defaultText === undefined
    ? option.description
    : `${option.description} (default ${option.defaultText})`;
}
