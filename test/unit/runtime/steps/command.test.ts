import { expect, test } from "bun:test";
import { commandCandidates } from "../../../../src/runtime/steps/command.ts";

test.each<[string, string, string[], string[]]>([
  ["each directory of PATH in its order", "sh", ["PATH=/b:/a", "HOME=/"], ["/b/sh", "/a/sh"]],
  ["the last PATH counts", "sh", ["PATH=/a", "PATH=/b"], ["/b/sh"]],
  ["an empty directory is the present one", "sh", ["PATH=:/a:"], ["./sh", "/a/sh", "./sh"]],
  ["an empty PATH too", "sh", ["PATH="], ["./sh"]],
  ["a relative directory", "sh", ["PATH=bin"], ["bin/sh"]],
  ["a path is not searched for", "/bin/sh", ["PATH=/a"], ["/bin/sh"]],
  ["nor is a relative one", "./sh", ["PATH=/a"], ["./sh"]],
  ["a name that no file can have is nowhere", "x".repeat(256), ["PATH=/a"], []],
  ["a name that only looks like PATH", "sh", ["PATHS=/a", "PATH=/b", "XPATH=/c"], ["/b/sh"]],
])("%s", (_, command, environment, expected) => {
  expect(commandCandidates(command, environment)).toEqual(expected);
});

test("without PATH the usual directories are searched", () => {
  const candidates = commandCandidates("sh", ["HOME=/root"]);
  expect(candidates).toEqual(expect.arrayContaining(["/usr/bin/sh", "/bin/sh", "/usr/local/sbin/sh", "/sbin/sh"]));
});
