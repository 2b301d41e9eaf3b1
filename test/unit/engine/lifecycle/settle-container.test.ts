import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settleContainers } from "../../../../src/engine/lifecycle/settle-container.ts";
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
import type { StateDatabase } from "../../../../src/state/state-database.ts";

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

test("a list does not look at more of a definition than it shows, and that is checked", () => {
  insertRunning("container");
  database.run(`UPDATE container SET definition = '{"image":"image","command":["a","b"]}'`);
  const [container] = recordedContainers(database);
  expect(container?.outline).toEqual({ image: "image", command: ["a", "b"] });
  expect(() => container?.definition).toThrow("read the definition of container container: imageId");
  database.run(`UPDATE container SET definition = '{"image":"image","command":"a b"}'`);
  expect(() => recordedContainers(database)[0]?.outline).toThrow("read the definition of container container: command");
});
