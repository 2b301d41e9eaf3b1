import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { ARCHITECTURE, busyboxMembers } from "../../fixtures/images.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
beforeAll(() => {
  // Building the executable may take longer than a test.
  user = new UnprivilegedUser();
  const layers = [pack(archive(busyboxMembers()), "gzip")];
  const configuration = { architecture: ARCHITECTURE, config: { Cmd: ["sh"], Env: ["PATH=/bin"] } };
  storeImages(user, [{ names: ["docker.io/library/busybox:latest"], layers, configuration }]);
}, 300_000);
afterEach(async () => {
  await user.bunker(["rm", "-f", "kept"]);
  await user.expectNothingLeft();
});
afterAll(() => {
  user[Symbol.dispose]();
  rmSync(user.data, { recursive: true, force: true });
});

async function ok(...words: string[]): Promise<string> {
  const { status, output, errors } = await user.bunker(words);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

test("an image that a container was made from stays until it is forced", async () => {
  await ok("run", "--name", "kept", "busybox", "true");
  expect(await ok("images", "--format", "{{.Containers}} {{.Repository}}")).toBe("1 busybox\n");
  expect(await ok("system", "df", "--format", "{{.Type}} {{.Active}} {{.Reclaimable}}")).toContain(
    "Images 1 0B (0%)\n",
  );
  const id = (await ok("images", "-q")).trim();
  for (const name of ["busybox", id]) {
    const { status, output, errors } = await user.bunker(["rmi", name]);
    expect({ status, output }).toEqual({ status: 1, output: "" });
    expect(errors).toMatch(
      /^bunker: remove the image \S+: conflict: unable to .* container [0-9a-f]{12}.*\nhint: Remove the container first: bunker rm [0-9a-f]{12}\.\n$/,
    );
  }
  expect(await ok("image", "prune", "-af")).toBe("Total reclaimed space: 0B\n");

  await ok("tag", "busybox", "again");
  expect(await ok("rmi", "again")).toBe("Untagged: again:latest\n");
  const forced = await ok("rmi", "-f", "busybox");
  // The layer is the container's still, so only the image has gone.
  expect(forced).toMatch(
    /^Untagged: busybox:latest\nUntagged: busybox@sha256:[0-9a-f]{64}\nDeleted: sha256:[0-9a-f]{64}\n$/,
  );
  expect(await ok("images", "-q")).toBe("");
  expect(await ok("start", "-a", "kept")).toBe("");
});
