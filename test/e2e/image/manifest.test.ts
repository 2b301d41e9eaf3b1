import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { digestOf } from "../../../src/image/digest.ts";
import type { BlobDescriptor } from "../../../src/image/store/stored-image.ts";
import { DockerRegistry } from "../../docker-registry.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

const layers = { amd64: pack(archive([{ name: "x86" }])), arm64: pack(archive([{ name: "arm" }]), "gzip") };

let user: UnprivilegedUser;
let registry: DockerRegistry;
let amd64: BlobDescriptor;
let arm64: BlobDescriptor;
beforeAll(async () => {
  // Building the executable may take longer than a test.
  user = new UnprivilegedUser();
  registry = await DockerRegistry.start();
}, 300_000);
afterAll(async () => {
  user[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

beforeEach(() => {
  rmSync(user.data, { recursive: true, force: true });
  const [first, second] = storeImages(user, [
    { names: ["docker.io/library/app:amd64"], layers: [layers.amd64], configuration: { architecture: "amd64" } },
    {
      names: ["docker.io/library/app:arm64"],
      layers: [layers.arm64],
      configuration: { architecture: "arm64", variant: "v8" },
    },
  ]);
  if (first === undefined || second === undefined) throw new Error("unexpected");
  amd64 = first;
  arm64 = second;
});

async function ok(...words: string[]): Promise<string> {
  const { status, output, errors } = await user.bunker(words);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

const inspect = async (name: string) => JSON.parse(await ok("manifest", "inspect", name));

test("a list is made, changed, shown and removed", async () => {
  expect(await ok("manifest", "create", "--annotation", "of=mine", "list", "app:amd64")).toBe(
    "Created manifest list docker.io/library/list:latest\n",
  );
  expect(await ok("manifest", "add", "--annotation", "who=me", "list", "app:arm64")).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(await inspect("list")).toEqual({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      { ...amd64, platform: { architecture: "amd64", os: "linux" } },
      { ...arm64, platform: { architecture: "arm64", os: "linux", variant: "v8" }, annotations: { who: "me" } },
    ],
    annotations: { of: "mine" },
  });
  const more = ["--os-version", "1.2", "--os-features", "a,b", "--variant", "v9", "--annotation", "why=so"];
  expect(await ok("manifest", "annotate", ...more, "list", "app:arm64")).toBe("");
  expect((await inspect("list")).manifests[1]).toEqual({
    ...arm64,
    platform: { architecture: "arm64", os: "linux", variant: "v9", "os.version": "1.2", "os.features": ["a", "b"] },
    annotations: { who: "me", why: "so" },
  });
  expect(JSON.parse(await ok("manifest", "inspect", "list", amd64.digest))).toMatchObject({
    layers: [{ size: expect.any(Number) }],
  });
  expect(await ok("manifest", "annotate", "--index", "--annotation", "and=yours", "list")).toBe("");
  expect((await inspect("list")).annotations).toEqual({ of: "mine", and: "yours" });
  expect((await user.bunker(["manifest", "annotate", "--index", "--arch", "arm", "list"])).errors).toStartWith(
    "bunker: of the list itself (--index) only --annotation and --subject can tell",
  );
  const verbose = JSON.parse(await ok("manifest", "inspect", "-v", "list"));
  expect(verbose).toMatchObject([
    {
      Ref: `docker.io/library/list@${amd64.digest}`,
      Descriptor: { digest: amd64.digest },
      OCIManifest: { schemaVersion: 2 },
    },
    { Descriptor: { platform: { architecture: "arm64" } } },
  ]);
  expect(await ok("manifest", "remove", "list", amd64.digest)).toMatch(/^sha256:/);
  expect((await inspect("list")).manifests).toHaveLength(1);
  expect(await user.bunker(["manifest", "exists", "list"])).toMatchObject({ status: 0, output: "" });
  expect(await ok("manifest", "rm", "list")).toBe("");
  expect(await user.bunker(["manifest", "exists", "list"])).toMatchObject({ status: 1, output: "", errors: "" });
  expect(await ok("manifest", "rm", "--ignore", "list")).toBe("");
  expect(await user.bunker(["manifest", "rm", "list"])).toMatchObject({ status: 1 });
  // The images were somebody else's.
  expect(await ok("images", "-q", "app")).toMatch(/^[0-9a-f]{12}\n[0-9a-f]{12}\n$/);
});

test("lists are shown where images are filtered by being one", async () => {
  await ok("manifest", "create", "list", "app:amd64");
  const shown = (...words: string[]) =>
    ok("images", ...words, "--format", "{{.Repository}}:{{.Tag}} {{.CreatedSince}} {{.Size}}");
  const images = await shown();
  expect(images).toMatch(/^app:\S+ .*\napp:\S+ .*\n$/);
  expect(await shown("--filter", "manifest=false")).toBe(images);
  expect(await shown("--filter", "manifest!=true")).toBe(images);
  expect(await shown("--filter", "manifest=true")).toBe("list:latest N/A 0B\n");
  expect(await shown("--filter", "manifest=true", "--filter", "manifest=false")).toBe(`${images}list:latest N/A 0B\n`);
  expect(await shown("--filter", "manifest=true", "other")).toBe("");
});

test("a list's name means its image for this machine, or the whole list where a list can go", async () => {
  await ok("manifest", "create", "list", "app:amd64", "app:arm64");
  expect(await ok("image", "inspect", "--format", "{{.Architecture}}", "list")).toBe("amd64\n");
  expect(await ok("image", "inspect", "--platform", "linux/arm64", "--format", "{{.Architecture}}", "list")).toBe(
    "arm64\n",
  );
  const saved = async (name: string, ...words: string[]) => {
    rmSync(`${user.home}/saved`, { recursive: true, force: true });
    await ok("save", "-q", "--format", "oci-dir", "-o", `${user.home}/saved`, ...words, name);
    const { manifests } = JSON.parse(readFileSync(`${user.home}/saved/index.json`, "utf8"));
    return manifests.map(({ digest, annotations }: BlobDescriptor & { annotations: Record<string, string> }) => [
      digest,
      annotations["org.opencontainers.image.ref.name"],
    ]);
  };
  expect(await saved("list")).toEqual([[amd64.digest, "docker.io/library/list:latest"]]);
  expect(await saved("list", "--platform", "linux/arm64")).toEqual([[arm64.digest, "docker.io/library/list:latest"]]);
  const whole = await saved("list", "--platform", "linux/amd64,linux/arm64");
  expect(whole).toEqual([[expect.stringMatching(/^sha256:/), "docker.io/library/list:latest"]]);
  expect(await ok("manifest", "push", "list", `${registry.host}/meant/list:1`)).toBe(`${whole[0][0]}\n`);
  expect(await ok("push", "list", `${registry.host}/meant/list:2`)).toContain(`digest: ${whole[0][0]}`);
  // With a transport it is the registry's, whatever is here.
  const remote = `${registry.host}/meant/list:1`;
  expect(await inspect(`docker://${remote}`)).toEqual(await inspect(remote));
  await ok("manifest", "create", remote, "app:arm64");
  expect((await inspect(remote)).manifests).toHaveLength(1);
  expect((await inspect(`docker://${remote}`)).manifests).toHaveLength(2);
  await ok("manifest", "rm", remote);
  // A second name is a list's as well, and neither takes names of its images away.
  await ok("tag", "list", "other:1");
  expect(await inspect("other:1")).toEqual(await inspect("list"));
  await ok("untag", "list");
  expect(await user.bunker(["manifest", "exists", "list"])).toMatchObject({ status: 1 });
  expect(await ok("rmi", "other:1")).toBe("Untagged: other:1\n");
  expect(await ok("images", "-q", "app")).toMatch(/^[0-9a-f]{12}\n[0-9a-f]{12}\n$/);
  await ok("manifest", "create", "foreign", "app:arm64");
  const { errors, status } = await user.bunker(["save", "-o", `${user.home}/none`, "foreign"]);
  expect({ errors, status }).toEqual({
    errors:
      "bunker: choose the image for a platform from docker.io/library/foreign:latest: it has none for linux/amd64, only for linux/arm64/v8\nhint: Choose that with --platform.\n",
    status: 1,
  });
});

test("images that only a list has stay as long as it does", async () => {
  await ok("manifest", "create", "list", "app:amd64", "app:arm64");
  await ok("rmi", "app:amd64", "app:arm64");
  const blob = `${user.data}/blobs/${amd64.digest.replace(":", "/")}`;
  expect(existsSync(blob)).toBe(true);
  expect((await inspect("list")).manifests).toHaveLength(2);
  await ok("manifest", "rm", "list");
  expect(existsSync(blob)).toBe(false);
});

/** Serves a layout with `bunker registry serve`. */
async function serve(directory: string) {
  const session = user.talk([user.bunkerPath, "registry", "serve", "--address", ":0", directory]);
  const said = await session.expect(/Serving .* at 127\.0\.0\.1:\d+\n/);
  return {
    host: said.trim().split(" at ")[1] ?? "",
    async [Symbol.asyncDispose]() {
      session.process.kill("SIGINT");
      await session.process.exited;
    },
  };
}

test("what refers to an image is listed, also where the registry keeps no such list", async () => {
  await using server = await serve(user.makeDirectory("served"));
  const bill = `${user.directory}/bill.json`;
  writeFileSync(bill, "[1]");
  for (const host of [registry.host, server.host]) {
    const name = `${host}/referred/app:1`;
    const referrers = (...words: string[]) => ok("manifest", "referrers", ...words, name);
    await ok("push", "-q", "app:amd64", name);
    expect(await referrers()).toBe("DIGEST    ARTIFACT TYPE   CREATED   SIZE\n");
    const list = `${host}/referred/list:1`;
    await ok("manifest", "create", list);
    for (const type of ["text/x-bill", "text/x-note"]) {
      const about = ["--artifact-type", type, "--artifact-subject", "app:amd64"];
      await ok("manifest", "add", "--artifact", ...about, list, bill);
    }
    const digests = (await inspect(list)).manifests.map(({ digest }: BlobDescriptor) => digest);
    await ok("manifest", "push", "-q", list, `${host}/referred/app:list`);
    const shown = (await referrers("-q")).trim().split("\n");
    expect(shown.toSorted()).toEqual(digests.toSorted());
    const [first = "", second = ""] = digests;
    const lines = (await referrers()).trim().split("\n");
    expect(lines).toHaveLength(3);
    for (const digest of digests) expect(lines.join("\n")).toContain(digest.slice("sha256:".length).slice(0, 12));
    expect(await referrers("--no-trunc")).toContain(first);
    const format = ["--format", "{{.Digest}} {{.ArtifactType}} {{.CreatedSince}} {{.Size}}"];
    expect(await referrers("--artifact-type", "text/x-note", ...format)).toMatch(
      new RegExp(`^${second} text/x-note N/A \\d+B\\n$`),
    );
    expect(await referrers("--artifact-type", "text/x-other", "--format", "json")).toBe("");
    const row = JSON.parse(await referrers("--artifact-type", "text/x-bill", "--format", "json"));
    expect(row).toMatchObject({ Digest: first, ArtifactType: "text/x-bill", MediaType: amd64.mediaType });
    expect(await ok("manifest", "referrers", "-q", `docker://${host}/referred/app@${amd64.digest}`)).toBe(
      `${shown.join("\n")}\n`,
    );
    expect(await user.bunker(["manifest", "referrers", `${host}/referred/app:none`])).toMatchObject({
      status: 1,
      output: "",
      errors: expect.stringContaining("app:none"),
    });
    await ok("manifest", "rm", list);
  }
  const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
  const dated = JSON.stringify({
    schemaVersion: 2,
    mediaType: amd64.mediaType,
    artifactType: "text/x-dated",
    config: empty,
    layers: [empty],
    subject: amd64,
    annotations: { "org.opencontainers.image.created": "2020-02-03T04:05:06Z" },
  });
  const { status } = await fetch(`http://${server.host}/v2/referred/app/manifests/${digestOf(dated)}`, {
    method: "PUT",
    headers: { "content-type": amd64.mediaType },
    body: dated,
  });
  expect(status).toBe(201);
  const format = ["--artifact-type", "text/x-dated", "--format", "table {{.CreatedAt}}|{{.CreatedSince}}"];
  expect(await ok("manifest", "referrers", ...format, `${server.host}/referred/app:1`)).toMatch(
    /^CREATED AT\|CREATED\n2020-02-03T\S+\|\d+ years ago\n$/,
  );
});

describe("an artifact", () => {
  const descriptorOf = (content: string) => ({ digest: digestOf(content), size: content.length });

  test("is made of files, and goes to registries with the list", async () => {
    const files = { "bill.json": "[1]", notes: "some notes" };
    for (const [name, content] of Object.entries(files)) writeFileSync(`${user.directory}/${name}`, content);
    const [bill, notes] = Object.keys(files).map((name) => `${user.directory}/${name}`) as [string, string];
    const name = `${registry.host}/artifacts/app:1`;
    await ok("manifest", "create", name, "app:amd64");
    await ok("manifest", "add", "--artifact", "--annotation", "who=me", name, bill, notes);
    const about = ["--artifact-type", "text/x-notes", "--artifact-subject", "app:amd64", "--artifact-exclude-titles"];
    const layer = ["--artifact-layer-type", "text/x-note"];
    const configuration = ["--artifact-config", bill, "--artifact-config-type", "application/x-config+json"];
    await ok("manifest", "add", "--artifact", ...about, ...layer, ...configuration, name, notes);
    await ok("manifest", "annotate", "--index", "--subject", "app:arm64", name);
    const list = await inspect(name);
    expect(list.subject).toEqual({ mediaType: arm64.mediaType, digest: arm64.digest, size: arm64.size });
    const [, first, second] = list.manifests;
    expect(first).toMatchObject({ artifactType: "application/vnd.unknown.artifact.v1", annotations: { who: "me" } });
    expect(second.artifactType).toBe("text/x-notes");
    for (const member of [first, second]) expect(member.platform).toBeUndefined();
    await ok("manifest", "push", name);
    const pushed = (digest: string) =>
      JSON.parse(
        output([
          "skopeo",
          "inspect",
          "--tls-verify=false",
          "--raw",
          `docker://${registry.host}/artifacts/app@${digest}`,
        ]),
      );
    const title = (text: string) => ({ annotations: { "org.opencontainers.image.title": text } });
    expect(pushed(first.digest)).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      artifactType: "application/vnd.unknown.artifact.v1",
      config: { mediaType: "application/vnd.oci.empty.v1+json", ...descriptorOf("{}") },
      layers: [
        { mediaType: "application/json", ...descriptorOf(files["bill.json"]), ...title("bill.json") },
        { mediaType: "application/octet-stream", ...descriptorOf(files.notes), ...title("notes") },
      ],
    });
    expect(pushed(second.digest)).toMatchObject({
      artifactType: "text/x-notes",
      config: { mediaType: "application/x-config+json", ...descriptorOf(files["bill.json"]) },
      layers: [{ mediaType: "text/x-note", ...descriptorOf(files.notes) }],
      subject: { digest: amd64.digest },
    });
    // What has no configuration of an image is added to another list all the same.
    await ok("manifest", "create", "--all", "other", `docker://${name}`);
    expect((await inspect("other")).manifests.map(({ digest }: BlobDescriptor) => digest)).toEqual(
      list.manifests.map(({ digest }: BlobDescriptor) => digest),
    );
    rmSync(bill);
    rmSync(notes);
  });

  test.each([
    [["add", "--artifact", "there", "/missing"], /read \/missing: ENOENT/],
    [["add", "--artifact", "there", "/"], /read \/: it is a directory/],
    [["add", "--artifact", "--all", "there", "/etc/hosts"], /--all and --artifact exclude each other/],
    [["add", "--artifact-type", "a/b", "there", "app:amd64"], /what is said of an artifact needs --artifact/],
    [["add", "--artifact", "--artifact-type", "a", "there", "/etc/hosts"], /expected TYPE\/SUBTYPE/],
    [["annotate", "--subject", "app:arm64", "there", "app:amd64"], /--subject needs --index/],
  ])("is refused: manifest %j", async (words, message) => {
    const before = await ok("manifest", "create", "there", "app:amd64").then(() => inspect("there"));
    const outcome = await user.bunker(["manifest", ...words]);
    expect(outcome.errors).toMatch(message);
    expect(outcome.status).toBeGreaterThan(0);
    expect(await inspect("there")).toEqual(before);
  });
});

describe("in registries", () => {
  const skopeo = (...words: string[]) => JSON.parse(output(["skopeo", "inspect", "--tls-verify=false", ...words]));

  test("a list is pushed with its images, and others read it", async () => {
    const name = `${registry.host}/team/app:1`;
    await ok("manifest", "create", name, "app:amd64", "app:arm64");
    const digest = (await ok("manifest", "push", name)).trim();
    expect(skopeo("--raw", `docker://${name}`)).toEqual(await inspect(name));
    expect(skopeo("--override-arch=arm64", "--override-variant=v8", `docker://${name}`)).toMatchObject({
      Architecture: "arm64",
      Digest: digest,
    });
    const copy = `${user.directory}/copy`;
    output(["skopeo", "copy", "--all", "--src-tls-verify=false", `docker://${name}`, `oci:${copy}`]);
    rmSync(copy, { recursive: true });
  });

  test("the layers of a list's images are packed anew where that is asked for", async () => {
    const target = `${registry.host}/packed/app:1`;
    const packing = ["--compression-format", "zstd"];
    await ok("manifest", "create", "packed", "app:amd64", "app:arm64");
    const digest = (await ok("manifest", "push", ...packing, "packed", target)).trim();
    const index = skopeo("--raw", `docker://${target}`);
    expect(index.manifests.map(({ platform }: { platform: object }) => platform)).toEqual(
      (await inspect("packed")).manifests.map(({ platform }: { platform: object }) => platform),
    );
    for (const member of index.manifests) {
      const { config, layers } = skopeo("--raw", `docker://${registry.host}/packed/app@${member.digest}`);
      expect(layers.map(({ mediaType }: { mediaType: string }) => mediaType)).toEqual([
        "application/vnd.oci.image.layer.v1.tar+zstd",
      ]);
      // It names the layers by what is in them.
      const known = [amd64, arm64].map(({ digest }) => skopeo("--raw", `docker://${registry.host}/team/app@${digest}`));
      expect(known.map((manifest) => manifest.config.digest)).toContain(config.digest);
    }
    expect(skopeo(`docker://${target}@${digest}`.replace(":1@", "@"))).toMatchObject({ Digest: expect.any(String) });
    const refused = await user.bunker(["manifest", "push", ...packing, "--all=false", "packed", target]);
    expect(refused.errors).toContain("--compression-format and --all=false exclude each other");
    await ok("manifest", "rm", "packed");
  });

  test("images of another repository are found there, and pushed without having them", async () => {
    const source = `${registry.host}/source:multi`;
    await ok("manifest", "create", source, "app:amd64", "app:arm64");
    await ok("manifest", "push", "--purge", source);
    expect(await user.bunker(["manifest", "exists", source])).toMatchObject({ status: 1 });
    await ok("rmi", "app:amd64", "app:arm64");

    const target = `${registry.host}/elsewhere/app:2`;
    await ok("manifest", "create", "--all", "mine", source);
    expect((await inspect("mine")).manifests.map(({ digest }: BlobDescriptor) => digest)).toEqual([
      amd64.digest,
      arm64.digest,
    ]);
    await ok("manifest", "push", "mine", `docker://${target}`);
    expect(skopeo("--raw", `docker://${target}`).manifests).toHaveLength(2);
    expect(skopeo("--override-arch=amd64", `docker://${target}`)).toMatchObject({ Architecture: "amd64" });
    expect(await inspect(target)).toMatchObject({ manifests: [{ digest: amd64.digest }, { digest: arm64.digest }] });
    // What save takes of a list comes from there as well, and is not kept here.
    const saved = `${user.home}/saved-list`;
    for (const [form, transport] of [
      ["docker-archive", "docker-archive"],
      ["oci-archive", "oci-archive"],
      ["docker-dir", "dir"],
    ]) {
      await ok("save", "-q", "--platform", "linux/arm64", "--format", form ?? "", "-o", saved, "mine");
      const { Architecture, Digest } = skopeo(`${transport}:${saved}`);
      expect({ form, Architecture }).toEqual({ form, Architecture: "arm64" });
      if (form !== "docker-archive") expect(Digest).toBe(arm64.digest);
      rmSync(saved, { recursive: true });
    }
    await ok("save", "-q", "--platform", "linux/amd64,linux/arm64", "--format", "oci-dir", "-o", saved, "mine");
    expect(skopeo("--raw", `oci:${saved}`)).toEqual(await inspect("mine"));
    rmSync(saved, { recursive: true });
    expect(await user.bunker(["image", "inspect", "mine"])).toMatchObject({ status: 1 });
    const one = await ok("manifest", "create", "one", `docker://${source}`);
    expect(one).toContain("Created manifest list");
    expect((await inspect("one")).manifests).toMatchObject([
      { platform: { architecture: process.arch === "x64" ? "amd64" : "arm64" } },
    ]);
  });

  test("a list without its images is refused by the registry", async () => {
    const name = `${registry.host}/team/incomplete:1`;
    await ok("manifest", "create", name, "app:amd64");
    const outcome = await user.bunker(["manifest", "push", "--all=false", name]);
    expect(outcome).toMatchObject({ status: 1, output: "" });
    expect(outcome.errors).toContain("incomplete");
  });
});

test.each([
  ["oci", ":1"],
  ["oci-archive", ":1"],
  ["dir", ""],
  ["docker-archive", ":app:1"],
])("a list is written to %s:, and skopeo reads it", async (kind, suffix) => {
  const path = `${user.home}/written-list`;
  const place = `${kind}:${path}${suffix}`;
  await ok("manifest", "create", "written", "app:amd64", "app:arm64");
  const index = await inspect("written");
  const words = ["--rm", "--digestfile", `${user.home}/digest`, "written", place];
  const digest = (await ok("manifest", "push", ...words)).trim();
  expect(readFileSync(`${user.home}/digest`, "utf8")).toBe(digest);
  expect(await user.bunker(["manifest", "exists", "written"])).toMatchObject({ status: 1 });
  // An archive of Docker's has the image for this machine for older programs, and the list as a layout.
  if (kind === "docker-archive") {
    expect(JSON.parse(output(["skopeo", "inspect", place]))).toMatchObject({ Architecture: expect.any(String) });
  }
  const list = kind === "docker-archive" ? `oci-archive:${path}:1` : place;
  expect(JSON.parse(output(["skopeo", "inspect", "--raw", list]))).toEqual(index);
  if (kind !== "dir") {
    const arm = ["--override-arch=arm64", "--override-variant=v8"];
    expect(JSON.parse(output(["skopeo", "inspect", ...arm, list]))).toMatchObject({ Architecture: "arm64" });
  }
  for (const file of [path, `${user.home}/digest`]) rmSync(file, { recursive: true });
});

test("a list alone is written where it can be", async () => {
  await ok("manifest", "create", "alone", "app:amd64", "app:arm64");
  const path = `${user.home}/list-alone`;
  await ok("manifest", "push", "--all=false", "alone", `dir:${path}`);
  expect(readdirSync(path).sort()).toEqual(["manifest.json", "version"]);
  expect(JSON.parse(readFileSync(`${path}/manifest.json`, "utf8"))).toEqual(await inspect("alone"));
  rmSync(path, { recursive: true });
  expect((await user.bunker(["manifest", "push", "--all=false", "alone", `docker-archive:${path}`])).errors).toBe(
    "bunker: docker-archive: has no list without its images, so --all=false is not possible with it\n",
  );
  expect((await user.bunker(["manifest", "push", "alone", "docker-daemon:alone:1"])).errors).toBe(
    "bunker: push to docker-daemon:alone:1: nothing is pushed to docker-daemon:\n" +
      "hint: Give a registry's name, or docker://, oci:, oci-archive:, docker-archive: or dir:.\n",
  );
  expect(existsSync(path)).toBe(false);
});

test.each([
  [["create", "app:amd64"], /create the list app:amd64: it is the name of an image\nhint: bunker rmi app:amd64/],
  [["add", "missing", "app:amd64"], /find the list missing: no such list\nhint: bunker manifest create missing/],
  [["annotate", "there", `sha256:${"0".repeat(64)}`], /find sha256:0+ in the list there: it is not in it/],
  [["annotate", "there", "nothing"], /no image of it is known by this name here/],
  [["remove", "there", `sha256:${"0".repeat(64)}`], /it is not in it/],
  [["rm", "missing"], /find the list missing: no such list\n$/],
  [["rm", "app:amd64"], /find the list app:amd64: it is the name of an image\n$/],
  [["push", "missing"], /find the list missing: no such list\n$/],
  [["inspect", "there", "nothing"], /no image of it is known by this name here/],
  [["create", "there", "app:amd64"], /there is one with this name\nhint: Add to it with --amend/],
])("manifest %j fails", async (words, message) => {
  await ok("manifest", "create", "there", "app:amd64");
  const outcome = await user.bunker(["manifest", ...words]);
  expect(outcome).toMatchObject({ status: 1, output: "" });
  expect(outcome.errors).toMatch(message);
});

test("an existing list is amended", async () => {
  await ok("manifest", "create", "list", "app:amd64");
  await ok("manifest", "create", "--amend", "list", "app:arm64");
  expect((await inspect("list")).manifests).toHaveLength(2);
});

test("a list that several change at once has everything", async () => {
  await ok("manifest", "create", "list");
  // As long as all read the list before the first of them stores it.
  for (let round = 0; round < 4; round++) {
    const changes = ["one", "other", "third"].map((key) =>
      ok("manifest", "annotate", "--index", "--annotation", `${key}-${round}=x`, "list"),
    );
    await Promise.all([...changes, ok("manifest", "create", "--amend", "list", "app:amd64")]);
    await Promise.all(["amd64", "arm64"].map((name) => ok("manifest", "add", "list", `app:${name}`)));
    const { annotations, manifests } = await inspect("list");
    expect(Object.keys(annotations)).toHaveLength(3 * (round + 1));
    expect(manifests).toHaveLength(2);
    await ok("manifest", "remove", "list", arm64.digest);
  }
});

test("a list cannot be called by a digest", async () => {
  const { errors, status } = await user.bunker(["manifest", "create", `list@${amd64.digest}`]);
  expect(errors).toContain("refusing to create a tag with a digest reference");
  expect(status).toBe(1);
});
