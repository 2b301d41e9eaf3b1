/* Images go from anywhere to anywhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { DockerRegistry } from "../../docker-registry.ts";
import { ARCHITECTURE, debianImages } from "../../fixtures/images.ts";
import { INDEX_TYPE, pack, tagged, writeImage, writeJson, writeLayout } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output } from "../../unprivileged-user.ts";
import { busybox, emptyStoreSuite, rawDigest } from "./empty-store-suite.ts";

/** How often a command is killed; more for those who have the time. */
const KILLS = Number(process.env["BUNKER_TEST_KILLS"] ?? 5);

const suite = emptyStoreSuite();
const { bunker } = suite;
const configuration = { architecture: ARCHITECTURE };

let registry: DockerRegistry;
beforeAll(async () => {
  registry = await DockerRegistry.start();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

describe("copy", () => {
  test("packs layers anew, or not at all", async () => {
    const types = (place: string): string[] =>
      JSON.parse(output(["skopeo", "inspect", "--raw", place])).layers.map(({ mediaType }: { mediaType: string }) =>
        mediaType.replace("application/vnd.oci.image.layer.v1.", ""),
      );
    const [plain, zstd, gzip] = ["plain", "zstd", "gzip"].map((name) => `oci:${suite.directory}/packed:${name}`);
    await bunker("copy", "-q", "--dest-decompress", busybox(), `${plain}`);
    await bunker("copy", "-q", "--dest-compress-format", "zstd", "--dest-compress-level", "5", `${plain}`, `${zstd}`);
    await bunker("copy", "-q", "--dest-compress", `${plain}`, `${gzip}`);
    expect([plain, zstd, gzip].map((place) => types(`${place}`))).toEqual([["tar"], ["tar+zstd"], ["tar+gzip"]]);
    // What is packed stays as it is.
    await bunker("copy", "-q", "--dest-compress", `${zstd}`, `oci:${suite.directory}/packed:again`);
    expect(types(`oci:${suite.directory}/packed:again`)).toEqual(["tar+zstd"]);
    const configurations = [plain, zstd, gzip].map((place) => output(["skopeo", "inspect", "--config", `${place}`]));
    expect(new Set(configurations).size).toBe(1);
    for (const [words, message] of [
      [["--dest-compress-level", "3"], "--dest-compress-level needs --dest-compress-format"],
      [["--dest-compress", "--dest-decompress"], "exclude each other"],
      [["--dest-decompress", "--preserve-digests"], "exclude each other"],
    ] as const) {
      const failed = await suite.user.bunker(["copy", ...words, busybox(), `oci:${suite.directory}/packed:never`]);
      expect(failed.errors).toContain(message);
    }
  });

  test("packs layers of zstd:chunked anew without what was said of their bytes", async () => {
    const chunked = `oci:${suite.directory}/chunked:1`;
    output(["skopeo", "copy", "-q", "--dest-compress-format", "zstd:chunked", busybox(), chunked]);
    const index = `${suite.directory}/chunked/index.json`;
    const [descriptor] = JSON.parse(readFileSync(index, "utf8")).manifests;
    const blob = (digest: string) => `${suite.directory}/chunked/blobs/${digest.replace(":", "/")}`;
    const manifest = JSON.parse(readFileSync(blob(descriptor.digest), "utf8"));
    expect(JSON.stringify(manifest)).toContain("zstd-chunked.manifest-position");
    for (const layer of manifest.layers) {
      layer.annotations["containerd.io/snapshot/stargz/toc.digest"] = descriptor.digest;
      layer.annotations.kept = "yes";
    }
    // The same layer twice is packed once, and is both.
    const twice = { ...manifest, layers: [...manifest.layers, ...manifest.layers] };
    writeLayout(`${suite.directory}/chunked`, [
      tagged(writeJson(`${suite.directory}/chunked`, twice, descriptor.mediaType), "2"),
    ]);
    suite.user.own(suite.directory);
    await bunker(
      "copy",
      "-q",
      "--dest-compress-format",
      "gzip",
      `oci:${suite.directory}/chunked:2`,
      `dir:${suite.directory}/gzip`,
    );
    const { layers } = JSON.parse(readFileSync(`${suite.directory}/gzip/manifest.json`, "utf8"));
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
    mkdirSync(`${suite.directory}/closed`, { mode: 0o700 });
    writeFileSync(`${suite.directory}/file`, "");
    const digest = `sha256:${"0".repeat(64)}`;
    const layout = `${suite.directory}/layout`;
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive([{ name: "x" }]), "gzip")], configuration), "1")]);
    const [{ digest: image }] = JSON.parse(readFileSync(`${layout}/index.json`, "utf8")).manifests;
    const blob = (name: string) => `${layout}/blobs/${name.replace(":", "/")}`;
    const layer = blob(JSON.parse(readFileSync(blob(image), "utf8")).layers[0].digest);
    suite.user.own(layout);
    output(["chown", "root", layer]);
    output(["chmod", "600", layer]);
    const before = readdirSync(suite.directory);
    const cases: [from: string, to: string, errors: string][] = [
      [
        busybox(),
        `oci-archive:${suite.directory}/closed/x.tar`,
        `bunker: write to ${suite.directory}/closed/x.tar: EACCES\n`,
      ],
      [
        busybox(),
        `oci-archive:${suite.directory}/file/x.tar`,
        `bunker: write to ${suite.directory}/file/x.tar: ENOTDIR\n`,
      ],
      [busybox(), `x@${digest}`, "refusing to create a tag with a digest reference"],
      [busybox(), "docker-daemon:x:1", '"docker-daemon:x:1": images are not copied from or to docker-daemon:\n'],
      [`tarball:${suite.directory}/file`, "x", "images are not copied from or to tarball:\n"],
      [`oci:${layout}:1`, `dir:${suite.directory}/dir`, `bunker: read ${layer}: EACCES\n`],
    ];
    for (const [from, to, message] of cases) {
      const { errors, output: said, status } = await bunker("copy", "-q", from, to);
      expect(errors).toContain(message);
      expect({ said, status }).toEqual({ said: "", status: 1 });
    }
    expect(readdirSync(suite.directory)).toEqual(before);
    expect((await bunker("images", "-q")).output).toBe("");
    const imported = await bunker("import", `${suite.directory}/file`, `x@${digest}`);
    expect(imported.errors).toContain("refusing to create a tag with a digest reference");
  });

  test("goes around by way of everything with the same digest", async () => {
    const digest = rawDigest(busybox());
    const places = [
      `oci:${suite.directory}/layout:x`,
      `docker://${registry.host}/round/trip:1`,
      `docker-archive:${suite.directory}/x.tar:round/trip:1`,
      "containers-storage:round/trip:1",
      `dir:${suite.directory}/dir`,
      `oci-archive:${suite.directory}/oci.tar:x`,
      "round/trip:2",
      `docker://${registry.host}/round/trip:2`,
    ];
    let from = busybox();
    for (const to of places) {
      const words = ["copy", "--digestfile", `${suite.directory}/digest`, "--dest-tls-verify=false", from, to];
      const { errors, output: said, status } = await bunker(...words);
      expect({ errors, status }).toEqual({ errors: "", status: 0 });
      expect(said).toEndWith(`Written: ${digest}\n`);
      expect(readFileSync(`${suite.directory}/digest`, "utf8")).toBe(digest);
      from = to;
    }
    expect(rawDigest(from)).toBe(digest);
  });

  test("keeps zstd:chunked as it is, and runs it", async () => {
    const [chunked, again] = [`oci:${suite.directory}/chunked:1`, `oci:${suite.directory}/again:1`];
    output(["skopeo", "copy", "-q", "--dest-compress-format", "zstd:chunked", busybox(), chunked]);
    const manifest = output(["skopeo", "inspect", "--raw", chunked]);
    expect(manifest).toContain("zstd-chunked.manifest-position");
    suite.user.own(suite.directory);
    await bunker("copy", "-q", chunked, "containers-storage:localhost/chunked:1");
    expect(await bunker("run", "--rm", "localhost/chunked:1", "echo", "it runs")).toMatchObject({
      output: "it runs\n",
    });
    await bunker("copy", "-q", "containers-storage:localhost/chunked:1", again);
    expect(output(["skopeo", "inspect", "--raw", again])).toBe(manifest);
    // The table of its contents, too, which is behind the archive.
    output(["skopeo", "copy", "-q", again, `dir:${suite.directory}/plain`]);
  });

  test("moves an index with all its images, or the one for a platform", async () => {
    const manifests = [ARCHITECTURE, "s390x"].map((architecture) => ({
      ...writeImage(`${suite.directory}/source`, [pack(archive([{ name: architecture }]), "gzip")], { architecture }),
      platform: { os: "linux", architecture },
    }));
    const index = writeJson(
      `${suite.directory}/source`,
      { schemaVersion: 2, mediaType: INDEX_TYPE, manifests },
      INDEX_TYPE,
    );
    writeLayout(`${suite.directory}/source`, [tagged(index, "all")]);
    const from = `oci:${suite.directory}/source:all`;
    const target = `docker://${registry.host}/indexed:1`;
    expect(await bunker("copy", "-q", "-a", from, target)).toEqual({ status: 0, output: "", errors: "" });
    expect(rawDigest(target)).toBe(index.digest);
    await bunker("copy", "-q", "--multi-arch", "all", target, `dir:${suite.directory}/all`);
    expect(rawDigest(`dir:${suite.directory}/all`)).toBe(index.digest);
    const kept = await bunker("copy", "--preserve-digests", "-f", "v2s2", target, `dir:${suite.directory}/kept`);
    expect(kept).toMatchObject({ status: 1, errors: expect.stringMatching(/^bunker: keep the digest of /) });
    expect(existsSync(`${suite.directory}/kept`)).toBe(false);
    await bunker("copy", "-q", "--platform", "linux/s390x", target, `oci:${suite.directory}/one:x`);
    expect(rawDigest(`oci:${suite.directory}/one:x`)).toBe(manifests[1]?.digest ?? "");
    const missing = await bunker("copy", "--platform", "linux/riscv64", target, `oci:${suite.directory}/none:x`);
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
    await bunker("copy", "-q", "-a", "several:1", `oci:${suite.directory}/back:x`);
    expect(rawDigest(`oci:${suite.directory}/back:x`)).toBe(index.digest);
    await bunker("copy", "-q", "--platform", "linux/s390x", "several:1", `oci:${suite.directory}/other:x`);
    expect(rawDigest(`oci:${suite.directory}/other:x`)).toBe(manifests[1]?.digest ?? "");
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
    output(["skopeo", "copy", "-q", "--format=v2s2", busybox(), `dir:${suite.directory}/v2`]);
    output(["chmod", "-R", "a+rX", `${suite.directory}/v2`]);
    const { errors, status } = await bunker("copy", "-q", `dir:${suite.directory}/v2`, `oci:${suite.directory}/x:1`);
    expect(status).toBe(0);
    expect(errors).toContain("was converted and has another digest");
  });

  test("that is interrupted leaves nothing", async () => {
    const words = ["copy", debianImages().gzip, `oci-archive:${suite.directory}/x.tar`];
    const session = suite.user.talk([suite.user.bunkerPath, ...words]);
    await session.expect("Copying blob");
    session.process.kill("SIGINT");
    const { errors, status } = await session.finish();
    // It may have been too fast.
    if (status !== 0) {
      expect({ errors, status }).toEqual({ errors: "bunker: interrupted by SIGINT\n", status: 130 });
      expect(readdirSync(suite.directory)).toEqual([]);
    }
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
      output(["rm", "-rf", suite.user.data, `${suite.directory}/layout`]);
      const killed = suite.user.start([suite.user.bunkerPath, ...words]);
      await Bun.sleep(Math.random() * duration);
      killed.kill("SIGKILL");
      await killed.exited;
      check();
    }
    expect((await bunker(...words)).status).toBe(0);
    check();
  }

  test("of copy leaves a layout whole or without the image", async () => {
    const index = `${suite.directory}/layout/index.json`;
    await killAgainAndAgain(["copy", "-q", debianImages().gzip, `oci:${suite.directory}/layout:x`], () => {
      if (!existsSync(index)) return;
      expect(existsSync(`${suite.directory}/layout/oci-layout`)).toBe(true);
      const [{ digest }] = JSON.parse(readFileSync(index, "utf8")).manifests;
      expect(rawDigest(`oci:${suite.directory}/layout:x`)).toBe(digest);
      output(["skopeo", "copy", "-q", `oci:${suite.directory}/layout:x`, `dir:${suite.directory}/read`]);
    });
    expect(readdirSync(`${suite.directory}/layout`).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });
});
