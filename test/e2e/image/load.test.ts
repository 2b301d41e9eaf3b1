/* Images come into the store from archives and directories. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ARCHITECTURE, busyboxMembers, debianImages } from "../../fixtures/images.ts";
import { INDEX_TYPE, pack, tagged, writeImage, writeJson, writeLayout } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { output } from "../../unprivileged-user.ts";
import { busybox, emptyStoreSuite, rawDigest } from "./empty-store-suite.ts";

const suite = emptyStoreSuite();
const { bunker } = suite;
const configuration = { architecture: ARCHITECTURE };

/** Makes the image `several:1` in the store, for three platforms, this machine's first; returns its manifests. */
async function storeSeveralPlatforms() {
  const manifests = [ARCHITECTURE, "s390x", "riscv64"].map((architecture) => ({
    ...writeImage(`${suite.directory}/source`, [pack(archive([{ name: architecture }]), "gzip")], { architecture }),
    platform: { os: "linux", architecture },
  }));
  const index = writeJson(
    `${suite.directory}/source`,
    { schemaVersion: 2, mediaType: INDEX_TYPE, manifests },
    INDEX_TYPE,
  );
  writeLayout(`${suite.directory}/source`, [tagged(index, "all")]);
  await bunker("copy", "-q", "-a", `oci:${suite.directory}/source:all`, "several:1");
  return manifests;
}

describe("load", () => {
  test("in a terminal shows progress, as save does, and leaves what is done", async () => {
    const shownBy = async (words: readonly string[], last: string) => {
      const session = suite.user.startInTerminal([suite.user.bunkerPath, ...words]);
      await session.expect(last);
      expect(await session.process.exited).toBe(0);
      return session.shown();
    };
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    const saved = await shownBy(["save", "-o", `${suite.directory}/x.tar`, "busybox:1"], "Saved");
    expect(saved).toMatch(/[0-9a-f]{12}: Saved/);
    expect(
      (await shownBy(["load", "-i", `${suite.directory}/x.tar`], "Loaded image")).match(/Already exists/g),
    ).toHaveLength(1);
    output(["rm", "-rf", suite.user.data]);
    const loaded = await shownBy(["load", "-i", `${suite.directory}/x.tar`], "Loaded image: busybox:1");
    expect(loaded.match(/[0-9a-f]{12}: Loaded/g)).toHaveLength(1);
    expect(await shownBy(["load", "-q", "-i", `${suite.directory}/x.tar`], "Loaded image")).not.toMatch(
      /[0-9a-f]{12}: /,
    );
    for (const shown of [saved, loaded]) expect(shown).toContain("\x1b[J");
  });

  test("what save has written, and it runs", async () => {
    await bunker("copy", "-q", busybox(), "containers-storage:busybox:1");
    await bunker("tag", "busybox:1", "registry.example.com/other:2");
    await bunker("save", "-o", `${suite.directory}/x.tar`, "busybox:1", "registry.example.com/other:2");
    const before = (await bunker("images", "-q", "--no-trunc", "busybox")).output;
    output(["rm", "-rf", suite.user.data]);
    expect(await bunker("load", "-i", `${suite.directory}/x.tar`)).toEqual({
      status: 0,
      output: "Loaded image: busybox:1\nLoaded image: registry.example.com/other:2\n",
      errors: "",
    });
    expect((await bunker("images", "-q", "--no-trunc", "busybox")).output).toBe(before);
    expect(await suite.user.run(["busybox:1", "echo", "hello"])).toMatchObject({ status: 0, output: "hello\n" });
  });

  test("the platforms that save was asked for, or some of them", async () => {
    const manifests = await storeSeveralPlatforms();
    const both = ["--platform", `linux/${ARCHITECTURE},linux/s390x`];
    for (const format of ["docker-archive", "oci-archive"]) {
      const words = ["save", "-q", "--format", format, "-o", `${suite.directory}/${format}`];
      expect(await bunker(...words, ...both, "several:1")).toEqual({ status: 0, output: "", errors: "" });
      const members = output(["tar", "-tf", `${suite.directory}/${format}`]);
      for (const [position, { digest }] of manifests.entries()) {
        expect(members.includes(digest.slice(7))).toBe(position < 2);
      }
    }
    const [host] = (await bunker("images", "-q", "--no-trunc", "several")).output.split("\n");
    expect(
      (await bunker("save", "--platform", "linux/s390x", "-o", `${suite.directory}/x`, host ?? "")).errors,
    ).toStartWith(`bunker: find the image ${host}: it is here for linux/${ARCHITECTURE}, not for linux/s390x`);
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
      output(["rm", "-rf", suite.user.data]);
      expect(await bunker("load", "-q", ...options, "-i", `${suite.directory}/${format}`)).toEqual({
        status: 0,
        output: "Loaded image: several:1\n",
        errors: "",
      });
      expect(await architectures()).toEqual([...expected].sort());
      const [shown] = JSON.parse((await bunker("image", "inspect", "--platform", "linux/s390x", "several:1")).output);
      expect(shown.Architecture).toBe("s390x");
    }
    const absent = await bunker("load", "--platform", "linux/riscv64", "-i", `${suite.directory}/oci-archive`);
    expect(absent.errors).toContain("its index names one for linux/riscv64, which is not there");
    expect(absent.status).toBe(1);
  });

  test.each([
    ["plain", (bytes: Buffer) => bytes],
    ["gzip", (bytes: Buffer) => gzipSync(bytes)],
    ["zstd", (bytes: Buffer) => zstdCompressSync(bytes)],
  ])("from a file and from standard input, %s", async (_, compress) => {
    output(["skopeo", "copy", "-q", busybox(), `docker-archive:${suite.directory}/plain.tar:busybox:1`]);
    const input = compress(readFileSync(`${suite.directory}/plain.tar`));
    writeFileSync(`${suite.directory}/x.tar`, input);
    const expected = { status: 0, output: "Loaded image: busybox:1\n", errors: "" };
    expect(await bunker("load", "-i", `${suite.directory}/x.tar`)).toEqual(expected);
    expect(await suite.user.bunker(["load", "-q"], { input })).toEqual(expected);
    expect(await suite.user.run(["busybox:1", "true"])).toMatchObject({ status: 0 });
  });

  test("what podman has saved, in its forms", async () => {
    const podman = [
      "podman",
      "--root",
      `${suite.directory}/podman`,
      "--runroot",
      `${suite.directory}/run`,
      "--storage-driver=vfs",
    ];
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
        `${suite.directory}/${format}`,
        "docker.io/library/saved:3",
      ]);
      output(["chmod", "-R", "a+rX", `${suite.directory}/${format}`]);
      const { errors, output: said, status } = await bunker("load", "-i", `${suite.directory}/${format}`);
      // A directory with one image has no room for a name.
      const loaded = format === "docker-dir" ? `Loaded image ID: ${id}\n` : "Loaded image: saved:3\n";
      expect({ errors, status, said }).toEqual({ errors: "", status: 0, said: loaded });
      await bunker("rmi", "-f", id);
    }
  });

  test("what save has written as a directory with one image, or some of an index", async () => {
    await storeSeveralPlatforms();
    const platforms = ["--platform", `linux/${ARCHITECTURE}`, "--platform", "linux/s390x"];
    await bunker("save", "--format", "docker-dir", ...platforms, "-o", `${suite.directory}/dir`, "several:1");
    output(["rm", "-rf", suite.user.data]);
    const { errors, output: said, status } = await bunker("load", "-i", `${suite.directory}/dir`);
    expect({ errors, status }).toEqual({ errors: "", status: 0 });
    expect(said).toMatch(/^(?:Loaded image ID: sha256:[0-9a-f]{64}\n){2}$/);
    expect((await bunker("images", "-aq")).output.match(/\S+/g)).toHaveLength(2);
  });

  test("an image without a name, told by its id", async () => {
    const digest = rawDigest(busybox());
    await bunker("copy", "-q", busybox(), `oci-archive:${suite.directory}/x.tar`);
    const { output: said } = await bunker("load", "-i", `${suite.directory}/x.tar`);
    expect(said).toMatch(/^Loaded image ID: sha256:[0-9a-f]{64}\n$/);
    expect(readdirSync(`${suite.user.data}/blobs/sha256`)).toContain(digest.slice(7));
  });

  test("has one clear line for what is wrong, and leaves nothing", async () => {
    await bunker("copy", "-q", busybox(), `docker-archive:${suite.directory}/x.tar:busybox:1`);
    const whole = readFileSync(`${suite.directory}/x.tar`);
    const xz = output(["sh", "-c", `xz -0c ${suite.directory}/x.tar | head -c 100000 | base64`]);
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
      const { errors, output: said, status } = await suite.user.bunker(["load"], { input });
      expect(errors).toContain(message);
      expect(errors.split("\n").filter((line) => line.startsWith("bunker: "))).toHaveLength(1);
      expect({ said, status }).toEqual({ said: "", status: 1 });
    }
    expect((await bunker("images", "-q")).output).toBe("");
    mkdirSync(`${suite.directory}/closed`, { mode: 0o700 });
    for (const [path, errno] of [
      ["missing", "ENOENT"],
      ["x.tar/y", "ENOTDIR"],
      ["closed/x", "EACCES"],
    ]) {
      const errors = `bunker: read ${suite.directory}/${path}: ${errno}\n`;
      expect(await bunker("load", "-i", `${suite.directory}/${path}`)).toEqual({ errors, output: "", status: 1 });
    }
  });

  test("on a full disk says so, and leaves nothing half-written", async () => {
    const data = `${suite.directory}/data`;
    output(["mkdir", data]);
    output(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", data]);
    try {
      suite.user.own(data);
      const environment = { XDG_DATA_HOME: data };
      const source = debianImages().dockerArchive.slice("docker-archive:".length);
      const { errors, status } = await suite.user.bunker(["load", "-i", source], { environment });
      expect(errors).toMatch(/no space: \d+ MiB have to arrive, and the file system of \S+ has \d+ MiB left\n/);
      expect(status).toBe(1);
      const { output: images } = await suite.user.bunker(["images", "-q"], { environment });
      expect(images).toBe("");
      expect(readdirSync(`${data}/bunker/tmp`)).toEqual([]);
    } finally {
      output(["umount", data]);
    }
  });

  test("says less than it unpacks to, on a small disk", async () => {
    const data = `${suite.directory}/data`;
    const layout = `${suite.directory}/small`;
    const filler = { name: "filler", content: Buffer.alloc(12 << 20, "x") };
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive([filler]), "gzip")], configuration), "small")]);
    output(["tar", "-cf", `${suite.directory}/small.tar`, "-C", layout, "."]);
    const plain = `${suite.directory}/plain`;
    writeLayout(plain, [tagged(writeImage(plain, [pack(archive([filler]))], configuration), "plain")]);
    output(["tar", "-czf", `${suite.directory}/plain.tar.gz`, "-C", plain, "."]);
    output(["mkdir", data]);
    output(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", data]);
    try {
      suite.user.own(suite.directory);
      suite.user.own(data);
      const settings = { environment: { XDG_DATA_HOME: data } };
      // Decompressed it is larger than the disk: only writing shows it.
      const refused = await suite.user.bunker(["load", "-q", "-i", `${suite.directory}/plain.tar.gz`], settings);
      expect(refused.errors).toMatch(/^bunker: write the archive to \S+: ENOSPC\b/);
      expect(refused.status).toBe(1);
      expect([readdirSync(`${data}/bunker/tmp`), (await suite.user.bunker(["images", "-q"], settings)).output]).toEqual(
        [[], ""],
      );
      // Here it fits until it is run.
      const loaded = await suite.user.bunker(["load", "-q", "-i", `${suite.directory}/small.tar`], settings);
      expect(loaded.errors).toBe("");
      const [id = ""] = (await suite.user.bunker(["images", "-q", "--no-trunc"], settings)).output.split("\n");
      const run = await suite.user.bunker(["run", "--rm", id, "true"], settings);
      expect(run.errors).toMatch(/write "filler": its file system has \d MiB left/);
      expect(run.status).toBe(125);
      expect(readdirSync(`${data}/bunker/layers`)).toEqual([]);
      expect((await suite.user.bunker(["images", "-q", "--no-trunc"], settings)).output).toBe(`${id}\n`);
    } finally {
      output(["umount", data]);
    }
  });

  test("is from a time to come, as on a machine whose clock is behind", async () => {
    const time = Date.UTC(2100, 0) / 1000;
    const layout = `${suite.directory}/later`;
    const members = busyboxMembers().map((member) => ({ ...member, modified: time }));
    const later = { ...configuration, created: "2100-01-01T00:00:00Z" };
    writeLayout(layout, [tagged(writeImage(layout, [pack(archive(members), "gzip")], later), "later")]);
    suite.user.own(suite.directory);
    await bunker("copy", "-q", `oci:${layout}:later`, "containers-storage:localhost/later:1");
    const stat = ["run", "--rm", "localhost/later:1", "stat", "-c", "%Y", "/bin/busybox"];
    expect(await bunker(...stat)).toEqual({ status: 0, output: `${time}\n`, errors: "" });
    // So the store looks when it was written before the clock was set back.
    output(["find", suite.user.data, "-exec", "touch", "-hd", "@4102444800", "{}", "+"]);
    expect(await bunker(...stat)).toEqual({ status: 0, output: `${time}\n`, errors: "" });
    const { output: shown } = await bunker("images", "--format", "{{.Repository}} {{.CreatedSince}}");
    expect(shown).toBe("localhost/later Less than a second ago\n");
    await bunker("copy", "-q", busybox(), "containers-storage:localhost/now:1");
    expect((await bunker("run", "--rm", "localhost/now:1", "true")).status).toBe(0);
    expect((await bunker("rmi", "localhost/later:1", "localhost/now:1")).errors).toBe("");
    expect(readdirSync(`${suite.user.data}/blobs/sha256`)).toEqual([]);
  });
});
