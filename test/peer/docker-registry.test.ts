import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DockerRegistry, type DockerRegistrySettings } from "../docker-registry.ts";
import { makeImage } from "../unit/image/image-builder.ts";
import { archive } from "../unit/image/tar-builder.ts";

/** What skopeo says of a copy into the registry: exit status and errors. */
async function pushWithSkopeo(registry: DockerRegistry, options: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), "bunker-image-"));
  try {
    makeImage(directory, [archive([{ name: "file", content: "content" }])]);
    const skopeo = Bun.spawn(
      ["skopeo", "copy", "--quiet", ...options, `oci:${directory}`, `docker://${registry.host}/some/image:tag`],
      { env: { ...process.env, SSL_CERT_FILE: registry.authority }, stderr: "pipe" },
    );
    return { errors: await skopeo.stderr.text(), status: await skopeo.exited };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each<[string, DockerRegistrySettings, string[]]>([
  ["plain HTTP", {}, ["--dest-tls-verify=false"]],
  ["a password", { users: { alice: "secret" } }, ["--dest-tls-verify=false", "--dest-creds=alice:secret"]],
  ["TLS", { tls: true }, []],
])("the registry of the tests takes an image with %s", async (_name, settings, options) => {
  await using registry = await DockerRegistry.start(settings);
  expect(await pushWithSkopeo(registry, options)).toEqual({ errors: "", status: 0 });
});

test("the registry of the tests refuses who does not know the password", async () => {
  await using registry = await DockerRegistry.start({ users: { alice: "secret" } });
  const { status, errors } = await pushWithSkopeo(registry, ["--dest-tls-verify=false", "--dest-creds=alice:wrong"]);
  expect(status).not.toBe(0);
  expect(errors).toContain("unauthorized");
});
