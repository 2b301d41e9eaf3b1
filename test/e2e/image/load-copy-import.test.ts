/* Images come into the store from archives, and go from anywhere to anywhere. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { DockerRegistry } from "../../docker-registry.ts";
import { ARCHITECTURE, busyboxLayout, busyboxMembers, debianImages } from "../../fixtures/images.ts";
import { INDEX_TYPE, pack, tagged, writeImage, writeJson, writeLayout } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(120_000);

/** How often a command is killed; more for those who have the time. */
const KILLS = Number(process.env["BUNKER_TEST_KILLS"] ?? 5);

let user: UnprivilegedUser;
let registry: DockerRegistry;
let directory: string;

beforeAll(async () => {
  user = new UnprivilegedUser();
  registry = await DockerRegistry.start();
}, 300_000);

afterAll(async () => {
  user?.[Symbol.dispose]();
  await registry?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-load-"));
  user.own(directory);
});

afterEach(async () => {
  const staged = existsSync(`${user.data}/tmp`) ? readdirSync(`${user.data}/tmp`) : [];
  rmSync(directory, { recursive: true });
  output(["rm", "-rf", user.data]);
  await user.expectNothingLeft();
  expect(staged).toEqual([]);
});

const bunker = (...words: readonly string[]) => user.bunker(words);
const rawDigest = (image: string) =>
  `sha256:${new Bun.CryptoHasher("sha256").update(output(["skopeo", "inspect", "--raw", "--tls-verify=false", image])).digest("hex")}`;
const configuration = { architecture: ARCHITECTURE };
const busybox = () => `oci:${busyboxLayout()}:latest`;

/** Makes the image `several:1` in the store, for three platforms, this machine's first; returns its manifests. */
async function storeSeveralPlatforms() {
  const manifests = [ARCHITECTURE, "s390x", "riscv64"].map((architecture) => ({
    ...writeImage(`${directory}/source`, [pack(archive([{ name: architecture }]), "gzip")], { architecture }),
    platform: { os: "linux", architecture },
  }));
  const index = writeJson(`${directory}/source`, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, INDEX_TYPE);
  writeLayout(`${directory}/source`, [tagged(index, "all")]);
  await bunker("copy", "-q", "-a", `oci:${directory}/source:all`, "several:1");
  return manifests;
}

describe("load", () => {
  test("in a terminal shows progress, as save does, and leaves what is done", async () => {
    const shownBy = async (words: readonly string[], last: string) => {
      const session = user.startInTerminal([user.bunkerPath, ...words]);
      await session.expect(last);
      expect(await session.process.exited).toBe(0);
      return session.shown();
    };
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    const saved = await shownBy(["save", "-o", `${directory}/x.tar`, "busybox:1"], "Saved");
    expect(saved).toMatch(/[0-9a-f]{12}: Saved/);
    expect((await shownBy(["load", "-i", `${directory}/x.tar`], "Loaded image")).match(/Already exists/g)).toHaveLength(
      1,
    );
    output(["rm", "-rf", user.data]);
    const loaded = await shownBy(["load", "-i", `${directory}/x.tar`], "Loaded image: busybox:1");
    expect(loaded.match(/[0-9a-f]{12}: Loaded/g)).toHaveLength(1);
    expect(await shownBy(["load", "-q", "-i", `${directory}/x.tar`], "Loaded image")).not.toMatch(/[0-9a-f]{12}: /);
    for (const shown of [saved, loaded]) expect(shown).toContain("\x1b[J");
  });

  test("what save has written, and it runs", async () => {
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    await bunker("tag", "busybox:1", "registry.example.com/other:2");
    await bunker("save", "-o", `${directory}/x.tar`, "busybox:1", "registry.example.com/other:2");
    const before = (await bunker("images", "-q", "--no-trunc", "busybox")).output;
    output(["rm", "-rf", user.data]);
    expect(await bunker("load", "-i", `${directory}/x.tar`)).toEqual({
      status: 0,
      output: "Loaded image: busybox:1\nLoaded image: registry.example.com/other:2\n",
      errors: "",
    });
    expect((await bunker("images", "-q", "--no-trunc", "busybox")).output).toBe(before);
    expect(await user.run(["busybox:1", "echo", "hello"])).toMatchObject({ status: 0, output: "hello\n" });
  });

  test("the platforms that save was asked for, or some of them", async () => {
    const manifests = await storeSeveralPlatforms();
    const both = ["--platform", `linux/${ARCHITECTURE},linux/s390x`];
    for (const format of ["docker-archive", "oci-archive"]) {
      const words = ["save", "-q", "--format", format, "-o", `${directory}/${format}`];
      expect(await bunker(...words, ...both, "several:1")).toEqual({ status: 0, output: "", errors: "" });
      const members = output(["tar", "-tf", `${directory}/${format}`]);
      for (const [position, { digest }] of manifests.entries()) {
        expect(members.includes(digest.slice(7))).toBe(position < 2);
      }
    }
    const [host] = (await bunker("images", "-q", "--no-trunc", "several")).output.split("\n");
    expect((await bunker("save", "--platform", "linux/s390x", "-o", `${directory}/x`, host ?? "")).errors).toStartWith(
      `bunker: find the image ${host}: it is here for linux/${ARCHITECTURE}, not for linux/s390x`,
    );
    const architectures = async () => {
      const ids = (await bunker("images", "-q", "-a", "--no-trunc")).output.match(/\S+/g) ?? [];
      const shown = await bunker("inspect", "--format", "{{.Architecture}}", ...ids);
      return [...shown.output.matchAll(/\S+/g)].map(([word]) => word).sort();
    };
    for (const [format, options, expected] of [
      ["docker-archive", [], [ARCHITECTURE, "s390x"]],
      ["oci-archive", both, [ARCHITECTURE, "s390x"]],
      ["oci-archive", ["--platform", "linux/s390x"], ["s390x"]],
    ] as const) {
      output(["rm", "-rf", user.data]);
      expect(await bunker("load", "-q", ...options, "-i", `${directory}/${format}`)).toEqual({
        status: 0,
        output: "Loaded image: several:1\n",
        errors: "",
      });
      expect(await architectures()).toEqual([...expected].sort());
      const [shown] = JSON.parse((await bunker("image", "inspect", "--platform", "linux/s390x", "several:1")).output);
      expect(shown.Architecture).toBe("s390x");
    }
    const absent = await bunker("load", "--platform", "linux/riscv64", "-i", `${directory}/oci-archive`);
    expect(absent.errors).toContain("its index names one for linux/riscv64, which is not there");
    expect(absent.status).toBe(1);
  });

  test.each([
    ["plain", (bytes: Buffer) => bytes],
    ["gzip", (bytes: Buffer) => gzipSync(bytes)],
    ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
  ])("from a file and from standard input, %s", async (_, compress) => {
    output(["skopeo", "copy", "-q", busybox(), `docker-archive:${directory}/plain.tar:busybox:1`]);
    const input = compress(readFileSync(`${directory}/plain.tar`));
    writeFileSync(`${directory}/x.tar`, input);
    const expected = { status: 0, output: "Loaded image: busybox:1\n", errors: "" };
    expect(await bunker("load", "-i", `${directory}/x.tar`)).toEqual(expected);
    expect(await user.bunker(["load", "-q"], { input })).toEqual(expected);
    expect(await user.run(["busybox:1", "true"])).toMatchObject({ status: 0 });
  });

  test("what podman has saved, in its forms", async () => {
    const podman = ["podman", "--root", `${directory}/podman`, "--runroot", `${directory}/run`, "--storage-driver=vfs"];
    output([...podman, "pull", "-q", busybox()]);
    const [id = ""] = output([...podman, "images", "-q", "--no-trunc"]).split("\n");
    output([...podman, "tag", id, "docker.io/library/saved:3"]);
    for (const format of ["docker-archive", "oci-archive", "oci-dir", "docker-dir"]) {
      output([
        ...podman,
        "save",
        "-q",
        "--format",
        format,
        "-o",
        `${directory}/${format}`,
        "docker.io/library/saved:3",
      ]);
      output(["chmod", "-R", "a+rX", `${directory}/${format}`]);
      const { errors, output: said, status } = await bunker("load", "-i", `${directory}/${format}`);
      // A directory with one image has no room for a name.
      const loaded = format === "docker-dir" ? `Loaded image ID: ${id}\n` : "Loaded image: saved:3\n";
      expect({ errors, status, said }).toEqual({ errors: "", status: 0, said: loaded });
      await bunker("rmi", "-f", id);
    }
  });

  test("what save has written as a directory with one image, or some of an index", async () => {
    await storeSeveralPlatforms();
    const platforms = ["--platform", `linux/${ARCHITECTURE}`, "--platform", "linux/s390x"];
    await bunker("save", "--format", "docker-dir", ...platforms, "-o", `${directory}/dir`, "several:1");
    output(["rm", "-rf", user.data]);
    const { errors, output: said, status } = await bunker("load", "-i", `${directory}/dir`);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(said).toMatch(/^(?:Loaded image ID: sha256:[0-9a-f]{64}\n){2}$/);
    expect((await bunker("images", "-aq")).output.match(/\S+/g)).toHaveLength(2);
  });

  test("an image without a name, told by its id", async () => {
    const digest = rawDigest(busybox());
    await bunker("copy", "-q", busybox(), `oci-archive:${directory}/x.tar`);
    const { output: said } = await bunker("load", "-i", `${directory}/x.tar`);
    expect(said).toMatch(/^Loaded image ID: sha256:[0-9a-f]{64}\n$/);
    expect(readdirSync(`${user.data}/blobs/sha256`)).toContain(digest.slice(7));
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    await bunker("copy", "-q", busybox(), `docker-archive:${directory}/x.tar:busybox:1`);
    const whole = readFileSync(`${directory}/x.tar`);
    const xz = output(["sh", "-c", `xz -0c ${directory}/x.tar | head -c 100000 | base64`]);
    const damaged = Buffer.from(whole);
    damaged.fill(1, 3000, 3100);
    const cases: [input: Buffer, message: string][] = [
      [whole.subarray(0, whole.length / 2), "it is truncated"],
      [gzipSync(whole).subarray(0, 100_000), "it cannot be decompressed"],
      [Buffer.from(xz, "base64"), "it cannot be decompressed (it ends in the middle)"],
      [damaged, "digest"],
      [Buffer.alloc(0), "neither an image index nor a manifest.json"],
      [archive([{ name: "file" }]), "bunker import makes an image of it"],
      [archive([{ name: "repositories" }]), "an archive of a Docker before 1.10"],
      [Buffer.from("no archive ".repeat(100)), "checksum"],
    ];
    for (const [input, message] of cases) {
      const { errors, output: said, status } = await user.bunker(["load"], { input });
      expect(errors).toContain(message);
      expect(errors.split("\n").filter((line) => line.startsWith("bunker: "))).toHaveLength(1);
      expect({ said, status }).toEqual({ said: "", status: 1 });
    }
    expect((await bunker("images", "-q")).output).toBe("");
    mkdirSync(`${directory}/closed`, { mode: 0o700 });
    for (const [path, errno] of [
      ["missing", "ENOENT"],
      ["x.tar/y", "ENOTDIR"],
      ["closed/x", "EACCES"],
    ]) {
      const errors = `bunker: read ${directory}/${path}: ${errno}\n`;
      expect(await bunker("load", "-i", `${directory}/${path}`)).toEqual({ errors, output: "", status: 1 });
    }
  });

  test("on a full disk says so, and leaves nothing half-written", async () => {
    const data = `${directory}/data`;
    output(["mkdir", data]);
    output(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", data]);
    try {
      user.own(data);
      const environment = { XDG_DATA_HOME: data };
      const source = debianImages().dockerArchive.slice("docker-archive:".length);
      const { errors, status } = await user.bunker(["load", "-i", source], { environment });
      expect(errors).toMatch(/no space: \d+ MiB have to arrive, and the file system of \S+ has \d+ MiB left\n/);
      expect(status).toBe(1);
      const { output: images } = await user.bunker(["images", "-q"], { environment });
      expect(images).toBe("");
      expect(readdirSync(`${data}/bunker/tmp`)).toEqual([]);
    } finally {
      output(["umount", data]);
    }
  });

  test("says less than it unpacks to, on a small disk", async () => {
    const data = `${directory}/data`;
    const layout = `${directory}/small`;
    const filler = { name: "filler", content: Buffer.alloc(12 << 20, "x") };
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive([filler]), "gzip")], configuration), "small")]);
    output(["tar", "-cf", `${directory}/small.tar`, "-C", layout, "."]);
    const plain = `${directory}/plain`;
    writeLayout(plain, [tagged(writeImage(plain, [pack(archive([filler]))], configuration), "plain")]);
    output(["tar", "-czf", `${directory}/plain.tar.gz`, "-C", plain, "."]);
    output(["mkdir", data]);
    output(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", data]);
    try {
      user.own(directory);
      user.own(data);
      const settings = { environment: { XDG_DATA_HOME: data } };
      // Decompressed it is larger than the disk: only writing shows it.
      const refused = await user.bunker(["load", "-q", "-i", `${directory}/plain.tar.gz`], settings);
      expect(refused.errors).toMatch(/^bunker: write the archive to \S+: ENOSPC\b/);
      expect(refused.status).toBe(1);
      expect([readdirSync(`${data}/bunker/tmp`), (await user.bunker(["images", "-q"], settings)).output]).toEqual([
        [],
        "",
      ]);
      // Here it fits until it is run.
      const loaded = await user.bunker(["load", "-q", "-i", `${directory}/small.tar`], settings);
      expect(loaded.errors).toBe("");
      const [id = ""] = (await user.bunker(["images", "-q", "--no-trunc"], settings)).output.split("\n");
      const run = await user.bunker(["run", "--rm", id, "true"], settings);
      expect(run.errors).toMatch(/write "filler": its file system has \d MiB left/);
      expect(run.status).toBe(125);
      expect(readdirSync(`${data}/bunker/layers`)).toEqual([]);
      expect((await user.bunker(["images", "-q", "--no-trunc"], settings)).output).toBe(`${id}\n`);
    } finally {
      output(["umount", data]);
    }
  });

  test("is from a time to come, as on a machine whose clock is behind", async () => {
    const time = Date.UTC(2100, 0) / 1000;
    const layout = `${directory}/later`;
    const members = busyboxMembers().map((member) => ({ ...member, modified: time }));
    const later = { ...configuration, created: "2100-01-01T00:00:00Z" };
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive(members), "gzip")], later), "later")]);
    user.own(directory);
    await bunker("copy", "-q", `oci:${layout}:later`, "containers-storage:localhost/later:1");
    const stat = ["run", "--rm", "localhost/later:1", "stat", "-c", "%Y", "/bin/busybox"];
    expect(await bunker(...stat)).toEqual({ status: 0, output: `${time}\n`, errors: "" });
    // So the store looks when it was written before the clock was set back.
    output(["find", user.data, "-exec", "touch", "-hd", "@4102444800", "{}", "+"]);
    expect(await bunker(...stat)).toEqual({ status: 0, output: `${time}\n`, errors: "" });
    const { output: shown } = await bunker("images", "--format", "{{.Repository}} {{.CreatedSince}}");
    expect(shown).toBe("localhost/later Less than a second ago\n");
    await bunker("copy", "-q", busybox(), "containers-storage:localhost/now:1");
    expect((await bunker("run", "--rm", "localhost/now:1", "true")).status).toBe(0);
    expect((await bunker("rmi", "localhost/later:1", "localhost/now:1")).errors).toBe("");
    expect(readdirSync(`${user.data}/blobs/sha256`)).toEqual([]);
  });
});

describe(`a kill at any time (${KILLS} times)`, () => {
  /** Kills a command at random instants of its run; between the kills, `check` looks at what there is. */
  async function killAgainAndAgain(words: readonly string[], check: () => void): Promise<void> {
    const begun = performance.now();
    const { errors, status } = await bunker(...words);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    const duration = performance.now() - begun;
    for (let kill = 0; kill < KILLS; kill++) {
      output(["rm", "-rf", user.data, `${directory}/layout`]);
      const killed = user.start([user.bunkerPath, ...words]);
      await Bun.sleep(Math.random() * duration);
      killed.kill("SIGKILL");
      await killed.exited;
      check();
    }
    expect((await bunker(...words)).status).toBe(0);
    check();
  }

  test("of copy leaves a layout whole or without the image", async () => {
    const index = `${directory}/layout/index.json`;
    await killAgainAndAgain(["copy", "-q", debianImages().gzip, `oci:${directory}/layout:x`], () => {
      if (!existsSync(index)) return;
      expect(existsSync(`${directory}/layout/oci-layout`)).toBe(true);
      const [{ digest }] = JSON.parse(readFileSync(index, "utf8")).manifests;
      expect(rawDigest(`oci:${directory}/layout:x`)).toBe(digest);
      output(["skopeo", "copy", "-q", `oci:${directory}/layout:x`, `dir:${directory}/read`]);
    });
    expect(readdirSync(`${directory}/layout`).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });
});

describe("an interruption", () => {
  let pipe: string;
  beforeEach(() => {
    pipe = `${directory}/pipe`;
    output(["mkfifo", "-m", "666", pipe]);
  });

  async function interrupt(words: readonly string[], reach: () => Promise<FileHandle>): Promise<void> {
    const session = user.talk(words);
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
      await interrupt([user.bunkerPath, ...words], () => open(pipe, "w"));
    }
  });

  test("ends save and copy while nobody reads the archive", async () => {
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    const reach = async () => {
      const handle = await open(pipe, "r");
      await handle.read(Buffer.alloc(1), 0, 1);
      return handle;
    };
    const save = [user.bunkerPath, "save", "busybox:1"];
    await interrupt(["sh", "-c", `exec "$0" "$@" > ${pipe}`, ...save], reach);
    await interrupt([...save, "-q", "-o", pipe], reach);
    await interrupt([user.bunkerPath, "copy", "-q", "busybox:1", `docker-archive:${pipe}`], reach);
  });
});

describe("copy", () => {
  test("packs layers anew, or not at all", async () => {
    const types = (place: string): string[] =>
      JSON.parse(output(["skopeo", "inspect", "--raw", place])).layers.map(({ mediaType }: { mediaType: string }) =>
        mediaType.replace("application/vnd.oci.image.layer.v1.", ""),
      );
    const [plain, zstd, gzip] = ["plain", "zstd", "gzip"].map((name) => `oci:${directory}/packed:${name}`);
    await bunker("copy", "-q", "--dest-decompress", busybox(), `${plain}`);
    await bunker("copy", "-q", "--dest-compress-format", "zstd", "--dest-compress-level", "5", `${plain}`, `${zstd}`);
    await bunker("copy", "-q", "--dest-compress", `${plain}`, `${gzip}`);
    expect([plain, zstd, gzip].map((place) => types(`${place}`))).toEqual([["tar"], ["tar+zstd"], ["tar+gzip"]]);
    // What is packed stays as it is.
    await bunker("copy", "-q", "--dest-compress", `${zstd}`, `oci:${directory}/packed:again`);
    expect(types(`oci:${directory}/packed:again`)).toEqual(["tar+zstd"]);
    const configurations = [plain, zstd, gzip].map((place) => output(["skopeo", "inspect", "--config", `${place}`]));
    expect(new Set(configurations).size).toBe(1);
    for (const [words, message] of [
      [["--dest-compress-level", "3"], "--dest-compress-level needs --dest-compress-format"],
      [["--dest-compress", "--dest-decompress"], "exclude each other"],
      [["--dest-decompress", "--preserve-digests"], "exclude each other"],
    ] as const) {
      const failed = await user.bunker(["copy", ...words, busybox(), `oci:${directory}/packed:never`]);
      expect(failed.errors).toContain(message);
    }
  });

  test("packs layers of zstd:chunked anew without what was said of their bytes", async () => {
    const chunked = `oci:${directory}/chunked:1`;
    output(["skopeo", "copy", "-q", "--dest-compress-format", "zstd:chunked", busybox(), chunked]);
    const index = `${directory}/chunked/index.json`;
    const [descriptor] = JSON.parse(readFileSync(index, "utf8")).manifests;
    const blob = (digest: string) => `${directory}/chunked/blobs/${digest.replace(":", "/")}`;
    const manifest = JSON.parse(readFileSync(blob(descriptor.digest), "utf8"));
    expect(JSON.stringify(manifest)).toContain("zstd-chunked.manifest-position");
    for (const layer of manifest.layers) {
      layer.annotations["containerd.io/snapshot/stargz/toc.digest"] = descriptor.digest;
      layer.annotations.kept = "yes";
    }
    // The same layer twice is packed once, and is both.
    const twice = { ...manifest, layers: [...manifest.layers, ...manifest.layers] };
    writeLayout(`${directory}/chunked`, [tagged(writeJson(`${directory}/chunked`, twice, descriptor.mediaType), "2")]);
    user.own(directory);
    await bunker("copy", "-q", "--dest-compress-format", "gzip", `oci:${directory}/chunked:2`, `dir:${directory}/gzip`);
    const { layers } = JSON.parse(readFileSync(`${directory}/gzip/manifest.json`, "utf8"));
    expect(layers).toHaveLength(2);
    for (const layer of layers) {
      expect(layer).toEqual({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: layers[0].digest,
        size: expect.any(Number),
        annotations: { kept: "yes" },
      });
    }
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    mkdirSync(`${directory}/closed`, { mode: 0o700 });
    writeFileSync(`${directory}/file`, "");
    const digest = `sha256:${"0".repeat(64)}`;
    const layout = `${directory}/layout`;
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive([{ name: "x" }]), "gzip")], configuration), "1")]);
    const [{ digest: image }] = JSON.parse(readFileSync(`${layout}/index.json`, "utf8")).manifests;
    const blob = (name: string) => `${layout}/blobs/${name.replace(":", "/")}`;
    const layer = blob(JSON.parse(readFileSync(blob(image), "utf8")).layers[0].digest);
    user.own(layout);
    output(["chown", "root", layer]);
    output(["chmod", "600", layer]);
    const before = readdirSync(directory);
    const cases: [from: string, to: string, errors: string][] = [
      [busybox(), `oci-archive:${directory}/closed/x.tar`, `bunker: write to ${directory}/closed/x.tar: EACCES\n`],
      [busybox(), `oci-archive:${directory}/file/x.tar`, `bunker: write to ${directory}/file/x.tar: ENOTDIR\n`],
      [busybox(), `x@${digest}`, "refusing to create a tag with a digest reference"],
      [busybox(), "docker-daemon:x:1", '"docker-daemon:x:1": images are not copied from or to docker-daemon:\n'],
      [`tarball:${directory}/file`, "x", "images are not copied from or to tarball:\n"],
      [`oci:${layout}:1`, `dir:${directory}/dir`, `bunker: read ${layer}: EACCES\n`],
    ];
    for (const [from, to, message] of cases) {
      const { errors, output: said, status } = await bunker("copy", "-q", from, to);
      expect(errors).toContain(message);
      expect({ said, status }).toEqual({ said: "", status: 1 });
    }
    expect(readdirSync(directory)).toEqual(before);
    expect((await bunker("images", "-q")).output).toBe("");
    const imported = await bunker("import", `${directory}/file`, `x@${digest}`);
    expect(imported.errors).toContain("refusing to create a tag with a digest reference");
  });

  test("goes around by way of everything with the same digest", async () => {
    const digest = rawDigest(busybox());
    const places = [
      `oci:${directory}/layout:x`,
      `docker://${registry.host}/round/trip:1`,
      `docker-archive:${directory}/x.tar:round/trip:1`,
      "containers-storage:round/trip:1",
      `dir:${directory}/dir`,
      `oci-archive:${directory}/oci.tar:x`,
      "round/trip:2",
      `docker://${registry.host}/round/trip:2`,
    ];
    let from = busybox();
    for (const to of places) {
      const words = ["copy", "--digestfile", `${directory}/digest`, "--dest-tls-verify=false", from, to];
      const { errors, output: said, status } = await bunker(...words);
      expect({ errors, status }).toEqual({ errors: "", status: 0 });
      expect(said).toEndWith(`Written: ${digest}\n`);
      expect(readFileSync(`${directory}/digest`, "utf8")).toBe(digest);
      from = to;
    }
    expect(rawDigest(from)).toBe(digest);
  });

  test("keeps zstd:chunked as it is, and runs it", async () => {
    const [chunked, again] = [`oci:${directory}/chunked:1`, `oci:${directory}/again:1`];
    output(["skopeo", "copy", "-q", "--dest-compress-format", "zstd:chunked", busybox(), chunked]);
    const manifest = output(["skopeo", "inspect", "--raw", chunked]);
    expect(manifest).toContain("zstd-chunked.manifest-position");
    user.own(directory);
    await bunker("copy", "-q", chunked, "containers-storage:localhost/chunked:1");
    expect(await bunker("run", "--rm", "localhost/chunked:1", "echo", "it runs")).toMatchObject({
      output: "it runs\n",
    });
    await bunker("copy", "-q", "containers-storage:localhost/chunked:1", again);
    expect(output(["skopeo", "inspect", "--raw", again])).toBe(manifest);
    // The table of its contents, too, which is behind the archive.
    output(["skopeo", "copy", "-q", again, `dir:${directory}/plain`]);
  });

  test("moves an index with all its images, or the one for a platform", async () => {
    const manifests = [ARCHITECTURE, "s390x"].map((architecture) => ({
      ...writeImage(`${directory}/source`, [pack(archive([{ name: architecture }]), "gzip")], { architecture }),
      platform: { os: "linux", architecture },
    }));
    const index = writeJson(`${directory}/source`, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, INDEX_TYPE);
    writeLayout(`${directory}/source`, [tagged(index, "all")]);
    const from = `oci:${directory}/source:all`;
    const target = `docker://${registry.host}/indexed:1`;
    expect(await bunker("copy", "-q", "-a", from, target)).toEqual({ status: 0, output: "", errors: "" });
    expect(rawDigest(target)).toBe(index.digest);
    await bunker("copy", "-q", "--multi-arch", "all", target, `dir:${directory}/all`);
    expect(rawDigest(`dir:${directory}/all`)).toBe(index.digest);
    const kept = await bunker("copy", "--preserve-digests", "-f", "v2s2", target, `dir:${directory}/kept`);
    expect(kept).toMatchObject({ status: 1, errors: expect.stringMatching(/^bunker: keep the digest of /) });
    expect(existsSync(`${directory}/kept`)).toBe(false);
    await bunker("copy", "-q", "--platform", "linux/s390x", target, `oci:${directory}/one:x`);
    expect(rawDigest(`oci:${directory}/one:x`)).toBe(manifests[1]?.digest ?? "");
    const missing = await bunker("copy", "--platform", "linux/riscv64", target, `oci:${directory}/none:x`);
    expect(missing.errors).toContain("linux/s390x");
    expect(missing.status).toBe(1);

    expect((await bunker("copy", "-a", target, "several:1")).output).toEndWith(`Written: ${index.digest}\n`);
    // A name of one image alone is no name of the index that the image is in, nor takes it out of that.
    await bunker("copy", "-q", "--platform", "linux/s390x", target, "single:1");
    const tree = (await bunker("images", "--tree")).output.match(/^\S+(?: linux\/\S+)?/gm);
    const families = [
      ["several:1", `├─ linux/${ARCHITECTURE}`, "└─ linux/s390x"],
      ["single:1", "└─ linux/s390x"],
    ];
    for (const family of families) expect(`${tree?.join("\n")}\n`).toContain(`${family.join("\n")}\n`);
    expect(tree).toHaveLength(6);
    await bunker("rmi", "single:1");
    await bunker("copy", "-q", "-a", "several:1", `oci:${directory}/back:x`);
    expect(rawDigest(`oci:${directory}/back:x`)).toBe(index.digest);
    await bunker("copy", "-q", "--platform", "linux/s390x", "several:1", `oci:${directory}/other:x`);
    expect(rawDigest(`oci:${directory}/other:x`)).toBe(manifests[1]?.digest ?? "");
    const list = async (...options: string[]) => (await bunker("images", "-q", ...options)).output.match(/\S+/g) ?? [];
    expect((await list("-a")).length).toBe((await list()).length + 1);
    const before = await list("-a");
    // What is here as a part of an index is not dangling.
    for (const what of ["image", "system"]) expect((await bunker(what, "prune", "-f")).status).toBe(0);
    expect(await list("-a")).toEqual(before);
    const removed = await bunker("rmi", "several:1");
    expect(removed.output.match(/Deleted: sha256:/g)).toHaveLength(2);
    expect(await list("-a")).toHaveLength(before.length - 2);
  });

  test("tells when Docker's manifest becomes OCI's", async () => {
    output(["skopeo", "copy", "-q", "--format=v2s2", busybox(), `dir:${directory}/v2`]);
    output(["chmod", "-R", "a+rX", `${directory}/v2`]);
    const { errors, status } = await bunker("copy", "-q", `dir:${directory}/v2`, `oci:${directory}/x:1`);
    expect(status).toBe(0);
    expect(errors).toContain("was converted and has another digest");
  });

  test("that is interrupted leaves nothing", async () => {
    const words = ["copy", debianImages().gzip, `oci-archive:${directory}/x.tar`];
    const session = user.talk([user.bunkerPath, ...words]);
    await session.expect("Copying blob");
    session.process.kill("SIGINT");
    const { errors, status } = await session.finish();
    // It may have been too fast.
    if (status !== 0) {
      expect({ errors, status }).toEqual({ errors: "bunker: interrupted by SIGINT\n", status: 130 });
      expect(readdirSync(directory)).toEqual([]);
    }
  });
});

describe("import", () => {
  const rootFileSystem = () => archive(busyboxMembers());

  test("a root file system, with changes, that runs", async () => {
    writeFileSync(`${directory}/root.tar`, rootFileSystem());
    const changes = [
      "-c",
      "ENV PATH=/bin GREETING='good day'",
      "-c",
      'CMD ["sh", "-c", "echo $GREETING; id -un; pwd"]',
    ];
    const more = ["--change", "USER alice", "--change", "WORKDIR /home", "-m", "by hand"];
    const { errors, output: id, status } = await bunker("import", ...changes, ...more, `${directory}/root.tar`, "made");
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await bunker("images", "-q", "--no-trunc", "made")).output).toBe(id);
    expect((await bunker("history", "made")).output).toContain("by hand");
    expect(await user.run(["made"])).toMatchObject({ status: 0, output: "good day\nalice\n/home\n" });
  });

  test("gives the same image for the same archive, compressed or not, at the same time", async () => {
    const environment = { SOURCE_DATE_EPOCH: "1700000000" };
    const message = ["-m", "same"];
    const ids = [];
    for (const compress of [(bytes: Buffer) => bytes, gzipSync, zstdCompressSync]) {
      const input = compress(rootFileSystem());
      ids.push((await user.bunker(["import", ...message, "-"], { input, environment })).output);
    }
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toStartWith("sha256:");
  });

  test("from a server", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/cut.tar") {
        response.writeHead(200, { "content-length": "100000" });
        response.write(rootFileSystem().subarray(0, 512), () => response.destroy());
        return;
      }
      response.writeHead(request.url === "/root.tar" ? 200 : 404);
      response.end(request.url === "/root.tar" ? rootFileSystem() : "");
    }).listen(0, "127.0.0.1");
    try {
      await new Promise((done) => server.once("listening", done));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect((await bunker("import", `${url}/root.tar`, "x:1")).status).toBe(0);
      expect((await bunker("import", `${url}/missing`)).errors).toBe(
        `bunker: download ${url}/missing: the server answered 404\n`,
      );
      const withLogin = url.replace("//", "//alice:wonderland@");
      expect((await bunker("import", `${withLogin}/root.tar`, "secret:1")).status).toBe(0);
      expect((await bunker("history", "secret:1", "--format", "{{.Comment}}")).output).toBe(
        `Imported from ${url.replace("//", "//alice:xxxxx@")}/root.tar\n`,
      );
      expect((await bunker("import", `${url}/cut.tar`)).errors).toMatch(
        /^bunker: download \S+\/cut.tar: [\d.:]+: it closed the connection\n$/,
      );
    } finally {
      server.close();
    }
  });

  test("leaves what a killed pull has left of others' files to whoever may remove it", async () => {
    expect((await user.bunker(["import", "-"], { input: rootFileSystem() })).status).toBe(0);
    const left = `${user.data}/tmp/left`;
    const script = `mkdir -p ${left}/diff && touch ${left}/diff/file && chown -R 1:1 ${left}/diff`;
    expect(await bunker("unshare", "sh", "-c", script)).toMatchObject({ errors: "", status: 0 });
    expect(await user.bunker(["import", "-"], { input: rootFileSystem() })).toMatchObject({ errors: "", status: 0 });
    expect(existsSync(`${left}/diff/file`)).toBe(true);
    expect((await bunker("image", "prune", "-f")).status).toBe(0);
    expect(existsSync(left)).toBe(false);
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    writeFileSync(`${directory}/root.tar`, rootFileSystem());
    writeFileSync(`${directory}/cut.tar`, rootFileSystem().subarray(0, 5000));
    const empty = archive(Array.from({ length: 1000 }, (_, index) => ({ name: `file-${index}` })));
    writeFileSync(`${directory}/cut.tar.zst`, zstdCompressSync(empty).subarray(0, -5));
    writeFileSync(`${directory}/out.tar`, archive([{ name: "file" }, { name: "../out" }]));
    const cases: [words: string[], message: string][] = [
      [["-c", "RUN true", `${directory}/root.tar`], 'apply the change "RUN true": it may be CMD'],
      [["-c", "ENV A='b", `${directory}/root.tar`], "looking for matching single-quote"],
      [["-c", "EXPOSE x", `${directory}/root.tar`], 'invalid port "x"'],
      [[`${directory}/cut.tar`], "it is truncated"],
      [[`${directory}/cut.tar.zst`], "it cannot be decompressed (it ends in the middle of a frame)"],
      [[`${directory}/out.tar`], 'out.tar: unpack "../out": the name leads out of the root directory'],
      [[`${directory}/missing.tar`], "ENOENT"],
      [["http://no host/x"], "download http://no host/x: it is no URL"],
      [["http://host.invalid/x"], "download http://host.invalid/x: host.invalid: no such host"],
      [[`${directory}/root.tar`, "UPPER"], "lower case"],
    ];
    for (const [words, message] of cases) {
      const { errors, status } = await bunker("import", ...words);
      expect(errors).toContain(message);
      expect(status).toBe(1);
    }
    expect((await bunker("images", "-aq")).output).toBe("");
  });
});
