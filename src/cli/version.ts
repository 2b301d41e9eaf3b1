import { COMMIT, VERSION } from "./build.ts";
import { defineCommand } from "./command.ts";
import { inspectFormatOption } from "./format/format-option.ts";
import type { Structure } from "./format/template/value.ts";

/** `bunker version`. */
export const version = defineCommand(
  { options: { format: inspectFormatOption }, required: [], failureStatus: 1 },
  async ({ options: { format } }) => {
    console.log(format === undefined ? usualText() : await formatted(format));
    return 0;
  },
);

const PROGRAM = {
  Version: VERSION,
  GitCommit: COMMIT,
  BunVersion: Bun.version,
  Os: process.platform,
  // The OCI's names for architectures are Go's.
  Arch: process.arch === "x64" ? "amd64" : process.arch,
} as const;

function usualText(): string {
  const rows = [
    ["Version", PROGRAM.Version],
    ["Git commit", PROGRAM.GitCommit],
    ["Bun version", PROGRAM.BunVersion],
    ["OS/Arch", `${PROGRAM.Os}/${PROGRAM.Arch}`],
  ] as const;
  return ["Bunker", ...rows.map(([name, value]) => ` ${`${name}:`.padEnd(14)}${value}`)].join("\n");
}

/**
 * What `--format` asks for. Templates take longer to load than all that the command needs otherwise.
 * @throws BunkerError `invalid_template`
 */
async function formatted(format: string): Promise<string> {
  const { release } = await import("node:os");
  // As `docker version` has it; there is no server, so what it would say is said of this program.
  const facts = { Client: PROGRAM, Server: { ...PROGRAM, KernelVersion: release() } } satisfies Structure;
  if (format === "json") return (await import("./format/template/to-json.ts")).toJson(facts, 0);
  const { executeTemplate, readTemplate } = await import("./format/user-template.ts");
  return executeTemplate(readTemplate(format), facts);
}
