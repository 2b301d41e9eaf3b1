import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  isInUse,
  makeContainerDirectory,
  newContainerId,
  releaseName,
} from "../../../src/engine/container-directory.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { removeTree } from "../../../src/sys/remove-tree.ts";

let data: string;
let cleanup: AsyncDisposableStack;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "containers-"));
  cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(data, { recursive: true }));
});
afterEach(() => cleanup.disposeAsync());

const ephemeral = { name: undefined, ephemeral: true };
const lasting = { name: undefined, ephemeral: false };

function make(id: string, options: { readonly name: string | undefined; readonly ephemeral: boolean }) {
  return makeContainerDirectory(data, id, options, removeTree);
}

/** Another process that makes a directory when it is told to. */
async function startMaker(id: string, name = "", kind: "ephemeral" | "lasting" = "ephemeral") {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/fixtures/make-container.ts`, data, id, name, kind], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await child.exited;
  });
  const reader = child.stdout.getReader();
  const heard = async () => Buffer.from((await reader.read()).value ?? []).toString();
  const tell = () => {
    child.stdin.write(".");
    child.stdin.flush();
  };
  expect(await heard()).toBe("ready\n");
  return {
    /** Lets it make the directory; what it says then. */
    go: () => {
      tell();
      return heard();
    },
    end: async () => {
      tell();
      expect(await child.exited).toBe(0);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("ids are Docker's: 64 hexadecimal digits, never the same", () => {
  const ids = Array.from({ length: 100 }, newContainerId);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect(new Set(ids).size).toBe(100);
});

describe("a directory", () => {
  test("of --rm goes at the end, with its name and its content", () => {
    {
      using directory = make("a", { name: "web", ephemeral: true });
      expect(directory.path).toBe(`${data}/ephemeral/a`);
      expect(statSync(directory.path).mode & 0o7777).toBe(0o700);
      expect(isInUse(directory.path)).toBe(true);
      expect(readlinkSync(`${data}/names/web`)).toBe("a");
      mkdirSync(`${directory.path}/upper/deep`, { recursive: true });
    }
    expect([readdirSync(`${data}/ephemeral`), readdirSync(`${data}/names`)]).toEqual([[], []]);
  });

  test("of a container that stays is there afterwards, and in use no more", () => {
    let path: string;
    {
      using directory = make("a", { name: "web", ephemeral: false });
      ({ path } = directory);
      expect(path).toBe(`${data}/containers/a`);
      expect(isInUse(path)).toBe(true);
    }
    expect(existsSync(path)).toBe(true);
    expect(isInUse(path)).toBe(false);
    expect(readlinkSync(`${data}/names/web`)).toBe("a");
  });

  test("that cannot be made is an error with the errno and a hint", () => {
    writeFileSync(join(data, "ephemeral"), "");
    expect(() => make("a", ephemeral)).toThrow(
      expect.objectContaining({ errno: Errno.ENOTDIR, object: `${data}/ephemeral/a`, hint: expect.any(String) }),
    );
  });

  test("that is missing is not in use", () => {
    expect(isInUse(`${data}/ephemeral/a`)).toBe(false);
  });

  test("is in use for everyone who asks at once, or for nobody", async () => {
    const holder = await startMaker("held");
    expect(await holder.go()).toBe("made\n");
    expect(isInUse(`${data}/ephemeral/held`)).toBe(true);
    await holder.kill();
    const script = `import { isInUse } from ${JSON.stringify(join(import.meta.dir, "../../../src/engine/container-directory.ts"))};
      let used = 0;
      for (let n = 0; n < 3000; n++) if (isInUse(process.argv[1])) used++;
      console.log(used);`;
    const askers = Array.from({ length: 2 }, () =>
      Bun.spawn([process.execPath, "-e", script, `${data}/ephemeral/held`], { stdout: "pipe" }),
    );
    expect(await Promise.all(askers.map((asker) => new Response(asker.stdout).text()))).toEqual(["0\n", "0\n"]);
  });
});

describe("the sweep before a new container", () => {
  test("removes what a killed process left of --rm, and leaves alone what is in use", async () => {
    const [killed, running] = [await startMaker("killed", "gone"), await startMaker("running")];
    expect([await killed.go(), await running.go()]).toEqual(["made\n", "made\n"]);
    await killed.kill();
    expect(readdirSync(`${data}/ephemeral`).toSorted()).toEqual(["killed", "running"]);
    using _new = make("new", ephemeral);
    expect(readdirSync(`${data}/ephemeral`).toSorted()).toEqual(["new", "running"]);
    await running.end();
    expect(readdirSync(`${data}/ephemeral`)).toEqual(["new"]);
  });

  test("removes a directory whose maker was killed before it locked it", () => {
    mkdirSync(`${data}/ephemeral/half`, { recursive: true });
    mkdirSync(`${data}/containers/half`, { recursive: true });
    using _new = make("new", ephemeral);
    expect(readdirSync(`${data}/ephemeral`)).toEqual(["new"]);
    expect(readdirSync(`${data}/containers`)).toEqual([]);
  });

  test("keeps containers that stay, from when they have a record", () => {
    make("recorded", lasting)[Symbol.dispose]();
    writeFileSync(`${data}/containers/recorded/container.json`, "{}");
    make("never-recorded", lasting)[Symbol.dispose]();
    using _new = make("new", lasting);
    expect(readdirSync(`${data}/containers`).toSorted()).toEqual(["new", "recorded"]);
  });

  test("does not touch what is no directory", () => {
    mkdirSync(`${data}/ephemeral`);
    mkdirSync(`${data}/outside`);
    symlinkSync("../outside", `${data}/ephemeral/link`);
    writeFileSync(`${data}/ephemeral/file`, "");
    using _new = make("new", ephemeral);
    expect(existsSync(`${data}/outside`)).toBe(true);
    expect(readdirSync(`${data}/ephemeral`).toSorted()).toEqual(["file", "link", "new"]);
  });

  test("of many at once never takes a directory from its maker", async () => {
    const makers = await Promise.all(Array.from({ length: 8 }, (_, index) => startMaker(`id-${index}`)));
    expect(await Promise.all(makers.map((maker) => maker.go()))).toEqual(makers.map(() => "made\n"));
    expect(readdirSync(`${data}/ephemeral`).length).toBe(8);
    for (let index = 0; index < 8; index++) expect(isInUse(`${data}/ephemeral/id-${index}`)).toBe(true);
    await Promise.all(makers.map((maker) => maker.end()));
    expect(readdirSync(`${data}/ephemeral`)).toEqual([]);
  });
});

describe("a name", () => {
  const named = (kind: "ephemeral" | "lasting") => ({ name: "web", ephemeral: kind === "ephemeral" });

  test.each(["ephemeral", "lasting"] as const)("in use by a %s container is refused, and nothing is left", (kind) => {
    using _first = make("0123456789abcdef", named(kind));
    for (const other of ["ephemeral", "lasting"] as const) {
      expect(() => make("second", named(other))).toThrow(
        expect.objectContaining({
          code: "name_in_use",
          message: 'use the container name "web": it is in use by container 0123456789ab',
        }),
      );
    }
    expect(existsSync(`${data}/ephemeral/second`) || existsSync(`${data}/containers/second`)).toBe(false);
    expect(readlinkSync(`${data}/names/web`)).toBe("0123456789abcdef");
  });

  test("of a container that has ended and stays is still in use", () => {
    make("first", named("lasting"))[Symbol.dispose]();
    writeFileSync(`${data}/containers/first/container.json`, "{}");
    expect(() => make("second", named("ephemeral"))).toThrow("in use by container first");
  });

  test("is free again after the end, a kill, a removal, and where no container came to be", async () => {
    make("first", named("ephemeral"))[Symbol.dispose]();
    make("failed", named("lasting"))[Symbol.dispose]();
    const killed = await startMaker("killed", "web");
    expect(await killed.go()).toBe("made\n");
    await killed.kill();
    expect(readlinkSync(`${data}/names/web`)).toBe("killed");
    make("third", named("ephemeral"))[Symbol.dispose]();
    symlinkSync("never-was", `${data}/names/web`);
    using _last = make("last", named("ephemeral"));
    expect(readlinkSync(`${data}/names/web`)).toBe("last");
  });

  test("is given back by its holder only", () => {
    using _holder = make("holder", named("ephemeral"));
    releaseName(data, "web", "other");
    expect(readlinkSync(`${data}/names/web`)).toBe("holder");
    releaseName(data, "unknown", "other");
    releaseName(data, "web", "holder");
    expect(readdirSync(`${data}/names`)).toEqual([]);
  });

  test.each([
    ["free", false],
    ["left by a dead container", true],
  ])("that is %s goes to one of those who want it at once", async (_, isLeft) => {
    for (let round = 0; round < 3; round++) {
      mkdirSync(`${data}/names`, { recursive: true });
      if (isLeft) symlinkSync("dead", `${data}/names/web`);
      const makers = await Promise.all(Array.from({ length: 4 }, (_, index) => startMaker(`id-${index}`, "web")));
      const said = await Promise.all(makers.map((maker) => maker.go()));
      expect(said.toSorted()).toEqual(["made\n", "name_in_use\n", "name_in_use\n", "name_in_use\n"]);
      const winner = said.indexOf("made\n");
      expect(readlinkSync(`${data}/names/web`)).toBe(`id-${winner}`);
      await makers[winner]?.end();
      expect([readdirSync(`${data}/names`), readdirSync(`${data}/ephemeral`)]).toEqual([[], []]);
    }
  });
});
