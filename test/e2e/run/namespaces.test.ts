/* What a container shares with the host: --pid, --ipc, --uts, --cgroupns, --network and --userns. */
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { busyboxLayout } from "../../fixtures/images.ts";
import { UnprivilegedUser } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();
const { check, inside } = suite;

const kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] as const;

/** The kinds of namespaces that a container has in common with us. */
async function shared(...options: string[]): Promise<string[]> {
  const output = await inside(options, `cd /proc/self/ns && for n in ${kinds.join(" ")}; do readlink $n; done`);
  const theirs = output.trim().split("\n");
  return kinds.filter((kind, index) => theirs[index] === readlinkSync(`/proc/self/ns/${kind}`));
}

describe("namespaces", () => {
  test.each<[options: string[], expected: string[]]>([
    [[], []],
    [["--network", "none"], []],
    [["--pid", "host"], ["pid"]],
    [["--ipc=host"], ["ipc"]],
    [["--uts=host"], ["uts"]],
    [["--cgroupns=host"], ["cgroup"]],
    [["--network=host"], ["net"]],
    [
      ["--net=host", "--pid=host", "--ipc=host", "--uts=host", "--cgroupns=host"],
      ["cgroup", "ipc", "net", "pid", "uts"],
    ],
    [["--userns=keep-id"], []],
    [["--userns=host"], []],
    [["--privileged"], []],
  ])("%j shares %j", async (options, expected) => {
    expect(await shared(...options)).toEqual(expected);
  });

  check([
    [[], "ls /proc | grep -c '^[0-9]'; echo $$", /^[1-5]\n1\n$/],
    [
      ["--pid", "host"],
      "test $$ -gt 1 && echo pid of the host; tr '\\0' '\\n' </proc/$PPID/cmdline | sed -n 2,3p",
      "pid of the host\ninternal\nsupervise\n",
    ],
    [["--ipc", "none"], "ls -d /dev/shm /dev/mqueue 2>&1 | grep -c 'No such'", "2\n"],
    [["--ipc", "host"], "df /dev/shm >/dev/null && echo there", "there\n"],
    [[], "ls /sys/class/net; ip -4 addr show lo | grep -c 127.0.0.1", "eth0\nlo\n1\n"],
    [["--network", "host"], "ls /sys/class/net | sort | tr '\\n' ' '", /lo/],
    [["--network", "none"], "ping -c 1 -w 1 127.0.0.1 >/dev/null && echo loopback works", "loopback works\n"],
    [["--network", "none"], "wget -q -O - http://192.0.2.1/ 2>&1 || true", /Network is unreachable/],
  ]);

  test("the host's network is the host's: its interfaces, names and servers", async () => {
    const output = await inside(["--network", "host"], "ls /sys/class/net; cat /etc/hosts /etc/resolv.conf; hostname");
    for (const name of Object.keys(networkInterfaces())) expect(output).toContain(`${name}\n`);
    expect(output).toContain(readFileSync("/etc/hosts", "utf8"));
    expect(output).toContain(readFileSync("/etc/resolv.conf", "utf8"));
    expect(output).toEndWith(readFileSync("/proc/sys/kernel/hostname", "utf8"));
  });

  test("a server on the host is reached from the host's network only", async () => {
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello\n") });
    const script = `wget -q -O - http://127.0.0.1:${server.port}/ 2>/dev/null || echo refused`;
    expect(await inside(["--network", "host"], script)).toBe("hello\n");
    expect(await inside([], script)).toBe("refused\n");
  });
});

describe("processes that a container with --pid host leaves behind", () => {
  const hidden = "setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 & sleep 1000) & sleep 1000' >/dev/null 2>&1 &";

  // Each test of this suite ends with a look for processes.
  test.each([
    ["as root", [], 3],
    ["as another user", ["-u", "1000:1000"], 3],
    ["with an init", ["--init"], 3],
  ] as const)("are killed when it ends: %s", async (_, options, expected) => {
    const script = `${hidden} sh -c 'sleep 1000 & sleep 1000 &'; exit ${expected}`;
    const { status } = await suite.user.run(["--pid", "host", ...options, suite.image, "sh", "-c", script]);
    expect(status).toBe(expected);
    expect(suite.user.processes()).toEqual([]);
  });

  test("are killed when it is", async () => {
    const words = ["--pid", "host", suite.image, "sh", "-c", `${hidden} kill -KILL $$`];
    expect((await suite.user.run(words)).status).toBe(137);
    expect(suite.user.processes()).toEqual([]);
  });

  test("are reaped while it runs", async () => {
    const script = "pid=$(sh -c 'sleep 0.01 >/dev/null & echo $!'); while [ -e /proc/$pid ]; do :; done; echo reaped";
    expect(await inside(["--pid", "host"], script)).toBe("reaped\n");
  });

  test("are not those that bunker's process had started before it was bunker's", async () => {
    const { user, image } = suite;
    const script = 'sleep 1000 >/dev/null 2>&1 & echo $!; exec "$@"';
    const words = ["sh", "-c", script, "sh", user.bunkerPath, "run", "--rm", "--pid", "host", image, "true"];
    const { status, output } = await user.execute(words);
    expect(status).toBe(0);
    expect(readFileSync(`/proc/${output.trim()}/cmdline`, "utf8")).toBe("sleep\x001000\0");
    process.kill(Number(output), "SIGKILL");
  });
});

describe("--userns keep-id", () => {
  let place: string;
  beforeAll(() => {
    place = suite.user.makeDirectory("place");
    chmodSync(place, 0o700);
    writeFileSync(`${place}/file`, "mine\n");
    suite.user.own(`${place}/file`);
  });

  test("the caller has the same id inside, and their files are theirs on both sides", async () => {
    const { uid, gid } = suite.user;
    const script = "id -u; id -g; cat /place/file; touch /place/new; stat -c %u:%g /place/file /place/new";
    expect(await inside(["--userns=keep-id", "-v", `${place}:/place`], script)).toBe(
      `${uid}\n${gid}\nmine\n${uid}:${gid}\n${uid}:${gid}\n`,
    );
    expect(statSync(`${place}/new`)).toMatchObject({ uid, gid });
  });

  check([
    [["--userns=keep-id"], "stat -c '%u:%g' /bin/busybox /etc/passwd /home/alice", "0:0\n0:0\n1000:1000\n"],
    [["--userns=keep-id"], "touch /etc/denied 2>&1 || true", "touch: /etc/denied: Permission denied\n"],
    [["--userns=keep-id", "-u", "root"], "id -u; touch /etc/allowed && stat -c %u /etc/allowed", "0\n0\n"],
    [
      ["--userns=keep-id:uid=1000,gid=1000"],
      "id; touch ~/x && stat -c %U ~/x",
      "uid=1000(alice) gid=1000(alice) groups=1000(alice)\nalice\n",
    ],
    [["--userns=keep-id:uid=200"], "id -u", "200\n"],
    [["--userns=host"], "id -u; stat -c %u /bin/busybox", "0\n0\n"],
  ]);

  test.each(["keep-id:uid=x", "keep", "auto"])("--userns=%s is refused", async (value) => {
    const { status, errors } = await suite.user.run([`--userns=${value}`, suite.image, "true"]);
    expect(errors).toBe(
      `bunker: invalid value "${value}" for --userns: expected host, keep-id[:uid=UID,gid=GID], container:NAME or ns:PATH\n`,
    );
    expect(status).toBe(125);
  });
});

describe("a user without subordinate ids", () => {
  test("runs containers with the one id", async () => {
    using bare = new UnprivilegedUser("bunker-bare");
    const image = `oci:${busyboxLayout()}:latest`;
    const place = bare.makeDirectory("place");
    const script = "id; stat -c %u:%g /bin/busybox; echo x >/etc/new; touch /place/new && cat /etc/new";
    const { status, output, errors } = await bare.run(["-v", `${place}:/place`, image, "sh", "-c", script]);
    expect(errors).toBe("");
    expect(output).toBe("uid=0(root) gid=0(root) groups=0(root)\n0:0\nx\n");
    expect(status).toBe(0);
    expect(statSync(`${place}/new`)).toMatchObject({ uid: bare.uid, gid: bare.gid });
    await bare.expectNothingLeft();
  });

  test("is told what another user in the container needs", async () => {
    using bare = new UnprivilegedUser("bunker-bare");
    const { status, errors } = await bare.run(["-u", "alice", `oci:${busyboxLayout()}:latest`, "true"]);
    expect(errors).toMatch(
      /^bunker: use user id 1000: .* has 1 id.*\nhint: bunker-bare has no subordinate ids in \/etc\/subuid and \/etc\/subgid; .* usermod .*\n$/,
    );
    expect(status).toBe(125);
    await bare.expectNothingLeft();
  });
});
