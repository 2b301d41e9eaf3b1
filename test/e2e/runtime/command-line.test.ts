import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatConfiguration } from "../../../src/runtime/configuration/configuration.ts";
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
  expect(suite.box.runtime("spec", "--rootless", "-b", directory, "--file", "other.json").status).toBe(0);
  expect(readFileSync(join(directory, "other.json"), "utf8")).toContain('"ociVersion"');
});

test("features is true of this runtime", () => {
  const features = JSON.parse(suite.box.runtime("features").output);
  expect(features).toMatchObject({ ociVersionMin: "1.0.0", ociVersionMax: "1.2.0" });
  expect(features.linux.namespaces).toHaveLength(8);
  expect(features.linux.cgroup).toMatchObject({ v1: false, v2: true });
  expect(features.linux.seccomp.supportedFlags).toContain("SECCOMP_FILTER_FLAG_LOG");
  expect(features.mountOptions).toContain("tmpcopyup");
});

test("--config names another file than the bundle's", () => {
  const bundle = suite.box.bundle(["false"]);
  const file = suite.box.file("elsewhere.json", formatConfiguration(suite.box.configuration(["echo", "elsewhere"])));
  expect(suite.box.runtime("run", "--config", file, "-b", bundle, "test")).toEqual({
    status: 0,
    output: "elsewhere\n",
    errors: "",
  });
  expect(suite.box.runtime("create", "-f", `${file}.none`, "-b", bundle, "test")).toMatchObject({
    status: 1,
    errors: expect.stringContaining("elsewhere.json.none: ENOENT"),
  });
});

test("list goes on after what cannot be read", () => {
  const bundle = suite.box.bundle(["sleep", "1000"]);
  expect(suite.box.runtime("run", "--detach", "-b", bundle, "sound").status).toBe(0);
  mkdirSync(`${suite.box.stateRoot}/damaged`);
  suite.box.file("state/damaged/state.json", "{");
  mkdirSync(`${suite.box.stateRoot}/no id`);
  const { status, output, errors } = suite.box.runtime("list", "--format", "json");
  expect(status).toBe(0);
  expect(JSON.parse(output)).toEqual([expect.objectContaining({ id: "sound", status: "running" })]);
  expect(errors).toMatch(/^warning: read .*\/damaged\/state.json: .*\nwarning: use container id "no id": .*\n$/);
  for (const name of ["damaged", "no id"]) rmSync(`${suite.box.stateRoot}/${name}`, { recursive: true });
  expect(suite.box.runtime("delete", "-f", "sound").status).toBe(0);
});

test("kill and delete --regex take all containers that match, and go on after one that fails", () => {
  const bundle = suite.box.bundle(["sleep", "1000"]);
  for (const id of ["one-a", "one-b", "two"]) {
    expect(suite.box.runtime("run", "--detach", "-b", bundle, id).status).toBe(0);
  }
  expect(suite.box.runtime("delete", "--regex", "^one-")).toEqual({
    status: 1,
    output: "",
    errors: expect.stringMatching(/^bunker: delete container one-a: .*\n(hint: .*\n)?bunker: delete container one-b: /),
  });
  expect(suite.box.runtime("kill", "-r", "^(one-a|two)$", "KILL")).toEqual({ status: 0, output: "", errors: "" });
  expect(suite.stateOf("one-b")["status"]).toBe("running");
  expect(suite.box.runtime("delete", "-f", "--regex", ".")).toEqual({ status: 0, output: "", errors: "" });
  expect(suite.box.runtime("list", "--quiet").output).toBe("");
  expect(suite.box.runtime("delete", "--regex", "(")).toMatchObject({
    status: 1,
    errors: expect.stringMatching(/^bunker: read the regular expression \(: /),
  });
});

test("exec --cgroup needs a cgroup, and stays in it", async () => {
  const bundle = suite.box.bundle(["sleep", "1000"]);
  expect(suite.box.runtime("--cgroup-manager=disabled", "run", "-d", "-b", bundle, "test").status).toBe(0);
  expect(suite.box.runtime("exec", "--cgroup", "/", "test", "true").errors).toStartWith(
    "bunker: execute in container test: it has no cgroup of its own\n",
  );
  expect(suite.box.runtime("exec", "--cgroup", "a/../..", "test", "true").errors).toContain("stays in the container's");
  expect(suite.box.runtime("exec", "--cgroup", "memory:a", "test", "true").errors).toContain("cgroup v1 only");
  expect(suite.box.runtime("delete", "--force", "test").status).toBe(0);
});

test("mistakes end in one line and status 1", () => {
  expect(suite.box.runtime("start")).toMatchObject({ status: 1 });
  expect(suite.box.runtime("create", "--bundel", ".", "x").errors).toBe(
    "bunker: unknown option --bundel; did you mean --bundle?\n",
  );
  expect(suite.box.runtime("kill", "x", "SIGTREM").status).toBe(1);
  expect(suite.box.runtime("update", "--kernel-memory", "5", "x")).toEqual({
    status: 1,
    output: "",
    errors:
      "bunker: bunker runtime update has no option --kernel-memory: cgroup v2 counts the kernel's memory as the cgroup's own\nhint: --memory limits both.\n",
  });
  expect(suite.box.runtime("--criu", "/bin/criu", "state", "x")).toMatchObject({
    status: 1,
    errors: expect.stringMatching(/^bunker: bunker runtime has no option --criu: /),
  });
  expect(suite.box.runtime("stat", "x")).toMatchObject({
    status: 1,
    errors: expect.stringContaining("did you mean bunker runtime start?"),
  });
});
