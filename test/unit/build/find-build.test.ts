import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBuild } from "../../../src/build/build.ts";
import { buildSyntax } from "../../../src/cli/image/build/options.ts";
import { RecordedProgress } from "../../../src/cli/image/build/recorded-progress.ts";
import { requestedBuild } from "../../../src/cli/image/build/requested-build.ts";
import { parseArguments } from "../../../src/cli/option-table.ts";

const directory = mkdtempSync(join(tmpdir(), "bunker-find-build-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a Dockerfile that can be read once only is left to root", async () => {
  const pipe = join(directory, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  await using _writer = Bun.spawn(["sh", "-c", `echo 'FROM scratch' > '${pipe}'`], { killSignal: "SIGKILL" });
  const given = parseArguments("bunker build", buildSyntax, ["-f", pipe, directory]);
  if (given === "help") throw new Error("no help was asked for");
  const options = await requestedBuild(given.options, directory);
  const data = join(directory, "data");
  const { observer } = new RecordedProgress();
  expect(await findBuild(options, data, observer, new AbortController().signal)).toEqual({ found: [] });
  expect(readFileSync(pipe, "utf8")).toBe("FROM scratch\n");
});
