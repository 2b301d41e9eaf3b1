import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

const hook = (name: string) => ({ path: "/bin/sh", args: ["sh", "-c", `cat >${suite.box.path}/${name}.json`] });
const shown = (name: string) => JSON.parse(readFileSync(join(suite.box.path, `${name}.json`), "utf8"));

test("each kind gets the state on its standard input", async () => {
  const hooks = {
    prestart: [hook("prestart")],
    createRuntime: [hook("createRuntime")],
    createContainer: [hook("createContainer")],
    // The file system is the container's by then.
    startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat >/data/startContainer.json"] }],
    poststart: [hook("poststart")],
    poststop: [hook("poststop")],
  };
  const bundle = suite.box.bundle(["sleep", "1000"], { rest: { hooks, annotations: { a: "b" } } });
  await suite.withCreated(bundle, () => {
    const state = { ociVersion: "1.2.0", id: "test", bundle, annotations: { a: "b" } };
    const { pid } = suite.stateOf();
    expect(shown("prestart")).toEqual({ ...state, pid, status: "creating" });
    expect(shown("createRuntime")).toEqual({ ...state, pid, status: "creating" });
    expect(shown("createContainer")).toMatchObject({ ...state, pid });
    expect(existsSync(join(suite.box.rootfs, "data/startContainer.json"))).toBe(false);
    expect(suite.box.runtime("start", "test").status).toBe(0);
    expect(JSON.parse(readFileSync(join(suite.box.rootfs, "data/startContainer.json"), "utf8"))).toMatchObject(state);
    expect(shown("poststart")).toMatchObject({ ...state, pid, status: "running" });
    expect(existsSync(join(suite.box.path, "poststop.json"))).toBe(false);
  });
  expect(shown("poststop")).toMatchObject({ id: "test", status: "stopped" });
});

test("hooks have the caller's umask and no descriptors but the standard streams", () => {
  const script = "umask; for i in $(seq 0 30); do if [ -e /proc/self/fd/$i ]; then echo $i; fi; done";
  const show = [{ path: "/bin/busybox", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"] }];
  const kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
  const { output, status } = suite.box.run(["true"], {
    rest: { hooks: Object.fromEntries(kinds.map((kind) => [kind, show])) },
  });
  expect(status).toBe(0);
  expect(output).toBe("0022\n0\n1\n2\n".repeat(kinds.length));
});

test.each(["prestart", "createRuntime", "createContainer"])("%s that fails ends the creation", (kind) => {
  const failing = [{ path: "/bin/sh", args: ["sh", "-c", "exit 3"] }];
  const { status, errors } = suite.box.runtime(
    "create",
    "--bundle",
    suite.box.bundle(["true"], { rest: { hooks: { [kind]: failing } } }),
    "test",
  );
  expect(status).toBe(1);
  expect(errors).toMatch(/^bunker: run hook \/bin\/sh: (exit )?status 3\n/);
});

test.each(["createRuntime", "createContainer"])("%s that a signal kills ends the creation, too", (kind) => {
  const killed = [{ path: "/bin/sh", args: ["sh", "-c", "kill -9 $$"] }];
  const bundle = suite.box.bundle(["true"], { rest: { hooks: { [kind]: killed } } });
  const { status, errors } = suite.box.runtime("create", "--bundle", bundle, "test");
  expect(status).toBe(1);
  expect(errors).toMatch(/^bunker: run hook \/bin\/sh: (killed by signal 9|a signal has killed it)\n/);
});

test.each(["createRuntime", "createContainer"])("%s may have a large environment", (kind) => {
  const env = ["PATH=/bin:/usr/bin", ...["A", "B", "C"].map((name) => `${name}=${"x".repeat(100_000)}`)];
  const hooks = { [kind]: [{ path: "/bin/sh", args: ["sh", "-c", "[ $(printenv C | wc -c) = 100001 ]"], env }] };
  expect(suite.box.run(["true"], { rest: { hooks } })).toEqual({ status: 0, output: "", errors: "" });
});

test.each(["createRuntime", "createContainer"])("%s that exceeds its timeout is killed", (kind) => {
  const slow = [{ path: "/bin/sleep", args: ["sleep", "1000"], env: [suite.box.mark], timeout: 1 }];
  const { status, errors } = suite.box.runtime(
    "create",
    "--bundle",
    suite.box.bundle(["true"], { rest: { hooks: { [kind]: slow } } }),
    "test",
  );
  expect(status).toBe(1);
  expect(errors).toContain("run hook /bin/sleep: it ran longer than its timeout of 1 s");
});

test("startContainer that fails is told by start", async () => {
  const hooks = { startContainer: [{ path: "/bin/false" }] };
  await suite.withCreated(suite.box.bundle(["true"], { rest: { hooks } }), () => {
    const { status, errors } = suite.box.runtime("start", "test");
    expect(status).toBe(1);
    expect(errors).toStartWith("bunker: run hook /bin/false: status 1\n");
  });
});

test("poststart and poststop that fail are warnings", () => {
  const hooks = {
    poststart: [{ path: "/bin/false" }],
    poststop: [{ path: `${suite.box.path}/missing` }, hook("last")],
  };
  const { status, errors } = suite.box.run(["true"], { rest: { hooks } });
  expect({ status, errors }).toEqual({
    status: 0,
    errors: `warning: run hook /bin/false: exit status 1\nwarning: run hook ${suite.box.path}/missing: ENOENT\n`,
  });
  expect(shown("last")).toMatchObject({ status: "stopped" });
});
