/* Copies between containers and the host, by containers that run and that do not, and by hostile ones. */
import { beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containerSuite } from "../run/suite.ts";
import { succeed } from "./files.ts";

const idle = "echo ready; while :; do sleep 0.05; done";

for (const name of ["bunker-test", "bunker-bare"] as const) {
  describe(name, () => {
    const suite = containerSuite(name);
    const bunker = (...words: string[]) => succeed(suite.user, ...words);
    let work = "";
    let count = 0;

    beforeEach(() => {
      work = suite.user.makeDirectory(`work-${count++}`);
    });

    /** A file of the user's. */
    function write(path: string, text: string, mode = 0o644): string {
      const whole = join(work, path);
      mkdirSync(join(whole, ".."), { recursive: true });
      writeFileSync(whole, text);
      chmodSync(whole, mode);
      for (let at = whole; at !== work; at = join(at, "..")) suite.user.own(at);
      return whole;
    }

    async function runs(container: string, script: string, ...options: string[]): Promise<void> {
      await bunker("run", "-d", "--name", container, ...options, suite.image, "sh", "-c", `${script}; ${idle}`);
      for (let log = ""; log !== "ready\n"; ) log = await bunker("logs", container);
    }

    /** What a shell prints in a container that runs, or in one that is started for it. */
    const inside = (container: string, script: string) => bunker("exec", container, "sh", "-c", script);

    async function refused(...words: string[]): Promise<string> {
      const { status, output, errors } = await suite.user.bunker(["cp", ...words]);
      expect({ words, status, output }).toEqual({ words, status: 1, output: "" });
      return errors;
    }

    for (const state of ["running", "stopped"] as const) {
      /** A container in the state; `check` looks into it in any case. */
      async function withBox(script: string, use: (look: (script: string) => Promise<string>) => Promise<void>) {
        await runs("box", script);
        if (state === "stopped") await bunker("stop", "-t", "0", "box");
        let isStarted = state === "running";
        await use(async (looking) => {
          if (!isStarted) await bunker("start", "box");
          isStarted = true;
          return inside("box", looking);
        });
        await bunker("rm", "-f", "box");
      }

      test(`${state}: files go in and come back with content, mode and time`, async () => {
        const file = write("file", "text\n", 0o640);
        await withBox("mkdir /d && chown 0 /d", async (look) => {
          await bunker("cp", file, "box:/d");
          await bunker("cp", file, "box:/d/renamed");
          await bunker("cp", file, "box:relative");
          await bunker("cp", "box:/d/renamed", `${work}/back`);
          expect(readFileSync(`${work}/back`, "utf8")).toBe("text\n");
          const [there, back] = [lstatSync(file), lstatSync(`${work}/back`)];
          expect({ mode: back.mode, uid: back.uid, gid: back.gid, time: Math.floor(back.mtimeMs) }).toEqual({
            mode: there.mode,
            uid: suite.user.uid,
            gid: suite.user.gid,
            time: Math.floor(there.mtimeMs),
          });
          expect(await look("stat -c '%n %a %u %g' /d/file /d/renamed /relative")).toBe(
            "/d/file 640 0 0\n/d/renamed 640 0 0\n/relative 640 0 0\n",
          );
        });
      });

      test(`${state}: directories follow docker's rules`, async () => {
        write("tree/a", "a");
        write("tree/sub/b", "b", 0o755);
        symlinkSync("a", join(work, "tree/link"));
        await withBox("mkdir /d; echo x >/file", async (look) => {
          await bunker("cp", `${work}/tree`, "box:/d");
          await bunker("cp", `${work}/tree/.`, "box:/d");
          await bunker("cp", `${work}/tree`, "box:/new");
          expect(await refused(`${work}/tree`, "box:/file")).toMatch(/a directory cannot be copied to something else/);
          expect(await refused(`${work}/tree/a`, "box:/none/")).toMatch(/there is no such directory/);
          expect(await refused(`${work}/tree/a`, "box:/none/a")).toMatch(/ENOENT/);
          expect(await refused(`${work}/tree/a`, "box:/file/")).toMatch(/ENOTDIR/);
          expect(await refused(`${work}/none`, "box:/")).toMatch(/ENOENT/);
          await bunker("cp", "box:/d", `${work}/out`);
          await bunker("cp", "box:/d/.", `${work}/out2`);
          const same = await suite.user.execute(["diff", "-r", "--no-dereference", `${work}/out`, `${work}/out2`]);
          expect(same).toEqual({ status: 0, output: "", errors: "" });
          expect(readdirSync(`${work}/out`).sort()).toEqual(["a", "link", "sub", "tree"]);
          await bunker("cp", "box:/d/link", `${work}/link`);
          expect(lstatSync(`${work}/link`).isSymbolicLink()).toBe(true);
          await bunker("cp", "-L", "box:/d/link", `${work}/followed`);
          expect(lstatSync(`${work}/followed`).isFile()).toBe(true);
          expect(await look("cd / && ls d new d/tree && cat d/link d/sub/b")).toBe(
            "d:\na\nlink\nsub\ntree\n\nd/tree:\na\nlink\nsub\n\nnew:\na\nlink\nsub\nab",
          );
        });
      });

      test(`${state}: archives go both ways`, async () => {
        write("tree/var/run/x", "x");
        await withBox("mkdir -p /d /e /real; ln -s /real /e/var", async (look) => {
          const tar = await suite.user.execute([
            "tar",
            "-C",
            join(work, "tree"),
            "-czf",
            join(work, "t.tgz"),
            "var/run/x",
          ]);
          expect(tar.status).toBe(0);
          const input = readFileSync(join(work, "t.tgz"));
          expect(await suite.user.bunker(["cp", "-", "box:/d"], { input })).toEqual({
            status: 0,
            output: "",
            errors: "",
          });
          // A link within the container is followed, as in its own tar.
          expect((await suite.user.bunker(["cp", "-", "box:/e"], { input })).status).toBe(0);
          expect((await suite.user.bunker(["cp", "-", "box:/d/var/run/x"], { input })).status).toBe(1);
          const damaged = await suite.user.bunker(["cp", "-", "box:/d"], { input: input.subarray(0, 60) });
          expect({ status: damaged.status, lines: damaged.errors.split("\n").length }).toEqual({ status: 1, lines: 2 });
          const out = await suite.user.execute(["sh", "-c", `${suite.user.bunkerPath} cp box:/d - | tar -tf -`]);
          expect(out.output).toBe("d/\nd/var/\nd/var/run/\nd/var/run/x\n");
          expect(await look("cat /d/var/run/x /real/run/x; stat -c %u /d/var")).toBe("xx0\n");
        });
      });

      test(`${state}: links of the container lead nowhere but into it`, async () => {
        const secret = write("secret", "of the host");
        const script = `mkdir -p /d ${work} && { test -e ${secret} || echo mine >${secret}; } && ln -s ${secret} /file && ln -s ../../../../../.. /up && ln -s ${work} /dir && ln -s loop /loop`;
        await withBox(script, async (look) => {
          await bunker("cp", "-L", "box:/file", `${work}/got`);
          expect(readFileSync(`${work}/got`, "utf8")).toBe("mine\n");
          expect((await suite.user.bunker(["cp", "-L", `box:/up${secret}`, `${work}/up`])).status).toBe(0);
          expect(readFileSync(`${work}/up`, "utf8")).toBe("mine\n");
          const put = write("put", "put");
          await bunker("cp", put, "box:/dir/new");
          await bunker("cp", put, "box:/file");
          expect(existsSync(`${work}/new`)).toBe(false);
          expect(readFileSync(secret, "utf8")).toBe("of the host");
          expect(await refused("-L", "box:/loop", `${work}/loop`)).toMatch(/ELOOP/);
          expect(await look(`cat ${work}/new ${secret}`)).toBe("putput");
        });
      });
    }

    test("what a container gives cannot lead out of the directory on the host", async () => {
      const outside = suite.user.makeDirectory(`outside-${count}`);
      await runs("box", "mkdir -p /t/link; echo x >/t/link/file; cp /bin/busybox /t/suid; chmod 4755 /t/suid");
      mkdirSync(`${work}/t`);
      symlinkSync(outside, `${work}/t/link`);
      for (const path of ["t", "t/link"]) Bun.spawnSync(["chown", "-h", `${suite.user.uid}`, join(work, path)]);
      expect((await suite.user.bunker(["cp", "box:/t", work])).status).toBe(1);
      expect(readdirSync(outside)).toEqual([]);
      await bunker("cp", "box:/t/suid", `${work}/suid`);
      expect(lstatSync(`${work}/suid`).mode & 0o7777).toBe(0o755);
      await bunker("rm", "-f", "box");
    });

    test("paths that change all the time do not lead out either", async () => {
      const secret = write("secret", "of the host");
      const script = `mkdir -p /a /b${work} && echo mine >/b${work}/secret && (while :; do rm -rf /s; ln -s / /s; rm -f /s; mkdir -p /s${work}; echo mine >/s${work}/secret; done) &`;
      await bunker("run", "-d", "--name", "box", suite.image, "sh", "-c", `${script} ${idle}`);
      for (let turn = 0; turn < 15; turn++) {
        await suite.user.bunker(["cp", "-L", `box:/s${secret}`, `${work}/got`]);
        if (existsSync(`${work}/got`)) expect(readFileSync(`${work}/got`, "utf8")).not.toContain("host");
        await suite.user.bunker(["cp", "/etc/hostname", `box:/s${work}/put`]);
        expect(existsSync(`${work}/put`)).toBe(false);
      }
      await bunker("rm", "-f", "box");
    });

    test("mounts: volumes are written to, read-only ones and read-only containers are not", async () => {
      const shared = suite.user.makeDirectory(`shared-${count}`);
      const file = write("file", "text");
      await runs("box", "true", "-v", `${shared}:/shared`, "-v", `${shared}:/constant:ro`);
      await bunker("cp", file, "box:/shared/one");
      expect(await refused(file, "box:/constant/two")).toMatch(/EROFS/);
      expect(await refused(file, "box:/etc/hosts")).toMatch(/EBUSY.*\nhint: Something is mounted there/);
      await bunker("stop", "-t", "0", "box");
      await bunker("cp", file, "box:/shared/three");
      expect(await refused(file, "box:/constant/two")).toMatch(/EROFS/);
      await bunker("cp", "box:/constant/one", `${work}/one`);
      expect(readFileSync(`${work}/one`, "utf8")).toBe("text");
      expect(readdirSync(shared).sort()).toEqual(["one", "three"]);
      expect(lstatSync(join(shared, "three")).uid).toBe(suite.user.uid);
      await bunker("rm", "box");
      await bunker("create", "--name", "box", "--read-only", suite.image, "true");
      expect(await refused(file, "box:/file")).toMatch(/its root file system is read-only/);
      await bunker("cp", "box:/bin/busybox", `${work}/busybox`);
      await bunker("rm", "box");
    });

    test("a full disk leaves what was there", async () => {
      const big = write("big", "0123456789abcdef".repeat(100_000));
      await runs("box", "echo old >/small/big", "--tmpfs", "/small:size=64k,mode=777");
      expect(await refused(big, "box:/small")).toMatch(/ENOSPC/);
      expect(await inside("box", "ls -A /small; cat /small/big")).toBe("big\nold\n");
      await bunker("rm", "-f", "box");
    });

    test("between containers, and a directory not into itself", async () => {
      await runs("one", "mkdir -p /d/e; echo x >/d/e/f");
      await bunker("create", "--name", "two", suite.image, "true");
      await bunker("cp", "one:/d", "two:/");
      await bunker("cp", "two:/d/e/f", "one:/copied");
      expect(await inside("one", "cat /copied")).toBe("x\n");
      expect(await refused("one:/d", "one:/d/e")).toMatch(/a directory cannot be copied into itself/);
      await bunker("rm", "-f", "one", "two");
    });

    test("several at once, and while the container is removed", async () => {
      const file = write("file", "text".repeat(10_000));
      await bunker("create", "--name", "box", suite.image, "cat", "/f0", "/f1", "/f2", "/f3");
      const copies = await Promise.all([0, 1, 2, 3].map((one) => suite.user.bunker(["cp", file, `box:/f${one}`])));
      for (const outcome of copies) expect(outcome).toEqual({ status: 0, output: "", errors: "" });
      expect((await bunker("start", "-a", "box")).length).toBe(160_000);
      const [copy, removal] = await Promise.all([
        suite.user.bunker(["cp", "box:/", `${work}/all`]),
        suite.user.bunker(["rm", "box"]),
      ]);
      expect([copy.status, removal.status]).toContain(0);
      for (const { status, errors } of [copy, removal]) {
        if (status !== 0) expect(errors).toMatch(/^bunker: .*\n(?:hint: .*\n)?$/);
      }
      if (removal.status !== 0) await bunker("rm", "box");
      rmSync(`${work}/all`, { recursive: true, force: true });
    });

    test("an interrupted copy leaves nothing half-written", async () => {
      await bunker("run", "--name", "box", suite.image, "sh", "-c", "mkdir /d; echo >/d/a; truncate -s 8G /d/large");
      const copying = suite.user.start([suite.user.bunkerPath, "cp", "box:/d", work]);
      while (!existsSync(`${work}/d/a`)) await Bun.sleep(1);
      copying.kill("SIGINT");
      expect(await copying.exited).toBe(130);
      expect(readdirSync(`${work}/d`)).toEqual(["a"]);
      await bunker("rm", "box");
    });

    test("into a container that is killed and removed meanwhile", async () => {
      for (let one = 0; one < 30; one++) write(`many/${one}/file`, "text");
      for (let turn = 0; turn < 6; turn++) {
        await runs("box", "true");
        const [copy, removal] = await Promise.all([
          suite.user.bunker(["cp", `${work}/many`, "box:/"]),
          suite.user.bunker(["rm", "-f", "box"]),
        ]);
        expect(removal).toEqual({ status: 0, output: "box\n", errors: "" });
        if (copy.status !== 0) expect(copy.errors).toMatch(/^bunker: (?!internal).*\n(?:hint: .*\n)?$/);
        expect(await bunker("ps", "-aq")).toBe("");
      }
    });

    if (name === "bunker-test") {
      test("with the caller's own id in the container, files belong to the container's root and to the caller", async () => {
        const file = write("file", "text", 0o600);
        await runs("box", "touch /tmp/mine", "--userns", "keep-id");
        await bunker("cp", file, "box:/tmp/put");
        await bunker("stop", "-t", "0", "box");
        await bunker("cp", file, "box:/tmp/put2");
        await bunker("cp", "box:/tmp/put", `${work}/back`);
        expect(lstatSync(`${work}/back`).uid).toBe(suite.user.uid);
        expect(await bunker("diff", "box")).toMatch(/A \/tmp\/mine\nA \/tmp\/put\nA \/tmp\/put2\n/);
        const list = await suite.user.execute([
          "sh",
          "-c",
          `${suite.user.bunkerPath} export box | tar --numeric-owner -tvf - | grep tmp/`,
        ]);
        expect(list.output).toMatch(new RegExp(`${suite.user.uid}/${suite.user.gid} .* tmp/mine\n.* 0/0 .* tmp/put\n`));
        await bunker("rm", "box");
      });
    }

    test("all of a container that runs, but for the kernel's file systems", async () => {
      await runs("box", "echo text > /file; echo shared > /dev/shm/file");
      await bunker("cp", "box:/", `${work}/all`);
      expect(readFileSync(`${work}/all/file`, "utf8")).toBe("text\n");
      for (const directory of ["proc", "sys", "dev"]) expect(readdirSync(`${work}/all/${directory}`)).toEqual([]);
      await bunker("cp", "box:/proc/version", `${work}/version`);
      await bunker("cp", "box:/dev/shm", `${work}/shm`);
      expect(existsSync(`${work}/version`)).toBe(true);
      expect(readFileSync(`${work}/shm/file`, "utf8")).toBe("shared\n");
      const file = write("a", "a");
      expect(await refused(file, "box:/none/a")).toBe("bunker: find box:/none/a: ENOENT\n");
      expect(await refused("box:/none/a", `${work}/a`)).toBe("bunker: find box:/none/a: ENOENT\n");
      await bunker("rm", "-f", "box");
    });

    test("what makes no sense", async () => {
      expect(await refused("a", "b")).toMatch(/neither of the two places is in a container/);
      expect(await refused("nowhere:/a", "b")).toBe("bunker: No such container: nowhere\n");
      expect(await refused("-", "nowhere:/")).toBe("bunker: No such container: nowhere\n");
    });
  });
}
