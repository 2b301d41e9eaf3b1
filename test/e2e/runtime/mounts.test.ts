import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

const mountLine = (lines: string, place: string) =>
  lines.split("\n").find((line) => line.split(" ")[4] === place) ?? `no mount on ${place}`;

test("options of each family", () => {
  const source = join(suite.box.path, "source");
  mkdirSync(join(source, "sub"), { recursive: true });
  const file = suite.box.file("bound", "content of the file");
  const mounts = [
    { destination: "/m/ro", type: "tmpfs", source: "tmpfs", options: ["ro", "size=4096", "mode=700"] },
    { destination: "/m/strict", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", "noatime"] },
    { destination: "/m/last-wins", type: "tmpfs", source: "tmpfs", options: ["ro", "rw", "nodiratime"] },
    { destination: "/m/bind", type: "bind", source, options: ["bind", "ro", "nosuid"] },
    { destination: "/m/file", type: "bind", source: file, options: ["bind"] },
    { destination: "/m/rro", type: "bind", source, options: ["rbind", "rro", "rnosuid"] },
    { destination: "/m/private", type: "bind", source, options: ["rbind", "rprivate"] },
    { destination: "/m/shared", type: "bind", source, options: ["rbind", "rshared"] },
    { destination: "/m/slave", type: "bind", source, options: ["rbind", "rslave"] },
    { destination: "/m/unbindable", type: "bind", source, options: ["bind", "unbindable"] },
  ];
  const lines = suite.box.shell("cat /proc/self/mountinfo", { mounts });
  expect(mountLine(lines, "/m/ro")).toMatch(/ ro,.* - tmpfs tmpfs .*size=4k.*mode=700/);
  expect(mountLine(lines, "/m/strict")).toContain(" rw,nosuid,nodev,noexec,noatime ");
  expect(mountLine(lines, "/m/last-wins")).toMatch(/ rw,[^ ]*nodiratime/);
  expect(mountLine(lines, "/m/bind")).toMatch(/ ro,nosuid/);
  expect(mountLine(lines, "/m/rro")).toMatch(/ ro,nosuid/);
  expect(mountLine(lines, "/m/private")).not.toMatch(/shared:|master:|unbindable/);
  expect(mountLine(lines, "/m/shared")).toMatch(/ shared:\d+ /);
  expect(mountLine(lines, "/m/unbindable")).toContain(" unbindable ");
  expect(suite.box.shell("cat /m/file", { mounts })).toBe("content of the file");
});

test("rro reaches mounts below, ro does not", () => {
  const base = [
    { destination: "/m/outer", type: "tmpfs", source: "tmpfs" },
    { destination: "/m/outer/inner", type: "tmpfs", source: "tmpfs" },
  ];
  const inner = (option: string) =>
    suite.box.run(["touch", "/m/outer/inner/x"], {
      mounts: [...base, { destination: "/m/outer", options: ["remount", "bind", option] }],
    }).status;
  expect(inner("ro")).toBe(0);
  expect(inner("rro")).toBe(1);
});

test("a remount changes the file system as well as the mount", () => {
  const mounts = [
    { destination: "/m/grown", type: "tmpfs", source: "tmpfs", options: ["size=4096"] },
    { destination: "/m/grown", options: ["remount", "size=8192", "noexec"] },
  ];
  const lines = suite.box.shell("cat /proc/self/mountinfo", { mounts });
  expect(mountLine(lines, "/m/grown")).toMatch(/ rw,noexec.* - tmpfs tmpfs .*size=8k/);
});

test("tmpcopyup starts a tmpfs with what it hides", () => {
  const hidden = join(suite.box.rootfs, "data/hidden");
  mkdirSync(join(hidden, "deep"), { recursive: true });
  writeFileSync(join(hidden, "deep/file"), "x".repeat(100_000));
  const commands = [
    `chmod 4710 ${hidden}/deep/file`,
    `ln -s /etc/passwd ${hidden}/link`,
    `mkfifo -m 600 ${hidden}/fifo`,
    `chmod 1770 ${hidden}`,
    `chown -hR ${suite.box.user.uid}:${suite.box.user.gid} ${hidden}`,
    `setfattr -n user.note -v kept ${hidden}/deep/file`,
    `touch -d @1000000000 ${hidden}/deep/file ${hidden}/deep`,
    `chown -hR ${(suite.box.user.subordinate ?? 0) + 4}:${suite.box.user.gid} ${hidden}/deep`,
    // Changing the owner has cleared the set-user-id bit.
    `chmod 4710 ${hidden}/deep/file`,
  ];
  expect(Bun.spawnSync(["sh", "-ec", commands.join("\n")]).stderr.toString()).toBe("");
  const options = ["tmpcopyup", "ro"];
  const mounts = [{ destination: "/data/hidden", type: "tmpfs", source: "tmpfs", options }];
  const script = "cd /data/hidden; stat -c '%n %A %u:%g %s %Y' . link deep deep/file fifo; readlink link; touch new";
  const { output, errors } = suite.box.run(["sh", "-c", script], { mounts });
  const lines = output.split("\n");
  expect(lines[0]).toStartWith(". drwxrwx--T 0:0 ");
  expect(lines[1]).toStartWith("link lrwxrwxrwx 0:0 11 ");
  expect(lines[2]).toMatch(/^deep drwxr-xr-x 5:0 \d+ 1000000000$/);
  expect(lines[3]).toBe("deep/file -rws--x--- 5:0 100000 1000000000");
  expect(lines[4]).toStartWith("fifo prw------- 0:0 0 ");
  expect(lines[5]).toBe("/etc/passwd");
  expect(errors).toContain("Read-only file system");
  rmSync(hidden, { recursive: true });
});

test("tmpcopyup is for tmpfs", () => {
  const mounts = [{ destination: "/data", type: "proc", source: "proc", options: ["tmpcopyup"] }];
  expect(suite.box.run(["true"], { mounts }).errors).toBe(
    "bunker: mount proc on /data: option tmpcopyup is for tmpfs only\n",
  );
});

test("masked and read-only paths", () => {
  const linux = { maskedPaths: ["/etc/secret", "/data", "/none"], readonlyPaths: ["/etc", "/none"] };
  writeFileSync(join(suite.box.rootfs, "etc/secret"), "secret");
  writeFileSync(join(suite.box.rootfs, "data/secret"), "secret");
  const script = "cat /etc/secret; ls /data; touch /etc/x || echo read-only; touch /data/x || echo masked";
  const { output } = suite.box.run(["sh", "-c", script], { linux });
  expect(output).toBe("read-only\nmasked\n");
  rmSync(join(suite.box.rootfs, "data/secret"));
});

test("a read-only root", () => {
  expect(suite.box.run(["touch", "/x"], { rest: { root: { path: suite.box.rootfs, readonly: true } } }).status).toBe(1);
});

test("the default devices and links, and one more", () => {
  const devices = [{ type: "c" as const, path: "/dev/my/zero", major: 1, minor: 5 }];
  const script = "head -c 3 /dev/my/zero | wc -c; echo x >/dev/null; readlink /dev/fd; readlink /dev/ptmx; ls /dev";
  const lines = suite.box.shell(script, { linux: { devices } }).split("\n");
  expect(lines.slice(0, 3)).toEqual(["3", "/proc/self/fd", "pts/ptmx"]);
  expect(lines.slice(3)).toEqual([
    "fd",
    "full",
    "my",
    "null",
    "ptmx",
    "pts",
    "random",
    "stderr",
    "stdin",
    "stdout",
    "tty",
    "urandom",
    "zero",
  ]);
});

test("a mount on a link to what is missing is made inside the root", () => {
  const { box } = suite;
  const links = {
    "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf",
    "etc/climbing": "../../../../../../../../climbed/file",
  };
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(box.rootfs, path));
  const source = box.file("bound", "bound\n");
  const mounts = Object.keys(links).map((path) => ({ destination: `/${path}`, source, options: ["bind", "ro"] }));
  try {
    expect(box.shell("cat /etc/resolv.conf /climbed/file; stat -c %a /run/systemd/resolve", { mounts })).toBe(
      "bound\nbound\n755",
    );
    expect(existsSync("/climbed")).toBe(false);
  } finally {
    for (const path of [...Object.keys(links), "run", "climbed"]) rmSync(join(box.rootfs, path), { recursive: true });
  }
});

test("a mount on a link that goes in a circle", () => {
  const link = join(suite.box.rootfs, "data/circle");
  symlinkSync("circle", link);
  try {
    const mounts = [{ destination: "/data/circle", type: "tmpfs", source: "tmpfs" }];
    const { status, errors } = suite.box.run(["true"], { mounts });
    expect({ status, errors }).toEqual({
      status: 1,
      errors: "bunker: open in the root file system /data/circle: ELOOP\n",
    });
  } finally {
    rmSync(link);
  }
});
