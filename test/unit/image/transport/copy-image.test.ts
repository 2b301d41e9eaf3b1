/** Every pair of places on disk, and what can go wrong on the way between them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestOf } from "../../../../src/image/digest.ts";
import { addLayerEntries } from "../../../../src/image/layers/layer-entries.ts";
import { openImage } from "../../../../src/image/open-image.ts";
import type { Platform } from "../../../../src/image/platform.ts";
import { type CopyEvent, copyImage } from "../../../../src/image/transport/copy-image.ts";
import { type LocalPlace, parseImagePlace } from "../../../../src/image/transport/image-place.ts";
import { openLocalReader, openLocalWriter } from "../../../../src/image/transport/local-places.ts";
import { openRecompressedReader } from "../../../../src/image/transport/recompressed-reader.ts";
import { busyboxLayout, debianImages } from "../../../fixtures/images.ts";
import { output } from "../../../unprivileged-user.ts";
import {
  configuration,
  INDEX_TYPE,
  MANIFEST_TYPE,
  pack,
  tagged,
  writeBlob,
  writeImage,
  writeJson,
  writeLayout,
} from "../image-builder.ts";
import { archive } from "../tar-builder.ts";

const kinds = ["oci", "oci-archive", "docker-archive", "dir"] as const;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-copy-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function place(name: string): LocalPlace {
  const parsed = parseImagePlace(name);
  if (parsed.kind === "store" || parsed.kind === "registry") throw new Error(`${name} is not on disk`);
  return parsed;
}

async function copy(
  from: string,
  to: string,
  images: "all" | readonly Platform[] = [],
  onProgress: (event: CopyEvent) => void = () => {},
  signal = new AbortController().signal,
): Promise<Digest> {
  await using reader = await openLocalReader(place(from), images === "all" ? undefined : images[0]);
  await using writer = await openLocalWriter(place(to));
  const { root } = await copyImage(reader, writer, { images, signal, onProgress });
  return root.digest;
}

/** The same without having been asked whether there is room. */
async function copyUnasked(from: string, to: string): Promise<void> {
  await using reader = await openLocalReader(place(from), undefined);
  await using writer = await openLocalWriter(place(to));
  Object.assign(writer, { checkRoom: undefined });
  await copyImage(reader, writer, {
    images: [],
    signal: new AbortController().signal,
    onProgress: () => {},
  });
}

/** What an attempt fails with. */
async function failure(
  attempt: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string | undefined }> {
  const error = await attempt.then(
    () => undefined,
    (cause) => cause,
  );
  if (!(error instanceof Error && "code" in error)) throw error ?? new Error("it did not fail");
  return error as never;
}

function destination(kind: (typeof kinds)[number], name: string): string {
  return kind === "dir" ? `dir:${directory}/${name}` : `${kind}:${directory}/${name}:example.org/x:1`;
}

function rawDigest(image: string): string {
  return digestOf(Buffer.from(output(["skopeo", "inspect", "--raw", image])));
}

describe("the pairs", () => {
  for (const from of kinds) {
    for (const to of kinds) {
      test(`${from} to ${to} keeps the digest`, async () => {
        const original = `oci:${busyboxLayout()}:latest`;
        const expected = rawDigest(original);
        expect(await copy(original, destination(from, "first"))).toBe(expected as Digest);
        expect(await copy(destination(from, "first"), destination(to, "second"))).toBe(expected as Digest);
        expect(await copy(destination(to, "second"), `oci:${directory}/last:x`)).toBe(expected as Digest);
        output(["umoci", "unpack", "--rootless", "--image", `${directory}/last:x`, `${directory}/bundle`]);
        expect(existsSync(`${directory}/bundle/rootfs/bin/busybox`)).toBe(true);
      });
    }
  }
});

describe("other programs", () => {
  for (const kind of ["oci", "oci-archive", "dir"] as const) {
    test(`skopeo reads ${kind}`, async () => {
      const digest = await copy(debianImages().layered, destination(kind, "image"));
      expect(rawDigest(destination(kind, "image"))).toBe(digest);
      output(["skopeo", "--insecure-policy", "copy", "-q", destination(kind, "image"), `dir:${directory}/copied`]);
    });

    test(`skopeo's ${kind} is read`, async () => {
      output(["skopeo", "--insecure-policy", "copy", "-q", debianImages().layered, destination(kind, "image")]);
      const digest = rawDigest(destination(kind, "image"));
      expect(await copy(destination(kind, "image"), `oci:${directory}/copied`)).toBe(digest as Digest);
    });
  }

  test("skopeo reads docker-archive, by its name", async () => {
    const original = `oci:${busyboxLayout()}:latest`;
    await copy(original, destination("docker-archive", "image"));
    const copied = `oci:${directory}/copied:x`;
    output(["skopeo", "--insecure-policy", "copy", "-q", `docker-archive:${directory}/image:example.org/x:1`, copied]);
    const image = JSON.parse(output(["skopeo", "inspect", "--config", copied]));
    expect(image.rootfs).toEqual(JSON.parse(output(["skopeo", "inspect", "--config", original])).rootfs);
  });

  test("the manifest of skopeo's docker-archive is the one that skopeo makes", async () => {
    const from = `docker-archive:${directory}/image.tar:busybox:1`;
    output(["skopeo", "--insecure-policy", "copy", "-q", `oci:${busyboxLayout()}:latest`, from]);
    output(["skopeo", "--insecure-policy", "copy", "-q", from, `dir:${directory}/theirs`]);
    await copy(from, `dir:${directory}/ours`);
    expect(JSON.parse(readFileSync(`${directory}/ours/manifest.json`, "utf8")).config).toEqual(
      JSON.parse(readFileSync(`${directory}/theirs/manifest.json`, "utf8")).config,
    );
    output(["skopeo", "--insecure-policy", "copy", "-q", `dir:${directory}/ours`, `oci:${directory}/read`]);
  });
});

/** A layout with an image for each of these architectures and one index, tagged `all`. */
function writeIndexed(path: string, architectures: readonly string[]): void {
  const manifests = architectures.map((architecture) => ({
    ...writeImage(path, [pack(archive([{ name: architecture, content: architecture }]), "gzip")], { architecture }),
    platform: { os: "linux", architecture },
  }));
  const inner = writeJson(path, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, INDEX_TYPE);
  writeLayout(path, [tagged(inner, "all")]);
}

describe("an index", () => {
  test("is copied whole, wherever it goes", async () => {
    writeIndexed(`${directory}/source`, ["amd64", "arm64", "s390x"]);
    const expected = rawDigest(`oci:${directory}/source:all`);
    for (const kind of kinds) {
      expect(await copy(`oci:${directory}/source:all`, destination(kind, kind), "all")).toBe(expected as Digest);
      if (kind === "docker-archive") continue;
      expect(await copy(destination(kind, kind), `oci:${directory}/last:${kind}`, "all")).toBe(expected as Digest);
    }
    output([
      "skopeo",
      "--insecure-policy",
      "copy",
      "-q",
      "--all",
      `oci:${directory}/last:dir`,
      `dir:${directory}/theirs`,
    ]);
  });

  test("gives the image for a platform", async () => {
    writeIndexed(`${directory}/source`, ["amd64", "arm64", "s390x"]);
    const platform = { os: "linux", architecture: "s390x", variant: undefined };
    await copy(`oci:${directory}/source:all`, `oci:${directory}/one:x`, [platform]);
    expect(JSON.parse(output(["skopeo", "inspect", "--config", `oci:${directory}/one:x`])).architecture).toBe("s390x");
    expect(readdirSync(`${directory}/one/blobs/sha256`)).toHaveLength(3);
    const missing = { os: "linux", architecture: "riscv64", variant: undefined };
    const { code, message } = await failure(copy(`oci:${directory}/source:all`, `oci:${directory}/none`, [missing]));
    expect(code).toBe("platform_mismatch");
    expect(message).toContain("linux/s390x");
    expect(existsSync(`${directory}/none`)).toBe(false);
  });

  test("that names what is not there is refused, and nothing is left", async () => {
    writeIndexed(`${directory}/source`, ["amd64", "arm64"]);
    const index = JSON.parse(output(["skopeo", "inspect", "--raw", `oci:${directory}/source:all`]));
    rmSync(`${directory}/source/blobs/${index.manifests[1].digest.replace(":", "/")}`);
    for (const kind of kinds) {
      const { code } = await failure(copy(`oci:${directory}/source:all`, destination(kind, "out"), "all"));
      expect(code).toBe("image_not_found");
      expect(readdirSync(directory)).toEqual(["source"]);
    }
  });
});

describe("Docker's manifests", () => {
  const docker = "application/vnd.docker.distribution.manifest.v2+json";

  test("stay what they are in dir and docker-archive, and become OCI's in a layout, with the same blobs", async () => {
    output([
      "skopeo",
      "--insecure-policy",
      "copy",
      "-q",
      "--format=v2s2",
      `oci:${busyboxLayout()}:latest`,
      `dir:${directory}/v2`,
    ]);
    const digest = await copy(`dir:${directory}/v2`, `docker-archive:${directory}/v2.tar:x`);
    expect(await copy(`docker-archive:${directory}/v2.tar`, `dir:${directory}/again`)).toBe(digest);
    expect(JSON.parse(readFileSync(`${directory}/again/manifest.json`, "utf8")).mediaType).toBe(docker);
    for (const kind of ["oci", "oci-archive"] as const) {
      expect(await copy(`dir:${directory}/v2`, destination(kind, kind))).not.toBe(digest);
      output(["skopeo", "--insecure-policy", "copy", "-q", destination(kind, kind), `dir:${directory}/${kind}-read`]);
      const manifest = JSON.parse(readFileSync(`${directory}/${kind}-read/manifest.json`, "utf8"));
      const original = JSON.parse(readFileSync(`${directory}/v2/manifest.json`, "utf8"));
      expect(manifest.config.digest).toBe(original.config.digest);
      expect(manifest.layers[0].digest).toBe(original.layers[0].digest);
      expect(manifest.layers[0].mediaType).toBe("application/vnd.oci.image.layer.v1.tar+gzip");
    }
  });

  test("in a list become an index of OCI's manifests", async () => {
    const path = `${directory}/source`;
    const layer = pack(archive([{ name: "file" }]), "gzip");
    const config = writeJson(path, configuration([layer]), "application/vnd.docker.container.image.v1+json");
    const layers = [writeBlob(path, layer.bytes, "application/vnd.docker.image.rootfs.diff.tar.gzip")];
    const manifest = writeJson(path, { schemaVersion: 2, mediaType: docker, config, layers }, docker);
    const manifests = [{ ...manifest, platform: { os: "linux", architecture: "amd64" } }];
    const list = "application/vnd.docker.distribution.manifest.list.v2+json";
    writeLayout(path, [tagged(writeJson(path, { schemaVersion: 2, mediaType: list, manifests }, list), "all")]);
    await copy(`oci:${path}:all`, `oci:${directory}/out:all`, "all");
    output(["skopeo", "--insecure-policy", "copy", "-q", "--all", `oci:${directory}/out:all`, `dir:${directory}/read`]);
    expect(JSON.parse(readFileSync(`${directory}/read/manifest.json`, "utf8")).manifests[0].platform).toEqual(
      manifests[0]?.platform,
    );
  });
});

describe("a destination", () => {
  test("that is a layout keeps its other images, and gets no blob twice", async () => {
    const from = `oci:${busyboxLayout()}`;
    const events: CopyEvent["kind"][] = [];
    await copy(`${from}:latest`, `oci:${directory}/layout:one`);
    await copy(`${from}:configured`, `oci:${directory}/layout:two`, undefined, ({ kind }) => events.push(kind));
    expect(events.filter((kind) => kind === "present")).toHaveLength(1);
    await copy(`${from}:configured`, `oci:${directory}/layout:one`);
    const { manifests } = JSON.parse(readFileSync(`${directory}/layout/index.json`, "utf8"));
    expect(manifests.map((entry: { annotations: object }) => Object.values(entry.annotations)[0])).toEqual([
      "one",
      "two",
    ]);
    expect(manifests[0].digest).toBe(manifests[1].digest);
    expect(readdirSync(`${directory}/layout`).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  test("that is a layout has an image by its tag alone, whoever gave it that", async () => {
    const index = `${directory}/layout/index.json`;
    await copy(`oci:${busyboxLayout()}:latest`, `oci:${directory}/layout:1`);
    const layout = JSON.parse(readFileSync(index, "utf8"));
    const [{ annotations: tag, ...image }] = layout.manifests;
    // As BuildKit writes it; and another image that has the tag in another repository.
    const named = (name: string) => ({ ...image, annotations: { "io.containerd.image.name": name, ...tag } });
    const others = [{ ...image, annotations: { "io.containerd.image.name": "docker.io/library/x:2" } }, image];
    const manifests = [named("docker.io/library/x:1"), named("docker.io/library/y:1"), ...others];
    writeFileSync(index, JSON.stringify({ ...layout, manifests }));
    const digest = await copy(`oci:${busyboxLayout()}:configured`, `oci:${directory}/layout:1`);
    expect(rawDigest(`oci:${directory}/layout:1`)).toBe(digest);
    expect(JSON.parse(readFileSync(index, "utf8")).manifests).toEqual([
      { ...image, digest, size: expect.any(Number), annotations: tag },
      ...others,
    ]);
  });

  test("that is a layout or an archive cannot have a name that means something else", async () => {
    const from = `oci:${busyboxLayout()}:latest`;
    const digest = `sha256:${"0".repeat(64)}`;
    expect((await failure(copy(from, `oci:${directory}/layout:@0`))).code).toBe("invalid_image_name");
    expect((await failure(copy(from, `docker-archive:${directory}/x.tar:x@${digest}`))).code).toBe("invalid_reference");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("that a symbolic link leads to is replaced, and the link stays", async () => {
    const from = `oci:${busyboxLayout()}:latest`;
    mkdirSync(`${directory}/other`);
    writeFileSync(`${directory}/other/x.tar`, "old");
    symlinkSync("other/x.tar", `${directory}/link.tar`);
    const digest = await copy(from, `oci-archive:${directory}/link.tar:x`);
    expect(lstatSync(`${directory}/link.tar`).isSymbolicLink()).toBe(true);
    expect(rawDigest(`oci-archive:${directory}/other/x.tar:x`)).toBe(digest);
    expect(readdirSync(`${directory}/other`)).toEqual(["x.tar"]);
  });

  test("that is an archive has no name until it is whole", async () => {
    await using writer = await openLocalWriter(place(`oci-archive:${directory}/x.tar:x`));
    // Whoever is killed now leaves nothing.
    expect(readdirSync(directory)).toEqual([]);
    await using reader = await openLocalReader(place(`oci:${busyboxLayout()}:latest`), undefined);
    const signal = new AbortController().signal;
    await copyImage(reader, writer, {
      images: [],
      signal,
      onProgress: () => expect(readdirSync(directory)).toEqual([]),
    });
    expect(readdirSync(directory)).toEqual(["x.tar"]);
  });

  test("that several write to at once has all images", async () => {
    const from = `oci:${busyboxLayout()}:latest`;
    await Promise.all(["a", "b", "c", "d"].map((tag) => copy(from, `oci:${directory}/layout:${tag}`)));
    for (const tag of ["a", "b", "c", "d"]) output(["skopeo", "inspect", `oci:${directory}/layout:${tag}`]);
    expect(readdirSync(`${directory}/layout`).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  test("loses what a dead writer has left in it", async () => {
    const from = `oci:${busyboxLayout()}:latest`;
    await copy(from, `oci:${directory}/layout:a`);
    mkdirSync(`${directory}/layout/.bunker-dead`);
    writeFileSync(`${directory}/layout/.bunker-dead/blob`, "half");
    await copy(from, `oci:${directory}/layout:b`);
    expect(existsSync(`${directory}/layout/.bunker-dead`)).toBe(false);
  });

  test("that is something else is left alone", async () => {
    const from = `oci:${busyboxLayout()}:latest`;
    mkdirSync(`${directory}/other`);
    writeFileSync(`${directory}/other/file`, "precious");
    expect((await failure(copy(from, `oci:${directory}/other`))).code).toBe("not_a_layout");
    expect((await failure(copy(from, `dir:${directory}/other`))).code).toBe("not_an_image_directory");
    expect((await failure(copy(from, `oci-archive:${directory}/other`))).message).toContain("EISDIR");
    expect((await failure(copy(from, `oci-archive:${directory}/no/such.tar`))).message).toContain("ENOENT");
    expect(readdirSync(`${directory}/other`)).toEqual(["file"]);
    expect(readdirSync(directory)).toEqual(["other"]);
  });

  test("of dir: replaces the image that is there", async () => {
    await copy(debianImages().layered, `dir:${directory}/image`);
    const digest = await copy(`oci:${busyboxLayout()}:latest`, `dir:${directory}/image`);
    expect(rawDigest(`dir:${directory}/image`)).toBe(digest);
    expect(readdirSync(`${directory}/image`)).toHaveLength(4);
    expect(readdirSync(directory)).toEqual(["image"]);
  });

  test("of dir: stays the directory that it is, with what else is in it", async () => {
    mkdirSync(`${directory}/image`);
    symlinkSync("image", `${directory}/link`);
    const { ino } = statSync(`${directory}/image`);
    await copy(debianImages().layered, `dir:${directory}/link`);
    writeFileSync(`${directory}/image/notes`, "mine");
    // A dead writer's, and what an archive's is called that grows there.
    mkdirSync(`${directory}/image/.bunker-dead`);
    writeFileSync(`${directory}/image/.bunker-archive`, "");
    const digest = await copy(`oci:${busyboxLayout()}:latest`, `dir:${directory}/link`);
    expect(rawDigest(`dir:${directory}/link`)).toBe(digest);
    expect([statSync(`${directory}/image`).ino, lstatSync(`${directory}/link`).isSymbolicLink()]).toEqual([ino, true]);
    const others = readdirSync(`${directory}/image`).filter((name) => !/^[0-9a-f]{64}$/.test(name));
    expect(others.sort()).toEqual([".bunker-archive", "manifest.json", "notes", "version"]);
  });

  test("that is an archive has the same bytes every time", async () => {
    const from = debianImages().layered;
    for (const kind of ["oci-archive", "docker-archive"] as const) {
      await copy(from, `${kind}:${directory}/first:x:1`);
      await copy(from, `${kind}:${directory}/second:x:1`);
      expect(output(["cmp", `${directory}/first`, `${directory}/second`])).toBe("");
      expect(output(["tar", "-tf", `${directory}/first`]).split("\n")).toContain("index.json");
    }
  });

  test("that has no room says so, and has nothing left", async () => {
    output(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory]);
    try {
      for (const kind of kinds) {
        const early = await failure(copy(debianImages().gzip, destination(kind, "out")));
        expect(early.code).toBe("no_space");
        expect(early.message).toMatch(/no space: \d+ MiB have to arrive, and the file system of \S+ has 1 MiB left$/);
        expect(readdirSync(directory)).toEqual([]);
        // Others may take the room away meanwhile.
        const { code, message, hint } = await failure(copyUnasked(debianImages().gzip, destination(kind, "out")));
        expect(code).toBe("no_space");
        expect(message).toContain("ENOSPC");
        expect(hint).toContain("Free some space");
        expect(readdirSync(directory)).toEqual([]);
      }
    } finally {
      output(["umount", directory]);
    }
  });
});

describe("a source", () => {
  const layerOf = (path: string) => {
    const manifest = JSON.parse(output(["skopeo", "inspect", "--raw", `oci:${path}`]));
    return `${path}/blobs/${manifest.layers[0].digest.replace(":", "/")}`;
  };

  function writeSimple(): string {
    const path = `${directory}/source`;
    writeLayout(path, [writeImage(path, [pack(archive([{ name: "file", content: "content" }]), "gzip")])]);
    return path;
  }

  test("whose blob is another, shorter, longer or missing is refused, and nothing is left", async () => {
    const faults: [damage: (blob: string) => void, message: string][] = [
      [(blob) => writeFileSync(blob, readFileSync(blob).fill(7, 20, 30)), "its digest is sha256:"],
      [(blob) => truncateSync(blob, 20), "it has 20 bytes instead of"],
      [(blob) => writeFileSync(blob, Buffer.concat([readFileSync(blob), Buffer.alloc(9)])), "it has more than"],
      [(blob) => rmSync(blob), "is missing"],
      [(blob) => renameSync(blob, `${blob}.x`), "is missing"],
    ];
    for (const [damage, expected] of faults) {
      const path = writeSimple();
      damage(layerOf(path));
      for (const kind of kinds) {
        const { message } = await failure(copy(`oci:${path}`, destination(kind, "out")));
        expect(message).toContain(expected);
        expect(readdirSync(directory)).toEqual(["source"]);
      }
      rmSync(path, { recursive: true });
    }
  });

  test("that is an archive cut anywhere is refused, and nothing is left", async () => {
    await copy(`oci:${writeSimple()}`, `docker-archive:${directory}/whole.tar:x`);
    const { size } = statSync(`${directory}/whole.tar`);
    for (let length = 0; length < size - 1024; length += 700) {
      writeFileSync(`${directory}/cut.tar`, readFileSync(`${directory}/whole.tar`).subarray(0, length));
      const { code } = await failure(copy(`docker-archive:${directory}/cut.tar`, `oci:${directory}/out`));
      expect(["archive_invalid", "image_invalid"]).toContain(code);
      expect(existsSync(`${directory}/out`)).toBe(false);
    }
  });

  test("that names files outside of its archive gets none of them", async () => {
    const image = { Config: "../../../../etc/passwd", RepoTags: ["x:1"], Layers: ["/etc/shadow"] };
    const link = { name: "config", type: "2", linkName: "/etc/passwd" };
    for (const Config of [image.Config, "config"]) {
      const manifest = { name: "manifest.json", content: JSON.stringify([{ ...image, Config }]) };
      writeFileSync(`${directory}/image.tar`, archive([manifest, link]));
      const { code } = await failure(copy(`docker-archive:${directory}/image.tar`, `oci:${directory}/out`));
      expect(code).toBe("image_invalid");
    }
  });

  test("whose manifest is nothing, or names what has no digest, is refused", async () => {
    const path = `${directory}/source`;
    const escaping = {
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      digest: "sha256:../../../../etc/passwd",
      size: 1,
    };
    const config = writeJson(path, configuration([]), "application/vnd.oci.image.config.v1+json");
    for (const [text, reason] of [
      ["not JSON", "it is not JSON"],
      ["0", "Expected Object"],
      [JSON.stringify({ schemaVersion: 2, config, layers: [escaping] }), "expected sha256:HEX or sha512:HEX"],
    ] as const) {
      writeLayout(path, [writeBlob(path, text, MANIFEST_TYPE)]);
      for (const kind of kinds) {
        const { code, message } = await failure(copy(`oci:${path}`, destination(kind, "out")));
        expect({ code, message }).toEqual({ code: "image_invalid", message: expect.stringContaining(reason) });
      }
      const { signal } = new AbortController();
      const packing = { compression: "zstd", level: undefined, layers: "all" } as const;
      await using reader = await openLocalReader(place(`oci:${path}`), undefined);
      await using repacked = openRecompressedReader(reader, packing, `${directory}/store`, signal);
      const { code, message } = await failure(repacked.readManifest());
      expect({ code, message }).toEqual({ code: "image_invalid", message: expect.stringContaining(reason) });
    }
  });

  test("of an unknown kind is refused", async () => {
    const path = `${directory}/source`;
    const config = writeJson(path, configuration([]), "application/x");
    writeLayout(path, [writeJson(path, { schemaVersion: 2, config, layers: [] }, "application/x.unknown")]);
    const { code, message } = await failure(copy(`oci:${path}`, `oci:${directory}/out`));
    expect(code).toBe("image_invalid");
    expect(message).toContain('"application/x.unknown" is not supported');
  });

  test("with compressed layers in a docker-archive without a layout keeps them as they are", async () => {
    const layer = pack(archive([{ name: "file", content: "content" }]), "gzip");
    const config = Buffer.from(JSON.stringify(configuration([layer])));
    writeFileSync(
      `${directory}/image.tar`,
      archive([
        { name: "config.json", content: config },
        { name: "layer.tar", content: layer.bytes },
        { name: "manifest.json", content: JSON.stringify([{ Config: "config.json", Layers: ["layer.tar"] }]) },
      ]),
    );
    await copy(`docker-archive:${directory}/image.tar`, `oci:${directory}/out:x`);
    const manifest = JSON.parse(output(["skopeo", "inspect", "--raw", `oci:${directory}/out:x`]));
    expect(manifest.layers[0].digest).toBe(digestOf(layer.bytes));
    expect(manifest.layers[0].mediaType).toEndWith("tar+gzip");
    expect(manifest.config.digest).toBe(digestOf(config));
  });
});

test("a signal ends a copy, and nothing is left", async () => {
  for (const kind of kinds) {
    const abort = new AbortController();
    const onProgress = ({ kind: event }: CopyEvent) => {
      if (event === "bytes") abort.abort(new Error("enough"));
    };
    const attempt = copy(debianImages().gzip, destination(kind, "out"), [], onProgress, abort.signal);
    expect(attempt).rejects.toThrow("enough");
    await attempt.catch(() => {});
    expect(readdirSync(directory)).toEqual([]);
  }
});

test("a manifest of another blob's bytes is refused", async () => {
  const path = `${directory}/source`;
  const good = writeImage(path, [pack(archive([]))]);
  const other = writeBlob(path, "{}", good.mediaType);
  writeLayout(path, [{ ...good, size: other.size }]);
  expect((await failure(copy(`oci:${path}`, `oci:${directory}/out`))).code).toBe("image_invalid");
});

test.each([
  ["gnu", []],
  ["pax", ["--sparse-version=0.0"]],
  ["pax", ["--sparse-version=0.1"]],
  ["pax", ["--sparse-version=1.0"]],
])("an archive of layers without their holes has them whole: %s %j", async (format, words) => {
  const zeros = "\0".repeat(1 << 20);
  const many = Array.from({ length: 40 }, (_, place) => `${place}`.padEnd(65_536, "\0")).join("");
  const contents = [zeros, `${zeros}middle${zeros}`, many, "none"];
  const layers = contents.map((content) => pack(archive([{ name: "file", content }])));
  const path = `${directory}/source`;
  writeLayout(path, [tagged(writeImage(path, layers), "1")]);
  const blobs = layers.map(({ diffId }) => `blobs/${diffId.replace(":", "/")}`);
  const [image] = JSON.parse(readFileSync(`${path}/index.json`, "utf8")).manifests;
  const { config } = JSON.parse(readFileSync(`${path}/blobs/${image.digest.replace(":", "/")}`, "utf8"));
  const manifest = [{ Config: `blobs/${config.digest.replace(":", "/")}`, RepoTags: ["x:1"], Layers: blobs }];
  output(["cp", "-r", "--sparse=always", path, `${directory}/with-holes`]);
  const tar = [
    "tar",
    `--format=${format}`,
    "--sparse",
    "--hole-detection=raw",
    ...words,
    "-C",
    `${directory}/with-holes`,
  ];
  output([...tar, "-cf", `${directory}/sparse.tar`, "."]);
  expect(statSync(`${directory}/sparse.tar`).size).toBeLessThan(1 << 20);
  await copy(`oci-archive:${directory}/sparse.tar:1`, `oci:${directory}/out:1`);
  for (const blob of blobs) expect(readFileSync(`${directory}/out/${blob}`)).toEqual(readFileSync(`${path}/${blob}`));
  // Without a layout, whose manifest would tell the digests, and without a store.
  rmSync(`${directory}/with-holes/index.json`);
  writeFileSync(`${directory}/with-holes/manifest.json`, JSON.stringify(manifest));
  output([...tar, "-cf", `${directory}/docker.tar`, "."]);
  await copy(`docker-archive:${directory}/docker.tar`, `oci:${directory}/other:1`);
  for (const blob of blobs) expect(readFileSync(`${directory}/other/${blob}`)).toEqual(readFileSync(`${path}/${blob}`));
  const { layers: opened } = openImage({ kind: "docker-archive", path: `${directory}/docker.tar`, tag: undefined });
  for (const layer of opened) {
    const tree = await addLayerEntries(new Map(), layer, new AbortController().signal);
    expect([...tree.keys()].map(String)).toEqual(["file"]);
  }
});
