import { expect, test } from "bun:test";
import { withoutTwins } from "../../../../src/cli/image/image-rows.ts";
import type { StoredImage } from "../../../../src/image/store/stored-image.ts";

test("an image without a name is not listed beside one with the same id that has a name", () => {
  const image = (id: string, names: readonly string[], repositoryDigests: readonly string[] = []) =>
    ({ id, names, repositoryDigests }) as unknown as StoredImage;
  const [named, twin] = [image("sha256:1", ["web:1"]), image("sha256:1", [])];
  const [known, itsTwin] = [image("sha256:2", [], ["web@sha256:3"]), image("sha256:2", [])];
  const dangling = image("sha256:4", []);
  expect(withoutTwins([twin, named, itsTwin, known, dangling])).toEqual([named, known, dangling]);
});
