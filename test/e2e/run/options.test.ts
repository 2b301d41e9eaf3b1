/* What each option of `bunker run` changes inside the container, held against what Docker documents. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { ARCHITECTURE, busyboxLayout } from "../../fixtures/images.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();
const { check, inside } = suite;

describe("user", () => {
  check([
    [[], "id", "uid=0(root) gid=0(root) groups=0(root)\n"],
    [["-u", "alice"], "id", "uid=1000(alice) gid=1000(alice) groups=29(audio),1000(alice)\n"],
    [["-u", "1000"], "id -u; id -g; id -G", "1000\n1000\n1000 29\n"],
    [["--user=alice:staff"], "id", "uid=1000(alice) gid=50(staff) groups=50(staff)\n"],
    [["-u", "4242"], "id -u; id -g; echo $HOME", "4242\n0\n/\n"],
    [["-u", "4242:4343"], "id -u; id -g", "4242\n4343\n"],
    [["-u", "alice"], "echo $HOME; touch ~/file && stat -c %U:%G ~/file", "/home/alice\nalice:alice\n"],
    [["--group-add", "audio", "--group-add=77"], "id -G", "0 29 77\n"],
    [["-u", "alice", "--group-add", "staff"], "id -G", "1000 29 50\n"],
    [["-u", "alice"], "echo by path > /dev/stdout && echo again > /proc/self/fd/1", "by path\nagain\n"],
  ]);

  test.each([
    ["nobody-knows", "unable to find user nobody-knows: no matching entries in passwd file"],
    ["alice:nobody-knows", "unable to find group nobody-knows: no matching entries in group file"],
    ["70000", "use user id 70000: the container's user namespace has 65537 ids, and this is none of them"],
  ])("-u %s is refused", async (name, message) => {
    const { status, errors } = await suite.user.run(["-u", name, suite.image, "true"]);
    expect(errors).toStartWith(`bunker: ${message}\nhint: `);
    expect(status).toBe(125);
  });
});

test("empty values are as none, which scripts rely on", async () => {
  const names = ["user", "workdir", "hostname", "domainname", "name", "platform", "stop-signal", "restart", "cidfile"];
  const modes = ["pid", "ipc", "uts", "userns", "cgroupns", "cgroup-parent", "ip", "ip6", "mac-address"];
  const options = [...names, ...modes].map((name) => `--${name}=`);
  expect(await inside(["-u", "alice", ...options], "id -u; pwd; hostname | wc -c")).toBe("0\n/\n13\n");
});

test.each([
  ["/etc/passwd", "it is not a device node"],
  ["/usr/bin", "there are no device nodes in that directory"],
])("--device %s is refused", async (path, reason) => {
  const { status, errors } = await suite.user.run(["--device", path, suite.image, "true"]);
  expect(errors).toStartWith(`bunker: add device ${path}: ${reason}\nhint: --volume `);
  expect(status).toBe(125);
});

describe("environment", () => {
  const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  check([
    [["-h", "box"], "cat /proc/1/environ | tr '\\0' '\\n' | sort", `HOME=/root\nHOSTNAME=box\n${path}\n`],
    [["-e", "A=1", "-eB=two words", "--env", "C="], 'echo "$A|$B|$(env | grep ^C= || echo unset)"', "1|two words|C=\n"],
    [["-e", "A=1", "-e", "A=2"], "echo $A", "2\n"],
    [["-e", "BUNKER_TEST_ABSENT"], 'echo "$(env | grep ^BUNKER_TEST_ABSENT= || echo unset)"', "unset\n"],
    [["-e", "USER"], "echo $USER", "bunker-test\n"],
    [["-e", "HOME=/elsewhere"], "echo $HOME", "/elsewhere\n"],
    [["-e", "A=line one\nline two"], 'echo "$A"', "line one\nline two\n"],
    [["-e", "PATH=/bin"], "echo $PATH", "/bin\n"],
  ]);

  test("the caller's may be large", async () => {
    const large = "export A=$(head -c 120000 /dev/zero | tr '\\0' a); export B=$A C=$A D=$A E=$A";
    const words = [suite.user.bunkerPath, "run", "--rm", "--network", "none", "-e", "E", suite.image];
    // The supervisor is there in time, and has it, too.
    const script = "sleep 0.2; echo $(env | grep ^D= | wc -c) $(env | grep ^E= | wc -c)";
    const shell = ["sh", "-c", `${large}; exec "$0" "$@"`, ...words, "sh", "-c", script];
    expect(await suite.user.execute(shell)).toEqual({ status: 0, output: "0 120003\n", errors: "" });
  });

  test("a file of variables", async () => {
    const file = `${suite.user.directory}/variables`;
    writeFileSync(file, '# comment\nA=from file\nB="quoted"\nUSER\nABSENT\n\nC=a=b\n');
    const script = 'echo "$A|$B|$USER|$(env | grep ^ABSENT= || echo unset)|$C"';
    expect(await inside(["--env-file", file, "-e", "A=option"], script)).toBe(
      'option|"quoted"|bunker-test|unset|a=b\n',
    );
  });
});

describe("what the image says", () => {
  check(
    [
      [[], 'id -un; pwd; echo "$FROM_IMAGE $BOTH $PATH"', "alice\n/srv/app\nimage image /bin\n"],
      [["-u", "root", "-w", "/", "-e", "BOTH=user"], 'id -un; pwd; echo "$FROM_IMAGE $BOTH"', "root\n/\nimage user\n"],
    ],
    "configured",
  );

  test.each([
    ["its entry point with its command", [], [], "entry command\n"],
    ["its entry point with other words", [], ["other", "words"], "entry other words\n"],
    ["another entry point, without its command", ["--entrypoint", "/bin/pwd"], [], "/srv/app\n"],
    ["another entry point with words", ["--entrypoint=/bin/echo"], ["just", "words"], "just words\n"],
    ["no entry point", ["--entrypoint", ""], ["echo", "command"], "command\n"],
  ])("%s", async (_what, options, words, expected) => {
    const { output } = await suite.user.run([...options, `oci:${busyboxLayout()}:configured`, ...words]);
    expect(output).toBe(expected);
  });

  test.each([
    ["empty", []],
    ["configured", ["--entrypoint", ""]],
  ])("nothing to run is an error: %s %j", async (image, options) => {
    const { status, errors } = await suite.user.run([...options, `oci:${busyboxLayout()}:${image}`]);
    expect(errors).toMatch(/^bunker: no command specified\nhint: Name a program after the image.*\n$/);
    expect(status).toBe(125);
  });
});

describe("names and directories", () => {
  check([
    [[], "hostname", /^[0-9a-f]{12}\n$/],
    [[], "test $(hostname) = $(cat /etc/hostname) && test $HOSTNAME = $(hostname) && echo same", "same\n"],
    [["-h", "box"], "hostname; cat /etc/hostname; echo $HOSTNAME", "box\nbox\nbox\n"],
    [["--hostname", "box", "--domainname", "example.org"], "cat /proc/sys/kernel/domainname", "example.org\n"],
    [["--uts", "host"], "hostname", `${hostname()}\n`],
    [[], "cat /etc/hosts", /^127\.0\.0\.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n/],
    [[], "pwd", "/\n"],
    [["-w", "/made/for/me"], "pwd; stat -c '%u:%g %a' . ..", "/made/for/me\n0:0 755\n0:0 755\n"],
    [["-w", "/home/alice", "-u", "alice"], "pwd", "/home/alice\n"],
  ]);
});

describe("read-only root", () => {
  check([
    [
      ["--read-only"],
      "for d in / /etc /tmp /etc/hosts; do touch $d/x 2>&1; done; echo x 2>&1 > /etc/hosts; echo y > /dev/shm/y; cat /dev/shm/y",
      /Read-only file system[\s\S]*Read-only file system[\s\S]*y\n$/,
    ],
    [
      ["--read-only", "--tmpfs", "/tmp"],
      "touch /tmp/x && ls /tmp; touch /x 2>&1 || true",
      "x\ntouch: /x: Read-only file system\n",
    ],
    [[], "touch /x /etc/x && echo '1.2.3.4 x' >> /etc/hosts && tail -n 1 /etc/hosts", "1.2.3.4 x\n"],
  ]);
});

describe("limits and kernel parameters", () => {
  check([
    [["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn", "100\n200\n"],
    [["--ulimit", "core=0", "--ulimit=nofile=64"], "ulimit -c; ulimit -n; ulimit -Hn", "0\n64\n64\n"],
    [["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500\n"],
    [["--shm-size", "10m"], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "10240\n"],
    // As with Docker, that is none, and so the usual one.
    [["--shm-size", "0"], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "65536\n"],
    [[], "df -k /dev/shm | tail -n 1 | awk '{print $2}'", "65536\n"],
    [["--sysctl", "kernel.msgmax=4321"], "cat /proc/sys/kernel/msgmax", "4321\n"],
    [
      ["--sysctl", "net.ipv4.ip_forward=1", "--sysctl=net/ipv4/tcp_fin_timeout=11"],
      "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/tcp_fin_timeout",
      "1\n11\n",
    ],
    [[], "cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0\n"],
  ]);

  test("what an ordinary user may not raise is said", async () => {
    const { status, errors } = await suite.user.run(["--ulimit", "nofile=1:100000000", suite.image, "true"]);
    expect(errors).toMatch(/^bunker: set .*RLIMIT_NOFILE.*: EPERM\nhint: .*\n$/);
    expect(status).toBe(125);
  });

  test("nor lower", async () => {
    const { status, errors } = await suite.user.run(["--oom-score-adj=-900", suite.image, "true"]);
    expect(errors).toBe(
      "bunker: set the OOM score adjustment -900: EACCES\nhint: an ordinary user may raise it but not lower it\n",
    );
    expect(status).toBe(125);
  });

  test("parameters of the host are refused", async () => {
    const { status, errors } = await suite.user.run(["--sysctl", "kernel.pid_max=1000", suite.image, "true"]);
    expect(errors).toMatch(/^bunker: .*kernel\.pid_max.*\n/);
    expect(status).toBe(125);
  });
});

describe("platform", () => {
  test.each([`linux/${ARCHITECTURE}`, ARCHITECTURE])("%s fits", async (platform) => {
    expect(await inside(["--platform", platform], "echo fits")).toBe("fits\n");
  });

  test("another one is an error that names both", async () => {
    const { status, errors } = await suite.user.run(["--platform", "linux/s390x", suite.image, "true"]);
    expect(errors).toMatch(/^bunker: .*linux\/s390x.*\n/);
    expect(errors).toContain(`linux/${ARCHITECTURE}`);
    expect(status).toBe(125);
  });
});

describe("names of containers", () => {
  test("a name is free again when its container has ended", async () => {
    expect(await inside(["--name", "mine"], "echo first")).toBe("first\n");
    expect(await inside(["--name", "mine"], "echo second")).toBe("second\n");
  });

  test("a name in use is refused with its holder, and the holder goes on", async () => {
    const holder = suite.user.talkTo(["--name", "mine", suite.image, "sh", "-c", "hostname; read x; echo got $x"]);
    const id = (await holder.expect(/[0-9a-f]{12}\n/)).trim();
    const { status, errors } = await suite.user.run(["--name", "mine", suite.image, "true"]);
    expect(errors).toBe(
      `bunker: use the container name "mine": it is in use by container ${id}\n` +
        "hint: choose another name, or remove that container\n",
    );
    expect(status).toBe(125);
    holder.type("word\n");
    expect(await holder.finish()).toEqual({ status: 0, output: `${id}\ngot word\n`, errors: "" });
  });

  test("without --rm the container keeps its name and its configuration", async () => {
    const words = ["run", "--name", "kept", suite.image, "sh", "-c", "hostname; echo x >/written"];
    const { output } = await suite.user.bunker(words);
    const again = await suite.user.bunker(words);
    expect(again.errors).toContain(`it is in use by container ${output.trim()}`);
    const [id = ""] = readdirSync(`${suite.user.data}/containers`);
    expect(id).toStartWith(output.trim());
    const directory = `${suite.user.data}/containers/${id}`;
    expect(JSON.parse(readFileSync(`${directory}/config.json`, "utf8"))).toMatchObject({
      ociVersion: expect.stringMatching(/^1\.2/),
      hostname: output.trim(),
      process: { args: ["sh", "-c", "hostname; echo x >/written"] },
    });
    expect(readFileSync(`${directory}/upper/written`, "utf8")).toBe("x\n");
    expect((await suite.user.bunker(["rm", "kept"])).status).toBe(0);
  });
});
