import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseImageName } from "../../../src/image/image-source.ts";
import { openImage } from "../../../src/image/open-image.ts";
import { type Platform, parsePlatform } from "../../../src/image/platform.ts";
import { BunkerError } from "../../../src/sys/error.ts";
import {
  CONFIGURATION_TYPE,
  configuration,
  type DescriptorJson,
  INDEX_TYPE,
  MANIFEST_TYPE,
  pack,
  tagged,
  writeBlob,
  writeImage,
  writeJson,
  writeLayout,
} from "./image-builder.ts";
import { archive, type Member } from "./tar-builder.ts";

const amd64: Platform = { os: "linux", architecture: "amd64", variant: undefined };
const layer = pack(archive([{ name: "a" }]), "gzip");
const secondLayer = pack(archive([{ name: "b" }]), "zstd");

let path = "";
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "bunker-image-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const open = (tag = "", platform?: Platform) => openImage(parseImageName(`oci:${path}${tag}`), platform);

function failure(action: () => unknown): BunkerError {
  try {
    action();
  } catch (error) {
    if (error instanceof BunkerError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

/** An image that says who it is. */
function image(name: string, architecture = "amd64", variant?: string): DescriptorJson {
  return writeImage(path, [layer], { architecture, variant, config: { Labels: { name } } });
}

const nameOf = (tag?: string, platform?: Platform) => open(tag, platform).configuration.labels["name"];

function onPlatform(descriptor: DescriptorJson, platform: string): DescriptorJson {
  const { os, architecture, variant } = parsePlatform(platform);
  return { ...descriptor, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

describe("an image", () => {
  test("has its configuration and layers", () => {
    const config = {
      User: "1000:1000",
      Env: ["PATH=/bin"],
      Entrypoint: ["/entry"],
      Cmd: ["-c", "x"],
      WorkingDir: "/work",
      ExposedPorts: { "80/tcp": {} },
      Volumes: { "/data": {} },
      Labels: { one: "1" },
      StopSignal: "SIGINT",
      Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000 },
      Shell: ["/bin/bash", "-c"],
    };
    writeLayout(path, [writeImage(path, [layer, secondLayer], { config })]);
    const opened = open();
    expect(opened.configuration).toMatchObject({
      platform: amd64,
      user: "1000:1000",
      environment: ["PATH=/bin"],
      entrypoint: ["/entry"],
      command: ["-c", "x"],
      workingDirectory: "/work",
      exposedPorts: ["80/tcp"],
      volumes: ["/data"],
      labels: { one: "1" },
      stopSignal: "SIGINT",
      healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000 },
      shell: ["/bin/bash", "-c"],
    });
    expect(opened.layers.map(({ diffId }) => diffId)).toEqual([layer.diffId, secondLayer.diffId]);
    expect(opened.layers.map(({ blob }) => blob.size)).toEqual([layer.bytes.length, secondLayer.bytes.length]);
    const [first, second] = opened.layers;
    expect(first?.chainId).toBe(layer.diffId);
    const chain = new Bun.CryptoHasher("sha256").update(`${layer.diffId} ${secondLayer.diffId}`).digest("hex");
    expect(String(second?.chainId)).toBe(`sha256:${chain}`);
  });

  test("may leave everything out, or write null as Go does", () => {
    const config = { Env: null, Cmd: null, Labels: null, Volumes: null, ExposedPorts: null, Healthcheck: null };
    writeLayout(path, [writeImage(path, [], { config, rootfs: { type: "layers", diff_ids: null } })]);
    expect(open().configuration).toMatchObject({ environment: [], command: [], labels: {}, user: "", volumes: [] });
    writeLayout(path, [writeImage(path, [])]);
    expect(open().layers).toEqual([]);
  });

  test("may be digested with SHA-512", () => {
    const bytes = JSON.stringify(configuration([]));
    const hex = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
    mkdirSync(`${path}/blobs/sha512`, { recursive: true });
    writeFileSync(`${path}/blobs/sha512/${hex}`, bytes);
    const config = { mediaType: CONFIGURATION_TYPE, digest: `sha512:${hex}`, size: bytes.length };
    writeLayout(path, [writeJson(path, { schemaVersion: 2, config, layers: [] }, MANIFEST_TYPE)]);
    expect(String(open().configurationDigest)).toBe(`sha512:${hex}`);
    writeFileSync(`${path}/blobs/sha512/${hex}`, bytes.replace("linux", "Linux"));
    expect(failure(open)).toMatchObject({ code: "digest_mismatch" });
  });
});

describe("a choice", () => {
  test("is made by tag", () => {
    writeLayout(path, [tagged(image("one"), "v1"), tagged(image("two"), "v2")]);
    expect([nameOf(":v1"), nameOf(":v2"), nameOf(":@1")]).toEqual(["one", "two", "two"]);
    expect(failure(() => open(":v3"))).toMatchObject({
      code: "image_not_found",
      message: expect.stringMatching(/there is only v1, v2$/),
    });
    expect(failure(() => open(":@2")).code).toBe("image_not_found");
  });

  test("that is left open names what there is", () => {
    writeLayout(path, [tagged(image("one"), "v1"), tagged(image("two"), "v2"), image("three")]);
    const { code, message } = failure(open);
    expect(code).toBe("image_ambiguous");
    expect(message).toMatch(/it has several: v1, v2, sha256:[0-9a-f]{64}$/);
  });

  test("is no choice when all tags mean one image", () => {
    const descriptor = image("one");
    writeLayout(path, [tagged(descriptor, "v1"), tagged(descriptor, "latest")]);
    expect(nameOf()).toBe("one");
  });

  test("is made by platform, in indexes too", () => {
    const inner = writeJson(
      path,
      {
        schemaVersion: 2,
        manifests: [
          onPlatform(image("arm v6", "arm", "v6"), "linux/arm/v6"),
          onPlatform(image("arm v7", "arm", "v7"), "linux/arm/v7"),
          onPlatform(image("arm64", "arm64", "v8"), "linux/arm64/v8"),
          onPlatform(image("amd64"), "linux/amd64"),
          onPlatform(image("amd64 again"), "linux/amd64"),
          { ...onPlatform(image("attestation"), "unknown/unknown") },
        ],
      },
      INDEX_TYPE,
    );
    writeLayout(path, [tagged(inner, "multi"), tagged(image("single"), "other")]);
    const named = (platform: string) => nameOf(":multi", parsePlatform(platform));
    expect(named("linux/amd64")).toBe("amd64");
    expect(named("linux/arm64")).toBe("arm64");
    expect(named("aarch64")).toBe("arm64");
    expect(named("linux/arm")).toBe("arm v7");
    expect(named("linux/arm/v8")).toBe("arm v7");
    expect(named("linux/arm/v6")).toBe("arm v6");
    expect(nameOf(":multi")).toBe(process.arch === "x64" ? "amd64" : "arm64");
    const { code, message } = failure(() => named("linux/s390x"));
    expect(code).toBe("platform_mismatch");
    expect(message).toContain("none for linux/s390x, only for linux/arm/v6, linux/arm/v7, linux/arm64/v8, linux/amd64");
  });

  test("of a platform that the only image is not for fails, unless nobody asked", () => {
    writeLayout(path, [image("riscv", "riscv64")]);
    expect(nameOf()).toBe("riscv");
    expect(failure(() => open("", amd64))).toMatchObject({
      code: "platform_mismatch",
      message: expect.stringMatching(/it is for linux\/riscv64, not for linux\/amd64$/),
    });
  });

  test("ends where indexes contain each other", () => {
    let descriptor = image("deep");
    for (let depth = 0; depth < 6; depth++) {
      descriptor = writeJson(path, { schemaVersion: 2, manifests: [descriptor] }, INDEX_TYPE);
    }
    writeLayout(path, [descriptor]);
    expect(failure(open).message).toContain("nested more than 4 deep");
  });

  test("ends soon where indexes name each other a thousand times", () => {
    const platform = { os: "linux", architecture: "s390x" };
    let descriptor = { ...image("hidden", "s390x"), platform };
    for (let depth = 0; depth < 4; depth++) {
      const manifests = new Array(1000).fill(descriptor);
      descriptor = { ...writeJson(path, { schemaVersion: 2, manifests }, INDEX_TYPE), platform };
    }
    writeLayout(path, [descriptor]);
    expect(open("", parsePlatform("linux/s390x")).name).toBe(`oci:${path}`);
  });
});

describe("what is wrong is named", () => {
  const manifestOf = (more: object) => {
    const config = writeJson(path, configuration([layer]), CONFIGURATION_TYPE);
    const layers = [writeBlob(path, layer.bytes, layer.mediaType)];
    writeLayout(path, [writeJson(path, { schemaVersion: 2, config, layers, ...more }, MANIFEST_TYPE)]);
  };
  const configurationOf = (more: object) => writeLayout(path, [writeImage(path, [layer], more)]);
  const blobOf = (bytes: Buffer | string) =>
    `${path}/blobs/sha256/${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;

  const cases: readonly [string, () => void, RegExp][] = [
    ["no directory", () => rmSync(path, { recursive: true }), /^read oci-layout of oci:.*: ENOENT$/],
    ["no layout", () => mkdirSync(`${path}/blobs`), /^read oci-layout of oci:.*: ENOENT$/],
    [
      "no JSON",
      () => configurationOf({}) ?? writeFileSync(`${path}/index.json`, "{"),
      /index\.json of .*: it is not JSON/,
    ],
    ["a wrong type", () => configurationOf({ config: { Env: [1] } }), /configuration sha256:.*: config\.Env\.0: /],
    [
      "a bad digest",
      () => manifestOf({ layers: [{ digest: "sha256:../x", size: 1 }] }),
      /manifest .*: layers\.0\.digest: expected/,
    ],
    ["a negative size", () => manifestOf({ layers: [{ digest: layer.diffId, size: -1 }] }), /layers\.0\.size: /],
    [
      "a foreign media type",
      () => manifestOf({ layers: [{ ...writeBlob(path, "x", "text/plain") }] }),
      /layers\.0\.mediaType: "text\/plain" is not supported/,
    ],
    ["too few layers", () => manifestOf({ layers: [] }), /it has 0 layers, its configuration 1/],
    ["a missing layer", () => manifestOf({}) ?? rmSync(blobOf(layer.bytes)), /blobs\/sha256\/.* is missing/],
    [
      "a layer of another size",
      () => manifestOf({}) ?? writeFileSync(blobOf(layer.bytes), "x"),
      /it has 1 bytes instead of \d+/,
    ],
    [
      "a manifest of another size",
      () => {
        const descriptor = image("x");
        writeLayout(path, [{ ...descriptor, size: descriptor.size + 1 }]);
      },
      /manifest sha256:.*: it has \d+ bytes instead of \d+/,
    ],
    [
      "a manifest that was changed",
      () => {
        const { digest, size } = image("x");
        const file = `${path}/blobs/${digest.replace(":", "/")}`;
        writeFileSync(file, readFileSync(file, "utf8").replace('"schemaVersion":2', '"schemaVersion":3'));
        writeLayout(path, [{ mediaType: MANIFEST_TYPE, digest, size }]);
      },
      /^verify manifest sha256:.*: its digest is sha256:/,
    ],
    [
      "an absurd document",
      () => configurationOf({}) ?? writeFileSync(`${path}/index.json`, " ".repeat(5 << 20)),
      /index\.json of .*: it has 5242880 bytes, more than 4 MiB/,
    ],
    [
      "a directory in the place of a file",
      () => {
        configurationOf({});
        rmSync(`${path}/index.json`);
        mkdirSync(`${path}/index.json`);
      },
      /it is a directory/,
    ],
    [
      "a pipe in the place of a file",
      () => {
        configurationOf({});
        rmSync(`${path}/index.json`);
        Bun.spawnSync(["mkfifo", `${path}/index.json`]);
      },
      /it is not a regular file/,
    ],
  ];

  test.each(cases)("%s", (_, prepare, message) => {
    prepare();
    expect(failure(open).message).toMatch(message);
  });
});

describe("an archive of docker save", () => {
  const config = JSON.stringify(configuration([layer], { config: { Labels: { name: "first" } } }));
  const hex = new Bun.CryptoHasher("sha256").update(config).digest("hex");
  const entry = {
    Config: `${hex}.json`,
    RepoTags: ["docker.io/library/one:latest", "localhost:5000/x/two:v2"],
    Layers: ["l/layer.tar"],
  };

  const openArchive = (members: readonly Member[], name = "") => {
    writeFileSync(`${path}/image.tar`, archive(members));
    return openImage(parseImageName(`docker-archive:${path}/image.tar${name}`));
  };
  const members = (entries: readonly object[]): Member[] => [
    { name: `${hex}.json`, content: config },
    { name: "l/layer.tar", content: layer.bytes },
    { name: "manifest.json", content: JSON.stringify(entries) },
  ];

  test("is found by any name Docker would know it by", () => {
    for (const name of [
      "",
      ":one",
      ":one:latest",
      ":library/one",
      ":docker.io/library/one",
      ":localhost:5000/x/two:v2",
      ":@0",
    ]) {
      const { configuration: found, layers, configurationDigest } = openArchive(members([entry]), name);
      expect(found.labels["name"]).toBe("first");
      expect(String(configurationDigest)).toBe(`sha256:${hex}`);
      expect(layers[0]?.blob).toMatchObject({ size: layer.bytes.length });
    }
    expect(failure(() => openArchive(members([entry]), ":one:v2")).message).toMatch(
      /there is only docker\.io\/library\/one:latest$/,
    );
    expect(failure(() => openArchive(members([entry]), ":localhost:5000/x/two")).code).toBe("image_not_found");
  });

  test("with several images has to be asked for one", () => {
    expect(failure(() => openArchive(members([entry, { ...entry, RepoTags: null }]))).message).toMatch(
      new RegExp(`it has several: docker\\.io/library/one:latest, ${hex}\\.json$`),
    );
  });

  test("is refused when something is missing or changed", () => {
    const [configMember, layerMember, manifestMember] = members([entry]) as [Member, Member, Member];
    expect(failure(() => openArchive([configMember, layerMember])).message).toMatch(/manifest\.json is missing$/);
    expect(failure(() => openArchive([configMember, manifestMember])).message).toMatch(/l\/layer\.tar is missing$/);
    const changed = { ...configMember, content: config.replace("first", "other") };
    expect(failure(() => openArchive([changed, layerMember, manifestMember])).code).toBe("digest_mismatch");
    const circle: Member[] = [
      { name: "l/layer.tar", type: "2", linkName: "../k" },
      { name: "k", type: "2", linkName: "l/layer.tar" },
    ];
    expect(failure(() => openArchive([configMember, ...circle, manifestMember])).message).toContain("in a circle");
    writeFileSync(`${path}/cut.tar`, archive(members([entry])).subarray(0, 1100));
    expect(failure(() => openImage(parseImageName(`docker-archive:${path}/cut.tar`))).message).toContain("truncated");
  });
});
