/* Archives of GNU tar, and images of other tools: what comes out has to be what went in. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { configuration, makeImage, pack } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";
import { enter, list, onlyLayer, type Place, run, unpack, workspace } from "./unpacked.ts";

const isRoot = process.getuid?.() === 0;
const place: Place = isRoot ? "root" : "ids";
const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

const makeTree = `
set -e
mkdir -p tree/dir/sub tree/sticky && cd tree
head -c 300000 /dev/urandom > random
truncate -s 4M sparse && printf middle | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
printf x > "$(printf 'dir/new\\nline\\377')"
long=$(printf 'n%.0s' $(seq 1 200)); mkdir -p dir/$long/$long && printf y > dir/$long/$long/$long
ln -s $long$long dir/longlink && ln random dir/hard && ln -s /etc/passwd dir/absolute && mkfifo dir/fifo
chmod 6755 random && chmod 1777 sticky && chmod 2750 dir/sub
chown 12:34 dir random && chown -h 56:78 dir/absolute && chown 3000000:4000000 sparse 2>/dev/null || true
setfattr -n user.note -v 'a value' random && setfacl -m u:1234:r-- random && setfacl -d -m g:77:rwx dir/sub
touch -d '2001-02-03 04:05:06.123456789' random dir/sub sparse sticky dir && touch -h -d '1969-12-31 23:00:00' dir/absolute
`;

describe("archives of GNU tar", () => {
  test.each([
    ["pax", "--format=pax --xattrs --acls"],
    ["pax with holes 0.0", "--format=pax --sparse --sparse-version=0.0 --xattrs --acls"],
    ["pax with holes 0.1", "--format=pax --sparse --sparse-version=0.1 --xattrs --acls"],
    ["pax with holes 1.0", "--format=pax --sparse --sparse-version=1.0 --xattrs --acls"],
    ["gnu", "--format=gnu"],
    ["gnu with holes", "--format=gnu --sparse"],
  ])("%s", (_, options) => {
    const { path } = spaces.use(workspace());
    const inPlace = (script: string) => run(enter(place, ["sh", "-c", `cd ${path} && ${script}`]));
    inPlace(makeTree);
    inPlace(`tar -C tree ${options} -cf tree.tar .`);
    makeImage(`${path}/image`, [readFileSync(`${path}/tree.tar`)], "zstd");
    const { error, warnings } = unpack(place, `oci:${path}/image`, `${path}/store`);
    expect(error).toBeUndefined();
    expect(warnings).toEqual([]);
    const layer = onlyLayer(`${path}/store`);
    // Times of GNU's own format are whole seconds.
    const times = options.includes("pax") ? "%T@" : "%Ts";
    const format = `%y %m %U:%G %n %s %l ${times}`;
    // Sizes of directories depend on their history.
    const sizeless = (line: string) => line.replace(/^(.*\|d \S+ \S+ \S+) \d+/s, "$1");
    expect(list(place, layer, format).map(sizeless)).toEqual(list(place, `${path}/tree`, format).map(sizeless));
    inPlace(`diff -r --no-dereference -x fifo tree ${layer}`);
    if (!options.includes("--acls")) return;
    const metadata = (directory: string) =>
      inPlace(`cd ${directory} && getfacl -Rpn . && getfattr -Rhd -m 'user\\.' .`);
    expect(metadata(layer)).toBe(metadata("tree"));
  });
});

describe("images of other tools", () => {
  const content = archive([
    { name: "etc/", type: "5" },
    { name: "etc/name", content: "first", uid: 5 },
  ]);

  function check(name: string, store: string): void {
    const { error, warnings } = unpack(place, name, store);
    expect(error).toBeUndefined();
    expect(warnings).toEqual([]);
    const layer = onlyLayer(store);
    expect(readFileSync(`${layer}/etc/name`, "utf8")).toBe("first");
    expect(list(place, layer, "%y %U")).toContain("etc/name|f 5");
  }

  test.skipIf(Bun.which("umoci") === null)("umoci", () => {
    const { path } = spaces.use(workspace());
    const inPath = (script: string) => run(["sh", "-c", `cd ${path} && ${script}`]);
    inPath("umoci init --layout layout && umoci new --image layout:v1");
    writeFileSync(`${path}/content.tar`, content);
    inPath("umoci raw add-layer --image layout:v1 content.tar && chmod -R a+rX .");
    check(`oci:${path}/layout:v1`, `${path}/store`);
  });

  test.skipIf(Bun.which("skopeo") === null)("skopeo, in every form", () => {
    const { path } = spaces.use(workspace());
    makeImage(`${path}/image`, [content], "gzip");
    for (const form of ["oci-archive", "docker-archive", "oci"]) {
      const suffix = form === "docker-archive" ? "example.org/name:v1" : "v1";
      const target = `${form}:${path}/${form}:${suffix}`;
      run(["skopeo", "--insecure-policy", "copy", "-q", `oci:${path}/image`, target]);
      run(["chmod", "-R", "a+rX", `${path}/${form}`]);
      check(target, `${path}/store-${form}`);
      check(`${form}:${path}/${form}`, `${path}/store-2-${form}`);
    }
  });

  test("docker save, old and new", () => {
    const { path } = spaces.use(workspace());
    const config = Buffer.from(JSON.stringify(configuration([pack(content)])));
    const hex = new Bun.CryptoHasher("sha256").update(config).digest("hex");
    const entry = { Config: `${hex}.json`, RepoTags: ["name:v1"], Layers: ["aa/layer.tar"] };
    const old = archive([
      { name: "bb/", type: "5" },
      { name: "bb/layer.tar", content },
      { name: "aa/layer.tar", type: "2", linkName: "../bb/layer.tar" },
      { name: `${hex}.json`, content: config },
      { name: "manifest.json", content: JSON.stringify([entry]) },
    ]);
    writeFileSync(`${path}/old.tar`, old);
    check(`docker-archive:${path}/old.tar:name:v1`, `${path}/store-old`);

    mkdirSync(`${path}/new`);
    makeImage(`${path}/new`, [content]);
    const layerPath = `blobs/${pack(content).diffId.replace(":", "/")}`;
    const manifest = [
      { Config: `blobs/sha256/${hex}`, RepoTags: ["docker.io/library/name:latest"], Layers: [layerPath] },
    ];
    writeFileSync(`${path}/new/blobs/sha256/${hex}`, config);
    writeFileSync(`${path}/new/manifest.json`, JSON.stringify(manifest));
    run(["tar", "-C", `${path}/new`, "-cf", `${path}/new.tar`, "."]);
    check(`docker-archive:${path}/new.tar:name`, `${path}/store-new`);
    check(`oci-archive:${path}/new.tar`, `${path}/store-new-oci`);
  });

  test("compressed archives are refused with the way out", () => {
    const { path } = spaces.use(workspace());
    run(["sh", "-c", `cd ${path} && mkdir -p store/tmp && echo x > f && tar -czf a.tar.gz f`]);
    if (isRoot) run(["chown", "-R", "bunker-test:", path]);
    expect(gunzipSync(readFileSync(`${path}/a.tar.gz`)).length).toBeGreaterThan(512);
    const { error } = unpack(place, `docker-archive:${path}/a.tar.gz`, `${path}/store`);
    expect(error).toMatchObject({ code: "archive_compressed", hint: "Decompress it first: gzip -d." });
  });
});
