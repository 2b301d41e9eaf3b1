import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../src/image/digest.ts";
import { DockerRegistry } from "../../docker-registry.ts";
import { ARCHITECTURE, busyboxMembers } from "../../fixtures/images.ts";
import { type LayoutServer, serveLayout } from "../../fixtures/layout-server.ts";
import {
  type DescriptorJson,
  INDEX_TYPE,
  MANIFEST_TYPE,
  type PackedLayer,
  pack,
  tagged,
  writeImage,
  writeJson,
  writeLayout,
} from "../../unit/image/image-builder.ts";
import { refuse, startScriptedServer } from "../../unit/image/registry/scripted-server.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { finish, output, UnprivilegedUser } from "../../unprivileged-user.ts";
import { faultsOf, listing, namesIn } from "./check-store.ts";

setDefaultTimeout(120_000);

const configuration = { architecture: ARCHITECTURE, config: { Cmd: ["sh"], Env: ["PATH=/bin"] } };
const busybox = pack(archive(busyboxMembers()), "gzip");
const many = pack(
  archive([
    { name: "./", type: "5" },
    { name: "many/", type: "5" },
    ...Array.from({ length: 600 }, (_, number) => ({
      name: `many/${number}`,
      content: randomBytes(number),
      uid: number % 7,
      gid: number % 3,
    })),
  ]),
  "zstd",
);
const large = pack(
  archive([
    { name: "./", type: "5" },
    { name: "large", content: randomBytes(6_000_000) },
  ]),
  "gzip",
);

let user: UnprivilegedUser;
let layout: string;
let server: LayoutServer;
beforeAll(async () => {
  user = new UnprivilegedUser();
  layout = mkdtempSync(join(tmpdir(), "bunker-layout-"));
  writeLayout(layout, [
    tagged(writeImage(layout, [busybox], configuration), "latest"),
    tagged(writeImage(layout, [busybox, many, large], configuration), "large"),
    tagged(writeImage(layout, [busybox, many, many, large, many], configuration), "repeated"),
  ]);
  server = await serveLayout(layout);
}, 300_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(layout, { recursive: true });
  user[Symbol.dispose]();
});
beforeEach(() => {
  server.fault = undefined;
  clearStore();
});

function clearStore(): void {
  rmSync(user.data, { recursive: true, force: true });
}

const nameOf = (tag: string) => `${server.host}/team/image:${tag}`;
const blobRequests = () => server.requests.filter((request) => request.includes("/blobs/"));

/** What is left of unfinished work, besides locks and what can be continued. */
function leftOver(): string[] {
  return namesIn(`${user.data}/tmp`).filter((name) => !name.endsWith(".lock"));
}

describe("pull", () => {
  test("says what Docker says, and what came is there by name, digest and id", async () => {
    const { status, output: said, errors } = await user.bunker(["pull", nameOf("large")]);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    const [layer = ""] = [digestOf(large.bytes)];
    const short = layer.slice(7, 19);
    const lines = said.trim().split("\n");
    expect(lines[0]).toBe("large: Pulling from team/image");
    for (const step of ["Pulling fs layer", "Download complete", "Pull complete"]) {
      expect(lines).toContain(`${short}: ${step}`);
    }
    const [digest = "", state, name] = lines.slice(-3);
    expect(digest).toMatch(/^Digest: sha256:[0-9a-f]{64}$/);
    expect([state, name]).toEqual([`Status: Downloaded newer image for ${nameOf("large")}`, nameOf("large")]);
    const id = (await user.bunker(["images", "-q", "--no-trunc"])).output.trim();
    const byDigest = `${server.host}/team/image@${digest.slice("Digest: ".length)}`;
    for (const image of [nameOf("large"), byDigest, id, id.slice(7, 19)]) {
      expect(await user.run(["--pull", "never", image, "sh", "-c", "ls /many | wc -l"])).toEqual({
        status: 0,
        output: "600\n",
        errors: "",
      });
    }
    const requests = blobRequests().length;
    const again = await user.bunker(["pull", nameOf("large")]);
    expect(again.output).toContain(`Status: Image is up to date for ${nameOf("large")}\n`);
    expect(again.output).toContain(`${short}: Already exists\n`);
    expect(blobRequests()).toHaveLength(requests);
    expect(leftOver()).toEqual([]);
    expect(namesIn(`${user.data}/partial`)).toEqual([]);
  });

  test("fetches once more what has been damaged in the store", async () => {
    await user.bunker(["pull", "-q", nameOf("large")]);
    const blobs = `${user.data}/blobs/sha256`;
    const contents = () => new Map(namesIn(blobs).map((name) => [name, readFileSync(`${blobs}/${name}`)]));
    const whole = contents();
    const layers = [busybox, many].map(({ bytes }) => digestOf(bytes).slice("sha256:".length));
    const documents = [...whole].filter(([, bytes]) => bytes[0] === 0x7b).map(([name]) => name);
    expect(documents).toHaveLength(2);
    for (const damaged of [[layers[0]], [layers[1]], [documents[0]], [documents[1]], [...layers, ...documents]]) {
      for (const name of damaged) {
        const bytes = Buffer.from(whole.get(name ?? "") ?? []);
        bytes.fill("x", bytes.length - 20);
        writeFileSync(`${blobs}/${name}`, bytes);
      }
      rmSync(`${user.data}/layers`, { recursive: true });
      if (damaged[0] === layers[0] && damaged.length === 1) {
        const run = await user.run(["--pull", "never", nameOf("large"), "true"]);
        expect(run.status).toBe(125);
        expect(run.errors).toMatch(/^bunker: unpack layer sha256:.*\nhint: If it was whole once, it is damaged in the/);
      }
      const { status, errors } = await user.bunker(["pull", "-q", nameOf("large")]);
      expect({ status, damaged }).toEqual({ status: 0, damaged });
      // Nothing is said of the manifest, which comes with each pull.
      for (const line of errors.split("\n").slice(0, -1)) {
        expect(line).toMatch(/^warning: sha256:[0-9a-f]{64} has been damaged in the store; it is fetched once more$/);
      }
      expect(contents()).toEqual(whole);
      expect(leftOver()).toEqual([]);
      expect(namesIn(`${user.data}/partial`)).toEqual([]);
    }
    expect((await user.run(["--pull", "never", nameOf("large"), "true"])).status).toBe(0);
  });

  test("without words is quiet, and takes latest", async () => {
    const name = `${server.host}/team/image`;
    expect(await user.bunker(["pull", "-q", name])).toEqual({ status: 0, output: `${name}:latest\n`, errors: "" });
    // Where HOME says nothing, the files of root are not taken for the user's.
    const { output: said } = await user.bunker(["pull", name], { environment: { HOME: "" } });
    expect(said).toStartWith("Using default tag: latest\n");
    expect(said).toEndWith(`${name}:latest\n`);
  });

  test("asks only when the policy says so", async () => {
    const never = await user.bunker(["pull", "--policy", "never", nameOf("latest")]);
    expect(never.status).toBe(125);
    await user.bunker(["pull", "-q", nameOf("latest")]);
    const requests = server.requests.length;
    for (const policy of ["never", "missing"]) {
      // The name is for programs, which need it also when nothing was done.
      for (const name of [nameOf("latest"), `docker://${server.host}/team/image`]) {
        expect(await user.bunker(["pull", "-q", "--policy", policy, name])).toEqual({
          status: 0,
          output: `${nameOf("latest")}\n`,
          errors: "",
        });
      }
    }
    const id = (await user.bunker(["images", "-q", "--no-trunc"])).output.trim();
    expect((await user.bunker(["pull", "-q", "--policy", "missing", id.slice(7, 19)])).output).toBe(`${id}\n`);
    expect(server.requests).toHaveLength(requests);
  });

  describe("from a place on disk", () => {
    const FULL = "example.com/team/there:1";
    let places: string;
    beforeAll(async () => {
      places = user.makeDirectory("places");
      output(["cp", "-r", layout, `${places}/layout`]);
      output(["chown", "-R", `${user.uid}:${user.gid}`, `${places}/layout`]);
      const source = `oci:${places}/layout:latest`;
      for (const place of [`oci:${places}/oci:${FULL}`, `oci-archive:${places}/oci.tar:${FULL}`, `dir:${places}/dir`]) {
        expect(await user.bunker(["copy", "-q", source, place])).toMatchObject({ status: 0, errors: "" });
      }
      const archive = `docker-archive:${places}/docker.tar:${FULL}`;
      expect(await user.bunker(["copy", "-q", source, archive])).toMatchObject({ status: 0, errors: "" });
      output(["gzip", "-k", `${places}/docker.tar`]);
    });
    afterAll(() => rmSync(places, { recursive: true }));

    test.each([
      ["oci:PLACES/oci", FULL],
      [`oci:PLACES/oci:${FULL}`, FULL],
      ["oci-archive:PLACES/oci.tar", FULL],
      ["docker-archive:PLACES/docker.tar", FULL],
      ["docker-archive:PLACES/docker.tar.gz", FULL],
      [`docker-archive:PLACES/docker.tar:${FULL}`, FULL],
      ["oci:PLACES/layout:latest", undefined],
      ["dir:PLACES/dir", undefined],
    ])("%s", async (written, name) => {
      const place = written.replace("PLACES", places);
      const pulled = await user.bunker(["pull", "-q", "--policy", "missing", place]);
      const id = (await user.bunker(["images", "-q", "--no-trunc"])).output;
      expect(pulled).toEqual({ status: 0, output: name === undefined ? id : `${name}\n`, errors: "" });
      const shown = (await user.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).output;
      expect(shown).toBe(`${name ?? "<none>:<none>"}\n`);
      // The layers were unpacked.
      expect(await user.run(["--pull", "never", id.trim(), "echo", "hello"])).toMatchObject({ output: "hello\n" });
    });

    test("a relative one, with words", async () => {
      const { output: said, errors } = await user.bunker(["pull", "oci:oci"], { directory: places });
      expect(errors).toBe("");
      expect(said).toMatch(/^[0-9a-f]{12}: Pulling fs layer\n/);
      expect(said).toEndWith(`Status: Downloaded newer image for ${FULL}\n${FULL}\n`);
    });

    test("one that is not there, and all tags of one", async () => {
      const missing = await user.bunker(["pull", `oci-archive:${places}/none`]);
      expect(missing).toMatchObject({ status: 125, output: "", errors: expect.stringContaining("/none") });
      const all = await user.bunker(["pull", "-a", `oci:${places}/oci`]);
      expect(all).toMatchObject({ status: 125, output: "", errors: expect.stringContaining("bunker load -i") });
    });
  });

  test("that wants what is newer makes do with what is here when the registry does not answer", async () => {
    const newer = (name: string) => user.bunker(["pull", "-q", "--retry-delay", "10ms", "--policy", "newer", name]);
    expect(await newer(nameOf("latest"))).toMatchObject({ status: 0, output: `${nameOf("latest")}\n`, errors: "" });
    const asked = server.requests.length;
    expect(await newer(nameOf("latest"))).toMatchObject({ status: 0, output: `${nameOf("latest")}\n`, errors: "" });
    expect(server.requests.length).toBeGreaterThan(asked);
    const absent = "127.0.0.1:1/team/image:latest";
    expect(await newer(absent)).toMatchObject({ status: 125, output: "" });
    await user.bunker(["tag", nameOf("latest"), absent]);
    const { status, output: said, errors } = await newer(absent);
    expect({ status, said }).toEqual({ status: 0, said: `${absent}\n` });
    expect(errors).toMatch(/^warning: .*127\.0\.0\.1:1: connection refused; the image that is here is used\n$/);
    const again = ["--pull", "newer", "--retry-delay", "10ms", "-q", absent, "echo", "old"];
    expect(await user.run(again)).toMatchObject({
      status: 0,
      output: "old\n",
      errors: expect.stringContaining("the image that is here is used"),
    });
  });

  test("of run is told on standard error, and done once", async () => {
    const words = [nameOf("latest"), "echo", "hello"];
    const first = await user.run(words);
    expect(first).toMatchObject({ status: 0, output: "hello\n" });
    expect(first.errors).toStartWith(
      `Unable to find image '${nameOf("latest")}' locally\nlatest: Pulling from team/image\n`,
    );
    expect(await user.run(words)).toEqual({ status: 0, output: "hello\n", errors: "" });
    expect(await user.run(["--pull", "always", "-q", ...words])).toEqual({ status: 0, output: "hello\n", errors: "" });
  });

  test("in a terminal shows progress, and leaves what is done", async () => {
    using session = disposing(user.startInTerminal([user.bunkerPath, "pull", nameOf("large")]));
    await session.value.process.exited;
    const shown = session.value.shown();
    expect(shown).toContain(`${digestOf(large.bytes).slice(7, 19)}: Pull complete`);
    expect(shown).toContain("Status: Downloaded newer image");
    // Whatever was drawn for a moment has been erased.
    expect(shown).toContain("\x1b[J");
  });

  test("takes the login that is given, and shows it to nobody", async () => {
    await using registry = await DockerRegistry.start({ users: { alice: "secret" } });
    const target = `docker://${registry.host}/private:1`;
    output([
      "skopeo",
      "copy",
      "-q",
      "--dest-tls-verify=false",
      "--dest-creds",
      "alice:secret",
      `oci:${layout}:latest`,
      target,
    ]);
    const name = `${registry.host}/private:1`;
    expect((await user.bunker(["pull", name])).status).toBe(125);
    expect((await user.bunker(["pull", "-q", "--creds", "alice:secret", name])).output).toBe(`${name}\n`);
  });

  test("takes several images, and the parts of a platform", async () => {
    const [one, other] = [nameOf("latest"), nameOf("large")];
    const words = ["pull", "-q", "--arch", ARCHITECTURE, "--retry", "0", "--retry-delay", "1s", one, other];
    expect(await user.bunker(words)).toEqual({ status: 0, output: `${one}\n${other}\n`, errors: "" });
    expect((await user.bunker(["pull", "--os", "plan9", "--arch", "mips", one])).errors).toBe(
      `bunker: use ${one}: it is for linux/${ARCHITECTURE}, not for plan9/mips\n`,
    );
    expect((await user.bunker(["pull", "--os", "plan9", "--platform", "linux/arm64", one])).errors).toBe(
      "bunker: --platform and its parts (--arch, --os, --variant) exclude each other\n",
    );
  });

  test("leaves nothing of an image for another platform", async () => {
    const { status, errors } = await user.bunker(["pull", "-q", "--platform", "plan9/mips", nameOf("large")]);
    const reason = `it is for linux/${ARCHITECTURE}, not for plan9/mips`;
    expect({ status, errors }).toEqual({ status: 125, errors: `bunker: use ${nameOf("large")}: ${reason}\n` });
    expect(["layers", "partial"].flatMap((name) => namesIn(`${user.data}/${name}`))).toEqual([]);
    expect(leftOver()).toEqual([]);
  });

  test("brings a layer once that an image has several times", async () => {
    const before = blobRequests().length;
    const name = nameOf("repeated");
    expect(await user.bunker(["pull", "-q", name])).toEqual({ status: 0, output: `${name}\n`, errors: "" });
    expect(blobRequests().length - before).toBe(4);
    expect(namesIn(`${user.data}/layers`)).toHaveLength(5);
    const { output: listed } = await user.run(["--network", "none", name, "sh", "-c", "ls /many | wc -l"]);
    expect(listed.trim()).toBe("600");
  });

  test("with --all-tags takes all", async () => {
    await using registry = await DockerRegistry.start();
    for (const tag of ["latest", "large"]) {
      const target = `docker://${registry.host}/all:${tag}`;
      output(["skopeo", "copy", "-q", "--dest-tls-verify=false", `oci:${layout}:${tag}`, target]);
    }
    const { output: said } = await user.bunker(["pull", "-aq", `${registry.host}/all`]);
    expect(said.trim().split("\n").sort()).toEqual([`${registry.host}/all:large`, `${registry.host}/all:latest`]);
    expect((await user.bunker(["pull", "-a", `${registry.host}/all:latest`])).errors).toContain("--all-tags");
  });
});

/** A session that is ended with the test. */
function disposing<Session extends { readonly process: Bun.Subprocess }>(value: Session) {
  return { value, [Symbol.dispose]: () => value.process.kill("SIGKILL") };
}

test("several pulls at once download an image once", async () => {
  const before = blobRequests().length;
  // All have blobs of the others', and layers to wait for.
  const names = ["large", "repeated", "large", "repeated", "large"].map(nameOf);
  const pulls = names.map((name) => user.bunker(["pull", "-q", name]));
  for (const [index, pull] of pulls.entries()) {
    expect(await pull).toEqual({ status: 0, output: `${names[index]}\n`, errors: "" });
  }
  // Three layers and two configurations.
  expect(blobRequests().length - before).toBe(5);
  expect(leftOver()).toEqual([]);
});

test("skopeo finds whole images in the store while others come", async () => {
  // The server is in this process, so nothing may stop it.
  const inspect = (tag: string) =>
    finish(
      Bun.spawn(["skopeo", "inspect", "--raw", `oci:${user.data}:${nameOf(tag)}`], { stdout: "pipe", stderr: "pipe" }),
    );
  expect((await user.bunker(["pull", "-q", nameOf("latest")])).status).toBe(0);
  const whole = await inspect("latest");
  expect(whole).toMatchObject({ status: 0, errors: "" });
  const held = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  server.fault = async (response, bytes, asked) => {
    if (asked !== digestOf(large.bytes)) return false;
    response.write(bytes.subarray(0, bytes.length >> 1), () => held.resolve());
    await released.promise;
    response.end(bytes.subarray(bytes.length >> 1));
    return true;
  };
  const pull = user.start([user.bunkerPath, "pull", "-q", nameOf("large")]);
  await held.promise;
  // There is half of a layer, which is no blob yet.
  expect(await inspect("latest")).toEqual(whole);
  expect((await inspect("large")).errors).toContain("no descriptor found");
  released.resolve();
  while (pull.exitCode === null) expect(await inspect("latest")).toEqual(whole);
  expect(await finish(pull)).toMatchObject({ status: 0 });
  server.fault = undefined;
  const copy = join(user.directory, "copied");
  output(["skopeo", "copy", "-q", `oci:${user.data}:${nameOf("large")}`, `dir:${copy}`]);
  expect(namesIn(copy)).toContain(digestOf(large.bytes).slice("sha256:".length));
  rmSync(copy, { recursive: true });
});

test("what has arrived when a pull is interrupted is not asked for again", async () => {
  const digest = digestOf(large.bytes);
  const held = Promise.withResolvers<void>();
  server.fault = (response, bytes, asked) => {
    if (asked !== digest) return false;
    response.write(bytes.subarray(0, bytes.length >> 1), () => held.resolve());
    return true;
  };
  const pull = user.start([user.bunkerPath, "pull", nameOf("large")]);
  await held.promise;
  const partial = `${user.data}/partial/${digest.replace(":", "-")}`;
  while (!existsSync(partial) || Bun.file(partial).size < 1_000_000) await Bun.sleep(5);
  pull.kill("SIGINT");
  await finish(pull);
  let sent = 0;
  // The other layer may not have been there whole, either.
  server.fault = (_response, bytes, asked) => {
    if (asked === digest) sent += bytes.length;
    return false;
  };
  expect((await user.bunker(["pull", "-q", nameOf("large")])).status).toBe(0);
  expect(sent).toBeLessThanOrEqual(large.bytes.length - 1_000_000);
  expect(await user.run(["--pull", "never", nameOf("large"), "stat", "-c", "%s", "/large"])).toMatchObject({
    output: "6000000\n",
  });
});

test("removing at the same time takes nothing away from those who pull", async () => {
  expect((await user.bunker(["pull", "-q", nameOf("large")])).status).toBe(0);
  const directories = namesIn(`${user.data}/layers`);
  const layers = new Map(directories.map((name) => [name, listing(`${user.data}/layers/${name}/diff`)]));
  let isPulling = true;
  const pulling = async () => {
    for (let round = 0; round < 6; round++) {
      const tag = round % 2 === 0 ? "large" : "latest";
      expect(await user.bunker(["pull", "-q", nameOf(tag)])).toMatchObject({ status: 0, errors: "" });
    }
    isPulling = false;
  };
  const removing = async () => {
    while (isPulling) expect(await user.bunker(["image", "prune", "-af"])).toMatchObject({ status: 0, errors: "" });
  };
  await Promise.all([pulling(), removing()]);
  expect(faultsOf(user.data, layers)).toEqual([]);
  expect(await user.run([nameOf("large"), "sh", "-c", "ls /many | wc -l"])).toMatchObject({ output: "600\n" });
});

describe("what is wrong is told, and nothing of it stays", () => {
  /** Pulls an image that has a fault; returns the first line of the message. */
  async function messageOf(tag: string): Promise<string> {
    const { status, output: said, errors } = await user.bunker(["pull", "-q", nameOf(tag)]);
    expect({ status, said }).toEqual({ status: 125, said: "" });
    expect(leftOver()).toEqual([]);
    expect(["layers", "partial"].flatMap((name) => namesIn(`${user.data}/${name}`))).toEqual([]);
    expect((await user.bunker(["images", "-q"])).output).toBe("");
    return errors.split("\n")[0] ?? "";
  }

  test("other bytes than the digest says", async () => {
    server.fault = (response, bytes) => {
      const wrong = Buffer.from(bytes);
      wrong[wrong.length - 9] = (wrong.at(-9) ?? 0) ^ 1;
      response.end(wrong);
      return true;
    };
    expect(await messageOf("latest")).toMatch(/verify the blob sha256:[0-9a-f]{64}: its digest is sha256:/);
    server.fault = undefined;
    expect((await user.bunker(["pull", "-q", nameOf("latest")])).status).toBe(0);
  });

  test.each([
    ["wrong in its last bytes", -9],
    ["not even an archive from its beginning on", 0],
  ])("one blob, %s; the others are not asked for again", async (_, place) => {
    const partial = ({ bytes }: { readonly bytes: Buffer }) =>
      `${user.data}/partial/${digestOf(bytes).replace(":", "-")}`;
    const good = [busybox, many];
    server.fault = async (response, bytes, digest) => {
      if (digest !== digestOf(large.bytes)) return false;
      const wrong = Buffer.from(bytes);
      wrong.fill(0xff, place < 0 ? bytes.length + place : place);
      while (
        !good.every((layer) => existsSync(partial(layer)) && Bun.file(partial(layer)).size === layer.bytes.length)
      ) {
        await Bun.sleep(5);
      }
      response.end(wrong);
      return true;
    };
    const { status, errors } = await user.bunker(["pull", "-q", nameOf("large")]);
    expect(status).toBe(125);
    expect(errors).toMatch(/its digest is|unpack: layer sha256|unpack layer sha256/);
    expect(leftOver()).toEqual([]);
    expect(namesIn(`${user.data}/layers`)).toEqual([]);
    expect(existsSync(partial(large))).toBe(false);
    server.fault = undefined;
    const earlier = blobRequests().length;
    expect((await user.bunker(["pull", "-q", nameOf("large")])).status).toBe(0);
    const asked = blobRequests().slice(earlier);
    expect(asked.filter((request) => good.some(({ bytes }) => request.includes(digestOf(bytes))))).toEqual([]);
    expect(namesIn(`${user.data}/partial`)).toEqual([]);
  });

  test("a layer whose archive is not the one of the configuration", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bunker-layout-"));
    try {
      const wrong = { ...many, diffId: busybox.diffId };
      writeLayout(directory, [tagged(writeImage(directory, [wrong], configuration), "wrong")]);
      await using other = await serveLayout(directory);
      const { errors } = await user.bunker(["pull", "-q", `${other.host}/x:wrong`]);
      expect(errors).toContain("verify the unpacked layer: its digest is");
      // The blobs are what they should be, but nobody would go on with them.
      expect(["layers", "partial"].flatMap((name) => namesIn(`${user.data}/${name}`))).toEqual([]);
      expect(leftOver()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("a chart, which is no image", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bunker-layout-"));
    try {
      const config = writeJson(directory, { name: "chart" }, "application/vnd.cncf.helm.config.v1+json");
      const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers: [] };
      writeLayout(directory, [tagged(writeJson(directory, manifest, MANIFEST_TYPE), "chart")]);
      await using other = await serveLayout(directory);
      const { status, errors } = await user.bunker(["pull", "-q", `${other.host}/x:chart`]);
      expect(status).toBe(125);
      expect(errors).toContain('it is no image but an artifact, "application/vnd.cncf.helm.config.v1+json"\nhint: ');
      expect(leftOver()).toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("a name that the registry does not have", async () => {
    expect(await messageOf("none")).toContain("404");
  });

  test.each([
    [
      "is too small for what has to arrive",
      "4m",
      /store \S+: no space: \d+ MiB have to arrive, and the file system of \S+ has \d+ MiB left\n/,
    ],
    ["fills while the image is unpacked", "9m", /^bunker: (?!.*have to arrive).*(?:ENOSPC|MiB left)/],
  ])("a disk that %s", async (_name, size, message) => {
    mkdirSync(user.data, { recursive: true });
    const script = `mount -t tmpfs -o size=${size},mode=777 tmpfs ${user.data}; "$@"; echo status $?; ls ${user.data}/layers ${user.data}/blobs/sha256`;
    const pull = user.as([user.bunkerPath, "pull", "-q", nameOf("large")]);
    const { output: said, errors } = await finish(
      user.startAsRoot(["unshare", "-m", "--", "sh", "-c", script, "sh", ...pull]),
    );
    expect(errors).toMatch(message);
    expect(said).toStartWith("status 125\n");
    expect(said).not.toContain("sha256-");
  });

  /** Has an image made in a layout of its own and pulled; returns all that is said of it, for which all is cleared up. */
  async function saidOf(write: (layout: string) => DescriptorJson): Promise<string> {
    const directory = mkdtempSync(join(tmpdir(), "bunker-layout-"));
    try {
      writeLayout(directory, [tagged(write(directory), "bad")]);
      await using other = await serveLayout(directory);
      const { status, output: said, errors } = await user.bunker(["pull", "-q", `${other.host}/x:bad`]);
      expect({ status, said }).toEqual({ status: 125, said: "" });
      expect([...leftOver(), ...["layers", "partial"].flatMap((name) => namesIn(`${user.data}/${name}`))]).toEqual([]);
      expect((await user.bunker(["images", "-aq"])).output).toBe("");
      return errors.replaceAll(other.host, "HOST").replace(/sha256:[0-9a-f]{64}/g, "DIGEST");
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  const nested = (layout: string, depth: number): DescriptorJson => {
    if (depth === 0) return writeImage(layout, [busybox], configuration);
    const manifests = [nested(layout, depth - 1)];
    return writeJson(layout, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, INDEX_TYPE);
  };
  const withLayer = (layer: PackedLayer) => (layout: string) => writeImage(layout, [layer], configuration);

  test.each<[string, (layout: string) => DescriptorJson, string]>([
    [
      "a tar archive with a wrong checksum",
      withLayer(pack(archive([{ name: "n" }]).fill("x", 0, 1), "gzip")),
      "unpack layer DIGEST of HOST/x:bad: read the archive: the checksum of a header is wrong",
    ],
    [
      "a layer that is not whole, by the right digest",
      withLayer({ ...busybox, bytes: busybox.bytes.subarray(0, -100) }),
      "unpack layer DIGEST of HOST/x:bad: read: it cannot be decompressed (unexpected end of file)",
    ],
    [
      "a layer of an unknown kind",
      withLayer({ ...busybox, mediaType: "application/x-unknown" }),
      'read manifest of HOST/x:bad: layers.0.mediaType: "application/x-unknown" is not supported',
    ],
    [
      "indexes that are nested too deep",
      (layout) => nested(layout, 6),
      "read HOST/x:bad: its indexes are nested more than 4 deep",
    ],
    [
      "a manifest of 10 MB",
      (layout) =>
        writeJson(
          layout,
          { schemaVersion: 2, mediaType: MANIFEST_TYPE, padding: "x".repeat(10_000_000) },
          MANIFEST_TYPE,
        ),
      "read the manifest of HOST/x:bad: it has more than 4 MiB",
    ],
    [
      "a manifest of an unknown kind",
      (layout) => writeJson(layout, { schemaVersion: 2, mediaType: "text/x" }, "text/x"),
      'read the manifest of HOST/x:bad: its media type is "text/x", which is no image',
    ],
  ])("%s", async (_, write, message) => {
    expect(await saidOf(write)).toBe(`bunker: ${message}\n`);
  });

  test.each([
    [401, "UNAUTHORIZED", "Check the name, or log in with: bunker login HOST"],
    [403, "DENIED", "Log in as somebody who may do that: bunker login HOST"],
    [
      404,
      "MANIFEST_UNKNOWN",
      "Check the name and the tag (bunker search --list-tags HOST/x), or log in if it is private: bunker login HOST",
    ],
    [429, "TOOMANYREQUESTS", "Try again later, or log in: bunker login HOST"],
    [500, "UNKNOWN", "Try again later."],
    [503, "UNAVAILABLE", "Try again later."],
  ])("a registry that answers %d", async (answer, code, hint) => {
    await using refusing = await startScriptedServer((_request, response) => refuse(response, answer, code));
    const { status, output: said, errors } = await user.bunker(["pull", "-q", "--retry", "0", `${refusing.host}/x:1`]);
    expect({ status, said }).toEqual({ status: 125, said: "" });
    const words = `${code}: ${code.toLowerCase().replace("_", " ")}`;
    expect(errors.replaceAll(refusing.host, "HOST")).toBe(
      `bunker: read the manifest of HOST/x:1: HOST answers ${answer}: ${words}\nhint: ${hint}\n`,
    );
    expect(leftOver()).toEqual([]);
  });

  test("a store that is read-only", async () => {
    await user.bunker(["pull", "-q", nameOf("latest")]);
    const script = `mount --bind ${user.data} ${user.data} && mount -o remount,bind,ro ${user.data} && "$@"`;
    const onReadOnly = (...words: string[]) =>
      finish(
        user.startAsRoot(["unshare", "-m", "--", "sh", "-c", script, "sh", ...user.as([user.bunkerPath, ...words])]),
      );
    expect((await onReadOnly("images", "--format", "{{.Tag}}")).output).toBe("latest\n");
    for (const words of [
      ["pull", "-q", nameOf("large")],
      ["rmi", nameOf("latest")],
      ["image", "prune", "-f"],
    ]) {
      const { status, output: said, errors } = await onReadOnly(...words);
      expect({ words, said, isRefused: status !== 0 }).toEqual({ words, said: "", isRefused: true });
      expect(errors).toMatch(/EROFS|cannot be written|read-only/);
      expect(errors.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
    }
    expect((await onReadOnly("images", "--format", "{{.Tag}}")).output).toBe("latest\n");
  });
});

describe("an image of another store", () => {
  test("runs without being copied", async () => {
    await user.bunker(["pull", "-q", nameOf("latest")]);
    const shared = user.makeDirectory("shared");
    output(["cp", "-a", `${user.data}/.`, shared]);
    clearStore();
    const environment = { BUNKER_ADDITIONAL_STORES: shared };
    const { output: said } = await user.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"], { environment });
    expect(said).toBe(`${nameOf("latest")}\n`);
    const words = ["--pull", "never", nameOf("latest"), "echo", "shared"];
    expect(await user.run(words, { environment })).toEqual({ status: 0, output: "shared\n", errors: "" });
    expect(namesIn(`${user.data}/blobs/sha256`)).toEqual([]);
    rmSync(shared, { recursive: true });
  });
});

describe("unusual layers", () => {
  test("100 000 files in a directory, and paths of nearly 4096 bytes", async () => {
    const directory = mkdtempSync(join(tmpdir(), "bunker-layout-"));
    try {
      const component = "d".repeat(200);
      const deep = Array.from({ length: 20 }, () => component).join("/");
      const files = Array.from({ length: 100_000 }, (_, number) => ({ name: `crowd/${number}` }));
      const path = `${deep}/${"f".repeat(60)}`;
      const layer = pack(archive([...files, { name: "deep", pax: { path }, content: "deep" }]), "zstd");
      writeLayout(directory, [tagged(writeImage(directory, [busybox, layer], configuration), "odd")]);
      await using other = await serveLayout(directory);
      const name = `${other.host}/x:odd`;
      expect(await user.bunker(["pull", "-q", name])).toMatchObject({ status: 0, errors: "" });
      const script = `ls /crowd | wc -l; cd /; for i in $(seq 20); do cd ${component}; done; cat f*`;
      expect(await user.run([name, "sh", "-c", script])).toMatchObject({ output: "100000\ndeep" });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
