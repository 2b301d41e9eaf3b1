/* Commands that read or write archives are interrupted while nobody is at the other end. */
import { beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { output } from "../../unprivileged-user.ts";
import { busybox, emptyStoreSuite } from "./empty-store-suite.ts";

const suite = emptyStoreSuite();
const { bunker } = suite;

/** Whether a process has a file or directory open that is in a directory. */
function writesInto(process: number, directory: string): boolean {
  try {
    const descriptors = `/proc/${process}/fd`;
    return readdirSync(descriptors).some((name) => readlinkSync(`${descriptors}/${name}`).startsWith(directory));
  } catch {
    // One of them has been closed, or the process has ended.
    return false;
  }
}

describe("an interruption", () => {
  let pipe: string;
  beforeEach(() => {
    pipe = `${suite.directory}/pipe`;
    output(["mkfifo", "-m", "666", pipe]);
  });

  async function interrupt(words: readonly string[], reach: () => Promise<FileHandle>): Promise<void> {
    const session = suite.user.talk(words);
    const handle = await reach();
    session.process.kill("SIGINT");
    const { errors, status } = await session.finish();
    await handle.close();
    expect({ errors, status, words }).toEqual({ errors: "bunker: interrupted by SIGINT\n", status: 130, words });
  }

  test("ends load, import and copy while nobody sends the archive", async () => {
    const copying = ["copy", "-q", `oci-archive:${pipe}:x`, "x"];
    for (const words of [["load", "-i", pipe], ["import", pipe], copying]) {
      // Waits until it is read from.
      await interrupt([suite.user.bunkerPath, ...words], () => open(pipe, "w"));
    }
  });

  test("of save leaves what was at the place, and nothing beside it", async () => {
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    const formats = [
      ["oci-dir", "dir"],
      ["docker-dir", "dir"],
      ["docker-archive", "image.tar"],
    ] as const;
    for (const [format, name] of formats) {
      const parent = `${suite.directory}/${format}`;
      mkdirSync(parent);
      suite.user.own(parent);
      const session = suite.user.talk([
        suite.user.bunkerPath,
        ...["save", "-q", "--format", format, "-o", `${parent}/${name}`, "busybox:1"],
      ]);
      const hasBegun = () => session.process.exitCode !== null || writesInto(session.process.pid, parent);
      while (!hasBegun()) await Bun.sleep(1);
      session.process.kill("SIGINT");
      const { errors, status } = await session.finish();
      const left = readdirSync(parent, { recursive: true }).map(String);
      if (status === 0) expect(left).toContain(name);
      else
        expect({ errors, status, left }).toEqual({ errors: "bunker: interrupted by SIGINT\n", status: 130, left: [] });
    }
  });

  test("ends save and copy while nobody reads the archive", async () => {
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    const reach = async () => {
      const handle = await open(pipe, "r");
      await handle.read(Buffer.alloc(1), 0, 1);
      return handle;
    };
    const save = [suite.user.bunkerPath, "save", "busybox:1"];
    await interrupt(["sh", "-c", `exec "$0" "$@" > ${pipe}`, ...save], reach);
    await interrupt([...save, "-q", "-o", pipe], reach);
    await interrupt([suite.user.bunkerPath, "copy", "-q", "busybox:1", `docker-archive:${pipe}`], reach);
  });
});
