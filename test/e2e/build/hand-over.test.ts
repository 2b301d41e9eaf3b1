/* What is in the cache is found by the user's own process; everything else is handed over to root. */
import { expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSuite, ends } from "./suite.ts";

const suite = buildSuite();

const DOCKERFILE = [
  ...["FROM busybox AS made", "RUN echo made > /made", "FROM busybox", "WORKDIR /app", "COPY data data"],
  ...["COPY --from=made /made .", "RUN --mount=type=bind,target=/context cat made /context/own > all", ""],
].join("\n");

/** A build by a process that never becomes root of a namespace: programs that are traced get no privileges, so newuidmap fails. */
function unprivileged(context: string, ...options: readonly string[]) {
  const words = [suite.user.bunkerPath, "build", "--progress", "plain", ...options, context];
  return suite.user.execute(["strace", "-f", "-e", "trace=execve", "-o", "/dev/null", ...words]);
}

test("a build that is all in the cache needs nobody else", async () => {
  const context = suite.context({ Dockerfile: DOCKERFILE, "data/a": "a", "data/sub/b": "b", own: "own" });
  const idFile = join(suite.user.makeDirectory("written"), "id");
  expect(await unprivileged(context)).toMatchObject({ status: 1, errors: expect.stringContaining("newuidmap") });
  const { output: id } = await suite.build(context, ["-q", "-t", "first"]);
  // What was changed less than two seconds before is read again each time, which is left to root.
  while ((await unprivileged(context, "-q")).status !== 0) await suite.built(context);
  const found = await unprivileged(context, "-t", "second", "--iidfile", idFile, "--label", "x=y");
  expect(found).toMatchObject({ status: 0, output: "" });
  expect(new Set(Object.values(ends(found.errors)))).toEqual(new Set(["CACHED"]));
  expect(found.errors).toContain("naming to docker.io/library/second:latest done\n");
  expect(readFileSync(idFile, "utf8")).not.toBe(id.trim());
  expect((await unprivileged(context, "-q")).output).toBe(id);
  expect(await suite.inside("second", "cat all data/sub/b")).toBe("made\nownb");
  const checked = await unprivileged(context, "--check");
  expect(checked).toMatchObject({ status: 0, output: expect.stringContaining("no warnings found") });
  writeFileSync(join(context, "own"), "other");
  expect((await unprivileged(context)).status).toBe(1);
  expect(ends(await suite.built(context, ["-t", "third"]))["COPY data data"]).toBe("CACHED");
  expect(await suite.inside("third", "cat all")).toBe("made\nother");
});

test("the first build of all needs no image", async () => {
  const environment = { XDG_DATA_HOME: suite.user.makeDirectory("fresh") };
  const context = suite.context({ Dockerfile: "FROM scratch\nCOPY file /\n", file: "" });
  const progress = await suite.built(context, ["-t", "first"], { environment });
  expect(ends(progress)).toEqual({ "COPY file /": "DONE" });
  expect(ends(await suite.built(context, [], { environment }))).toEqual({ "COPY file /": "CACHED" });
  expect((await suite.user.bunker(["rmi", "first"], { environment })).status).toBe(0);
});

test("what only root can read is read by root", async () => {
  const context = suite.context({ Dockerfile: DOCKERFILE, "data/a": "secret", own: "own" });
  suite.user.own(join(context, "data/a"));
  chmodSync(join(context, "data/a"), 0);
  expect(ends(await suite.built(context))["COPY data data"]).toBe("DONE");
  const progress = await suite.built(context, ["-t", "unreadable"]);
  expect(ends(progress)["COPY data data"]).toBe("CACHED");
  expect(progress.match(/load build definition/g)).toHaveLength(1);
  expect(await suite.inside("unreadable", "cat data/a; stat -c %a data/a")).toBe("secret0\n");
});

test("a terminal shows what was found", async () => {
  const context = suite.context({ Dockerfile: DOCKERFILE, "data/a": "a", own: "own" });
  await suite.built(context);
  const terminal = suite.user.startInTerminal([suite.user.bunkerPath, "build", context]);
  await terminal.expect("FINISHED");
  expect(await terminal.process.exited).toBe(0);
  expect(terminal.shown()).toContain("CACHED [stage-1 2/5] WORKDIR /app");
});
