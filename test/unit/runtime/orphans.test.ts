import { expect, test } from "bun:test";
import { Orphans } from "../../../src/runtime/orphans.ts";
import { Reactor } from "../../../src/sys/reactor.ts";
import { memoryKeptByEach } from "../../kept-memory.ts";

test("looking for orphans keeps no memory, however many there have been", () => {
  using reactor = new Reactor();
  using orphans = new Orphans();
  orphans.watch(reactor, process.pid);
  const kept = memoryKeptByEach(() => {
    process.kill(process.pid, "SIGCHLD");
    reactor.defer(() => reactor.stop());
    reactor.run();
  });
  expect(kept).toBe(0);
});
