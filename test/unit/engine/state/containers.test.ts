/* What goes on record of containers. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordedOutlines } from "../../../../src/engine/state/container-outline.ts";
import {
  containerWithId,
  type Health,
  insertContainer,
  openContainers,
  recordEnd,
  recordFailedStart,
  recordHealth,
  recordPaused,
  recordStart,
} from "../../../../src/engine/state/containers.ts";
import type { StateDatabase } from "../../../../src/state/state-database.ts";
import { definition } from "../fixtures/container-definition.ts";

const address = [0, 0, 0xffff, 0x7f000001] as const;
const port = { protocol: "tcp", host: { address, port: 8080 }, target: { address, port: 80 } } as const;
const health: Health = { status: "starting", failingStreak: 0, log: [] };

let data: string;
let database: StateDatabase;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-"));
  database = openContainers(data);
  insertContainer(database, { id: "id", name: "name", definition });
});

afterEach(() => {
  database[Symbol.dispose]();
  rmSync(data, { recursive: true });
});

function start(pid: number): void {
  const process = { pid, startTime: 1, cgroup: undefined, mountNamespace: undefined };
  recordStart(database, "id", process, { health, ports: [port] });
}

const recorded = () => containerWithId(database, "id");

test("a container that cannot be started is as it was before", () => {
  recordFailedStart(database, "id", "never", 127);
  expect(recorded()).toMatchObject({ status: "created", error: "never", exitStatus: 127, finished: undefined });
  start(7);
  recordEnd(database, { id: "id", pid: 7 }, { status: "exited", exitStatus: 3 });
  const finished = recorded()?.finished;
  expect(finished).toBeNumber();
  recordFailedStart(database, "id", "not again", 125);
  expect(recorded()).toMatchObject({ status: "exited", error: "not again", exitStatus: 125, finished });
});

test("one whose start fails when it runs already has ended by that", () => {
  start(7);
  recordFailedStart(database, "id", "too late", 125);
  expect(recorded()).toMatchObject({ status: "exited", pid: undefined, error: "too late", exitStatus: 125 });
  expect(recorded()?.finished).toBeNumber();
});

test("ports lead to a container that is paused, and to none that has ended", () => {
  start(7);
  const ports = () => ({ whole: recorded()?.ports, listed: recordedOutlines(database)?.[0]?.ports?.published });
  const published = { whole: [port], listed: JSON.stringify([port]) };
  expect(ports()).toEqual(published);
  recordPaused(database, "id", true);
  expect(ports()).toEqual(published);
  recordEnd(database, { id: "id", pid: 7 }, { status: "exited", exitStatus: 0 });
  expect(ports()).toEqual({ whole: [], listed: undefined });
});

test("the result of a check is that of the run in which it began", () => {
  start(7);
  const before = { id: "id", pid: 7 };
  expect(recordHealth(database, before, { ...health, status: "healthy" })).toBe(true);
  expect(recorded()?.health?.status).toBe("healthy");
  start(8);
  expect(recordHealth(database, before, { ...health, status: "unhealthy" })).toBe(false);
  expect(recorded()?.health?.status).toBe("starting");
  recordPaused(database, "id", true);
  expect(recordHealth(database, { id: "id", pid: 8 }, { ...health, status: "healthy" })).toBe(false);
});
