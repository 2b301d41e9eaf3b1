import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../../src/image/digest.ts";
import { DockerRegistry } from "../../../docker-registry.ts";
import { output } from "../../../unprivileged-user.ts";
import { makeImage } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";
import { contentsOf, failureOf, openReader, readWhole } from "./reading.ts";

let layout: string;

beforeAll(() => {
  layout = mkdtempSync(join(tmpdir(), "bunker-layout-"));
  const layer = (content: string) => archive([{ name: "file", content: content.repeat(50_000) }]);
  makeImage(layout, [layer("one"), layer("two")], "gzip");
});

afterAll(() => rmSync(layout, { recursive: true }));

function push(name: string, options: readonly string[] = []): void {
  output(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", ...options, `oci:${layout}`, `docker://${name}`]);
}

function pushedManifest(): Buffer {
  const index: { manifests: [{ digest: string }] } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  return readFileSync(`${layout}/blobs/${index.manifests[0].digest.replace(":", "/")}`);
}

test("an image is read as it was pushed, by tag and by digest", async () => {
  await using registry = await DockerRegistry.start();
  push(`${registry.host}/some/image:1`);
  await using byTag = openReader(`${registry.host}/some/image:1`);
  const manifest = await byTag.readManifest();
  expect(manifest.bytes.equals(pushedManifest())).toBe(true);
  expect(manifest.mediaType).toBe("application/vnd.oci.image.manifest.v1+json");
  for (const descriptor of contentsOf(manifest.bytes)) {
    const bytes = await readWhole(byTag, descriptor);
    expect(digestOf(bytes)).toBe(descriptor.digest);
    expect((await readWhole(byTag, descriptor, 10)).equals(bytes.subarray(10))).toBe(true);
    expect((await readWhole(byTag, descriptor, descriptor.size)).length).toBe(0);
  }
  await using byDigest = openReader(`${registry.host}/some/image@${manifest.digest}`);
  expect((await byDigest.readManifest()).digest).toBe(manifest.digest);
});

test("a missing image is told with what the registry says", async () => {
  await using registry = await DockerRegistry.start();
  await using reader = openReader(`${registry.host}/no/image`);
  expect(await failureOf(reader.readManifest())).toEqual({
    code: "image_not_found",
    message: `read the manifest of ${registry.host}/no/image:latest: ${registry.host} answers 404: MANIFEST_UNKNOWN: manifest unknown`,
    hint: `Check the name and the tag (bunker search --list-tags ${registry.host}/no/image), or log in if it is private: bunker login ${registry.host}`,
  });
});

test("a password is sent where the registry wants one", async () => {
  await using registry = await DockerRegistry.start({ users: { alice: "wonderland" } });
  push(`${registry.host}/some/image:1`, ["--dest-creds=alice:wonderland"]);
  const name = `${registry.host}/some/image:1`;
  await using reader = openReader(name, {
    credentials: { kind: "password", user: "alice", password: "wonderland" },
  });
  expect((await reader.readManifest()).bytes.equals(pushedManifest())).toBe(true);
  await using nobody = openReader(name, { authFile: "/dev/null" });
  expect(await failureOf(nobody.readManifest())).toMatchObject({
    code: "registry_unauthorized",
    hint: `Check the name, or log in with: bunker login ${registry.host}`,
  });
  await using stranger = openReader(name, { credentials: { kind: "password", user: "alice", password: "wrong" } });
  expect(await failureOf(stranger.readManifest())).toMatchObject({ code: "registry_unauthorized" });
});

test("a certificate is verified, on loopback where that is asked for", async () => {
  await using registry = await DockerRegistry.start({ tls: true });
  const name = `${registry.host}/some/image:1`;
  push(name);
  // As Docker: on this machine nobody has to vouch for a registry.
  await using usual = openReader(name);
  await usual.readManifest();
  await using strict = openReader(name, { tlsVerify: true });
  expect(await failureOf(strict.readManifest())).toEqual({
    code: "registry_untrusted",
    message: `read the manifest of ${name}: ${registry.host}: its certificate is by an unknown authority`,
    hint: `Put its authority into ~/.config/containers/certs.d/${registry.host}/ca.crt, or give --tls-verify=false.`,
  });
  await using trusting = openReader(name, { tlsVerify: true, certificateDirectory: registry.directory });
  expect(await failureOf(trusting.readManifest())).toMatchObject({ code: "invalid_certificates" });
});

test("a registry without TLS is refused where TLS is asked for", async () => {
  await using registry = await DockerRegistry.start();
  await using reader = openReader(`${registry.host}/some/image:1`, { tlsVerify: true });
  expect(await failureOf(reader.readManifest())).toMatchObject({
    code: "registry_unreachable",
    message: expect.stringContaining("it does not speak TLS"),
  });
});
