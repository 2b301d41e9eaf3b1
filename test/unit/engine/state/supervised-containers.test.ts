import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isHeld, makeContainerDirectory, newContainerId } from "../../../../src/engine/state/container-directory.ts";
import { type ContainerLock, supervisorsLock } from "../../../../src/engine/state/container-lock.ts";
import { supervisedContainers } from "../../../../src/engine/state/supervised-containers.ts";

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-"));
});

afterEach(() => {
  rmSync(data, { recursive: true });
});

function isSupervised(id: string): boolean {
  using supervised = supervisedContainers(data);
  return supervised.has(id);
}

/** What a supervisor holds that has inherited a container's lock. */
function supervise(id: string): ContainerLock {
  return supervisorsLock(makeContainerDirectory(data, id).number, data, id);
}

test("nobody has a supervisor before there was one", () => {
  expect(isSupervised(newContainerId())).toBe(false);
});

test("a container has a supervisor as long as that holds its lock, and no other has one", () => {
  const [one, other] = [newContainerId(), newContainerId()];
  using lock = supervise(one);
  expect([isSupervised(one), isHeld(data, one), isSupervised(other)]).toEqual([true, true, false]);
  lock.release();
  expect([isSupervised(one), isHeld(data, one)]).toEqual([false, false]);
});

test("the place is given back when the lock is closed", () => {
  const id = newContainerId();
  supervise(id)[Symbol.dispose]();
  expect(isSupervised(id)).toBe(false);
});

test("a container keeps its place while one supervisor follows another", () => {
  const id = newContainerId();
  const before = supervise(id);
  using after = supervisorsLock(before.number, data, id);
  before.release();
  expect(isSupervised(id)).toBe(true);
  after.release();
  expect(isSupervised(id)).toBe(false);
});

test("the highest and the lowest id have places of their own", () => {
  const [lowest, highest] = ["0".repeat(64), "f".repeat(64)];
  using _lock = supervise(highest);
  expect([isSupervised(lowest), isSupervised(highest)]).toEqual([false, true]);
});

test("a supervisor that can say nothing holds its container's lock all the same", () => {
  const id = newContainerId();
  const { number } = makeContainerDirectory(data, id);
  using lock = supervisorsLock(number, join(data, "nowhere"), id);
  expect(lock.number).toBe(number);
  expect([isSupervised(id), isHeld(data, id)]).toEqual([false, true]);
});

test("a file that somebody has removed says nothing", () => {
  const id = newContainerId();
  using _lock = supervise(id);
  unlinkSync(join(data, "supervisors.lock"));
  expect([isSupervised(id), isHeld(data, id)]).toEqual([false, true]);
});
