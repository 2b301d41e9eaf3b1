import { describe, expect, test } from "bun:test";
import { FramePool } from "../../../src/network/frame-pool.ts";
import { ByteBudget, ShapedFrames, Shaping } from "../../../src/network/shaping.ts";
import { allocate } from "../../../src/sys/memory.ts";
import { messageSocketPair } from "../../../src/sys/message-socket.ts";
import { Event, Reactor } from "../../../src/sys/reactor.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";

describe("a budget", () => {
  test("lets a burst pass, and then no more than its rate", () => {
    const rate = 1_000_000;
    const budget = new ByteBudget(rate);
    const began = performance.now();
    let passed = 0;
    while (passed < 600_000) {
      if (budget.wait() > 0) continue;
      budget.spend(50_000);
      passed += 50_000;
    }
    // All but the burst and the last debt were waited for.
    expect(performance.now() - began).toBeGreaterThanOrEqual(((600_000 - 60_000 - 50_000) / rate) * 1000);
  });

  test("waits for a debt as long as it takes", () => {
    const budget = new ByteBudget(1_000);
    budget.spend(6_000 + 10_000);
    expect(budget.wait()).toBeGreaterThan(1_000);
    expect(budget.wait()).toBeLessThanOrEqual(10_002);
    expect(budget.left()).toBe(0);
  });

  test("lets no more than its rate pass in any while, besides what was saved up", () => {
    const rate = 2_000_000;
    const budget = new ByteBudget(rate);
    const parts: { readonly before: number; readonly after: number; readonly bytes: number }[] = [];
    const began = performance.now();
    while (performance.now() < began + 250) {
      const before = performance.now();
      const bytes = Math.min(budget.left(), 65_536);
      if (bytes === 0) continue;
      budget.spend(bytes);
      parts.push({ before, after: performance.now(), bytes });
    }
    for (const first of parts.keys()) {
      let passed = 0;
      for (const { after, bytes } of parts.slice(first)) {
        passed += bytes;
        const time = after - (parts[first]?.before ?? 0);
        if (passed > 120_000 + 1_460 + (time / 1000) * rate) throw new Error(`${passed} bytes in ${time} ms`);
      }
    }
    expect(parts.length).toBeGreaterThan(3);
  });
});

const memory = allocate(64);

/** Sends frames of one byte each through a shaping; what comes out, with the times at which it does. */
function through(count: number, shaping: Shaping): { readonly byte: number; readonly held: number }[] {
  using reactor = new Reactor();
  using pool = new FramePool(40 << 20);
  const [ours, theirs] = messageSocketPair();
  using _ours = ours;
  using _theirs = theirs;
  const began: number[] = [];
  const out: { byte: number; held: number }[] = [];
  let seen = 0;
  const finish = (slot: number) => {
    const byte = pool.view.getUint8(pool.offsetOf(slot));
    out.push({ byte, held: performance.now() - (began[byte] ?? 0) });
    pool.free(slot);
    if (++seen === count) reactor.stop();
  };
  using shaped = new ShapedFrames(reactor, pool, ours.number, shaping, (frames) => {
    for (const { slot } of frames) finish(slot);
  });
  reactor.add(ours.number, Event.IN, () => {
    if (!shaped.mayRead()) return;
    const slot = pool.allocateReserved();
    systemCall(SystemCall.read, ours.number, pool.memory.address + pool.offsetOf(slot), 64);
    began[pool.view.getUint8(pool.offsetOf(slot))] = performance.now();
    const taken = shaped.take(slot, 1);
    if (taken === "now") finish(slot);
    if (taken === "lost") {
      pool.free(slot);
      if (++seen === count) reactor.stop();
    }
  });
  for (let index = 0; index < count; index++) {
    memory.view.setUint8(0, index);
    systemCall(SystemCall.write, theirs.number, memory.address, 1);
  }
  reactor.run();
  reactor.remove(ours.number);
  expect(pool.used).toBe(0);
  return out;
}

describe("frames", () => {
  test("that are held back come in their order, none too early", () => {
    const out = through(100, new Shaping({ rate: undefined, delay: 30, loss: 0 }));
    expect(out.map(({ byte }) => byte)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    for (const { held } of out) expect(held).toBeGreaterThanOrEqual(30);
  });

  test("get lost as they should", () => {
    expect(through(100, new Shaping({ rate: undefined, delay: 0, loss: 1 }))).toEqual([]);
    expect(through(100, new Shaping({ rate: undefined, delay: 0, loss: 0 }))).toHaveLength(100);
    for (const loss of [0.1, 0.5]) {
      const shaping = new Shaping({ rate: undefined, delay: 0, loss });
      const rounds = Array.from({ length: 12 }, () => through(200, shaping).length);
      const lost = 2_400 - rounds.reduce((sum, count) => sum + count);
      // Eight standard deviations to either side.
      expect(Math.abs(lost - 2_400 * loss)).toBeLessThan(8 * Math.sqrt(2_400 * loss * (1 - loss)));
    }
  });
});
