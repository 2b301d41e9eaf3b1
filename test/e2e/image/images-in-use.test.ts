import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync, statSync } from "node:fs";
import { relyOnImages } from "../../../src/image/store/images-lock.ts";
import { ARCHITECTURE, busyboxMembers } from "../../fixtures/images.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { eventually, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
beforeAll(() => {
  // Building the executable may take longer than a test.
  user = new UnprivilegedUser();
  storeImages(user, [busybox()]);
}, 300_000);
afterEach(async () => {
  await user.bunker(["rm", "-f", "kept"]);
  await user.expectNothingLeft();
});
afterAll(() => {
  user[Symbol.dispose]();
  rmSync(user.data, { recursive: true, force: true });
});

const configuration = { architecture: ARCHITECTURE, config: { Cmd: ["sh"], Env: ["PATH=/bin"] } };
const busybox = () => ({
  names: ["docker.io/library/busybox:latest"],
  layers: [pack(archive(busyboxMembers()), "gzip")],
  configuration,
});

async function ok(...words: string[]): Promise<string> {
  const { status, output, errors } = await user.bunker(words);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

test("an image that a container was made from stays until it is forced", async () => {
  await ok("run", "--name", "kept", "busybox", "true");
  expect(await ok("images", "--format", "{{.Containers}} {{.Repository}}")).toBe("1 busybox\n");
  expect(await ok("system", "df", "--format", "{{.Type}} {{.Active}} {{.Reclaimable}}")).toContain(
    "Images 1 0B (0%)\n",
  );
  const id = (await ok("images", "-q")).trim();
  for (const name of ["busybox", id]) {
    const { status, output, errors } = await user.bunker(["rmi", name]);
    expect({ status, output }).toEqual({ status: 1, output: "" });
    expect(errors).toMatch(
      /^bunker: remove the image \S+: conflict: unable to .* container [0-9a-f]{12}.*\nhint: Remove the container first: bunker rm [0-9a-f]{12}\.\n$/,
    );
  }
  expect(await ok("image", "prune", "-af")).toBe("Total reclaimed space: 0B\n");

  await ok("tag", "busybox", "again");
  expect(await ok("rmi", "again")).toBe("Untagged: again:latest\n");
  const forced = await ok("rmi", "-f", "busybox");
  // The layer is the container's still, so only the image has gone.
  expect(forced).toMatch(
    /^Untagged: busybox:latest\nUntagged: busybox@sha256:[0-9a-f]{64}\nDeleted: sha256:[0-9a-f]{64}\n$/,
  );
  expect(await ok("images", "-q")).toBe("");
  expect(await ok("start", "-a", "kept")).toBe("");
});

test("a container that is created while its image is about to be removed keeps it", async () => {
  storeImages(user, [busybox()]);
  const lock = `${user.data}/images.lock`;
  for (const words of [
    ["rmi", "busybox"],
    ["image", "prune", "-af"],
  ]) {
    const holding = new DisposableStack();
    // As of somebody who has just found an image: whoever removes some waits for that.
    holding.use(relyOnImages(user.data));
    try {
      const waiting = new RegExp(`-> FLOCK .*:${statSync(lock).ino} `);
      const removing = user.bunker(words);
      await eventually(
        () => waiting.test(readFileSync("/proc/locks", "utf8")),
        () => "the removal to wait",
      );
      await ok("create", "--name", "kept", "busybox", "true");
      holding.dispose();
      const { status, errors } = await removing;
      if (words[0] === "rmi")
        expect(errors).toMatch(/conflict: .* container [0-9a-f]{12} is using its referenced image/);
      else expect({ status, errors }).toEqual({ status: 0, errors: "" });
    } finally {
      holding.dispose();
    }
    expect(await ok("start", "-a", "kept")).toBe("");
    expect(await ok("images", "--format", "{{.Repository}}")).toBe("busybox\n");
    await ok("rm", "kept");
  }
});

test("an image for another machine runs with a warning, unless it was asked for", async () => {
  const [other, own] = ARCHITECTURE === "amd64" ? ["arm64", "386"] : ["amd64", "arm"];
  const named = (architecture: string) => ({
    ...busybox(),
    names: [`docker.io/library/busybox:${architecture}`],
    configuration: { ...configuration, architecture },
  });
  storeImages(user, [busybox(), named(other), named(own)]);
  const run = (...words: string[]) => user.bunker(["run", "--rm", "--network", "none", ...words, "echo", "here"]);
  const { status, output, errors } = await run(`busybox:${other}`);
  expect({ status, output }).toEqual({ status: 0, output: "here\n" });
  expect(errors).toMatch(
    new RegExp(`^warning: the image's platform \\(linux/${other}\\) does not match this machine's \\(linux/\\S+\\),`),
  );
  for (const words of [["--platform", `linux/${other}`, `busybox:${other}`], [`busybox:${own}`], ["busybox:latest"]]) {
    expect(await run(...words)).toEqual({ status: 0, output: "here\n", errors: "" });
  }
  await ok("rmi", `busybox:${other}`, `busybox:${own}`);
});

test("images are mounted in containers, and stay as long as those", async () => {
  const data = archive([
    { name: "data/", type: "5", mode: 0o755 },
    { name: "data/file", content: "of the image\n" },
    { name: "data/gone", content: "" },
    { name: "link", type: "2", linkName: "/data" },
    { name: "out", type: "2", linkName: "../../../../etc" },
  ]);
  const second = archive([
    { name: "data/.wh.gone", content: "" },
    { name: "data/new", content: "new\n" },
  ]);
  storeImages(user, [
    busybox(),
    { names: ["docker.io/library/data:latest"], layers: [pack(data, "gzip"), pack(second, "gzip")], configuration },
    { names: ["docker.io/library/single:latest"], layers: [pack(data, "gzip")], configuration },
  ]);
  const show = "cd /mnt; find . | sort | xargs; cat data/file; touch x";
  const mount = (text: string) => ["--mount", `type=image,target=/mnt,${text}`];
  const run = (options: readonly string[], script: string) =>
    user.bunker(["run", "--rm", "--network", "none", ...options, "busybox", "sh", "-c", script]);
  expect(await run(mount("source=data"), show)).toEqual({
    status: 1,
    output: ". ./data ./data/file ./data/new ./link ./out\nof the image\n",
    errors: "touch: x: Read-only file system\n",
  });
  expect(await run(mount("source=single"), show)).toMatchObject({
    output: ". ./data ./data/file ./data/gone ./link ./out\nof the image\n",
    errors: "touch: x: Read-only file system\n",
  });
  // Parts of it, of which none leads out.
  expect((await run(mount("source=data,subpath=data"), "ls /mnt")).output).toBe("file\nnew\n");
  expect((await run(mount("source=data,image-subpath=/link"), "ls /mnt")).output).toBe("file\nnew\n");
  expect((await run(mount("source=data,subpath=data/file"), "cat /mnt")).output).toBe("of the image\n");
  for (const subpath of ["out", "data/gone"]) {
    const { status, errors } = await run(mount(`source=data,subpath=${subpath}`), "true");
    expect({ status, errors }).toEqual({
      status: 125,
      errors: expect.stringMatching(/^bunker: bind mount .* on \/mnt: ENOENT/),
    });
  }
  expect(await run(["--pull", "never", ...mount("source=nothing")], "true")).toMatchObject({ status: 125 });

  // Writable, until the end of a run; also for another map of ids, and where the root is read-only.
  const writes = "cat data/file; echo changed >data/file; rm link; touch x; ls";
  for (const options of [[], ["--userns", "keep-id"], ["--read-only"]]) {
    const { output, errors } = await run(
      [...options, "-w", "/mnt", "-u", "0", ...mount("source=data,rw=true")],
      writes,
    );
    expect({ output, errors }).toEqual({ output: "of the image\ndata\nout\nx\n", errors: "" });
  }
  await ok("create", "--name", "kept", "-w", "/mnt", ...mount("source=data,rw"), "busybox", "sh", "-c", writes);
  for (let run = 0; run < 2; run++) expect(await ok("start", "-a", "kept")).toBe("of the image\ndata\nout\nx\n");
  expect(await ok("inspect", "kept", "--format", "{{range .Mounts}}{{.Type}} {{.Source}} {{.RW}}{{end}}")).toBe(
    "image data true\n",
  );
  expect(await ok("diff", "kept")).toBe("");
  expect(await ok("run", "--rm", "--volumes-from", "kept:ro", "busybox", "ls", "/mnt")).toBe("data\nlink\nout\n");

  expect(await user.bunker(["rmi", "data"])).toMatchObject({ status: 1, errors: expect.stringContaining("conflict") });
  await ok("rmi", "-f", "data");
  expect(await ok("start", "-a", "kept")).toBe("of the image\ndata\nout\nx\n");
  await ok("rm", "kept");
});
