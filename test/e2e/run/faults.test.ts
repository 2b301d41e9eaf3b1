/*
 * What the host refuses: each time one clear message, and nothing is left.
 *
 * The host itself is never changed. What it lacks is taken away in a mount namespace of root's, or in a user namespace
 * around Bunker, from a shell that becomes the user in the end.
 */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { debianImages, writeImageOnBusybox } from "../../fixtures/images.ts";
import { eventually, finish, type Outcome } from "../../unprivileged-user.ts";
import { withoutUserNamespaces } from "../without-user-namespaces.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** Runs a container after root has changed what the user sees of the host. */
async function runOnChangedHost(
  change: string,
  words: readonly string[] = [suite.image, "id", "-u"],
): Promise<Outcome> {
  const script = `set -e; ${change}; exec "$@"`;
  const command = suite.user.as([suite.user.bunkerPath, "run", "--rm", ...words]);
  return finish(suite.user.startAsRoot(["unshare", "-m", "sh", "-c", script, "sh", ...command]));
}

function cover(path: string, content: string): string {
  return `printf '${content}' >${suite.user.directory}/cover && mount --bind ${suite.user.directory}/cover ${path}`;
}

function expectRefusal({ status, output, errors }: Outcome, message: RegExp): void {
  expect(errors).toMatch(message);
  expect(errors).toMatch(/^bunker: .*\n(hint: .*\n)?$/);
  expect(errors).not.toContain("internal_error");
  expect({ status, output }).toEqual({ status: 125, output: "" });
}

const MALFORMED = /^bunker: read \/etc\/subuid: line 1 is malformed: .*\nhint: A line reads USER:FIRST-ID:COUNT, .*\n$/;
/** How many user and how many group ids there are. */
const COUNT_IDS = "for map in uid_map gid_map; do awk '{ ids += $3 } END { print ids }' /proc/self/$map; done";

describe("id maps", () => {
  test("without newuidmap", async () => {
    const change = "for f in newuidmap newgidmap; do mount --bind /dev/null /usr/bin/$f; done";
    const { status, output, errors } = await runOnChangedHost(change);
    expect(errors).toMatch(/^warning: containers have one user id only: .*newuidmap.*\n$/);
    expect({ status, output }).toEqual({ status: 0, output: "0\n" });
    const refused = await runOnChangedHost(change, ["-u", "alice", suite.image, "true"]);
    expect(refused.errors).toMatch(/\nbunker: use user id 1000: .* has 1 id.*\nhint: newuidmap is missing; .*\n$/);
    expect(refused.status).toBe(125);
  });

  test("with a newuidmap that is not set-user-ID", async () => {
    const change = `cp /usr/bin/newuidmap ${suite.user.directory}/plain && chmod 755 ${suite.user.directory}/plain && mount --bind ${suite.user.directory}/plain /usr/bin/newuidmap`;
    const { status, errors } = await runOnChangedHost(change);
    expect(errors).toMatch(/^warning: .*newuidmap is neither set-user-id root nor has it CAP_SETUID.*\n$/);
    expect(status).toBe(0);
  });

  test("without ranges there is one id", async () => {
    expect(await runOnChangedHost(`${cover("/etc/subuid", "")}; mount --bind /etc/subuid /etc/subgid`)).toEqual({
      status: 0,
      output: "0\n",
      errors: "",
    });
  });

  test.each([
    [
      "that overlap",
      "bunker-test:100000:65536\\nbunker-test:120000:65536\\n",
      /^bunker: read \/etc\/subuid: lines 1 and 2 overlap\nhint: Ranges of one user must not share ids\.\n$/,
    ],
    [
      "that hold the user's own id",
      "bunker-test:0:65536\\n",
      /^bunker: use \/etc\/subuid: line 1 contains the caller's own id \d+\nhint: Choose a range of ids that nobody has\.\n$/,
    ],
    ["that are no numbers", "bunker-test:many:65536\\n", MALFORMED],
    ["beyond all ids", "bunker-test:4294967000:65536\\n", MALFORMED],
  ])("with ranges %s", async (_what, content, message) => {
    expectRefusal(await runOnChangedHost(cover("/etc/subuid", content)), message);
  });

  test("with ranges for users only there is one id", async () => {
    expect(await runOnChangedHost(cover("/etc/subgid", ""), [suite.image, "sh", "-c", COUNT_IDS])).toEqual({
      status: 0,
      output: "1\n1\n",
      errors: "",
    });
  });
});

describe("namespaces", () => {
  test("none permitted", async () => {
    const outcome = await withoutUserNamespaces(suite.user, ["run", "--rm", suite.image, "true"]);
    expectRefusal(
      outcome,
      /^bunker: .*user namespace.*: ENOSPC\nhint: an administrator has to permit user namespaces: sysctl -w user\.max_user_namespaces=15000\n$/,
    );
  });

  test("in a chroot, where the kernel permits none", async () => {
    const root = `${suite.user.directory}/root`;
    const script = `mkdir -p ${root} && mount --bind / ${root} && for d in proc dev tmp var/cache; do mount --rbind /$d ${root}/$d; done`;
    const words = suite.user.as([suite.user.bunkerPath, "run", "--rm", suite.image, "true"]);
    const child = suite.user.startAsRoot([
      "unshare",
      "-m",
      "sh",
      "-c",
      `${script} && exec chroot ${root} "$@"`,
      "sh",
      ...words,
    ]);
    expectRefusal(await finish(child), /^bunker: .*: EPERM\nhint: .*chroot/);
  });
});

describe("the root file system", () => {
  test("that cannot be read", async () => {
    const root = suite.user.makeDirectory("unreadable");
    mkdirSync(`${root}/root`);
    // Of another user: to the root of their own namespace nothing of a user's is locked.
    chownSync(root, 0, 0);
    chmodSync(root, 0o700);
    for (const name of [`${root}/root`, `${root}/root:O`, root, `${root}:O`]) {
      expectRefusal(await suite.user.run(["--rootfs", name, "true"]), /^bunker: .*: EACCES\n/);
    }
  });

  test("that is a file, or empty", async () => {
    expectRefusal(await suite.user.run(["--rootfs", "/etc/passwd", "true"]), /\/etc\/passwd.*: ENOTDIR/);
    const empty = suite.user.makeDirectory("empty");
    const { status, errors } = await suite.user.run(["--rootfs", `${empty}:O`, "true"]);
    expect(errors).toMatch(/^bunker: execute true: executable file not found in \$PATH: ENOENT\n/);
    expect(status).toBe(127);
  });

  test("an image that cannot be read", async () => {
    const layout = `${suite.user.directory}/locked`;
    const image = writeImageOnBusybox(layout, []);
    chmodSync(layout, 0o700);
    expectRefusal(await suite.user.run([image, "true"]), /^bunker: .*locked.*: EACCES\n/);
  });

  test("on a noexec mount", async () => {
    const root = suite.user.makeDirectory("noexec");
    const change = [
      `mount -t tmpfs -o noexec,mode=755,uid=${suite.user.uid} tmpfs ${root}`,
      `mkdir -p ${root}/bin ${root}/proc ${root}/sys ${root}/dev ${root}/etc`,
      `cp /bin/busybox ${root}/bin/sh && chown -R ${suite.user.name}: ${root}`,
    ].join(" && ");
    const outcome = await runOnChangedHost(change, ["--rootfs", root, "/bin/sh", "-c", "true"]);
    expect(outcome.errors).toMatch(/^bunker: execute \/bin\/sh: EACCES\nhint: .*noexec.*\n$/);
    expect(outcome.status).toBe(126);
  });
});

describe("the data directory", () => {
  test("that is not writable", async () => {
    const place = suite.user.makeDirectory("not-writable");
    chmodSync(place, 0o555);
    expectRefusal(
      await suite.user.run([suite.image, "true"], { environment: { XDG_DATA_HOME: place } }),
      /^bunker: .*not-writable\/bunker.*: EACCES\nhint: /,
    );
  });

  test("that is read-only", async () => {
    expectRefusal(
      await runOnChangedHost(`mount --bind ${suite.user.home} ${suite.user.environment["XDG_DATA_HOME"]} -o ro`),
      /^bunker: .*: EROFS\nhint: /,
    );
  });

  test("that is full while an image is unpacked", async () => {
    const { XDG_DATA_HOME } = suite.user.environment;
    const image = debianImages().gzip;
    const check = `test -z "$(ls -A ${XDG_DATA_HOME}/bunker/tmp ${XDG_DATA_HOME}/bunker/layers ${XDG_DATA_HOME}/bunker/containers 2>/dev/null | grep -v ':$' | grep -v '^$')"`;
    const script = `mount -t tmpfs -o size=20m,mode=777 tmpfs ${XDG_DATA_HOME}; "$@"; echo status $?; ${check} && echo nothing left`;
    const words = suite.user.as([suite.user.bunkerPath, "run", "--rm", image, "true"]);
    const outcome = await finish(suite.user.startAsRoot(["unshare", "-m", "sh", "-c", script, "sh", ...words]));
    expect(outcome.errors).toMatch(/^bunker: .*: ENOSPC\n(hint: .*\n)?$/);
    expect(outcome.output).toBe("status 125\nnothing left\n");
  });

  test("that is full while a container writes is the container's error", async () => {
    const { XDG_DATA_HOME } = suite.user.environment;
    const outcome = await runOnChangedHost(`mount -t tmpfs -o size=20m,mode=777 tmpfs ${XDG_DATA_HOME}`, [
      suite.image,
      "sh",
      "-c",
      "dd if=/dev/zero of=/big bs=1M count=100 2>&1 | head -n 1; rm /big; echo goes on",
    ]);
    expect(outcome).toMatchObject({
      status: 0,
      output: "dd: error writing '/big': No space left on device\ngoes on\n",
    });
  });
});

describe("death while an image is unpacked", () => {
  test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
    "by %s: no process goes on, and the next run is good",
    async (signal) => {
      // In memory: ext4 with the option `discard` tells the disk of each file that is removed, and waits for it. A busy disk
      // took a minute for the nine thousand files of each of these.
      const data = mkdtempSync("/dev/shm/bunker-e2e-");
      suite.user.own(data);
      try {
        await interruptUnpacking(data, signal);
      } finally {
        rmSync(data, { recursive: true });
      }
    },
  );
});

async function interruptUnpacking(data: string, signal: NodeJS.Signals): Promise<void> {
  const environment = { XDG_DATA_HOME: data };
  const words = [suite.user.bunkerPath, "run", "--rm", debianImages().gzip, "cat", "/etc/os-release"];
  const child = suite.user.start(words, { environment });
  // Some of it is there, and not all.
  await eventually(
    () => hasEntries(`${data}/bunker/tmp`),
    () => "the image to be unpacked",
  );
  child.kill(signal);
  await finish(child);
  await eventually(
    () => suite.user.processes().length === 0,
    () => "the unpacking process to end",
  );
  expect(readdirSync(`${data}/bunker/layers`)).toEqual([]);
  const { status, output, errors } = await finish(suite.user.start(words, { environment }));
  expect(output).toContain("bookworm");
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  for (const place of ["tmp", "containers"]) expect(readdirSync(`${data}/bunker/${place}`)).toEqual([]);
}

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch {
    return false;
  }
}
