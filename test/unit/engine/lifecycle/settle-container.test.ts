import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listOutlines } from "../../../../src/engine/lifecycle/list-outlines.ts";
import { settleContainers } from "../../../../src/engine/lifecycle/settle-container.ts";
import { containerComponent } from "../../../../src/engine/state/container-component.ts";
import type { ContainerDefinition } from "../../../../src/engine/state/container-definition.ts";
import { makeContainerDirectory } from "../../../../src/engine/state/container-directory.ts";
import {
  insertContainer,
  openContainers,
  recordedContainer,
  recordedContainers,
  recordStart,
  recordStatus,
} from "../../../../src/engine/state/containers.ts";
import { openStateDatabase, type StateDatabase } from "../../../../src/state/state-database.ts";

const LOOPBACK = [0, 0, 0xffff, 0x7f000001] as const;

const definition: ContainerDefinition = {
  image: "image",
  imageId: "",
  command: ["true"],
  labels: {},
  annotations: {},
  terminal: false,
  openInput: false,
  inputOnce: false,
  init: false,
  remove: false,
  defaultFilter: true,
  root: { kind: "directory", path: "/" },
  mountPoints: [],
  restart: { name: "no", maximumRetryCount: 0 },
  log: { driver: "none", maximumFiles: 1, compress: false },
  cgroups: { mode: "enabled" },
  network: "none",
  shown: { hostConfiguration: {}, configuration: {} },
};

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
  settleContainers(data, ["lost", "paused", "removed", "half", "unknown"]);
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

test("devices whose hooks cannot be read keep no end from being recorded, and no removal from being finished", () => {
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
    writeFileSync(join(data, "containers", id, "config.json"), "");
  }
  insertRunning("other");
  settleContainers(data, ["removed", "lost", "other"]);
  expect(recordedContainer(database, "removed")).toBeUndefined();
  for (const id of ["lost", "other"]) expect(recordedContainer(database, id)?.status).toBe("exited");
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
  settleContainers(data, ["supervised", "removed", "created", "created-to-be-removed"]);
  expect(recordedContainers(database).map(({ id, status }) => ({ id, status }))).toEqual(before);
});

test("why a container was lost does not replace what is known already", () => {
  insertRunning("lost");
  database.run("UPDATE container SET error = 'the supervisor failed'");
  settleContainers(data, ["lost"]);
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
