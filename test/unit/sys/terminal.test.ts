import { afterEach, beforeEach, expect, test } from "bun:test";
import { openSync, readSync, writeSync } from "node:fs";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { OpenFlag } from "../../../src/sys/open.ts";
import {
  isTerminal,
  makeRaw,
  readAttributes,
  setWindowSize,
  windowSize,
  windowSizeBytes,
} from "../../../src/sys/terminal.ts";
import { pseudoTerminal } from "./pseudo-terminal.ts";

let cleanup: DisposableStack;
let master: FileDescriptor;
let peer: FileDescriptor;

beforeEach(() => {
  cleanup = new DisposableStack();
  ({ master, peer } = pseudoTerminal(OpenFlag.O_NONBLOCK));
  cleanup.use(master);
  cleanup.use(peer);
});
afterEach(() => cleanup.dispose());

/** What can be read now. */
function available({ number }: FileDescriptor): string {
  const buffer = Buffer.alloc(1000);
  try {
    return buffer.toString("latin1", 0, readSync(number, buffer));
  } catch {
    return "";
  }
}

/** What `stty -a` says of the terminal. */
function settings(): string {
  const { stdout, success, stderr } = Bun.spawnSync(["stty", "-a"], { stdin: peer.number });
  if (!success) throw new Error(stderr.toString());
  return stdout.toString();
}

test("isTerminal", () => {
  expect(isTerminal(peer.number)).toBe(true);
  expect(isTerminal(master.number)).toBe(true);
  const file = cleanup.use(new FileDescriptor(openSync("/dev/null", "r")));
  expect(isTerminal(file.number)).toBe(false);
  expect(isTerminal(1_000_000)).toBe(false);
});

test("makeRaw: every byte passes unchanged both ways, at once and without an echo", () => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  makeRaw(peer.number);
  writeSync(master.number, everyByte);
  expect(available(peer)).toBe(everyByte.toString("latin1"));
  expect(available(master)).toBe("");
  writeSync(peer.number, everyByte);
  expect(available(master)).toBe(everyByte.toString("latin1"));
});

test("makeRaw sets what cfmakeraw(3) does, as stty has it", () => {
  const { success } = Bun.spawnSync(["stty", "istrip", "inlcr", "igncr", "echonl"], { stdin: peer.number });
  expect(success).toBe(true);
  makeRaw(peer.number);
  const words = settings().split(/[\s;]+/);
  const expected =
    "-ignbrk -brkint -parmrk -istrip -inlcr -igncr -icrnl -ixon -opost -echo -echonl -icanon -isig -iexten";
  expect(words).toEqual(expect.arrayContaining([...expected.split(" "), "cs8", "-parenb"]));
  expect(settings()).toContain("min = 1; time = 0;");
});

test("what makeRaw returns puts back every attribute found, as often as it is called", () => {
  const { success } = Bun.spawnSync(["stty", "intr", "^X", "-echo", "ixoff"], { stdin: peer.number });
  expect(success).toBe(true);
  const [found, attributes] = [settings(), readAttributes(peer.number)];
  const restore = makeRaw(peer.number);
  expect(settings()).not.toBe(found);
  for (let time = 0; time < 2; time++) {
    restore();
    expect(settings()).toBe(found);
    expect(readAttributes(peer.number)).toEqual(attributes);
    makeRaw(peer.number);
  }
});

test("two terminals do not get one another's attributes", () => {
  const other = pseudoTerminal();
  cleanup.use(other.master);
  cleanup.use(other.peer);
  Bun.spawnSync(["stty", "-echo"], { stdin: other.peer.number });
  const [mine, others] = [readAttributes(peer.number), readAttributes(other.peer.number)];
  expect(mine).not.toEqual(others);
  const restoreMine = makeRaw(peer.number);
  const restoreOther = makeRaw(other.peer.number);
  restoreMine();
  expect(readAttributes(peer.number)).toEqual(mine);
  restoreOther();
  expect(readAttributes(other.peer.number)).toEqual(others);
});

test("the window's size", () => {
  expect(windowSize(peer.number)).toEqual({ rows: 0, columns: 0 });
  setWindowSize(master.number, { rows: 51, columns: 300 });
  expect(windowSize(peer.number)).toEqual({ rows: 51, columns: 300 });
  expect(Bun.spawnSync(["stty", "size"], { stdin: peer.number }).stdout.toString()).toBe("51 300\n");
  expect([...windowSizeBytes({ rows: 51, columns: 300 })]).toEqual([51, 0, 44, 1, 0, 0, 0, 0]);
});

test("what is no terminal", () => {
  const { number } = cleanup.use(new FileDescriptor(openSync("/dev/null", "r")));
  expect(windowSize(number)).toBeUndefined();
  expect(() => readAttributes(number)).toThrow("read the terminal's attributes: ENOTTY");
  expect(() => makeRaw(number)).toThrow("read the terminal's attributes: ENOTTY");
  expect(() => setWindowSize(number, { rows: 1, columns: 1 })).toThrow("set the window size: ENOTTY");
});
