import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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
    return startAs(id, ["SOME_VARIABLE=some value"], words);
  }

  function startAs(uid: number, environment: readonly string[], words: readonly string[]) {
    const groups = uid === id ? "--init-groups" : "--clear-groups";
    const become = ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, groups, "--"];
    const command = [...become, process.execPath, script, "outside", ...words];
    return JSON.parse(output(["env", ...environment, ...command]));
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

  test.each([
    ["what HOME says", "HOME=/elsewhere", "/elsewhere"],
    ["as /etc/passwd has it, without HOME", "--unset=HOME", `/home/${user}`],
    ["the same with an empty HOME", "HOME=", `/home/${user}`],
  ])("the home directory inside is the caller's: %s", (_, setting, expected) => {
    const path = join(directory, `home ${setting.length}`);
    startAs(id, [setting], ["describe", path]);
    expect(JSON.parse(readFileSync(path, "utf8")).home).toBe(expected);
  });

  test("a user without a home has not root's inside", () => {
    const unknown = 54_321;
    const own = join(directory, "of an unknown user");
    mkdirSync(own);
    chownSync(own, unknown, unknown);
    chmodSync(directory, 0o755);
    const path = join(own, "description");
    startAs(unknown, ["--unset=HOME"], ["describe", path]);
    expect(JSON.parse(readFileSync(path, "utf8")).home).toBe("/nonexistent");
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
