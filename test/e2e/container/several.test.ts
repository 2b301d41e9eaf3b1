/* Containers that are meant without being named, and their processes. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

const states = () => bunker("ps", "-a", "--format", "{{.Names}} {{.State}}");

test("--latest and --all stand for names", async () => {
  const ids = [];
  for (const name of ["one", "two"])
    ids.push((await bunker("create", "--name", name, suite.image, "sleep", "1000")).trim());
  const [one = "", two = ""] = ids;
  expect(await bunker("start", "-l")).toBe(`${two}\n`);
  expect(await bunker("stop", "-a", "-t", "0")).toBe(`${two}\n`);
  expect(await bunker("start", "-f", "name=one")).toBe(`${one}\n`);
  expect(await states()).toBe("two exited\none running\n");
  expect(await bunker("kill", "--all")).toBe(`${one}\n`);
  expect(await bunker("wait", "--latest")).toBe("137\n");
  expect(await bunker("rm", "-l")).toBe(`${two}\n`);
  expect(await bunker("rm", "--all")).toBe(`${one}\n`);
  expect(await bunker("rm", "--all")).toBe("");
  expect(await suite.user.bunker(["rm", "-l", "one"])).toMatchObject({
    status: 1,
    errors: "bunker: names of containers, --latest and --all exclude each other\n",
  });
  expect(await suite.user.bunker(["rm"])).toMatchObject({
    status: 125,
    errors: "bunker: bunker rm needs CONTAINER; bunker rm --help shows how it is used\n",
  });
  // What is the letter of --filter elsewhere is that of --force here.
  expect(await suite.user.bunker(["rm", "-f", "none"])).toMatchObject({ status: 0, output: "" });
});

test("--cidfile names a container by the file that has its id", async () => {
  const directory = suite.user.home;
  const files = ["one", "two"].map((name) => `${directory}/${name}.cid`);
  using _files = { [Symbol.dispose]: () => files.forEach((file) => void rmSync(file, { force: true })) };
  const ids = [];
  for (const file of files) {
    ids.push((await bunker("run", "-d", "--cidfile", file, suite.image, "sleep", "1000")).trim());
  }
  const words = files.flatMap((file) => ["--cidfile", file]);
  const both = ids.map((id) => `${id}\n`).join("");
  expect(await bunker("kill", ...words)).toBe(both);
  expect(await bunker("restart", "-t", "0", "--cidfile", files[1] ?? "")).toBe(`${ids[1]}\n`);
  expect(await bunker("stop", "-t", "0", ...words)).toBe(both);
  expect(await bunker("rm", ...words)).toBe(both);
  expect(await suite.user.bunker(["rm", "--cidfile", `${directory}/none.cid`])).toMatchObject({
    status: 125,
    errors: `bunker: read the container ID file ${directory}/none.cid: ENOENT\n`,
  });
});

test("--latest stands for the one container of a command", async () => {
  await bunker("run", "-d", "--name", "older", suite.image, "sleep", "1000");
  const words = ["-p", "127.0.0.1::80", suite.image, "sh", "-c", "echo said > /file; echo said; exec sleep 1000"];
  const id = (await bunker("run", "-d", "--name", "newer", ...words)).trim();
  expect(await bunker("exec", "-l", "sh", "-c", "until [ -s /file ]; do :; done; cat /file")).toBe("said\n");
  expect(await bunker("logs", "--latest")).toBe("said\n");
  expect(await bunker("diff", "-l")).toContain("A /file\n");
  expect(await bunker("port", "-l", "80")).toMatch(/^127\.0\.0\.1:\d+\n$/);
  expect(await bunker("top", "-l", "args")).toContain("sleep 1000");
  expect(await bunker("stats", "-l", "--no-stream", "--format", "{{.Name}}")).toBe("newer\n");
  expect(await bunker("inspect", "-l", "--format", "{{.Id}}")).toBe(`${id}\n`);
  expect(await bunker("container", "inspect", "-lf", "{{.Id}}")).toBe(`${id}\n`);
  expect(await suite.user.bunker(["logs", "-l", "older"])).toMatchObject({
    status: 125,
    errors: "bunker: names of containers and --latest exclude each other\n",
  });
  await bunker("rm", "-f", "older", "newer");
  expect(await suite.user.bunker(["attach", "-l"])).toMatchObject({
    status: 1,
    errors: "bunker: there is no container\n",
  });
});

test("top shows a container's processes, of the host's or its own numbers", async () => {
  await bunker("run", "-d", "--name", "busy", suite.image, "sh", "-c", "sleep 1001 & sleep 1000; :");
  let shown = "";
  while (shown.split("\n").length !== 5) shown = await bunker("top", "busy");
  expect(shown).toMatch(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD\n/);
  const inside = (await bunker("top", "busy", "pid", "ppid", "user", "args")).trim().split("\n");
  expect(inside.map((line) => line.replace(/ +/g, " ")).toSorted()).toEqual([
    ...["1 0 0 sh -c sleep 1001 & sleep 1000; :", "2 1 0 sleep 1001", "3 1 0 sleep 1000", "PID PPID USER COMMAND"],
  ]);
  expect(await bunker("top", "busy", "-o", "comm=")).toMatch(/^ *\n(sh|sleep)\n(sh|sleep)\n(sh|sleep)\n$/);
  expect((await suite.user.bunker(["top", "busy", "-Z"])).errors).toMatch(
    /^bunker: use the option of ps "-Z": expected/,
  );
  await bunker("rm", "-f", "busy");
});
