import { release } from "node:os";
import { COMMIT, VERSION } from "./build.ts";
import { defineCommand } from "./command.ts";
import { toJson } from "./format/template/to-json.ts";
import type { Structure } from "./format/template/value.ts";
import { executeTemplate, readTemplate } from "./format/user-template.ts";
import { inspectFormatOption } from "./inspect-output.ts";

/** `bunker version`. */
export const version = defineCommand(
  { options: { format: inspectFormatOption }, required: [], failureStatus: 1 },
  ({ options: { format } }) => {
    const facts = collect();
    if (format === "json") console.log(toJson(facts, 0));
    else if (format !== undefined) console.log(executeTemplate(readTemplate(format), facts));
    else {
      const { Version, GitCommit, BunVersion, Os, Arch } = facts.Client;
      const rows = [
        ["Version", Version],
        ["Git commit", GitCommit],
        ["Bun version", BunVersion],
        ["OS/Arch", `${Os}/${Arch}`],
      ] as const;
      console.log(["Bunker", ...rows.map(([name, value]) => ` ${`${name}:`.padEnd(14)}${value}`)].join("\n"));
    }
    return 0;
  },
);

/** As `docker version` has it; there is no server, so what it would say is said of this program. */
function collect() {
  const program = {
    Version: VERSION,
    GitCommit: COMMIT,
    BunVersion: Bun.version,
    Os: process.platform,
    // The OCI's names for architectures are Go's.
    Arch: process.arch === "x64" ? "amd64" : process.arch,
  };
  return { Client: program, Server: { ...program, KernelVersion: release() } } satisfies Structure;
}
