import { COMMIT, VERSION } from "./build.ts";
import { defineCommand } from "./command.ts";

/** `bunker version`. */
export const version = defineCommand({ options: {}, required: [] }, () => {
  // The OCI's names for architectures are Go's.
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const rows = [
    ["Version", VERSION],
    ["Git commit", COMMIT],
    ["Bun version", Bun.version],
    ["OS/Arch", `${process.platform}/${architecture}`],
  ] as const;
  console.log(["Bunker", ...rows.map(([name, value]) => ` ${`${name}:`.padEnd(14)}${value}`)].join("\n"));
  return 0;
});
