/* A real distribution in a container: what people do in Debian has to work as it does in Docker. */
import { beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { type DebianImages, debianImages } from "../../fixtures/images.ts";
import { output } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

let images: DebianImages;
let repository: string;
beforeAll(() => {
  images = debianImages();
  repository = makeRepository(suite.user.makeDirectory("repository"));
}, 600_000);

/** An apt repository with one package, `bunker-sample`, that has a program and a script that runs at its installation. */
function makeRepository(directory: string): string {
  const tree = `${directory}/tree`;
  for (const path of ["DEBIAN", "usr/bin", "etc"]) mkdirSync(`${tree}/${path}`, { recursive: true });
  const control = [
    "Package: bunker-sample",
    "Version: 1.0",
    "Architecture: all",
    "Maintainer: Nobody <nobody@example.org>",
  ];
  writeFileSync(`${tree}/DEBIAN/control`, [...control, "Description: a sample", ""].join("\n"));
  writeFileSync(
    `${tree}/DEBIAN/postinst`,
    "#!/bin/sh\nset -e\nchown nobody:nogroup /etc/sample\necho configured >>/etc/sample\n",
  );
  writeFileSync(`${tree}/DEBIAN/conffiles`, "/etc/sample\n");
  writeFileSync(`${tree}/usr/bin/sample`, "#!/bin/sh\necho a sample\n");
  writeFileSync(`${tree}/etc/sample`, "setting\n");
  for (const program of ["DEBIAN/postinst", "usr/bin/sample"]) chmodSync(`${tree}/${program}`, 0o755);
  output(["dpkg-deb", "--root-owner-group", "--build", tree, `${directory}/sample.deb`]);
  const index = output(["sh", "-c", `cd ${directory} && dpkg-scanpackages -m . 2>/dev/null`]);
  writeFileSync(`${directory}/Packages`, index);
  return directory;
}

async function debian(script: string, options: readonly string[] = [], image = images.gzip): Promise<string> {
  const { status, output: text, errors } = await suite.user.run([...options, image, "bash", "-c", `set -e; ${script}`]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return text;
}

describe("packages", () => {
  test("apt-get reads its lists, and installs", async () => {
    const script = [
      "echo 'deb [trusted=yes] copy:/repository ./' >/etc/apt/sources.list",
      "apt-get -q update >/tmp/log 2>&1 || { cat /tmp/log; false; }",
      "apt-cache policy bunker-sample | sed -n 3p",
      "apt-get -q -y install bunker-sample >/tmp/log 2>&1 || { cat /tmp/log; false; }",
      "sample; stat -c %U:%G /etc/sample; cat /etc/sample; apt-get -q check >/dev/null",
    ].join("; ");
    expect(await debian(script, ["-v", `${repository}:/repository:ro`, "-e", "DEBIAN_FRONTEND=noninteractive"])).toBe(
      "  Candidate: 1.0\na sample\nnobody:nogroup\nsetting\nconfigured\n",
    );
  });

  test("dpkg installs, and removes", async () => {
    const script = [
      "dpkg -i /repository/sample.deb >/tmp/log 2>&1 || { cat /tmp/log; false; }",
      "sample; dpkg --verify | grep -v ' c ' || true; dpkg --audit; dpkg -P bunker-sample >/tmp/log 2>&1; test ! -e /usr/bin/sample && echo gone",
    ].join("; ");
    expect(await debian(script, ["-v", `${repository}:/repository:ro`])).toBe("a sample\ngone\n");
  });

  test("are all as they were packed", async () => {
    // What mmdebstrap has changed itself is not the image's affair.
    expect(
      await debian("dpkg --verify | grep -v ' c ' || true; dpkg --audit; dpkg -l | grep -vc '^ii' >/dev/null; echo ok"),
    ).toBe("ok\n");
  });
});

describe("users", () => {
  test("are added, and become each other", async () => {
    const script = [
      "useradd -m -G tty -s /bin/bash carol",
      "echo carol:secret | chpasswd",
      "su carol -c 'id -un; id -Gn; cd && pwd && touch file && stat -c %U:%G file'",
      "su - carol -c 'su root -c true </dev/null 2>&1 | tail -n 1; cat /etc/shadow 2>&1 || true'",
      "usermod -u 5000 carol && stat -c %u /home/carol/file && userdel -r carol 2>/dev/null && test ! -e /home/carol && echo removed",
    ].join("; ");
    expect(await debian(script)).toBe(
      "carol\ncarol tty\n/home/carol\ncarol:carol\nsu: Authentication failure\ncat: /etc/shadow: Permission denied\n5000\nremoved\n".replace(
        "su: Authentication failure",
        "Password: su: Authentication failure",
      ),
    );
  });

  test("get the rights of a set-user-ID program, but not with no-new-privileges", async () => {
    const script =
      "cp /usr/bin/id /usr/local/bin/own && chmod 4755 /usr/local/bin/own && su nobody -s /bin/sh -c 'own -u'";
    expect(await debian(script)).toBe("0\n");
    expect(await debian(script, ["--security-opt", "no-new-privileges"])).toBe("65534\n");
  });
});

describe("work", () => {
  test("ping into no network fails with the kernel's word, on the loopback it works", async () => {
    const script =
      "ping -c 1 -W 1 192.0.2.1 2>&1 | tail -n 1; ping -q -c 1 127.0.0.1 | grep -c '1 received'; ping -c 1 nohost.invalid 2>&1";
    const { output: text } = await suite.user.run(["--network", "none", images.gzip, "sh", "-c", script]);
    expect(text).toMatch(/^ping: connect: Network is unreachable\n1\nping: nohost\.invalid: /);
  });

  test("a file of 200 MB is written and read", async () => {
    const script =
      "head -c 200000000 /dev/zero | tr '\\0' 'x' >/big && sync /big && sha256sum </big | cut -c1-64; stat -c %s /big";
    const expected = createHash("sha256").update(Buffer.alloc(200_000_000, "x")).digest("hex");
    expect(await debian(script)).toBe(`${expected}\n200000000\n`);
  });

  test("a thousand processes run at once", async () => {
    const script =
      "for i in $(seq 1000); do sleep 1000 & done; ls -d /proc/[0-9]* | wc -l; kill $(jobs -p); wait; echo all ended";
    const { status, output: text } = await suite.user.run([images.gzip, "bash", "-c", script]);
    const [count, rest] = text.split("\n");
    expect(Number(count)).toBeGreaterThanOrEqual(1001);
    expect({ status, rest }).toEqual({ status: 0, rest: "all ended" });
  });

  test("vi edits a file in a terminal", async () => {
    const session = suite.user.runInTerminal(["-it", "-e", "PS1=#:", images.gzip, "bash", "--norc"]);
    await session.expect("#:");
    session.type("vi /root/text\n");
    await session.expect('"~/text" [New File]');
    session.type("iwritten in vi\x1b:wq\r");
    await session.expect('"~/text" [New File] 1 line, 14 bytes written');
    await session.expect("#:");
    session.type("cat /root/text; exit 4\n");
    await session.expect("written in vi\r\n");
    expect(await session.process.exited).toBe(4);
    session.terminal.close();
  });
});

describe("images", () => {
  test("with gzip and zstd layers, and from archives, are the same", async () => {
    const script =
      "cat /etc/os-release /etc/passwd | sha256sum; find / -xdev -not -path '/proc/*' -printf '%p %y %m %U:%G %s %l\\n' 2>/dev/null | grep -vE '^/(etc/(hosts|hostname|resolv.conf)|dev|sys|proc)?( |/)' | sort | sha256sum";
    const expected = await debian(script);
    for (const image of [images.ociArchive, images.dockerArchive, `${images.dockerArchive}:debian:12`]) {
      expect(await debian(script, [], image)).toBe(expected);
    }
    // A layer that is there is not unpacked again, so another compression has to find an empty store.
    const environment = { XDG_DATA_HOME: suite.user.makeDirectory("other-data") };
    const { status, output: text, errors } = await suite.user.run([images.zstd, "sh", "-c", script], { environment });
    expect({ status, errors, text }).toEqual({ status: 0, errors: "", text: expected });
  });

  test("with a second layer show its files, and not what it has removed", async () => {
    const script =
      "test ! -e /usr/share/doc; ls -A /var/lib/apt; cat /etc/debian_version; ls /etc/issue; apt-get -v | head -n 1";
    expect(await debian(script, [], images.layered)).toMatch(/^new\nchanged\ninside\napt 2\./);
  });

  test("of several layers can be changed everywhere", async () => {
    const script = [
      "mkdir /usr/share/doc && touch /usr/share/doc/x && ls /usr/share/doc",
      "rm -rf /var/lib/apt && mkdir /var/lib/apt && ls -A /var/lib/apt",
      "mv /etc/issue /etc/issue.d && ls /etc/issue.d; rm -r /usr/bin && test ! -e /usr/bin/ls && echo removed",
    ].join("; ");
    expect(await debian(script, [], images.layered)).toBe("x\ninside\nremoved\n");
    expect(await debian("ls /var/lib/apt", [], images.layered)).toBe("new\n");
  });
});
