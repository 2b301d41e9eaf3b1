import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { LOOPBACK_4 } from "../../../src/network/address.ts";
import { FlowTable, type TableEntry } from "../../../src/network/flow-table.ts";

interface Flow extends TableEntry<Flow> {}

test("what is left of flows is collected, whatever memory the garbage collector believes to be in use", () => {
  const pool = new ArrayBuffer(1 << 28);
  const table = new FlowTable<Flow>();
  const objects = () => heapStats().objectTypeCounts["Object"] ?? 0;
  const before = objects();
  for (let port = 0; port < 50_000; port++) {
    const flow: Flow = {
      protocol: 6,
      inside: LOOPBACK_4,
      insidePort: port,
      outside: LOOPBACK_4,
      outsidePort: 80,
      hash: 0,
      nextInBucket: undefined,
    };
    table.add(flow);
    table.remove(flow);
  }
  expect(pool.byteLength).toBe(1 << 28);
  expect(objects() - before).toBeLessThan(20_000);
  table.collectRemains();
  expect(objects() - before).toBeLessThan(2_000);
});
