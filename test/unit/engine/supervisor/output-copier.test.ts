import { afterEach, beforeEach, expect, test } from "bun:test";
import { OutputCopier } from "../../../../src/engine/supervisor/output-copier.ts";
import type { FileDescriptor } from "../../../../src/sys/file-descriptor.ts";
import { Reactor } from "../../../../src/sys/reactor.ts";
import { pipe } from "../../../../src/sys/socket.ts";

let cleanup: DisposableStack;
let copier: OutputCopier;

beforeEach(() => {
  cleanup = new DisposableStack();
  const [source, container] = pipe();
  cleanup.use(container);
  cleanup.use(source);
  copier = new OutputCopier(cleanup.use(new Reactor()), source, undefined, () => {});
});
afterEach(() => cleanup.dispose());

/** Attaches a pipe; returns the end to read from. */
function attach(): FileDescriptor {
  const [reader, sink] = pipe();
  cleanup.use(reader);
  copier.attach(cleanup.use(sink));
  return reader;
}

test("an output is closed as soon as its only reader has gone, although nothing was written since", () => {
  attach().close();
  copier.closeIfUnread();
  expect(copier.hasEnded).toBe(true);
});

test("an output stays open for another reader", () => {
  const [gone, stays] = [attach(), attach()];
  gone.close();
  copier.closeIfUnread();
  expect(copier.hasEnded).toBe(false);
  stays.close();
  copier.closeIfUnread();
  expect(copier.hasEnded).toBe(true);
});
