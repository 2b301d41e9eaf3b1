import { expect, test } from "bun:test";
import { LayerProgress } from "../../../../src/cli/progress/layer-progress.ts";

/** A terminal that knows just what progress uses: lines, going up, and erasing to the end. */
class Screen {
  readonly columns: number;
  readonly rows: number;
  /** All lines that were ever written and not erased. */
  lines: string[] = [];

  constructor(columns = 120, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals are told with
    for (const [, up, line] of text.matchAll(/\x1b\[(\d+)A\r\x1b\[J|([^\n\x1b]*)\n/g)) {
      if (up === undefined) this.lines.push(line ?? "");
      else this.lines.splice(this.lines.length - Number(up));
    }
  }
}

function start(screen = new Screen()) {
  const clock = { time: 0 };
  return { screen, clock, progress: new LayerProgress(screen, { now: () => clock.time }) };
}

test("each layer has a line, with its speed and the time left", () => {
  const { screen, clock, progress } = start();
  progress.add("aaa", 100_000_000);
  progress.add("bbb", 5000);
  for (let step = 0; step < 10; step++) {
    clock.time += 200;
    progress.receive("aaa", 2_000_000);
  }
  expect(screen.lines).toEqual([
    "aaa: Downloading [====>                    ]  20MB/100MB  10MB/s  8s left",
    "bbb: Waiting",
  ]);
  // Nothing comes any more: the speed goes down.
  clock.time += 2000;
  progress.receive("bbb", 1000);
  expect(screen.lines[0]).toContain("4.74MB/s");
  expect(screen.lines[1]).toContain("1kB/5kB");
  progress[Symbol.dispose]();
  expect(screen.lines).toEqual([]);
});

test("what is done stays, above what is still on its way", () => {
  const { screen, clock, progress } = start();
  for (const id of ["aaa", "bbb", "ccc"]) progress.add(id, 1000);
  progress.receive("bbb", 1000);
  progress.extract("bbb");
  clock.time += 500;
  progress.finish("aaa", "Already exists");
  expect(screen.lines).toEqual(["aaa: Already exists", "bbb: Extracting  1kB", "ccc: Waiting"]);
  progress.finish("bbb", "Pull complete");
  progress.print("a message");
  expect(screen.lines).toEqual(["aaa: Already exists", "bbb: Pull complete", "a message", "ccc: Waiting"]);
  progress.finish("bbb", "a second time");
  progress.finish("ccc", "Pull complete");
  progress[Symbol.dispose]();
  expect(screen.lines).toEqual(["aaa: Already exists", "bbb: Pull complete", "a message", "ccc: Pull complete"]);
});

test("no more is drawn than the terminal has room for, what moves before what waits", () => {
  const screen = new Screen(30, 4);
  const { clock, progress } = start(screen);
  for (let number = 0; number < 10; number++) progress.add(`layer-${number}`, 1000);
  clock.time += 500;
  progress.receive("layer-7", 10);
  expect(screen.lines).toHaveLength(3);
  expect(screen.lines[0]).toBe("layer-7: Downloading [       ");
  progress[Symbol.dispose]();
});

test("the first layer is shown at once, although nothing was just before", () => {
  const { screen, progress } = start();
  progress.print("before");
  progress.add("aaa", 1000);
  expect(screen.lines).toEqual(["before", "aaa: Waiting"]);
  progress[Symbol.dispose]();
});
