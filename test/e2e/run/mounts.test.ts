/* `-v`, `--mount`, `--tmpfs`, `--device`: what they show, what they refuse, and what they leave alone on the host. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { output } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();
const { check, inside } = suite;

let source: string;
beforeAll(() => {
  source = suite.user.makeDirectory("source");
  writeFileSync(`${source}/file`, "of the host\n");
  suite.user.own(`${source}/file`);
  symlinkSync("/etc", `${source}/link`);
});

async function refusal(...options: string[]): Promise<string> {
  const { status, errors } = await suite.user.run([...options, suite.image, "true"]);
  expect(status).toBe(125);
  return errors;
}

describe("bind mounts", () => {
  test("are the host's files, both ways, under the caller's name", async () => {
    const script = "cat /data/file; echo of the container >/data/new; stat -c %u:%g /data /data/file /data/new";
    expect(await inside(["-v", `${source}:/data`], script)).toBe("of the host\n0:0\n0:0\n0:0\n");
    expect(readFileSync(`${source}/new`, "utf8")).toBe("of the container\n");
    expect(statSync(`${source}/new`).uid).toBe(suite.user.uid);
  });

  test("of another user in the container belong to a subordinate id", async () => {
    const place = suite.user.makeDirectory("shared");
    output(["chmod", "777", place]);
    await inside(["-u", "alice", "-v", `${place}:/data`], "touch /data/of-alice");
    expect(statSync(`${place}/of-alice`).uid).toBeGreaterThanOrEqual(100_000);
  });

  test.each([
    ["-v", "ro"],
    ["--mount", ",readonly"],
    ["--mount", ",ro=true,bind-recursive=readonly"],
  ])("%s … %s cannot be written", async (option, mode) => {
    const value = option === "-v" ? `${source}:/data:${mode}` : `type=bind,src=${source},dst=/data${mode}`;
    expect(await inside([option, value], "cat /data/file; touch /data/denied 2>&1 || true")).toBe(
      "of the host\ntouch: /data/denied: Read-only file system\n",
    );
    expect(existsSync(`${source}/denied`)).toBe(false);
  });

  test("that are shared share nothing with the host, which is said once", async () => {
    const options = ["-v", `${source}:/a:rshared`, "--mount", `type=bind,src=${source},dst=/b,bind-propagation=shared`];
    expect(await suite.user.run([...options, "-v", `${source}:/c:rslave`, suite.image, "echo", "runs"])).toEqual({
      status: 0,
      output: "runs\n",
      errors:
        "warning: mounts that the container makes below /a do not appear on the host: only root's containers can share theirs\n",
    });
  });

  test("on something of another kind are refused", async () => {
    expect(await refusal("-v", `${source}:/etc/passwd`)).toBe(
      `bunker: bind mount ${source} on /etc/passwd: EINVAL\n` +
        "hint: a file is mounted on files only, and a directory on directories\n",
    );
  });

  test("of one file", async () => {
    const script = "cat /etc/file; stat -c %F /etc/file";
    expect(await inside(["-v", `${source}/file:/etc/file:ro`], script)).toBe("of the host\nregular file\n");
  });

  test("on a path whose directories are missing, and within each other", async () => {
    const inner = suite.user.makeDirectory("inner");
    writeFileSync(`${inner}/deep`, "deep\n");
    const script = "ls /a/b/c; cat /a/b/c/inner/deep";
    // The mount point of the inner one is made in the outer one.
    expect(await inside(["-v", `${inner}:/a/b/c/inner`, "--tmpfs", "/a/b/c"], script)).toBe("inner\ndeep\n");
  });

  test("-v makes a missing source, --mount refuses it", async () => {
    const missing = `${source}/made/by/v`;
    expect(await refusal("--mount", `type=bind,src=${missing},dst=/data`)).toMatch(
      new RegExp(`^bunker: .*${missing}.*: ENOENT\n`),
    );
    expect(existsSync(missing)).toBe(false);
    expect(await inside(["-v", `${missing}:/data`], "stat -c '%F %u' /data")).toBe("directory 0\n");
    expect(statSync(missing).uid).toBe(suite.user.uid);
  });

  test("relative to where Bunker is started", async () => {
    mkdirSync(`${source}/relative`);
    const words = ["run", "--rm", "-v", "./relative:/data", suite.image, "stat", "-c", "%F", "/data"];
    expect((await suite.user.bunker(words, { directory: source })).output).toBe("directory\n");
  });

  test("carry the options of mount(8)", async () => {
    const script = "grep ' /data ' /proc/self/mounts";
    expect(await inside(["-v", `${source}:/data:ro,nosuid,nodev,noexec`], script)).toMatch(
      / \/data \S+ ro,nosuid,nodev,noexec,/,
    );
  });

  test("are not seen outside, nor after the container", async () => {
    await inside(
      ["-v", `${source}:/data`, "--cap-add", "SYS_ADMIN"],
      "mount -t tmpfs tmpfs /data && touch /data/hidden",
    );
    expect(existsSync(`${source}/hidden`)).toBe(false);
  });

  test("of what has the container itself below it are without the container", async () => {
    const places = Array.from({ length: 24 }, (_, index) => `/above-${index}`);
    const options = places.flatMap((place) => ["-v", `${suite.user.directory}:${place}`]);
    const script = "grep -c ' /above-' /proc/self/mountinfo; ls /above-23/data/bunker/containers/*/root | wc -l";
    expect(await inside(options, script)).toBe("24\n0\n");
  });

  test("of what lies below the source is read-only as well with ro, and cannot be left out", async () => {
    // A mount namespace of root's gives the source another mount below it.
    const script = (options: string) =>
      [
        `mkdir -p ${source}/below && mount -t tmpfs -o mode=777 tmpfs ${source}/below && touch ${source}/below/there`,
        `exec ${suite.user.as([suite.user.bunkerPath]).join(" ")} run --rm ${options} ${suite.image}`,
      ].join(" && ");
    const run = async (options: string, command: string) => {
      const words = ["unshare", "-m", "sh", "-c", `${script(options)} sh -c '${command}'`];
      const child = suite.user.startAsRoot(words);
      return `${await new Response(child.stdout).text()}${await new Response(child.stderr).text()}`;
    };
    const touch = "ls /data/below; touch /data/below/x 2>&1";
    expect(await run(`-v ${source}:/data`, touch)).toBe("there\n");
    expect(await run(`-v ${source}:/data:ro`, touch)).toBe("there\ntouch: /data/below/x: Read-only file system\n");
    expect(await run(`--mount type=bind,src=${source},dst=/data,ro`, touch)).toBe(
      "there\ntouch: /data/below/x: Read-only file system\n",
    );
    expect(await run(`--mount type=bind,src=${source},dst=/data,ro,bind-recursive=writable`, touch)).toBe("there\n");
    expect(await run(`--mount type=bind,src=${source},dst=/data,bind-nonrecursive`, "true")).toBe(
      `bunker: bind mount ${source} on /data: EINVAL\n` +
        "hint: a directory with mounts below it can only be bound recursively (rbind) in a user namespace\n",
    );
  });

  test.each([
    ["-v", "~name:/data", "is no name for a volume"],
    ["-v", "/etc:data", "the path in the container must be absolute"],
    ["-v", "/etc:/", "the destination cannot be /"],
    ["-v", "/etc:/data:rw,ro", "rw and ro exclude each other"],
    ["--mount", "type=bind,src=/etc", "destination is missing"],
    ["--mount", "type=bind,src=/etc,dst=/x,sise=3", 'unknown key "sise"'],
  ])("%s %s is refused", async (option, value, reason) => {
    expect(await refusal(option, value)).toStartWith(`bunker: invalid value "${value}" for --`);
    expect(await refusal(option, value)).toContain(reason);
  });
});

describe("tmpfs", () => {
  const row = "grep ' /scratch ' /proc/self/mounts | cut -d' ' -f3,4";
  check([
    [["--tmpfs", "/scratch"], row, /^tmpfs rw,nosuid,nodev,noexec,relatime/],
    [
      ["--tmpfs", "/scratch:size=1m,mode=700,exec"],
      `${row}; stat -c %a /scratch`,
      /^tmpfs rw,nosuid,nodev,.*size=1024k.*\n700\n$/,
    ],
    [["--tmpfs", "/scratch"], "stat -c %a /scratch; touch /scratch/x && ls /scratch", "1777\nx\n"],
    [
      ["--mount", "type=tmpfs,dst=/scratch,tmpfs-size=2m,tmpfs-mode=750"],
      `${row}; stat -c %a /scratch`,
      /size=2048k.*\n750\n$/,
    ],
    [
      ["--mount", "type=tmpfs,dst=/scratch,readonly"],
      "touch /scratch/x 2>&1 || true",
      "touch: /scratch/x: Read-only file system\n",
    ],
    [
      ["--tmpfs", "/scratch:size=64k"],
      "dd if=/dev/zero of=/scratch/x bs=1k count=100 2>&1 | head -n 1",
      "dd: error writing '/scratch/x': No space left on device\n",
    ],
  ]);
});

describe("devices", () => {
  check([
    [["--device", "/dev/fuse"], "stat -c '%F %t:%T' /dev/fuse", "character special file a:e5\n"],
    [
      ["--device", "/dev/fuse:/dev/other"],
      "stat -c %t:%T /dev/other; ls /dev/fuse 2>&1 || true",
      "a:e5\nls: /dev/fuse: No such file or directory\n",
    ],
    [["--device", "/dev/null:/dev/mine:rwm", "-u", "alice"], "echo x >/dev/mine && echo written", "written\n"],
    [[], "ls /dev | tr '\\n' ' '", "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero "],
    [
      [],
      "head -c 3 /dev/zero | od -An -tx1; echo x >/dev/full 2>&1 || true; head -c 16 /dev/urandom | wc -c",
      " 00 00 00\n16\n",
    ],
  ]);

  test("that do not exist, or with permissions that cannot be kept, are refused", async () => {
    expect(await refusal("--device", "/dev/nothing-here")).toMatch(/^bunker: .*\/dev\/nothing-here.*: ENOENT\n/);
    expect(await refusal("--device", "/dev/fuse:r")).toContain(
      'permissions "r" can be enforced for root\'s containers only\nhint: ',
    );
  });
});

describe("a directory as root file system", () => {
  let root: string;
  beforeAll(() => {
    root = suite.user.makeDirectory("root");
    for (const name of ["bin", "etc", "home", "proc", "sys", "dev", "tmp"]) mkdirSync(`${root}/${name}`);
    output(["cp", "/bin/busybox", `${root}/bin/busybox`]);
    symlinkSync("busybox", `${root}/bin/sh`);
    writeFileSync(`${root}/etc/passwd`, "root:x:0:0::/root:/bin/sh\ncarol:x:7:7::/home:/bin/sh\n");
    output(["chown", "-R", `${suite.user.uid}:${suite.user.gid}`, root]);
  });
  afterAll(() => output(["rm", "-rf", root]));

  test("with :O is left as it is", async () => {
    const words = [
      "--rootfs",
      "-u",
      "carol",
      `${root}:O`,
      "/bin/sh",
      "-c",
      "busybox id -u; busybox mount | busybox head -n 1",
    ];
    const { output: text, status, errors } = await suite.user.run(words);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(text).toMatch(/^7\noverlay on \/ /);
    await suite.user.run(["--rootfs", `${root}:O`, "/bin/sh", "-c", "echo x >/x; echo y >/etc/passwd"]);
    expect(existsSync(`${root}/x`)).toBe(false);
    expect(readFileSync(`${root}/etc/passwd`, "utf8")).toStartWith("root:");
  });

  test("without :O is the container's own", async () => {
    const { status, errors } = await suite.user.run(["--rootfs", root, "/bin/sh", "-c", "echo x >/x"]);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(readFileSync(`${root}/x`, "utf8")).toBe("x\n");
  });

  test("the host's own, with its homes hidden and nothing changed", async () => {
    const script = "cat /etc/debian_version; ls -A /root /home; touch /var/tmp/new && ls /var/tmp/new; id -un";
    const { output: text, errors, status } = await suite.user.run(["--rootfs", "/:O", "sh", "-c", script]);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(text).toBe(`${readFileSync("/etc/debian_version")}/home:\n\n/root:\n/var/tmp/new\nroot\n`);
    expect(existsSync("/var/tmp/new")).toBe(false);
  });

  test("a missing one is an error", async () => {
    const { status, errors } = await suite.user.run(["--rootfs", "/nonexistent/root", "true"]);
    expect({ status, errors }).toEqual({
      status: 125,
      errors: "bunker: find the root file system /nonexistent/root: ENOENT\n",
    });
  });
});

test("a read-only root gets its mount points, and nothing of it is written to the disk", async () => {
  const place = suite.user.makeDirectory("bound");
  const name = ["--name", "read-only", "--read-only", "-v", `${place}:/not/in/the/image`];
  const script = "touch /not/in/the/image/x; ls -d /not/in/the/image/x; touch /etc/x";
  const { status, output } = await suite.user.bunker(["run", ...name, suite.image, "sh", "-c", script]);
  expect([status, output]).toEqual([1, "/not/in/the/image/x\n"]);
  const [id = ""] = readdirSync(`${suite.user.data}/containers`);
  expect(readdirSync(`${suite.user.data}/containers/${id}`)).not.toContain("upper");
  expect((await suite.user.bunker(["rm", "read-only"])).status).toBe(0);
});

test("a private view of the host's files is there again at each start", async () => {
  const script = "echo x >>/tmp/rounds; cat /tmp/rounds";
  const words = ["--name", "view", "--network", "none", "--rootfs", "/:O", "sh", "-c", script];
  const run = await suite.user.bunker(["run", ...words]);
  expect([run.status, run.output]).toEqual([0, "x\n"]);
  try {
    const again = await suite.user.bunker(["start", "-a", "view"]);
    expect([again.status, again.output]).toEqual([0, "x\nx\n"]);
  } finally {
    await suite.user.bunker(["rm", "-f", "view"]);
  }
});
