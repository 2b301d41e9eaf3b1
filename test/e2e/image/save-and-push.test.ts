/* Images leave the store: to archives and directories that other programs read, and to registries. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../src/image/digest.ts";
import type { BlobDescriptor } from "../../../src/image/store/stored-image.ts";
import { DockerRegistry } from "../../docker-registry.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

const base = pack(archive([{ name: "base", content: Buffer.alloc(3000) }]), "gzip");
const top = pack(archive([{ name: "top", content: "x".repeat(100) }]), "zstd");

let user: UnprivilegedUser;
let registry: DockerRegistry;
let first: BlobDescriptor;
let second: BlobDescriptor;
let directory: string;

beforeAll(async () => {
  user = new UnprivilegedUser();
  registry = await DockerRegistry.start();
  const [one, two] = storeImages(user, [
    { names: ["docker.io/library/first:1", "docker.io/library/first:2"], layers: [base] },
    { names: [`${registry.host}/team/second:latest`], layers: [base, top] },
  ]);
  if (one === undefined || two === undefined) throw new Error("images were not stored");
  [first, second] = [one, two];
  directory = mkdtempSync(join(tmpdir(), "bunker-save-"));
  user.own(directory);
}, 300_000);

afterAll(async () => {
  user?.[Symbol.dispose]();
  rmSync(directory, { recursive: true });
  await registry?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`, { recursive: true });
  await user.expectNothingLeft();
});

const save = (...words: readonly string[]) => user.bunker(["save", ...words]);
const push = (...words: readonly string[]) => user.bunker(["push", ...words]);
const imageId = ({ digest }: BlobDescriptor) =>
  JSON.parse(readFileSync(`${user.data}/blobs/sha256/${digest.slice(7)}`, "utf8")).config.digest as string;

describe("save", () => {
  test("writes an archive that skopeo and podman read, with all names", async () => {
    expect(await save("-o", `${directory}/x.tar`, "first:1", "first:2", `${registry.host}/team/second`)).toEqual({
      status: 0,
      output: "",
      errors: "",
    });
    expect(statSync(`${directory}/x.tar`).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(["x.tar"]);
    for (const name of ["first:1", "first:2"]) {
      const config = output(["skopeo", "inspect", "--config", "--raw", `docker-archive:${directory}/x.tar:${name}`]);
      expect(`sha256:${new Bun.CryptoHasher("sha256").update(config).digest("hex")}`).toBe(imageId(first));
    }
    output(["chmod", "644", `${directory}/x.tar`]);
    const store = ["podman", "--root", `${directory}/podman`, "--runroot", `${directory}/run`, "--storage-driver=vfs"];
    const loaded = output([...store, "load", "-q", "-i", `${directory}/x.tar`]);
    expect(loaded).toContain("docker.io/library/first:1");
    expect(loaded).toContain(`${registry.host}/team/second:latest`);
    expect(output([...store, "images", "-q", "--no-trunc"])).toContain(imageId(second));
  });

  test("writes all images of a repository", async () => {
    await save("-o", `${directory}/x.tar`, "first");
    const [image, ...others] = JSON.parse(output(["tar", "-xOf", `${directory}/x.tar`, "manifest.json"]));
    expect(others).toEqual([]);
    expect(image.RepoTags).toEqual(["docker.io/library/first:1", "docker.io/library/first:2"]);
  });

  test("writes the same bytes to standard output", async () => {
    await save("-o", `${directory}/x.tar`, "first:1");
    output(["sh", "-c", `chmod 644 ${directory}/x.tar`]);
    const { output: stream } = await user.bunker(["save", "first:1"]);
    expect(stream.length).toBeGreaterThan(1024);
    expect(stream.slice(0, 6)).toBe("blobs/");
  });

  test("packs layers in a directory where that is asked for, and only those that are not packed", async () => {
    storeImages(user, [{ names: ["docker.io/library/plain:1"], layers: [pack(archive([{ name: "plain" }])), top] }]);
    const saveTo = (name: string, image: string) =>
      save("-q", "--format", "docker-dir", "--compress", "-o", `${directory}/${name}`, image);
    expect(await saveTo("packed", "plain:1")).toEqual({ status: 0, output: "", errors: "" });
    const { layers } = JSON.parse(output(["skopeo", "inspect", "--raw", `dir:${directory}/packed`]));
    const types = layers.map(({ mediaType }: BlobDescriptor) => mediaType.replace(/.*\.tar/, ""));
    expect(types).toEqual(["+gzip", "+zstd"]);
    expect(await saveTo("same", "first:1")).toEqual({ status: 0, output: "", errors: "" });
    expect(digestOf(readFileSync(`${directory}/same/manifest.json`))).toBe(first.digest);
    expect((await save("--compress", "-o", `${directory}/x`, "first:1")).errors).toContain("--format is docker-dir");
    const pushTo = (...words: string[]) => push("-q", "--compress", ...words);
    const place = `dir:${directory}/pushed`;
    expect(await pushTo("plain:1", place)).toEqual({ status: 0, output: `${place}\n`, errors: "" });
    expect(readFileSync(`${directory}/pushed/manifest.json`)).toEqual(
      readFileSync(`${directory}/packed/manifest.json`),
    );
    for (const [words, message] of [
      [["plain:1", `oci:${directory}/x`], "--compress can only be set when the destination is dir:"],
      [["--compression-format", "zstd", "plain:1", place], "--compress and --compression-format exclude each other"],
      [["--force-compression", "plain:1", place], "--force-compression needs --compression-format"],
    ] as const) {
      expect((await pushTo(...words)).errors).toBe(`bunker: ${message}\n`);
    }
    rmSync(`${directory}/pushed`, { recursive: true });
    await user.bunker(["rmi", "plain:1"]);
  });

  test("writes an id without a name", async () => {
    const id = imageId(first);
    await save("-o", `${directory}/x.tar`, id.slice(7, 19));
    const [image] = JSON.parse(output(["tar", "-xOf", `${directory}/x.tar`, "manifest.json"]));
    expect(image.RepoTags).toEqual([]);
    expect(image.Config).toBe(`blobs/sha256/${id.slice(7)}`);
  });

  test.each([
    ["oci-archive", "oci-archive:"],
    ["oci-dir", "oci:"],
    ["docker-dir", "dir:"],
  ])("writes %s that skopeo reads", async (format, transport) => {
    const { status } = await save("--format", format, "-o", `${directory}/x`, `${registry.host}/team/second:latest`);
    expect(status).toBe(0);
    const raw = output(["skopeo", "inspect", "--raw", `${transport}${directory}/x`]);
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`).toBe(second.digest);
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    const cases: [words: string[], message: string][] = [
      [["-o", `${directory}/x.tar`, "first:1", "missing"], "find the image missing: no such image"],
      [["-o", `${directory}/no/x.tar`, "first:1"], "ENOENT"],
      [["-o", directory, "first:1"], "EISDIR"],
      [["--format", "oci-dir", "first:1"], "oci-dir is a directory and cannot go to standard output"],
      [["--format", "docker-dir", "-o", `${directory}/x`, "first:1", "first:2"], "such a directory has room for one"],
      [["--format", "tar", "first:1"], "expected docker-archive, oci-archive, oci-dir or docker-dir"],
    ];
    for (const [words, message] of cases) {
      const { errors, output: said, status } = await save(...words);
      expect(errors).toContain(message);
      expect(said).toBe("");
      expect(status).not.toBe(0);
      expect(readdirSync(directory)).toEqual([]);
    }
  });

  test("refuses a terminal", async () => {
    const session = user.startInTerminal([user.bunkerPath, "save", "first:1"]);
    await session.expect("standard output is a terminal");
    expect(await session.process.exited).toBe(1);
  });
});

describe("push", () => {
  test("says what Docker says, and the registry has the same manifest", async () => {
    const name = `${registry.host}/team/second`;
    const { errors, output: said, status } = await push(name);
    expect(errors).toBe("");
    expect(status).toBe(0);
    const lines = said.trim().split("\n");
    expect(lines[0]).toBe(`The push refers to repository [${name}]`);
    expect(lines.at(-1)).toBe(`latest: digest: ${second.digest} size: ${second.size}`);
    expect(lines.filter((line) => / Pushed$/.test(line))).toHaveLength(2);
    const raw = output(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`]);
    expect(`sha256:${new Bun.CryptoHasher("sha256").update(raw).digest("hex")}`).toBe(second.digest);
    const again = await push(name);
    expect(again.output.match(/Layer already exists/g)).toHaveLength(2);
  });

  test("in a terminal shows progress, as copy does, and leaves what is done", async () => {
    const shownBy = async (words: readonly string[]) => {
      const session = user.startInTerminal([user.bunkerPath, ...words]);
      await session.expect(second.digest);
      expect(await session.process.exited).toBe(0);
      return session.shown();
    };
    // What another repository of the same registry has would only be mounted.
    await using empty = await DockerRegistry.start();
    const [from, name] = [`${registry.host}/team/second`, `${empty.host}/team/shown`];
    const pushed = await shownBy(["push", from, name]);
    expect(pushed.match(/[0-9a-f]{12}: Pushed/g)).toHaveLength(2);
    expect(pushed).toContain(`latest: digest: ${second.digest} size`);
    expect((await shownBy(["push", from, name])).match(/[0-9a-f]{12}: Layer already exists/g)).toHaveLength(2);
    const copied = await shownBy(["copy", `docker://${name}`, `oci:${directory}/shown:x`]);
    expect(copied.match(/[0-9a-f]{12}: Copied/g)).toHaveLength(3);
    expect(copied).toContain(`Written: ${second.digest}`);
    // Whatever was drawn for a moment has been erased.
    for (const shown of [pushed, copied]) expect(shown).toContain("\x1b[J");
  });

  test("takes an empty platform for none", async () => {
    const name = `${registry.host}/team/second:latest`;
    expect(await push("-q", "--platform", "", name)).toEqual({ status: 0, output: `${name}\n`, errors: "" });
    expect(await user.bunker(["pull", "--policy=missing", "--platform=", name])).toMatchObject({
      status: 0,
      errors: "",
    });
  });

  test("goes to another name, quietly, and writes the digest", async () => {
    const target = `${registry.host}/other/first:5`;
    const words = ["-q", "--digestfile", `${directory}/digest`, "first:1", `docker://${target}`];
    expect(await push(...words)).toEqual({ status: 0, output: `${target}\n`, errors: "" });
    expect(readFileSync(`${directory}/digest`, "utf8")).toBe(first.digest);
    output(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${target}`]);
  });

  test.each([
    ["oci", ":5"],
    ["oci-archive", ":5"],
    ["docker-archive", ":first:5"],
    ["dir", ""],
  ])("goes to %s:, which skopeo reads", async (kind, suffix) => {
    const place = `${kind}:${directory}/pushed${suffix}`;
    const { output: said, ...outcome } = await push("first:1", place);
    expect(outcome).toEqual({ status: 0, errors: "" });
    expect(said).toStartWith(`The push refers to repository [${place}]\n`);
    expect(said).toEndWith(`\ndigest: ${first.digest} size: ${first.size}\n`);
    const { Digest } = JSON.parse(output(["skopeo", "inspect", place]));
    // Skopeo makes a manifest of its own for an archive of Docker's.
    if (kind !== "docker-archive") expect(Digest).toBe(first.digest);
    rmSync(`${directory}/pushed`, { recursive: true });
    expect(await push("-q", "first:1", place)).toEqual({ status: 0, output: `${place}\n`, errors: "" });
    rmSync(`${directory}/pushed`, { recursive: true });
  });

  test("packs layers as is asked, and says so by another digest", async () => {
    const diffIds = (image: string) =>
      JSON.parse(output(["skopeo", "inspect", "--config", "--tls-verify=false", image])).rootfs;
    await push(`${registry.host}/team/second`);
    for (const compression of ["gzip", "zstd"]) {
      const target = `${registry.host}/packed/${compression}:1`;
      const words = ["--compression-format", compression, `${registry.host}/team/second`, target];
      const { errors, output: said, status } = await push(...words);
      expect({ errors, status }).toEqual({ errors: "", status: 0 });
      expect(said).not.toContain(second.digest);
      const { layers } = JSON.parse(output(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${target}`]));
      for (const { mediaType } of layers) expect(mediaType).toEndWith(`tar+${compression}`);
      expect(diffIds(`docker://${target}`)).toEqual(diffIds(`docker://${registry.host}/team/second`));
      output([
        "skopeo",
        "copy",
        "-q",
        "--src-tls-verify=false",
        `docker://${target}`,
        `dir:${directory}/${compression}`,
      ]);
      expect(readdirSync(`${user.data}/tmp`)).toEqual([]);
    }
  });

  test("packs layers anew that are packed so already, as hard as is asked", async () => {
    const target = `${registry.host}/packed/hard:1`;
    const words = ["--compression-format", "gzip", "--compression-level", "1", "--force-compression"];
    const { errors, status } = await push(...words, "first:1", target);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    const { layers } = JSON.parse(output(["skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${target}`]));
    expect(layers[0].mediaType).toEndWith("tar+gzip");
    expect(layers[0].digest).not.toBe(digestOf(base.bytes));
    // Where nothing is packed anew the manifest keeps its bytes.
    expect((await push("--compression-format", "gzip", "first:1", target)).output).toContain(
      `digest: ${first.digest} `,
    );
    for (const [wrong, message] of [
      [["--force-compression"], "--force-compression needs --compression-format"],
      [["--compression-format=gzip", "--compression-level=10"], "the level is from 1 to 9"],
    ] as const) {
      expect((await push(...wrong, "first:1", target)).errors).toContain(message);
    }
  });

  test("writes Docker's manifests where they are asked for", async () => {
    const target = `${registry.host}/docker/first:1`;
    const raw = (image: string) => JSON.parse(output(["skopeo", "inspect", "--raw", "--tls-verify=false", image]));
    expect(await push("--format", "v2s2", "first:1", target)).toMatchObject({ status: 0, errors: "" });
    const manifest = raw(`docker://${target}`);
    expect(manifest).toMatchObject({
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      config: { mediaType: "application/vnd.docker.container.image.v1+json" },
      layers: [{ mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" }],
    });
    // There and back it is the same image, and here as it was.
    expect(await user.bunker(["copy", "-f", "oci", `docker://${target}`, `docker://${target}-oci`])).toMatchObject({
      status: 0,
      errors: "",
    });
    const { config, layers, mediaType } = raw(`docker://${target}-oci`);
    expect(mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
    expect([config.digest, layers[0].digest]).toEqual([manifest.config.digest, manifest.layers[0].digest]);
    expect((await push("--format", "v2s2", `${registry.host}/team/second`, target)).errors).toMatch(
      /^bunker: write as Docker's kind of manifest .*\/team\/second: it cannot name the layer sha256:\S+ of the type \S+zstd\nhint: /,
    );
  });

  test("pushes all tags", async () => {
    const repository = `${registry.host}/team/tags`;
    for (const tag of ["a", "b"]) await user.bunker(["tag", "first:1", `${repository}:${tag}`]);
    const { output: said, status } = await push("-a", repository);
    expect(status).toBe(0);
    expect(said.match(/The push refers/g)).toHaveLength(1);
    expect(said).toContain(`a: digest: ${first.digest}`);
    expect(said).toContain(`b: digest: ${first.digest}`);
  });

  test("has one clear line for what is wrong", async () => {
    const cases: [words: string[], message: string][] = [
      [["missing"], "no such image"],
      [["-a", "first:1"], "tag can't be used with --all-tags/-a"],
      [["-a", "nothing/here"], "no image has a name in this repository"],
      [["--retry-delay", "10ms", "first:1", "127.0.0.1:1/x"], "127.0.0.1:1"],
      [["--platform", "linux/s390x", `${registry.host}/team/second`], "not for linux/s390x"],
      [
        ["--authfile", "/missing.json", `${registry.host}/team/second`],
        "read the logins in /missing.json: ENOENT\nhint: ",
      ],
      [
        ["--cert-dir", "/missing", "first:1", `${registry.host}/team/second`],
        "read the certificates in /missing: ENOENT",
      ],
      [["--cert-dir", "/etc/passwd", "first:1", `${registry.host}/team/second`], "in /etc/passwd: ENOTDIR"],
      [["first:1", "UPPER"], "lower case"],
      [["first:1", "containers-storage:x"], "nothing is pushed to containers-storage:"],
      [["first:1", "oci:"], "the path is missing"],
    ];
    for (const [words, message] of cases) {
      const { errors, output: said, status } = await push(...words);
      expect(errors).toContain(message);
      expect(status).toBe(1);
      // What is wrong on this machine is told before anything is said to be done.
      if (/missing|passwd/.test(words.join(" "))) expect(said).toBe("");
    }
  });
});
