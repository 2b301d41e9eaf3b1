import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runPoststopHooks } from "../../../../src/engine/devices/container-devices.ts";
import { listOutlines } from "../../../../src/engine/lifecycle/list-outlines.ts";
import { finishContainer, settleContainers } from "../../../../src/engine/lifecycle/settle-container.ts";
import { containerComponent } from "../../../../src/engine/state/container-component.ts";
import { isHeld, lockContainer, makeContainerDirectory } from "../../../../src/engine/state/container-directory.ts";
import {
  insertContainer,
  openContainers,
  recordedContainer,
  recordedContainers,
  recordStart,
  recordStatus,
} from "../../../../src/engine/state/containers.ts";
import { openStateDatabase, type StateDatabase } from "../../../../src/state/state-database.ts";
import { check, SystemCall, systemCall } from "../../../../src/sys/system-call.ts";
import { definition } from "../fixtures/container-definition.ts";

const F_DUPFD = 0;
const LOOPBACK = [0, 0, 0xffff, 0x7f000001] as const;

let data: string;
let database: StateDatabase;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-"));
  database = openContainers(data);
});

afterEach(() => {
  database[Symbol.dispose]();
  rmSync(data, { recursive: true });
});

/** None of the containers has devices. */
function unexpected(id: string): never {
  throw new Error(`${id} has hooks`);
}

/** A container that has been started, without anybody who supervises it. */
function insertRunning(id: string, remove = false): void {
  insertContainer(database, { id, name: `name-of-${id}`, definition: { ...definition, remove } });
  recordStart(
    database,
    id,
    { pid: 1, startTime: 1, cgroup: undefined, mountNamespace: undefined },
    { health: undefined, ports: [] },
  );
}

test("what nobody supervises any more has ended, and what is to be gone is gone", () => {
  insertRunning("lost");
  insertRunning("paused");
  recordStatus(database, "paused", "paused");
  insertRunning("removed", true);
  insertRunning("half");
  recordStatus(database, "half", "removing");
  settleContainers(data, ["lost", "paused", "removed", "half", "unknown"], unexpected);
  expect(
    recordedContainers(database)
      .map(({ id }) => id)
      .toSorted(),
  ).toEqual(["lost", "paused"]);
  for (const id of ["lost", "paused"]) {
    const { status, exitStatus, pid, finished, error } = recordedContainer(database, id) ?? {};
    expect({ status, exitStatus, pid }).toEqual({ status: "exited", exitStatus: 255, pid: undefined });
    expect(finished).toBeNumber();
    expect(error).toStartWith("the supervisor was killed");
  }
});

/** Lost containers with a device whose hook after the end is this script, and what `settleContainers` leaves for later. */
function settleWithHook(script: string | undefined) {
  const namedDevices = { names: ["vendor.com/class=name"], directories: [] };
  for (const remove of [true, false]) {
    const id = remove ? "removed" : "lost";
    insertContainer(database, { id, name: id, definition: { ...definition, remove, namedDevices } });
    recordStart(
      database,
      id,
      { pid: 1, startTime: 1, cgroup: undefined, mountNamespace: undefined },
      { health: undefined, ports: [] },
    );
    makeContainerDirectory(data, id)[Symbol.dispose]();
    const poststop = [{ path: "/bin/sh", args: ["sh", "-c", script] }];
    const configuration = { ociVersion: "1.2.0", root: { path: "root" }, hooks: { poststop } };
    const text = script === undefined ? "" : JSON.stringify(configuration);
    writeFileSync(join(data, "containers", id, "config.json"), text);
  }
  insertRunning("other");
  const later: (() => void)[] = [];
  settleContainers(data, ["removed", "lost", "other"], (id, number) => {
    // As a process that inherits it.
    const inherited = check(systemCall(SystemCall.fcntl, number, F_DUPFD, 0), "duplicate", id);
    later.push(() => finishContainer(data, id, inherited));
  });
  const told = () =>
    Object.fromEntries(recordedContainers(database).map(({ id, status, error }) => [id, `${status}: ${error}`]));
  return { later, told };
}

const LOST = "exited: the supervisor was killed; how the container ended is unknown";

test("hooks after the end of lost containers are left for later, and tell what they fail of", () => {
  const { later, told } = settleWithHook("exit 7");
  expect(told()).toEqual({
    other: LOST,
    lost: `${LOST}; hooks of its devices are still running`,
    removed: "removing: ",
  });
  expect(["removed", "lost", "other"].map((id) => isHeld(data, id))).toEqual([true, true, false]);
  for (const finish of later) finish();
  expect(told()).toEqual({ other: LOST, lost: `${LOST}; run hook /bin/sh: exit status 7` });
  expect(isHeld(data, "lost")).toBe(false);
  const events = readFileSync(join(data, "events.jsonl"), "utf8").trim().split("\n");
  expect(
    events.map((line) => JSON.parse(line)).map(({ Action, Actor }) => `${Action} ${Actor.Attributes.name}`),
  ).toEqual(["die removed", "die lost", "die name-of-other", "destroy removed"]);
  expect(JSON.parse(events[1] ?? "").Actor.Attributes).toMatchObject({ exitCode: "255", execDuration: "0" });
});

test("hooks that nobody runs any more were interrupted, others are still running", () => {
  insertRunning("lost");
  makeContainerDirectory(data, "lost")[Symbol.dispose]();
  settleContainers(data, ["lost"], unexpected);
  database.run("UPDATE container SET error = error || '; hooks of its devices are still running'");
  const settled = () => {
    settleContainers(data, ["lost"], unexpected);
    const { status, error } = recordedContainer(database, "lost") ?? {};
    return `${status}: ${error}`;
  };
  {
    using _held = lockContainer(data, "lost");
    expect(settled()).toBe(`${LOST}; hooks of its devices are still running`);
  }
  expect(settled()).toBe(`${LOST}; the hooks of its devices were interrupted`);
});

test("devices whose hooks cannot be read keep no end from being recorded, and no removal from being finished", () => {
  const { later, told } = settleWithHook(undefined);
  for (const finish of later) finish();
  expect(told()).toEqual({ other: LOST, lost: expect.stringContaining(`${LOST}; run the hooks of its devices: `) });
});

test("a hook after the end that has no timeout gets one", () => {
  settleWithHook("exec sleep 1000");
  expect(runPoststopHooks(data, "lost", 1)).toEqual(["run hook /bin/sh: it ran longer than its timeout of 1 s"]);
});

test("what somebody works on, and what does not run, remains as it is", () => {
  using _supervised = makeContainerDirectory(data, "supervised");
  insertRunning("supervised");
  using _removed = makeContainerDirectory(data, "removed");
  insertRunning("removed", true);
  insertContainer(database, { id: "created", name: "created", definition });
  insertContainer(database, {
    id: "created-to-be-removed",
    name: "other",
    definition: { ...definition, remove: true },
  });
  const before = recordedContainers(database).map(({ id, status }) => ({ id, status }));
  settleContainers(data, ["supervised", "removed", "created", "created-to-be-removed"], unexpected);
  expect(recordedContainers(database).map(({ id, status }) => ({ id, status }))).toEqual(before);
});

test("why a container was lost does not replace what is known already", () => {
  insertRunning("lost");
  database.run("UPDATE container SET error = 'the supervisor failed'");
  settleContainers(data, ["lost"], unexpected);
  expect(recordedContainer(database, "lost")?.error).toBe("the supervisor failed");
});

test("the usual list looks at nothing of a definition but what it shows, and leaves to others what is not as it should be", () => {
  const ports = {
    protocol: "tcp",
    host: { address: LOOPBACK, port: 8080 },
    target: { address: LOOPBACK, port: 80 },
  } as const;
  using lock = makeContainerDirectory(data, "container");
  const shown = { hostConfiguration: {}, configuration: { ExposedPorts: { "80/tcp": {} } } };
  const membership = { forwards: [], resolvers: [], egress: undefined, shaping: undefined };
  insertContainer(database, { id: "container", name: "name", definition: { ...definition, shown, membership } });
  const created = { id: "container", name: "name", status: "created", image: "image", command: ["true"] };
  expect(listOutlines(database, data)).toMatchObject([{ ...created, started: undefined, ports: undefined }]);
  recordStart(
    database,
    "container",
    { pid: 1, startTime: 1, cgroup: undefined, mountNamespace: undefined },
    { health: undefined, ports: [ports] },
  );
  const running = { status: "running", started: expect.any(Number), health: undefined };
  expect(listOutlines(database, data)).toMatchObject([
    { ...running, ports: { published: JSON.stringify([ports]), exposed: '{"80/tcp":{}}' } },
  ]);
  database.run(
    `UPDATE container SET definition = '{"image":"other","command":["a","b"]}', health = '{"status":"healthy"}'`,
  );
  expect(listOutlines(database, data)).toMatchObject([
    { image: "other", command: ["a", "b"], health: { status: "healthy" }, ports: { exposed: "{}" } },
  ]);
  database.run("UPDATE container SET health = NULL");
  expect(() => recordedContainer(database, "container")?.definition).toThrow(
    "definition of container container: labels",
  );
  database.run(`UPDATE container SET definition = '{"image":"image","command":"a b"}'`);
  expect(listOutlines(database, data)).toBeUndefined();
  database.run("UPDATE container SET definition = ?", JSON.stringify(definition));
  expect(listOutlines(database, data)).toHaveLength(1);
  lock[Symbol.dispose]();
  expect(listOutlines(database, data)).toBeUndefined();
});

test("containers of an older version are kept", () => {
  const directory = join(data, "older");
  const older = { ...containerComponent, migrations: containerComponent.migrations.slice(0, 3) };
  {
    using opened = openStateDatabase(directory, [older]);
    const values = ["older", "name", JSON.stringify(definition)];
    opened.run(
      "INSERT INTO container (id, name, created, definition, status, error) VALUES (?, ?, 7, ?, 'exited', 'lost')",
      ...values,
    );
  }
  using opened = openContainers(directory);
  expect(recordedContainers(opened)).toMatchObject([
    { id: "older", name: "name", created: 7, error: "lost", definition },
  ]);
  expect(listOutlines(opened, directory)).toMatchObject([{ id: "older", image: "image", command: ["true"] }]);
});
