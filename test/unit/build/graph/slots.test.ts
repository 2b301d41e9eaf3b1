import { expect, test } from "bun:test";
import { Slots } from "../../../../src/build/graph/slots.ts";

test("so many are at work at the same time, in the order of coming", async () => {
  const slots = new Slots(2);
  const order: string[] = [];
  let atOnce = 0;
  let most = 0;
  const work = (name: string) =>
    slots.during(async () => {
      order.push(name);
      most = Math.max(most, ++atOnce);
      await Promise.resolve();
      atOnce--;
      if (name === "b") throw new Error("b fails");
    });
  const results = await Promise.allSettled(["a", "b", "c", "d", "e"].map(work));
  expect(order).toEqual(["a", "b", "c", "d", "e"]);
  expect(most).toBe(2);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"]);
});
