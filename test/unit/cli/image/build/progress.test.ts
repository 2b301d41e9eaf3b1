import { describe, expect, test } from "bun:test";
import { type BuildObserver, Vertex } from "../../../../../src/build/progress.ts";
import { plainProgress } from "../../../../../src/cli/image/build/plain-progress.ts";
import { rawProgress } from "../../../../../src/cli/image/build/raw-progress.ts";
import { StepLog } from "../../../../../src/cli/image/build/step-log.ts";
import { terminalProgress } from "../../../../../src/cli/image/build/terminal-progress.ts";

const { signal } = new AbortController();

/** A clock that is set by hand; milliseconds. */
function clock() {
  const state = { time: 1000 };
  return { state, now: () => state.time };
}

/** A build with a step from the cache, one that does something, and one that fails. */
async function play(observer: BuildObserver, state: { time: number }): Promise<void> {
  const [cached, working, failing] = ["[1/3] FROM busybox", "[2/3] RUN make", "[3/3] RUN false"].map(
    (name) => new Vertex(observer, name),
  ) as [Vertex, Vertex, Vertex];
  cached.cached();
  // Only once, and not after it has done something.
  cached.cached();
  await working.during(signal, () => {
    state.time += 123;
    working.output(1, Buffer.from("first\nsec"));
    working.output(2, Buffer.from("\x1b[31mred\x1b[0m\r\n"));
    state.time += 100;
    working.output(1, Buffer.from("ond\nlast"));
  });
  working.cached();
  const failure = failing.during(signal, () => {
    failing.output(2, Buffer.from("why\n"));
    failing.status("part", "a part", true);
    throw new Error("exit code: 1");
  });
  expect(failure).rejects.toThrow("exit code: 1");
  await failure.catch(() => undefined);
}

test("plain progress only grows", async () => {
  const { state, now } = clock();
  let text = "";
  await play(
    plainProgress((more) => {
      text += more;
    }, now),
    state,
  );
  expect(text).toBe(
    [
      "#1 [1/3] FROM busybox",
      "#1 CACHED",
      "",
      "#2 [2/3] RUN make",
      "#2 0.123 first",
      "#2 0.123 \x1b[31mred\x1b[0m",
      "#2 0.223 second",
      "#2 0.223 last",
      "#2 DONE 0.2s",
      "",
      "#3 [3/3] RUN false",
      "#3 0.000 why",
      "#3 a part done",
      "#3 ERROR: exit code: 1",
      "------",
      " > [3/3] RUN false:",
      "0.000 why",
      "------",
      "",
      "",
    ].join("\n"),
  );
});

test("plain progress shows that it goes from one vertex to another", () => {
  let text = "";
  const observer = plainProgress(
    (more) => {
      text += more;
    },
    () => 0,
  );
  const [one, two] = [new Vertex(observer, "one"), new Vertex(observer, "two")];
  one.begin();
  two.begin();
  one.output(1, Buffer.from("a\n"));
  expect(text).toBe("#1 one\n#1 ...\n\n#2 two\n#2 ...\n\n#1 one\n#1 0.000 a\n");
});

test("a terminal shows each vertex in one line, and nothing that would move the cursor", async () => {
  const { state, now } = clock();
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const terminal = { columns: 40, rows: 10, write };
  {
    using observer = terminalProgress(terminal, now);
    await play(observer, state);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for what draws
  const lines = text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "").split("\n");
  expect(lines).toEqual([
    "[+] Building 0.2s (3/3) FINISHED",
    " => CACHED [1/3] FROM busybox      0.0s",
    " => [2/3] RUN make                 0.2s",
    " => ERROR [3/3] RUN false          0.0s",
    " => => a part                      0.0s",
    "------",
    " > [3/3] RUN false:",
    "0.000 why",
    "------",
    "",
  ]);
});

test("raw progress is a line of JSON for each event", async () => {
  const { state, now } = clock();
  const events: Record<string, readonly Record<string, unknown>[]>[] = [];
  await play(
    rawProgress((line) => events.push(JSON.parse(line)), now),
    state,
  );
  const vertices = events.flatMap(({ vertexes = [] }) => vertexes);
  expect(new Set(vertices.map(({ digest }) => digest)).size).toBe(3);
  expect(vertices.filter(({ completed }) => completed !== undefined)).toMatchObject([
    { name: "[1/3] FROM busybox", cached: true },
    { name: "[2/3] RUN make", completed: "1970-01-01T00:00:01.223Z" },
    { name: "[3/3] RUN false", error: "exit code: 1" },
  ]);
  const logs = events.flatMap(({ logs: some = [] }) =>
    some.map(({ data }) => Buffer.from(String(data), "base64").toString()),
  );
  expect(logs.join("")).toContain("second\nlast".slice(3));
});

describe("lines of a step's output", () => {
  test("are put together, also of characters that come in parts", () => {
    const log = new StepLog();
    const bytes = Buffer.from("ä\n");
    expect(log.add(1, bytes.subarray(0, 1), 5)).toEqual([]);
    expect(log.add(1, bytes.subarray(1), 6)).toEqual([{ time: 6, stream: 1, text: "ä" }]);
    expect(log.finish(7)).toEqual([]);
  });

  test("are kept as far as somebody may want to read them", () => {
    const log = new StepLog();
    log.add(1, Buffer.from("line\n".repeat(1000)), 0);
    log.add(2, Buffer.from("x".repeat(200_000)), 0);
    expect(log.kept().length).toBeLessThanOrEqual(101);
    expect(log.tail(2)).toHaveLength(2);
  });
});
