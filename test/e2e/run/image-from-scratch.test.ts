/* An image without layers: nothing is in it but what is mounted. */
import { expect, test } from "bun:test";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

test("an image without layers runs what is bound into it", async () => {
  const { user } = suite;
  const layout = `${user.makeDirectory("scratch")}/image`;
  for (const words of [
    ["init", "--layout", layout],
    ["new", "--image", `${layout}:empty`],
  ]) {
    expect((await user.execute(["umoci", ...words])).status).toBe(0);
  }
  const image = `oci:${layout}:empty`;
  expect(await user.run(["-v", "/bin/busybox:/busybox:ro", image, "/busybox", "ls", "/"])).toEqual({
    status: 0,
    output: "busybox\ndev\netc\nproc\nsys\n",
    errors: "",
  });
  expect((await user.run([image, "/none"])).status).toBe(127);
});
