import { expect, test } from "bun:test";
import { ProcessFacts } from "../../../../src/cli/container/processes/process-facts.ts";
import { chosenColumns } from "../../../../src/cli/container/processes/ps-words.ts";

const titles = (...words: string[]) =>
  chosenColumns(words, process.pid)
    .map(({ title }) => title)
    .join(" ");

test.each([
  ["", "UID PID PPID C STIME TTY TIME CMD"],
  ["-ef", "UID PID PPID C STIME TTY TIME CMD"],
  ["aux", "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"],
  ["-eo pid,comm", "PID COMMAND"],
  ["-o pid -o ppid", "PID PPID"],
  ["-opid=NUMBER,args=", "NUMBER "],
  ["axo pid", "PID"],
  ["o pid,stat", "PID STAT"],
  ["--format=pid,nlwp", "PID NLWP"],
  ["-A --format rss", "RSS"],
  ["pid user", "PID USER"],
  ["hpid,huser capeff", "HPID HUSER EFFECTIVE CAPS"],
])("the columns of %p", (words, expected) => {
  expect(titles(...words.split(" "))).toBe(expected);
});

test.each([
  [["-Z"], /use the option of ps "-Z": expected -e, -f, aux, or -o with columns/],
  [["-eo"], /"-eo": it needs columns/],
  [["-o", "comm,pids"], /show the column "pids".*expected/],
  [["hpi"], /show the column "hpi"/],
])("%p is refused", (words, message) => {
  expect(() => titles(...words)).toThrow(message);
});

test("values are what ps says", () => {
  const same = ["pid", "ppid", "pgid", "sid", "user", "uid", "group", "comm", "ni", "pri", "nlwp", "tname"];
  const child = Bun.spawn(["nice", "-n", "5", "sleep", "1000"]);
  try {
    const facts = () => ProcessFacts.read(child.pid);
    while (facts()?.name !== "sleep");
    const valuesOf = (columns: readonly string[]) =>
      chosenColumns(["-o", columns.join(",")], process.pid).map(({ value }) => {
        const found = facts();
        return found === undefined ? "" : value(found);
      });
    const options = same.flatMap((column) => ["-o", `${column}:40=`]);
    const shown = Bun.spawnSync(["ps", ...options, "-p", String(child.pid)]).stdout.toString();
    expect(valuesOf(same)).toEqual(shown.trim().split(/\s+/));
    expect(valuesOf(["stat", "args"])).toEqual(["SN", "sleep 1000"]);
  } finally {
    child.kill("SIGKILL");
  }
});

test("Podman's columns are the container's own numbers", async () => {
  const child = Bun.spawn(["unshare", "-r", "--pid", "--fork", "--kill-child", "sh", "-c", "echo; read _"], {
    stdin: "pipe",
    stdout: "pipe",
  });
  try {
    expect((await child.stdout.getReader().read()).done).toBe(false);
    const first = Number(Bun.spawnSync(["ps", "-o", "pid=", "--ppid", String(child.pid)]).stdout.toString());
    const facts = ProcessFacts.read(first);
    if (facts === undefined) throw new Error("it has ended");
    const columns = chosenColumns(["pid", "ppid", "hpid", "user", "capeff"], first);
    expect(columns.map(({ value }) => value(facts))).toEqual(["1", "0", String(first), "0", "full"]);
  } finally {
    await child.stdin.end();
    await child.exited;
  }
});
