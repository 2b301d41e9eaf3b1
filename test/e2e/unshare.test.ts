/* `bunker unshare`: commands of the host's as root of the user's namespace. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { busyboxLayout } from "../fixtures/images.ts";
import { output, UnprivilegedUser } from "../unprivileged-user.ts";

setDefaultTimeout(60_000);
let user: UnprivilegedUser;
let bare: UnprivilegedUser;
let image: string;
beforeAll(() => {
  user = new UnprivilegedUser("bunker-test");
  bare = new UnprivilegedUser("bunker-bare");
  image = `oci:${busyboxLayout()}:latest`;
}, 300_000);
afterEach(async () => {
  await user.expectNothingLeft();
  await bare.expectNothingLeft();
});
afterAll(() => {
  user[Symbol.dispose]();
  bare[Symbol.dispose]();
});

/** What a shell script says in the namespace; it has to end well. */
async function inside(script: string, who = user, ...more: readonly string[]): Promise<string> {
  const { status, output, errors } = await who.bunker(["unshare", "sh", "-ec", script, "sh", ...more]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

test("the caller is root, and has their subordinate ids", async () => {
  const map = (await inside("cat /proc/self/uid_map /proc/self/gid_map")).trim().split(/\s+/).map(Number);
  expect(map.slice(0, 5)).toEqual([0, user.uid, 1, 1, expect.any(Number)]);
  expect(await inside("id -u; id -g; touch own given; chown 1000:33 given; stat -c %u:%g own given")).toBe(
    "0\n0\n0:0\n1000:33\n",
  );
  const subordinate = Number(/^bunker-test:(\d+)/m.exec(readFileSync("/etc/subuid", "utf8"))?.[1]);
  expect(output(["stat", "-c", "%u", `${user.home}/own`, `${user.home}/given`])).toBe(
    `${user.uid}\n${subordinate + 999}\n`,
  );
  await inside("rm given own");
});

test("without subordinate ids the caller is root alone", async () => {
  expect((await inside("cat /proc/self/uid_map", bare)).trim().split(/\s+/)).toEqual(["0", `${bare.uid}`, "1"]);
});

test("mounts are the command's own, everything else is the host's", async () => {
  const script =
    "mount -t tmpfs tmpfs /mnt; touch /mnt/x; ls /mnt; pwd; for n in ipc net pid uts; do readlink /proc/self/ns/$n; done";
  const shared = ["ipc", "net", "pid", "uts"].map((name) => readlinkSync(`/proc/self/ns/${name}`));
  expect((await inside(script)).trim().split("\n")).toEqual(["x", user.home, ...shared]);
  expect(existsSync("/mnt/x")).toBe(false);
});

test("arguments and input arrive, and options behind the command are the command's", async () => {
  expect(await inside('printf "%s|" "$@"', user, "a b", "", "--help", "-x")).toBe("a b||--help|-x|");
  const { output } = await user.bunker(["unshare", "cat"], { input: "typed" });
  expect(output).toBe("typed");
});

test("the environment says where it is, as Podman's does", async () => {
  const names = ["_CONTAINERS_USERNS_CONFIGURED", "_CONTAINERS_ROOTLESS_UID", "_CONTAINERS_ROOTLESS_GID"];
  const shown = await inside(
    [...names, "CONTAINERS_GRAPHROOT", "CONTAINERS_RUNROOT", "HOME"].map((name) => `echo $${name}`).join(";"),
  );
  const runtime = user.environment["XDG_RUNTIME_DIR"];
  expect(shown.trim().split("\n")).toEqual([
    "done",
    `${user.uid}`,
    `${user.gid}`,
    user.data,
    `${runtime}/bunker`,
    user.home,
  ]);
});

test("without a command it is the caller's shell", async () => {
  const run = (environment: Record<string, string>) =>
    user.bunker(["unshare"], { input: "echo $0; id -u", environment });
  expect((await run({ SHELL: "/bin/bash" })).output).toBe("/bin/bash\n0\n");
  expect((await run({ SHELL: "" })).output).toBe("/bin/sh\n0\n");
});

describe("its status", () => {
  test.each<[words: string[], status: number, errors: string]>([
    [["sh", "-c", "exit 9"], 9, ""],
    [["sh", "-c", "kill -KILL $$"], 137, ""],
    [["no-such-command"], 127, "bunker: execute no-such-command: executable file not found in $PATH\n"],
    [[""], 127, 'bunker: execute "": executable file not found in $PATH\n'],
    [["/etc/passwd"], 126, "bunker: execute /etc/passwd: EACCES\n"],
    [["/no/such"], 127, "bunker: execute /no/such: ENOENT\n"],
  ])("%j: %d", async (words, status, errors) => {
    expect(await user.bunker(["unshare", ...words])).toEqual({ status, output: "", errors });
  });

  test("root has no use for it", async () => {
    const child = Bun.spawnSync([user.bunkerPath, "unshare", "true"]);
    expect([child.exitCode, child.stderr.toString()]).toEqual([
      125,
      "bunker: enter a user namespace: this is for ordinary users, and you are root here\n",
    ]);
  });
});

describe("signals", () => {
  test("that are sent to bunker reach the command", async () => {
    const session = user.talk([
      user.bunkerPath,
      "unshare",
      "sh",
      "-c",
      'trap "echo told; exit 3" TERM; echo ready; read x',
    ]);
    await session.expect("ready");
    session.process.kill("SIGTERM");
    await session.expect("told");
    expect(await session.finish()).toMatchObject({ status: 3, output: "ready\ntold\n" });
  });

  test("of the terminal are the command's affair", async () => {
    const session = user.startInTerminal([
      user.bunkerPath,
      "unshare",
      "sh",
      "-c",
      'trap "echo caught" INT; echo ready; read x; read x; echo $x',
    ]);
    await session.expect("ready");
    session.type("\x03");
    await session.expect("caught");
    session.type("first\nlast\n");
    await session.expect("\r\nlast\r\n");
    expect(await session.process.exited).toBe(0);
  });

  test("a bunker that is killed takes the command along", async () => {
    const session = user.talk([user.bunkerPath, "unshare", "sh", "-c", "echo ready; exec sleep 1000"]);
    await session.expect("ready");
    session.process.kill("SIGKILL");
    await session.finish();
  });
});

test("bunker itself works there with the caller's store", async () => {
  for (const who of [user, bare]) {
    const bunker = who.bunkerPath;
    expect(await inside(`${bunker} run --name inside ${image} echo hello; ${bunker} ps -aq | wc -l`, who)).toBe(
      "hello\n1\n",
    );
    expect((await who.bunker(["rm", "inside"])).output).toBe("inside\n");
  }
});

test("files of other ids are removed there", async () => {
  const place = `${user.home}/place`;
  await inside("mkdir -p place/below; chmod 700 place/below; touch place/below/x; chown -R 1000:1000 place");
  const { status } = await user.execute(["rm", "-rf", place]);
  expect([status, existsSync(place)]).toEqual([1, true]);
  await inside("rm -rf place");
  expect(existsSync(place)).toBe(false);
});
