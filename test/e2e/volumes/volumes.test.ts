/* Volumes: made, populated, shared, listed and removed, by a user with subordinate ids and by one without. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { volumesLayout } from "../../fixtures/images.ts";
import type { UserName } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

describe.each<UserName>(["bunker-test", "bunker-bare"])("volumes of %s", (userName) => {
  // Before the suite's own, which expects that nothing is left.
  afterEach(async () => {
    const containers = (await bunker("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (containers.length > 0) await bunker("rm", "-f", ...containers);
    const left = await volumes();
    if (left.length > 0) await bunker("volume", "rm", ...left);
    expect(readdirSync(`${suite.user.data}/volumes`)).toEqual([]);
  });

  const suite = containerSuite(userName);
  const hasIds = userName === "bunker-test";
  const image = (tag: string) => `oci:${volumesLayout()}:${tag}`;

  /** Runs `bunker`, which has to end well, and returns what it says. */
  async function bunker(...words: string[]): Promise<string> {
    const { status, output, errors } = await suite.user.bunker(words);
    expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
    return output;
  }

  async function refusal(...words: string[]): Promise<string> {
    const { status, errors } = await suite.user.bunker(words);
    expect({ words, isRefused: status !== 0 }).toEqual({ words, isRefused: true });
    return errors;
  }

  const shell = (options: readonly string[], script: string, tag = "plain") =>
    bunker("run", "--rm", ...options, image(tag), "sh", "-c", script);
  const volumes = async () => (await bunker("volume", "ls", "-q")).split("\n").filter((name) => name !== "");

  test("create, ls, inspect, exists and rm speak as Docker's", async () => {
    expect(await bunker("volume", "create", "-l", "purpose=test", "--label", "bare", "one")).toBe("one\n");
    expect(await bunker("volume", "create", "one")).toBe("one\n");
    const anonymous = (await bunker("volume", "create")).trim();
    expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
    expect(await bunker("volume", "ls", "--filter", "name=^one$")).toBe("DRIVER    VOLUME NAME\nlocal     one\n");
    expect(await bunker("volume", "ls", "-q", "--filter", "label=purpose=test")).toBe("one\n");
    expect(await bunker("volume", "ls", "--format", "{{.Name}} {{.Labels}}", "-f", "label=bare")).toBe(
      "one purpose=test,bare=\n",
    );
    const [shown] = JSON.parse(await bunker("volume", "inspect", "one"));
    expect(await bunker("volume", "ls", "-q", "-f", "until=1h")).toBe("");
    expect((await bunker("volume", "ls", "-q", "-f", "until=2100-01-01", "-f", "name=^one")).trim()).toBe("one");
    expect(await bunker("volume", "ls", "-q", "-f", "since=one")).toBe(`${anonymous}\n`);
    expect(await refusal("volume", "ls", "-f", "since=none")).toBe("bunker: No such volume: none\n");
    expect(await bunker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "memory")).toBe("memory\n");
    for (const filter of ["opt=type", "opt=type=tmpfs"]) {
      expect(await bunker("volume", "ls", "-q", "-f", filter)).toBe("memory\n");
    }
    expect(await bunker("volume", "ls", "-q", "-f", "opt=type=none")).toBe("");
    await bunker("volume", "rm", "memory");
    expect(await bunker("volume", "prune", "-af", "--filter", "until=1h")).toBe("Total reclaimed space: 0B\n");
    expect(await refusal("volume", "prune", "-f", "--filter", "until=soon")).toContain("until=soon");
    expect(shown).toMatchObject({
      Driver: "local",
      Labels: { purpose: "test", bare: "" },
      Mountpoint: `${suite.user.data}/volumes/one/_data`,
      Name: "one",
      Options: null,
      Scope: "local",
    });
    expect(await bunker("inspect", "--format", "{{.Name}}", "one")).toBe("one\n");
    expect((await suite.user.bunker(["volume", "exists", "one"])).status).toBe(0);
    expect((await suite.user.bunker(["volume", "exists", "two"])).status).toBe(1);
    expect(await refusal("volume", "inspect", "two")).toBe("bunker: No such volume: two\n");
    expect(await bunker("volume", "rm", "one", anonymous)).toBe(`one\n${anonymous}\n`);
    expect(await refusal("volume", "rm", "one")).toBe("bunker: No such volume: one\n");
    expect(await bunker("volume", "rm", "-f", "one")).toBe("one\n");
  });

  test.each([
    [["../up"], "expected up to 255 of"],
    [["-o", "type=nfs", "-o", "device=:/x", "n"], "only root of the host may mount that"],
    [["-o", "size=1m", "n"], "only root of the host may set quotas"],
    [["-o", "type=tmpfs", "-o", "o=sise=1m", "n"], 'unknown tmpfs option "sise"; did you mean size?'],
    [["-o", "type=none", "-o", "o=bind", "-o", "device=here", "n"], "expected the absolute path"],
    [["-o", "colour=red", "n"], "there is no such option"],
    [["-o", "o=uid=4000000000", "n"], "o=uid=4000000000: the user namespace of containers has no such id"],
    [["-o", "o=uid=0,gid=4000000000", "n"], "o=gid=4000000000: the user namespace of containers has no such id"],
    [["-d", "nfs", "n"], 'invalid value "nfs" for --driver'],
  ])("create %p is refused", async (words, message) => {
    expect(await refusal("volume", "create", ...words)).toContain(message);
    expect(await volumes()).toEqual([]);
  });

  test("what a container writes is there for the next, at the place that it chooses", async () => {
    await shell(["-v", "data:/data"], "echo kept >/data/file");
    expect(await shell(["--mount", "type=volume,src=data,dst=/else,readonly"], "cat /else/file")).toBe("kept\n");
    const { errors } = await suite.user.run(["-v", "data:/data:ro", image("plain"), "touch", "/data/x"]);
    expect(errors).toContain("Read-only file system");
    expect(await volumes()).toEqual(["data"]);
  });

  test("an empty volume gets what the image has at its place, once", async () => {
    const listing = "cd /srv/app && ls -l a | cut -c1-10 && stat -c '%h %u %g %Y' a && cat b && readlink link && ls";
    const owner = hasIds ? 1000 : 0;
    const expected = `-rw-r-----\n2 ${owner} ${owner} 1000000000\ntwo\na\na\nb\nhard\nlink\n`;
    expect(await shell(["-v", "app:/srv/app"], listing)).toBe(expected);
    expect(await shell(["-v", "app:/mnt"], "stat -c '%a %u' /mnt")).toBe(`750 ${owner}\n`);
    await shell(["-v", "app:/srv/app"], "rm /srv/app/a");
    expect(await shell(["-v", "app:/srv/app"], "ls /srv/app")).toBe("b\nhard\nlink\n");
    // By way of a symbolic link, and of one in another layer.
    expect(await shell(["-v", "other:/var/alias/app"], "ls /srv/app")).toBe("a\nb\nhard\nlink\n");
    expect(await shell(["-v", "none:/srv/app:nocopy"], "ls /srv/app; stat -c %a /srv/app")).toBe("755\n");
    expect(await shell(["--mount", "src=none2,dst=/srv/app,volume-nocopy"], "ls /srv/app")).toBe("");
    expect(await shell(["-v", "empty:/var/empty"], "stat -c '%a %u' /var/empty")).toBe("1777 0\n");
    expect(await shell(["-v", "new:/not/there"], "stat -c '%a %u' /not/there")).toBe("755 0\n");
  });

  test("extended attributes are copied", async () => {
    await bunker("create", "-v", "app:/srv/app", image("plain"));
    const path = `${suite.user.data}/volumes/app/_data/b`;
    const { stdout } = Bun.spawnSync(["getfattr", "--only-values", "-n", "user.note", "--absolute-names", path]);
    expect(stdout.toString()).toBe("hello");
  });

  test("two containers at once populate a volume once, and whole", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, () => suite.user.run(["-v", "app:/srv/app", image("plain"), "ls", "/srv/app"])),
    );
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 0, output: "a\nb\nhard\nlink\n" });
    expect(readdirSync(`${suite.user.data}/volumes/app`)).toEqual(["_data"]);
  });

  test("what a killed command has copied is no part of the volume and goes with the next use", async () => {
    await bunker("volume", "create", "app");
    const staging = `${suite.user.data}/volumes/app/populating-${"0".repeat(64)}`;
    mkdirSync(staging);
    suite.user.own(staging);
    writeFileSync(`${staging}/half`, "");
    expect(await shell(["-v", "app:/srv/app"], "ls /srv/app")).toBe("a\nb\nhard\nlink\n");
    expect(existsSync(staging)).toBe(false);
  });

  test("one whose removal was killed between its files and its row is empty, and can be used", async () => {
    for (const name of ["one", "two"]) {
      await shell(["-v", `${name}:/data`], "echo old >/data/old");
      const directory = `${suite.user.data}/volumes`;
      renameSync(`${directory}/${name}`, `${directory}/.removed-${name}`);
    }
    expect(await shell(["-v", "one:/data"], "ls /data; echo new >/data/new; cat /data/new")).toBe("new\n");
    await bunker("volume", "create", "two");
    expect(await shell(["-v", "two:/data"], "ls /data")).toBe("");
  });

  test("a command that is killed at any time leaves an empty volume or a whole one", async () => {
    const whole = ["a", "b", "hard", "link"];
    for (let trial = 0; trial < 12; trial++) {
      const child = suite.user.start([suite.user.bunkerPath, "create", "-v", "app:/srv/app", image("plain")]);
      const errors = new Response(child.stderr).text();
      await Bun.sleep(Math.random() * 250);
      child.kill("SIGKILL");
      await child.exited;
      await errors;
      const content = `${suite.user.data}/volumes/app/_data`;
      const found = existsSync(content) ? readdirSync(content).sort() : [];
      expect([[], whole]).toContainEqual(found);
      expect(await shell(["-v", "app:/srv/app"], "ls /srv/app")).toBe("a\nb\nhard\nlink\n");
      // What was killed before its container was recorded uses nothing.
      const containers = (await bunker("ps", "-aq")).split("\n").filter((id) => id !== "");
      if (containers.length > 0) await bunker("rm", ...containers);
      expect(await bunker("volume", "rm", "app")).toBe("app\n");
    }
  });

  // Without subordinate ids there is no keep-id.
  if (hasIds) {
    test("with keep-id files belong to the ids that the container has", async () => {
      const options = ["--userns", "keep-id:uid=1000,gid=1000", "-v", "app:/srv/app"];
      expect(await shell(options, "stat -c %u /srv/app/a; id -u; touch /srv/app/n")).toBe("1000\n1000\n");
    });
  }

  test("the image's volumes are made without a name and go with --rm and rm -v", async () => {
    expect(await shell([], "ls /srv/app; grep -c ' /cache ' /proc/mounts", "volumes")).toBe("a\nb\nhard\nlink\n1\n");
    expect(await volumes()).toEqual([]);
    await bunker("create", "--name", "one", "-v", "named:/cache", "-v", "/third", image("volumes"));
    const [first = "", second = "", ...more] = (await volumes()).filter((name) => name !== "named");
    expect(more).toEqual([]);
    expect(await refusal("volume", "rm", first)).toMatch(
      /^bunker: remove [0-9a-f]{64}: volume is in use - \[[0-9a-f]{64}\]\n/,
    );
    // Also a stopped container uses its volumes.
    expect(await bunker("volume", "prune", "-af")).toBe("Total reclaimed space: 0B\n");
    expect(await volumes()).toEqual([first, second, "named"].sort());
    expect(await bunker("volume", "ls", "-q", "-f", "dangling=true")).toBe("");
    expect(await bunker("ps", "-a", "--filter", "volume=named", "--format", "{{.Names}} {{.LocalVolumes}}")).toBe(
      "one 3\n",
    );
    expect(await bunker("ps", "-aq", "--filter", "volume=/nowhere")).toBe("");
    await bunker("rm", "-v", "one");
    expect(await volumes()).toEqual(["named"]);
    await bunker("create", "--name", "two", image("volumes"));
    await bunker("rm", "two");
    expect((await volumes()).length).toBe(3);
    expect(await bunker("volume", "prune", "-f")).toMatch(
      /^Deleted Volumes:\n[0-9a-f]{64}\n[0-9a-f]{64}\n\nTotal reclaimed space: 8B\n$/,
    );
    expect(await volumes()).toEqual(["named"]);
    expect(await bunker("volume", "prune", "-f", "-a")).toContain("named\n");
  });

  test("a volume that was made without a name and is used by name stays", async () => {
    const name = (await bunker("volume", "create")).trim();
    await shell(["-v", `${name}:/data`], "true");
    expect(await volumes()).toEqual([name]);
  });

  test("a container that cannot be made leaves no volume of its own", async () => {
    expect(await refusal("run", "-v", "/srv/app", "-v", "kept:/data", "-u", "nobody-here", image("plain"))).toContain(
      "nobody-here",
    );
    expect(await volumes()).toEqual(["kept"]);
  });

  test("--volumes-from takes all mounts over, and may make them read-only", async () => {
    const host = suite.user.makeDirectory(`host-${crypto.randomUUID()}`);
    writeFileSync(`${host}/file`, "host\n");
    await bunker(
      "create",
      "--name",
      "source",
      "-v",
      "data:/data",
      "-v",
      `${host}:/host`,
      "-v",
      "/anonymous",
      image("plain"),
    );
    await shell(["--volumes-from", "source"], "echo shared >/data/x; echo more >/anonymous/y");
    expect(await shell(["--volumes-from", "source"], "cat /host/file /data/x /anonymous/y")).toBe(
      "host\nshared\nmore\n",
    );
    const { errors } = await suite.user.run(["--volumes-from", "source:ro", image("plain"), "touch", "/data/z"]);
    expect(errors).toContain("Read-only file system");
    expect(await shell(["--volumes-from", "source", "-v", "own:/data"], "ls /data")).toBe("");
    expect(await refusal("run", "--volumes-from", "nobody", image("plain"))).toContain("No such container: nobody");
    await bunker("rm", "-v", "source");
    expect(await volumes()).toEqual(["data", "own"]);
  });

  test("inspect and events tell of mounts, and df of what they hold", async () => {
    const since = String(Date.now() / 1000);
    await bunker("run", "--name", "one", "-v", "data:/data:ro", image("plain"), "true");
    const [{ Mounts, HostConfig }] = JSON.parse(await bunker("inspect", "one"));
    expect(Mounts).toEqual([
      {
        Type: "volume",
        Name: "data",
        Source: `${suite.user.data}/volumes/data/_data`,
        Destination: "/data",
        Driver: "local",
        Mode: "",
        RW: false,
        Propagation: "",
      },
    ]);
    expect(HostConfig.Binds).toEqual(["data:/data:ro"]);
    const format = ["--format", "{{.Action}} {{.ID}}", "--since", since, "--until", "0s", "--filter", "type=volume"];
    expect(await bunker("events", ...format)).toBe("create data\nmount data\nunmount data\n");
    await bunker("rm", "one");
    await shell(["-v", "data:/data"], "head -c 3000 /dev/zero >/data/file; chmod 700 /data; chown 0 /data");
    expect(
      await bunker("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"),
    ).toContain("Local Volumes 1 0 3kB 3kB (100%)\n");
    expect(await bunker("system", "df", "-v")).toMatch(/VOLUME NAME +LINKS +SIZE\ndata +0 +3kB\n/);
    expect(await bunker("system", "prune", "-f", "--volumes")).not.toContain("data");
  });

  test("driver options make it a file system in memory or a directory of the host", async () => {
    await bunker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,mode=700", "memory");
    expect(
      await shell(["-v", "memory:/m"], "stat -f -c %T /m; stat -c %a /m; df -k /m | tail -1 | awk '{print $2}'"),
    ).toBe("tmpfs\n700\n1024\n");
    const host = suite.user.makeDirectory(`host-${crypto.randomUUID()}`);
    writeFileSync(`${host}/file`, "host\n");
    await bunker("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", `device=${host}`, "directory");
    const { output, errors } = await suite.user.run([
      "-v",
      "directory:/d",
      image("plain"),
      "sh",
      "-c",
      "cat /d/file; touch /d/x",
    ]);
    expect({ output, errors }).toEqual({ output: "host\n", errors: "touch: /d/x: Read-only file system\n" });
    expect(await refusal("volume", "create", "-o", "type=tmpfs", "directory")).toContain(
      "there is one of this name with other options",
    );
    await bunker("volume", "create", "plain");
    expect(await bunker("volume", "mount", "plain", "directory")).toBe(
      `${suite.user.data}/volumes/plain/_data\n${host}\n`,
    );
    expect(await bunker("volume", "unmount", "plain", "directory")).toBe("plain\ndirectory\n");
    expect(await refusal("volume", "mount", "memory")).toContain("of which each container has its own");
    expect(await refusal("volume", "mount", "none")).toContain("No such volume");
    expect(await bunker("volume", "reload")).toBe("");
    for (const type of ["nfs", "cifs"]) {
      expect(await refusal("volume", "create", "-o", `type=${type}`, "-o", "device=:/share", "remote")).toMatch(
        new RegExp(`type=${type}: only root of the host may mount that\nhint: Have it mounted on the host`),
      );
    }
    await bunker("volume", "rm", "directory");
    expect(existsSync(`${host}/file`)).toBe(true);
  });

  test("U gives files to the container's user", async () => {
    const user = hasIds ? "alice" : "0";
    const id = hasIds ? "1000" : "0";
    await shell(["-v", "data:/data"], "mkdir /data/d && touch /data/d/f && ln -s /etc /data/l");
    expect(
      await shell(["-u", user, "-v", "data:/data:U"], "touch /data/d/mine; stat -c %u /data /data/d/f /data/l"),
    ).toBe(`${id}\n${id}\n${id}\n`);
    const host = suite.user.makeDirectory(`host-${crypto.randomUUID()}`);
    mkdirSync(`${host}/of-root`);
    symlinkSync(host, `${host}-link`);
    const { status, output, errors } = await suite.user.run([
      "-u",
      user,
      "-v",
      `${host}-link:/h:U`,
      image("plain"),
      "stat",
      "-c",
      "%u",
      "/h",
    ]);
    expect({ status, output }).toEqual({ status: 0, output: `${id}\n` });
    expect(errors).toContain("1 files are neither yours nor your containers', and keep their owners");
  });

  test("O shows a directory of the host and keeps what is written apart, for one run", async () => {
    const host = suite.user.makeDirectory(`host-${crypto.randomUUID()}`);
    writeFileSync(`${host}/file`, "host\n");
    suite.user.own(`${host}/file`);
    const script = "cat /o/file; ls /o | wc -l; echo changed >/o/file; touch /o/new";
    await bunker("create", "--name", "view", "-v", `${host}:/o:O`, image("plain"), "sh", "-c", script);
    expect(await bunker("start", "-a", "view")).toBe("host\n1\n");
    expect(await bunker("start", "-a", "view")).toBe("host\n1\n");
    expect(readdirSync(host)).toEqual(["file"]);
    expect(readFileSync(`${host}/file`, "utf8")).toBe("host\n");
    expect(await refusal("run", "-v", `${host}/missing:/o:O`, image("plain"))).toContain("ENOENT");
  });

  test("a part of a volume is mounted, and never what a link in it leads to", async () => {
    await shell(["-v", "data:/data"], "mkdir -p /data/a/b && echo part >/data/a/b/file && ln -s /etc /data/link");
    const part = (path: string) => ["--mount", `type=volume,src=data,dst=/part,volume-subpath=${path}`];
    expect(await shell(part("a/b"), "cat /part/file")).toBe("part\n");
    expect(await shell(part("a/b/file"), "cat /part")).toBe("part\n");
    expect(await refusal("run", "--rm", ...part("link"), image("plain"), "ls", "/part")).toContain("ENOENT");
    expect(await refusal("run", "--rm", ...part("missing"), image("plain"))).toContain("ENOENT");
  });

  test("export and import keep the files", async () => {
    await shell(["-v", "data:/srv/app"], "touch /srv/app/.wh.name && mkdir -m 700 /srv/app/closed");
    const archive = `${suite.user.home}/archive.tar`;
    await bunker("volume", "export", "-o", archive, "data");
    await bunker("volume", "create", "copy");
    await bunker("volume", "import", "copy", archive);
    const listing = (name: string) =>
      shell(["-v", `${name}:/v`], "cd /v && find . -mindepth 1 | sort | xargs stat -c '%n %a %u %h %s %Y'");
    expect(await listing("copy")).toBe(await listing("data"));
    const piped = `'${suite.user.bunkerPath}' volume export data | gzip | '${suite.user.bunkerPath}' volume import piped -`;
    await bunker("volume", "create", "piped");
    expect(await suite.user.execute(["sh", "-c", piped])).toMatchObject({ status: 0, errors: "" });
    expect(await listing("piped")).toBe(await listing("data"));
    writeFileSync(archive, "no archive");
    expect(await refusal("volume", "import", "copy", archive)).toContain("archive");
    expect(await refusal("volume", "import", "missing", archive)).toContain("No such volume: missing");
    Bun.spawnSync(["rm", archive]);
  });

  test("rm and run at once: the volume is used or removed, never half of each", async () => {
    for (let round = 0; round < 5; round++) {
      await bunker("volume", "create", "contested");
      const [run, removal] = await Promise.all([
        suite.user.run(["-v", "contested:/srv/app", image("plain"), "ls", "/srv/app"]),
        suite.user.bunker(["volume", "rm", "contested"]),
      ]);
      expect(run).toMatchObject({ status: 0, output: "a\nb\nhard\nlink\n" });
      if (removal.status !== 0) expect(removal.errors).toContain("volume is in use");
    }
  });
});
