import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

test("--version is runc's", () => {
  expect(suite.box.runtime("--version").output).toMatch(/^bunker-runtime version \S+\ncommit: \S+\nspec: 1\.2\.0\n$/);
});

test("spec writes a configuration that runs", () => {
  const directory = join(suite.box.path, "example");
  mkdirSync(directory);
  Bun.spawnSync([
    "sh",
    "-c",
    `ln -s ${suite.box.rootfs} ${directory}/rootfs; chown ${suite.box.user.uid} ${directory}`,
  ]);
  expect(suite.box.runtime("spec", "--rootless", "-b", directory)).toEqual({ status: 0, output: "", errors: "" });
  const path = join(directory, "config.json");
  const example = JSON.parse(readFileSync(path, "utf8"));
  example.process.terminal = false;
  example.process.args = ["hostname"];
  writeFileSync(path, JSON.stringify(example));
  expect(suite.box.runtime("run", "-b", directory, "test")).toEqual({ status: 0, output: "bunker\n", errors: "" });
  expect(suite.box.runtime("spec", "-b", directory).errors).toContain("EEXIST");
});

test("features is true of this runtime", () => {
  const features = JSON.parse(suite.box.runtime("features").output);
  expect(features).toMatchObject({ ociVersionMin: "1.0.0", ociVersionMax: "1.2.0" });
  expect(features.linux.namespaces).toHaveLength(8);
  expect(features.linux.cgroup).toMatchObject({ v1: false, v2: true });
  expect(features.linux.seccomp.supportedFlags).toContain("SECCOMP_FILTER_FLAG_LOG");
  expect(features.mountOptions).toContain("tmpcopyup");
});

test("mistakes end in one line and status 1", () => {
  expect(suite.box.runtime("start")).toMatchObject({ status: 1 });
  expect(suite.box.runtime("create", "--bundel", ".", "x").errors).toBe(
    "bunker: unknown option --bundel; did you mean --bundle?\n",
  );
  expect(suite.box.runtime("kill", "x", "SIGTREM").status).toBe(1);
});
