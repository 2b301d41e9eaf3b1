import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

test("system df counts what a container has written, also where only it may look", async () => {
  const { user, image } = suite;
  const script = "mkdir -m 700 /private && head -c 5000 /dev/zero >/private/file && chown -R alice /private";
  expect(await user.bunker(["run", "--name", "writer", image, "sh", "-c", script])).toMatchObject({ status: 0 });
  try {
    const format = "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}";
    const { output, errors } = await user.bunker(["system", "df", "--format", format]);
    expect(errors).toBe("");
    expect(output).toContain("Containers 1 0 5kB 5kB (100%)\n");
    const podmans = ["system", "df", "--format", "{{.Type}} {{.Total}} {{.RawSize}} {{.RawReclaimable}}"];
    expect((await user.bunker(podmans)).output).toContain("Containers 1 5000 5000\n");
    expect((await user.bunker(["system", "df", "-v"])).output).toMatch(
      /\n[0-9a-f]{12} +\S+ +"sh -c .*…" +0 +5kB +.* ago +Exited \(0\) .*ago +writer\n/,
    );
    const { output: json } = await user.bunker(["system", "df", "-v", "--format", "json"]);
    const all = JSON.parse(json);
    expect(Object.keys(all)).toEqual(["Images", "Containers", "Volumes", "BuildCache"]);
    expect(all.Containers).toEqual([expect.objectContaining({ Names: "writer", State: "exited", Networks: "bridge" })]);
  } finally {
    await user.bunker(["rm", "writer"]);
  }
});
