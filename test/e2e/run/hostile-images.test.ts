/* Images that mean harm: nothing outside of the container is read or written, and what is wrong is said. */
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { imageOfZeros, writeImageOnBusybox } from "../../fixtures/images.ts";
import type { Member } from "../../unit/image/tar-builder.ts";
import type { Outcome } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/**
 * Runs a command and prints then the most memory, in kilobytes, that it or a process of its had. A process counts from
 * the memory of the one that it was cloned from, so that must be a small one.
 */
const PEAK_MEMORY = [
  "python3",
  "-c",
  "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
];

/** A directory of the user's that no container has anything to do with, with the one file `secret`. */
let outside: string;
/** The same as a relative path that climbs out of any root directory. */
let climbing: string;
let layout: string;
beforeAll(() => {
  outside = suite.user.makeDirectory("outside");
  climbing = `${"../".repeat(20)}${outside.slice(1)}`;
  layout = `${suite.user.directory}/image`;
  writeFileSync(`${outside}/secret`, "secret\n");
  suite.user.own(`${outside}/secret`);
});
afterEach(() => {
  expect(readdirSync(outside)).toEqual(["secret"]);
  expect(readFileSync(`${outside}/secret`, "utf8")).toBe("secret\n");
  expect(statSync(`${outside}/secret`)).toMatchObject({ nlink: 1, mode: 0o100644, uid: suite.user.uid });
});

interface Attempt {
  readonly members?: readonly Member[];
  readonly more?: object;
  readonly options?: readonly string[];
}

/** Runs a command in an image with these entries. */
async function attempt({ members = [], more = {}, options = [] }: Attempt, ...command: string[]): Promise<Outcome> {
  rmSync(layout, { recursive: true, force: true });
  return suite.user.run([...options, writeImageOnBusybox(layout, members, more), ...command]);
}

function expectRefusal({ status, output, errors }: Outcome, reason: string | RegExp): void {
  expect(errors).toMatch(reason);
  expect(errors).toMatch(/^bunker: .*\n(hint: .*\n)?$/);
  expect(errors).not.toContain("internal_error");
  expect({ status, output }).toEqual({ status: 125, output: "" });
}

describe("entries that lead out are refused", () => {
  const link = (target: string): Member => ({ name: "escape", type: "2", linkName: target });
  test.each<[what: string, members: () => Member[], reason: string]>([
    ["names that climb", () => [{ name: `${climbing}/written` }], "the name leads out of the root directory"],
    [
      "an absolute link and a file through it",
      () => [link(outside), { name: "escape/written" }],
      "dangling symbolic link",
    ],
    [
      "a climbing link and a file through it",
      () => [link(climbing), { name: "escape/written" }],
      "dangling symbolic link",
    ],
    ["links in a circle", () => [link("escape"), { name: "escape/written" }], "its symbolic links lead in a circle"],
    [
      "a hard link to an absolute name",
      () => [{ name: "h", type: "1", linkName: `${outside}/secret` }],
      "which this layer does not have",
    ],
    ["a hard link that climbs", () => [{ name: "h", type: "1", linkName: `${climbing}/secret` }], "the name leads out"],
    [
      "a hard link through a link",
      () => [link(outside), { name: "h", type: "1", linkName: "escape/secret" }],
      "which this layer does not have",
    ],
    ["a whiteout that climbs", () => [{ name: `${climbing}/.wh.secret` }], "the name leads out"],
    ["a whiteout through a link", () => [link(outside), { name: "escape/.wh.secret" }], "dangling symbolic link"],
    ["a whiteout of ..", () => [{ name: "etc/.wh..." }], "the whiteout hides no name"],
    ["a name with NUL", () => [{ name: "x", pax: { path: "tmp/a\0b" } }], "a name contains a NUL byte"],
    ["a name too long", () => [{ name: "x", pax: { path: `tmp/${"n".repeat(300)}` } }], "ENAMETOOLONG"],
    ["a path too deep", () => [{ name: "x", pax: { path: `${"d/".repeat(3000)}x` } }], "ENAMETOOLONG"],
  ])("%s", async (_what, members, reason) => {
    expectRefusal(await attempt({ members: members() }, "true"), reason);
  });
});

describe("entries that stay inside", () => {
  test("absolute names begin at the container's root", async () => {
    const members = [{ name: `${outside}/written`, content: "inside\n" }];
    expect((await attempt({ members }, "cat", `${outside}/written`)).output).toBe("inside\n");
  });

  test("links out of the root are only text", async () => {
    const members = [
      { name: "a", type: "2", linkName: outside },
      { name: "c", type: "2", linkName: `${climbing}/secret` },
    ];
    const { output } = await attempt(
      { members },
      "sh",
      "-c",
      "readlink /a; cat /a/secret /c 2>&1; echo x >/a/new 2>&1; true",
    );
    expect(output).toMatch(/^\/.*\/outside\ncat: can't open '\/a\/secret': No such file/);
  });

  test("device nodes are no devices", async () => {
    const members = [
      { name: "memory", type: "3", device: [1, 1] as const, mode: 0o666 },
      { name: "disk", type: "4", device: [254, 0] as const, mode: 0o666 },
    ];
    const { status, output, errors } = await attempt(
      { members },
      "sh",
      "-c",
      "cat /memory /disk | wc -c; stat -c %F /memory /disk",
    );
    expect(output).not.toContain("special");
    expect(errors).toMatch(
      /^warning: .*device nodes cannot be made here; an empty file takes the place: "memory", "disk"\n/,
    );
    expect(status).toBe(0);
  });

  test("a set-user-ID file gives nobody on the host anything", async () => {
    const { output } = await attempt(
      { members: [{ name: "suid", mode: 0o6755, content: "x" }] },
      "stat",
      "-c",
      "%A %u",
      "/suid",
    );
    expect(output).toBe("-rwsr-sr-x 0\n");
    // Other users of the host do not even get to it.
    expect(statSync(suite.user.data).mode & 0o077).toBe(0);
  });

  test("names with line breaks and bytes that are not UTF-8 are kept", async () => {
    const members = [{ name: "tmp/a\nb" }, { name: "tmp/\xff\xfe" }, { name: "tmp/\x1b[31m" }];
    const { output } = await attempt(
      { members },
      "sh",
      "-c",
      'cd /tmp && for f in *; do printf %s "$f" | od -An -tx1; done',
    );
    expect(output).toBe(" 1b 5b 33 31 6d\n 61 0a 62\n ff fe\n");
  });

  test("and in messages they do no harm", async () => {
    const { errors } = await attempt({ members: [{ name: "../\x1b[31m\nbunker: all is well" }] }, "true");
    expect(errors).toMatch(/^bunker: .*\n$/);
    expect(errors).not.toContain("\x1b");
  });

  test("10 GB of zeros take neither space nor memory", async () => {
    const words = ["run", "--rm", imageOfZeros(), "stat", "-c", "%s %b", "/zeros"];
    const [said, mostKilobytes] = (await suite.user.execute([...PEAK_MEMORY, suite.user.bunkerPath, ...words])).output
      .trim()
      .split("\n");
    expect(said).toBe("10737418240 0");
    // Half of it is Bun itself; the buffers are the same for all of the file.
    expect(Number(mostKilobytes)).toBeLessThan(150_000);
  }, 120_000);
});

describe("what the mounts of a container meet", () => {
  const script = "mount | grep -c ' /proc \\| /dev \\| /sys '; cat /etc/hostname";
  test.each([
    ["etc/resolv.conf", () => `${outside}/secret`],
    ["etc/hosts", () => `${climbing}/new`],
    ["etc/hostname", () => "hostname"],
    ["proc", () => outside],
    ["proc", () => "/tmp"],
    ["dev", () => climbing],
    ["dev", () => "/"],
    ["sys", () => "sys"],
    ["etc", () => outside],
  ])("%s as a symbolic link stays inside or is refused", async (name, target) => {
    const outcome = await attempt({ members: [{ name, type: "2", linkName: target() }] }, "sh", "-c", script);
    if (outcome.status === 125) expectRefusal(outcome, `/${name}`);
  });

  test("bind mounts of the user's go where the container's links lead inside", async () => {
    const members = [
      { name: "target", type: "2", linkName: climbing },
      { name: outside.slice(1), type: "5" },
    ];
    const place = suite.user.makeDirectory("place");
    writeFileSync(`${place}/shown`, "");
    const { output } = await attempt({ members, options: ["-v", `${place}:/target`] }, "ls", outside);
    expect(output).toBe("shown\n");
  });
});

describe("configurations", () => {
  test.each<[config: object, reason: string | RegExp]>([
    [{ WorkingDir: "/proc/self/fd/9" }, "/proc/self/fd/9"],
    [{ WorkingDir: "/proc/self/cwd" }, "/proc/self/cwd"],
    [{ WorkingDir: "/proc/1/root/tmp" }, "/proc/1/root"],
    [{ WorkingDir: "relative" }, 'use working directory "relative": it needs to be an absolute path'],
    [{ WorkingDir: "/etc/passwd" }, "/etc/passwd: ENOTDIR"],
    [{ WorkingDir: `/${"x/".repeat(3000)}` }, "a path has at most 4095 bytes"],
    [{ WorkingDir: "/a\0b" }, "config.WorkingDir: it contains a NUL character"],
    [{ Cmd: ["a\0b"] }, "config.Cmd.0: it contains a NUL character"],
    [{ Env: ["A=\0"] }, "config.Env.0: it contains a NUL character"],
    [{ Cmd: "string" }, "config.Cmd: Invalid type: Expected Array"],
    [{ Env: { A: "1" } }, "config.Env: Invalid type"],
    [{ User: "99999999999" }, "ids must be in the range 0-2147483647"],
    [{ User: "a:b:c" }, "unable to find user a"],
    [{ User: "-1" }, "unable to find user -1"],
    [{ Env: Array.from({ length: 50_000 }, (_, index) => `V${index}=${"x".repeat(100)}`) }, "more than 4 MiB"],
  ])("%j is refused", async (config, reason) => {
    expectRefusal(await attempt({ more: { config } }, "true"), reason);
  });

  test.each(["/proc/self/fd/7", "/proc/self/exe", "/proc/self/fd/3/bin/sh", "/proc/1/exe"])(
    "%s as the command is not found, wherever it could lead before",
    async (command) => {
      const { status, errors } = await attempt({ more: { config: { Cmd: [command] } } });
      expect(errors).toBe(`bunker: execute ${command}: no such file in the container: ENOENT\n`);
      expect(status).toBe(127);
    },
  );

  test("a container has no descriptor of ours", async () => {
    const { output } = await attempt({}, "sh", "-c", "exec ls /proc/self/fd");
    // The fourth is the directory that is being listed.
    expect(output).toBe("0\n1\n2\n3\n");
  });

  test.each<[what: string, entry: Member]>([
    ["of 50 MB", { name: "etc/passwd", content: Buffer.alloc(50_000_000, "x:x:9:9::/:\n") }],
    ["that is a link out", { name: "etc/passwd", type: "2", linkName: "/proc/self/environ" }],
    ["that is a FIFO", { name: "etc/passwd", type: "6" }],
  ])("an /etc/passwd %s finds nobody", async (_what, entry) => {
    expectRefusal(await attempt({ members: [entry], options: ["-u", "alice"] }, "id"), "unable to find user alice");
  });
});

describe("blobs", () => {
  /** The paths of the layout's blobs, largest first: the layer, then the documents. */
  const blobs = () =>
    readdirSync(`${layout}/blobs/sha256`)
      .map((name) => `${layout}/blobs/sha256/${name}`)
      .sort((a, b) => statSync(b).size - statSync(a).size);

  test.each<[what: string, damage: (path: string) => void, reason: string | RegExp]>([
    ["that is missing", (path) => rmSync(path), /ENOENT|missing/],
    ["cut short", (path) => truncateSync(path, statSync(path).size - 512), /instead of \d+/],
    [
      "with another byte",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
        writeFileSync(path, bytes);
      },
      /digest|JSON/,
    ],
  ])("a blob %s is refused", async (_what, damage, reason) => {
    for (let index = 0; index < 3; index++) {
      rmSync(layout, { recursive: true, force: true });
      const image = writeImageOnBusybox(layout, [{ name: `unique-${index}-${_what}` }]);
      damage(blobs()[index] ?? "");
      expectRefusal(await suite.user.run([image, "true"]), reason);
    }
  });
});
