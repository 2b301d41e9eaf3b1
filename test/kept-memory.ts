import { heapStats } from "bun:jsc";

function buffers(): number {
  Bun.gc(true);
  return heapStats().objectTypeCounts["ArrayBuffer"] ?? 0;
}

/** How many pieces of memory are kept of each time that something is done, beside what the first time makes. */
export function memoryKeptByEach(work: () => void): number {
  const TIMES = 200;
  work();
  const before = buffers();
  for (let time = 0; time < TIMES; time++) work();
  return Math.round((buffers() - before) / TIMES);
}
