import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { BundleChanges } from "../../runtime-sandbox.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

const status = (fields: string, process: Parameters<typeof suite.box.run>[1] = {}) =>
  suite.box.shell(`grep -E '^(${fields}):' /proc/self/status`, process).replaceAll("\t", " ");

test("five capability sets", () => {
  const capabilities = {
    bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"],
    permitted: ["CAP_CHOWN", "CAP_KILL"],
    effective: ["CAP_CHOWN"],
    inheritable: ["CAP_KILL"],
    ambient: ["CAP_KILL"],
  } as const;
  // Of what root executes, only an ambient set is kept when the bounding set gives nothing: so by another user.
  const user = { uid: 1000, gid: 1000 };
  expect(status("Cap.*", { process: { user, capabilities } })).toBe(
    [
      "CapInh: 0000000000000020",
      "CapPrm: 0000000000000020",
      "CapEff: 0000000000000020",
      "CapBnd: 0000000000200021",
      "CapAmb: 0000000000000020",
    ].join("\n"),
  );
  expect(status("Cap(Prm|Eff|Bnd)", { process: { capabilities } })).toBe(
    "CapPrm: 0000000000200021\nCapEff: 0000000000200021\nCapBnd: 0000000000200021",
  );
  expect(status("Cap(Prm|Eff|Bnd)")).toBe(
    "CapPrm: 0000000000000000\nCapEff: 0000000000000000\nCapBnd: 0000000000000000",
  );
});

test("a capability that is not known is warned of", () => {
  const bounding = ["CAP_KILL", "CAP_NONSENSE", "toString"];
  const capabilities = { bounding, permitted: bounding, ambient: ["CAP_NONSENSE"] };
  const { status, output, errors } = suite.box.run(["grep", "CapBnd", "/proc/self/status"], {
    process: { capabilities },
  });
  expect({ status, output, errors }).toEqual({
    status: 0,
    output: "CapBnd:\t0000000000000020\n",
    errors: "warning: capabilities that are not known: CAP_NONSENSE, toString\n",
  });
});

test("no-new-privileges, umask, groups", () => {
  const process = { noNewPrivileges: true, user: { uid: 3, gid: 4, umask: 0o027, additionalGids: [5, 6] } };
  expect(
    status("NoNewPrivs|Umask|Groups|Uid|Gid", { process })
      .split("\n")
      .map((line) => line.trimEnd()),
  ).toEqual(["Umask: 0027", "Uid: 3 3 3 3", "Gid: 4 4 4 4", "Groups: 5 6", "NoNewPrivs: 1"]);
});

test("thousands of groups, and of directories to look for the command in", () => {
  const directories = Array.from({ length: 3000 }, (_, index) => `/none/${index}`);
  const additionalGids = Array.from({ length: 60_000 }, (_, index) => index + 1);
  const process = { env: [`PATH=${directories.join(":")}:/bin`], user: { uid: 0, gid: 0, additionalGids } };
  expect(suite.box.shell("id -G | wc -w", { process })).toBe("60001");
});

test("HOME is the user's in the container's own /etc/passwd, unless it is given", async () => {
  const passwd = suite.box.file("passwd", "root:x:0:0::/root:/bin/sh\nsomebody:x:7:7::/home/somebody:/bin/sh\n");
  const mounts = [{ destination: "/etc/passwd", source: passwd, options: ["bind"] }];
  const home = (uid: number, changes: BundleChanges = {}) =>
    suite.box.shell("echo $HOME", { ...changes, process: { ...changes.process, user: { uid, gid: 7 } } });
  expect(home(7, { mounts })).toBe("/home/somebody");
  expect(home(8, { mounts })).toBe("/");
  expect(home(7)).toBe("/");
  expect(home(7, { mounts, process: { env: ["HOME=/given"] } })).toBe("/given");
  expect(home(7, { mounts, process: { env: ["HOME="] } })).toBe("/home/somebody");
  const inside = () => suite.box.runtime("exec", "-u", "7", "test", "sh", "-c", "echo $HOME").output;
  await suite.withRunning(() => expect(inside()).toBe("/home/somebody\n"), { mounts });
});

test("limits, OOM score, scheduling, I/O priority, personality", () => {
  const changes = {
    process: {
      rlimits: [{ type: "RLIMIT_NOFILE" as const, soft: 77, hard: 88 }],
      oomScoreAdj: 500,
      scheduler: { policy: "SCHED_BATCH" as const, nice: 7 },
      ioPriority: { class: "IOPRIO_CLASS_IDLE" as const, priority: 0 },
    },
    linux: { personality: { domain: "LINUX32" as const } },
  };
  const script =
    "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; cut -d' ' -f19,41 /proc/self/stat; ionice; uname -m";
  const machine = process.arch === "x64" ? "i686" : "armv8l";
  expect(suite.box.shell(script, changes).split("\n")).toEqual(["77", "88", "500", "7 3", "idle", machine]);
});

test("kernel parameters of the container's own", () => {
  const sysctl = { "net.ipv4.ip_forward": "1", "net/ipv4/conf/all/forwarding": "1", "kernel.shm_rmid_forced": "1" };
  const files = "/proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced";
  expect(suite.box.shell(`cat ${files}`, { linux: { sysctl } })).toBe("1\n1");
});

test("descriptors: only the preserved ones", () => {
  const bundle = suite.box.bundle(["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; cat <&4"]);
  const words = suite.box.words("run", "--preserve-fds", "2", "--bundle", bundle, "test");
  const given = suite.box.file("given", "from four");
  const shell = ["sh", "-c", 'exec 3</dev/null 4<"$0" 5</dev/null; exec "$@"', given, ...words];
  const { stdout, stderr } = Bun.spawnSync(shell, { env: suite.box.environment });
  // The last one is ls's own.
  expect({ output: stdout.toString(), errors: stderr.toString() }).toEqual({
    output: "0 1 2 3 4 5 from four",
    errors: "",
  });
});

test("descriptors that the runtime was not given are its own, and not preserved", async () => {
  const bundle = suite.box.bundle(["true"]);
  const given = (...words: readonly string[]) => {
    const shell = ["sh", "-c", 'exec 3</dev/null 5</dev/null; exec "$@"', "sh", ...suite.box.words(...words)];
    const { exitCode, stderr } = Bun.spawnSync(shell, { env: suite.box.environment });
    return { status: exitCode, errors: stderr.toString() };
  };
  const refused = (count: number) => ({
    status: 1,
    errors: `bunker: pass on file descriptor 4: this command was not given it\nhint: --preserve-fds ${count} passes on 3 to ${count + 2}, which all have to be open.\n`,
  });
  expect(given("run", "--preserve-fds", "2", "--bundle", bundle, "test")).toEqual(refused(2));
  await suite.withRunning(() => {
    expect(given("exec", "--preserve-fds", "3", "test", "true")).toEqual(refused(3));
    expect(given("exec", "--preserve-fds", "1", "test", "true")).toEqual({ status: 0, errors: "" });
  });
});

test("sockets that the runtime was given come before the preserved descriptors", () => {
  const script = "echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID - $$)); ls /proc/self/fd | tr '\\n' ' '; cat <&4";
  const bundle = suite.box.bundle(["sh", "-c", script], { process: { env: ["LISTEN_FDS=7", "LISTEN_FDNAMES=x"] } });
  const words = suite.box.words("run", "--preserve-fds", "1", "--bundle", bundle, "test");
  const given = suite.box.file("given", "from four");
  const take = 'exec 3</dev/null 4<"$0"; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web; exec "$@"';
  const { stdout, stderr } = Bun.spawnSync(["sh", "-c", take, given, ...words], { env: suite.box.environment });
  expect({ output: stdout.toString(), errors: stderr.toString() }).toEqual({
    output: "1 web 0\n0 1 2 3 4 5 from four",
    errors: "",
  });
});

test("a working directory that is missing is made", () => {
  expect(suite.box.shell("pwd", { process: { cwd: "/made/for/it" } })).toBe("/made/for/it");
  rmSync(join(suite.box.rootfs, "made"), { recursive: true });
});

test.each(["/proc/self/fd/7", "/proc/1/root", "/proc/self/fd/3/../../../.."])(
  "cwd %s does not reach the host",
  (cwd) => {
    const { status: exit, output } = suite.box.run(["sh", "-c", "ls ../../../../work ../../../home /proc/self/cwd/"], {
      process: { cwd },
    });
    expect(exit).not.toBe(0);
    expect(output).toBe("");
  },
);

test("a command behind /proc/self/fd does not reach the host", () => {
  for (const descriptor of [3, 4, 5, 6, 7, 8, 9, 10]) {
    const { status: exit, output } = suite.box.run([`/proc/self/fd/${descriptor}/../../../bin/echo`, "escaped"]);
    expect([exit, output]).toEqual([127, ""]);
  }
});
