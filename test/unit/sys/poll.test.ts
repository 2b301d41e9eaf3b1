import { afterEach, beforeEach, expect, test } from "bun:test";
import { poll } from "../../../src/sys/poll.ts";
import { Event } from "../../../src/sys/reactor.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { memoryKeptByEach } from "../../kept-memory.ts";

let cleanup: DisposableStack;

beforeEach(() => {
  cleanup = new DisposableStack();
});
afterEach(() => cleanup.dispose());

function testPipe(): { readonly read: number; readonly close: () => void } {
  const [read, write] = pipe().map((end) => cleanup.use(end));
  return { read: read?.number ?? -1, close: () => write?.close() };
}

test("tells what there is, of each descriptor", () => {
  const [silent, ended] = [testPipe(), testPipe()];
  ended.close();
  expect(poll([silent.read, ended.read], 10_000)).toEqual([0, Event.HUP]);
});

test("waits no longer than it is to, whatever was asked before", () => {
  const { read } = testPipe();
  expect(poll([read, read, read, read], 0)).toEqual([0, 0, 0, 0]);
  for (const patience of [0, 1, 1.5]) expect(poll([read], patience)).toEqual([0]);
});

test("keeps no memory, however often it is asked", () => {
  const { read } = testPipe();
  expect(memoryKeptByEach(() => poll([read], 0))).toBe(0);
});
