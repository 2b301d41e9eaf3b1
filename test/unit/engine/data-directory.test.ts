import { expect, test } from "bun:test";
import { join } from "node:path";
import { output } from "../../unprivileged-user.ts";

const module = JSON.stringify(join(import.meta.dir, "../../../src/engine/data-directory.ts"));
const script = `import { dataDirectory } from ${module}; console.log(dataDirectory());`;
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

test.each<[string, readonly string[], readonly string[], string]>([
  ["of a user", nobody, ["HOME=/home/alice"], "/home/alice/.local/share/bunker"],
  ["of a user, where XDG says", nobody, ["HOME=/home/alice", "XDG_DATA_HOME=/data"], "/data/bunker"],
  [
    "relative paths do not count",
    nobody,
    ["HOME=/home/alice", "XDG_DATA_HOME=data"],
    "/home/alice/.local/share/bunker",
  ],
  ["nor do empty ones", nobody, ["HOME=/home/alice", "XDG_DATA_HOME="], "/home/alice/.local/share/bunker"],
  ["of root", [], ["HOME=/root"], "/var/lib/bunker"],
  ["of root, where XDG says", [], ["HOME=/root", "XDG_DATA_HOME=/data"], "/data/bunker"],
])("%s", (_, become, environment, expected) => {
  const command = [...become, "env", "-i", ...environment, process.execPath, "-e", script];
  expect(output(command)).toBe(`${expected}\n`);
});
