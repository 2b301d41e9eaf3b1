import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeUser, output } from "../../unprivileged-user.ts";

const script = `${import.meta.dir}/fixtures/start-inside.ts`;

describe.each(["bunker-test", "bunker-bare"] as const)("as %s", (user) => {
  let directory: string;
  let id: number;
  beforeAll(() => {
    makeUser(user);
    id = Number(output(["id", "-u", user]));
    directory = mkdtempSync(join(tmpdir(), "inside-"));
    chownSync(directory, id, id);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function start(...words: readonly string[]) {
    const become = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", "--"];
    const command = [...become, process.execPath, script, "outside", ...words];
    return JSON.parse(output(["env", "SOME_VARIABLE=some value", ...command]));
  }

  test("this program runs again as root of the caller's own ids", () => {
    const path = join(directory, "description");
    expect(start("describe", path)).toEqual({ owner: id });
    const { maps, ids, blocked, variable, input } = JSON.parse(readFileSync(path, "utf8"));
    expect(ids).toEqual([0, 0, 0, 0]);
    for (const map of maps) {
      const lines = map
        .trim()
        .split("\n")
        .map((line: string) => line.trim().split(/\s+/).map(Number));
      expect(lines.length).toBe(user === "bunker-test" ? 2 : 1);
      expect(lines[0]).toEqual([0, id, 1]);
    }
    expect(blocked).toBe("0000000000000000");
    expect(variable).toBe("some value");
    expect(input).toBe("for no other eyes");
  });

  test("an error of Bunker's arrives with its code and hint", () => {
    expect(start("fail", "/x")).toMatchObject({
      code: "some_code",
      message: "do it /x: EACCES",
      hint: "try again",
      exitStatus: 125,
    });
  });

  test("so does one that is longer than a pipe holds", () => {
    const path = `/${"ä".repeat(50_000)}`;
    expect(start("fail", path).message).toBe(`do it ${path}: EACCES`);
  });

  test.each([
    ["throw", "internal_error", "TypeError: unforeseen"],
    ["exit", "helper_lost", 'exit: the process in the user namespace ended with {"exitCode":9}'],
    ["kill", "helper_lost", 'kill: the process in the user namespace ended with {"signal":9}'],
  ])("other ends: %s", (what, code, message) => {
    expect(start(what, "/x")).toMatchObject({ code, message });
  });
});
