/* What a container has changed, and all of its files as an archive; while it runs and afterwards. */
import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, openFiles } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";
import { succeed } from "./files.ts";

const CHANGES =
  "mkdir /new && echo one >/new/file && ln /new/file /new/link && rm /bin/sh && echo x >/etc/added && chmod 700 /root";
const LISTED = "C /bin\nD /bin/sh\nC /etc\nA /etc/added\nA /new\nA /new/file\nA /new/link\n";

for (const name of ["bunker-test", "bunker-bare"] as const) {
  describe(name, () => {
    const suite = containerSuite(name);
    const bunker = (...words: string[]) => succeed(suite.user, ...words);
    const idle = "while :; do sleep 0.05; done";

    async function runs(container: string, script: string): Promise<void> {
      await bunker("run", "-d", "--name", container, suite.image, "sh", "-c", `${script}; echo ready; ${idle}`);
      for (let log = ""; log !== "ready\n"; ) log = await bunker("logs", container);
    }

    test("diff shows what was added, changed and deleted, and nothing of what is mounted", async () => {
      await runs("changes", CHANGES);
      const running = await bunker("diff", "changes");
      await bunker("rm", "-f", "changes");
      expect(
        running
          .split("\n")
          .filter((line) => !/^C \/(?:root)?$/.test(line))
          .join("\n"),
      ).toBe(LISTED);
    });

    test("an archive or a log ends without a word when nobody reads it, and says so when there is no room", async () => {
      const lines = "i=0; while [ $((i += 1)) -le 20000 ]; do echo line $i; done";
      await bunker("run", "--name", "lines", suite.image, "sh", "-c", lines);
      await bunker("commit", "--squash", "lines", "kept");
      for (const words of ["export lines", "cp lines:/bin -", "logs lines", "save kept"]) {
        const script = `{ "$1" ${words}; echo "status $?" >&2; } | head -c 1 >/dev/null; "$1" ${words} >/dev/full`;
        const { errors } = await suite.user.execute(["sh", "-c", script, "sh", suite.user.bunkerPath]);
        const [status, refusal] = errors.split("\n");
        expect({ words, status, refusal }).toEqual({
          words,
          status: "status 141",
          refusal: "bunker: write to standard output: ENOSPC",
        });
      }
      await bunker("rm", "lines");
      await bunker("rmi", "kept");
    });

    test("diff of a container that has changed nothing, or cannot", async () => {
      await bunker("create", "--name", "untouched", suite.image, "true");
      expect(await bunker("container", "diff", "untouched")).toBe("");
      await bunker("run", "--name", "constant", "--read-only", suite.image, "true");
      expect(await bunker("diff", "--format", "json", "constant")).toBe('{"added":[],"changed":[],"deleted":[]}\n');
      await bunker("rm", "untouched", "constant");
    });

    test("diff looks where only the container's root may, and knows the owners there", async () => {
      const prepare = "mkdir -p /deep/own /deep/closed/below && chmod 700 /deep/own && chmod 0 /deep/closed /deep";
      await bunker("run", "--name", "base", suite.image, "sh", "-c", prepare);
      await bunker("commit", "--squash", "base", "closed");
      // What gets the mode that it has is copied up, and yet no change.
      const change =
        "chmod 700 /deep/own && chmod 755 /deep/closed/below && mkdir /new && echo 1 >/new/file && rm /etc/group" +
        " && echo 2 >/deep/closed/file && chmod 0 /new";
      await bunker("run", "--name", "changed", "closed", "sh", "-c", change);
      const listed = "A /deep/closed/file\nC /etc\nD /etc/group\nA /new\nA /new/file\n";
      expect(await bunker("diff", "changed")).toBe(`C /deep\nC /deep/closed\n${listed}`);
      await bunker("rm", "base", "changed");
      // With one id there is none besides the user's own.
      if (name === "bunker-test") {
        await bunker("run", "--name", "kept", "--userns", "keep-id", "--user", "0", "closed", "sh", "-c", change);
        expect(await bunker("diff", "kept")).toBe(`C /deep\nC /deep/closed\n${listed}`);
        await bunker("rm", "kept");
      }
      await bunker("rmi", "closed");
    });

    test("what was made to mount something on it is in neither diff nor commit", async () => {
      // The image has /etc and /usr, and none of the rest, nor /etc/hosts.
      const mounts = ["-v", "kept:/etc/kept", "--tmpfs", "/usr/deep/below"];
      await bunker("copy", suite.image, "base");
      await bunker("run", "--name", "mounted", ...mounts, "base", "true");
      expect(await bunker("diff", "mounted")).toBe("");
      await bunker("run", "--name", "beside", ...mounts, "base", "touch", "/usr/deep/file");
      expect(await bunker("diff", "beside")).toBe("C /usr\nA /usr/deep\nA /usr/deep/file\n");
      await bunker("commit", "mounted", "committed");
      const history = await bunker("history", "--format", "{{.Size}}", "committed");
      expect(history.split("\n")[0]).toBe("0B");
      await bunker("rm", "mounted", "beside");
      await bunker("rmi", "committed", "base");
      await bunker("volume", "rm", "kept");
    });

    test("export writes everything that the container sees, and nothing that is mounted", async () => {
      const shared = suite.user.makeDirectory("shared");
      const archives = suite.user.makeDirectory("archives");
      writeFileSync(join(shared, "secret"), "of the host");
      const mount = `${shared}:/shared`;
      await bunker(
        "run",
        "-d",
        "-v",
        mount,
        "--name",
        "source",
        suite.image,
        "sh",
        "-c",
        `${CHANGES}; echo ready; ${idle}`,
      );
      for (let log = ""; log !== "ready\n"; ) log = await bunker("logs", "source");
      const file = join(archives, "source.tar");
      await bunker("export", "-o", file, "source");
      await bunker("stop", "-t", "0", "source");
      const stopped = join(archives, "stopped.tar");
      const { status } = await suite.user.execute(["sh", "-c", `${suite.user.bunkerPath} export source >${stopped}`]);
      expect(status).toBe(0);
      const list = await suite.user.execute(["tar", "--numeric-owner", "-tvf", file]);
      expect(list.errors).toBe("");
      expect((await suite.user.execute(["cmp", file, stopped])).output).toBe("");
      expect(list.output).toMatch(/^-rw-r--r-- 0\/0 +4 .* new\/file$/m);
      expect(list.output).toMatch(/ new\/link link to new\/file$/m);
      expect(list.output).toMatch(/ shared\/$/m);
      expect(list.output).not.toMatch(/secret|bin\/sh$/m);
      await bunker("import", file, "again");
      expect(await bunker("run", "--rm", "again", "/bin/busybox", "cat", "/new/link")).toBe("one\n");
      await bunker("rm", "source");
      await bunker("rmi", "again");
    });

    test("export to a full disk leaves what was there", async () => {
      await bunker("create", "--name", "full", suite.image, "true");
      const outcome = await suite.user.bunker(["export", "-o", "/dev/full", "full"]);
      expect(outcome).toEqual({
        status: 1,
        output: "",
        errors: "bunker: write to /dev/full: ENOSPC\nhint: Free some space there, or choose another place.\n",
      });
      expect((await suite.user.bunker(["export", "-o", "/", "full"])).status).toBe(1);
      expect(readdirSync(suite.user.home).filter((entry) => entry.startsWith(".bunker"))).toEqual([]);
      await bunker("rm", "full");
    });

    test("export waits for a reader that takes its time, though the pipe does not, and leaves the pipe as it is", async () => {
      await bunker("create", "--name", "slow", suite.image, "true");
      // The flags are looked at while there is more to come, after which the writing end is left to the command.
      const script = `
import fcntl, hashlib, os, subprocess, sys
reading, writing = os.pipe()
fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
flags = fcntl.fcntl(writing, fcntl.F_GETFL)
child = subprocess.Popen(sys.argv[1:], stdout=writing)
digest = hashlib.sha256()
for piece in range(20):
    digest.update(os.read(reading, 3000))
print(fcntl.fcntl(writing, fcntl.F_GETFL) == flags)
os.close(writing)
while piece := os.read(reading, 3000):
    digest.update(piece)
print(child.wait(), digest.hexdigest())
`;
      const exporting = [suite.user.bunkerPath, "export", "slow"];
      const slow = await suite.user.execute(["python3", "-c", script, ...exporting]);
      const { output } = await suite.user.execute(["sh", "-c", `${exporting.join(" ")} | sha256sum`]);
      expect(slow).toMatchObject({ status: 0, output: `True\n0 ${output.split(" ")[0]}\n`, errors: "" });
      await bunker("rm", "slow");
    });

    test("an interrupted export leaves nothing", async () => {
      const archives = suite.user.makeDirectory("interrupted");
      await bunker("run", "--name", "large", suite.image, "truncate", "-s", "4G", "/large");
      const exporting = suite.user.start([suite.user.bunkerPath, "export", "-o", join(archives, "large.tar"), "large"]);
      // Until it is whole it has no name.
      await eventually(
        () => openFiles(exporting.pid).some((path) => path.startsWith(archives)),
        () => "the archive to be open",
      );
      exporting.kill("SIGINT");
      expect(await exporting.exited).toBe(130);
      expect(readdirSync(archives)).toEqual([]);
      await bunker("rm", "large");
    });

    test("what is not there, and directories of the host", async () => {
      expect((await suite.user.bunker(["diff", "nowhere"])).errors).toBe("bunker: No such container: nowhere\n");
      expect((await suite.user.bunker(["export", "nowhere"])).status).toBe(1);
    });
  });
}
