import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHelper } from "../../../../src/runtime/id-map/find-helper.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "find-helper-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

/** A directory with a helper of the given mode in it. */
function withHelper(name: string, mode: number): string {
  const path = join(directory, name);
  mkdirSync(path);
  const helper = join(path, "newuidmap");
  writeFileSync(helper, "#!/bin/true\n");
  if (process.getuid?.() === 0) chownSync(helper, 0, 0);
  chmodSync(helper, mode);
  return path;
}

/** Whether the system has helpers of its own, which end every search that finds no better one. */
const system = findHelper("newuidmap", "");

describe("findHelper", () => {
  test("finds the system's without a search path", () => {
    if (system.kind === "unusable") expect(system.problem).toContain("newuidmap");
    else expect(system.path).toMatch(/^\/(usr\/)?s?bin\/newuidmap$/);
  });

  test("passes over relative and missing directories, and over a directory of the helper's name", () => {
    const odd = join(directory, "odd");
    mkdirSync(join(odd, "newuidmap"), { recursive: true });
    expect(findHelper("newuidmap", `.:relative::/nonexistent:/etc/passwd:${"/x".repeat(3000)}:${odd}`)).toEqual(system);
  });

  test.skipIf(process.getuid?.() !== 0)("takes a set-user-id root program of the search path first", () => {
    const path = withHelper("suid", 0o4755);
    expect(findHelper("newuidmap", path)).toEqual({ kind: "usable", path: join(path, "newuidmap") });
  });

  test.skipIf(process.getuid?.() !== 0)("takes a program with the right file capability", () => {
    const path = withHelper("capable", 0o755);
    const helper = join(path, "newuidmap");
    expect(Bun.spawnSync(["setcap", "cap_setuid=ep", helper]).exitCode).toBe(0);
    expect(findHelper("newuidmap", path)).toEqual({ kind: "usable", path: helper });
    expect(Bun.spawnSync(["setcap", "cap_setgid=ep", helper]).exitCode).toBe(0);
    expect(findHelper("newuidmap", path)).toEqual(system);
  });

  test("passes over a program without privilege", () => {
    expect(findHelper("newuidmap", withHelper("plain", 0o755))).toEqual(system);
  });
});

/** What `findHelper` says in a mount namespace where `commands` have hidden the system's helpers. */
function findWhere(commands: string): unknown {
  const source = join(import.meta.dir, "../../../../src/runtime/id-map/find-helper.ts");
  const script = `const { findHelper } = await import(${JSON.stringify(source)}); console.log(JSON.stringify(findHelper("newuidmap", "/mnt")))`;
  const child = Bun.spawnSync([
    ...["unshare", "--mount", "--propagation", "private", "sh", "-ec"],
    `${commands}\nexec "$0" -e "$1"`,
    process.execPath,
    script,
  ]);
  expect([child.exitCode, child.stderr.toString()]).toEqual([0, ""]);
  return JSON.parse(child.stdout.toString());
}

describe.skipIf(process.getuid?.() !== 0 || system.kind === "unusable")(
  "findHelper without the system's helpers",
  () => {
    const hide = "for f in /usr/bin/newuidmap /usr/sbin/newuidmap; do ! test -e $f || mount --bind /dev/null $f; done";

    test("missing", () => {
      expect(findWhere(hide)).toMatchObject({
        kind: "unusable",
        problem:
          "newuidmap is missing; an administrator can install it: package uidmap (Debian, Ubuntu) or shadow-utils (Fedora)",
      });
    });

    test.each([
      ["without privilege", "nosuid", "chmod 755", "/mnt/newuidmap is neither set-user-id root nor has it CAP_SETUID"],
      ["not executable", "suid", "chmod 644", "/mnt/newuidmap is not executable for the caller"],
      ["on a nosuid mount", "nosuid", "chmod 4755", "/mnt/newuidmap is on a file system mounted with nosuid"],
      ["owned by somebody else", "suid", "chown 1:1", "/mnt/newuidmap is neither set-user-id root"],
    ])("%s", (_, option, change, problem) => {
      const copy = `cp /usr/bin/newuidmap /mnt && chmod 4755 /mnt/newuidmap && ${change} /mnt/newuidmap`;
      expect(findWhere(`mount -t tmpfs -o ${option} tmpfs /mnt; ${copy}; ${hide}`)).toMatchObject({
        kind: "unusable",
        problem: expect.stringContaining(problem),
      });
    });

    test("with no_new_privs", () => {
      const run = Bun.spawnSync([
        ...["setpriv", "--no-new-privs", process.execPath, "-e"],
        `const { findHelper } = await import(${JSON.stringify(join(import.meta.dir, "../../../../src/runtime/id-map/find-helper.ts"))}); console.log(findHelper("newuidmap").problem)`,
      ]);
      expect(run.stdout.toString()).toContain("the caller runs with no_new_privs");
    });
  },
);
