/* What becomes of containers whose supervisor was killed or has failed, and of those of `--rm` whatever happens. */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { isHeld } from "../../../src/engine/container-directory.ts";
import { eventually, kill } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

/** Kills the supervisors of all containers. */
function killSupervisors(): void {
  for (const pid of suite.user.processes()) {
    if (commandLine(pid).includes("internal\0supervise")) kill(pid);
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** Waits until nobody has a container in hand: a process that was killed holds its lock a moment longer. */
function untilFree(id: string): Promise<void> {
  return eventually(
    () => !isHeld(suite.user.data, id),
    () => "the supervisor to be gone",
  );
}

test("a container of --rm is removed by the next command when its supervisor was killed", async () => {
  for (const next of [
    ["ps", "-a"],
    ["inspect", "gone"],
    ["rm", "gone"],
    ["start", "gone"],
    ["run", "--rm", "--name", "gone", suite.image, "true"],
  ]) {
    const id = (await bunker("run", "-d", "--rm", "--name", "gone", suite.image, "sleep", "1000")).trim();
    killSupervisors();
    await untilFree(id);
    const { output, errors } = await suite.user.bunker(next);
    if (next[0] === "ps" || next[0] === "run") expect({ next, errors }).toEqual({ next, errors: "" });
    else expect(errors).toMatch(/No such (container|object): gone\n$/);
    expect(output).not.toContain("gone");
    await suite.user.expectNothingLeft();
    expect(await bunker("ps", "-aq")).toBe("");
  }
});

test("one whose removal was interrupted is removed by the next command", async () => {
  const id = (await bunker("create", "--name", "half", suite.image, "true")).trim();
  const database = `${suite.user.data}/state.db`;
  const script = `import sqlite3; d = sqlite3.connect("${database}"); d.execute("UPDATE container SET status = 'removing'"); d.commit()`;
  expect(await suite.user.execute(["python3", "-c", script])).toMatchObject({ status: 0 });
  const { errors } = await suite.user.bunker(["start", id]);
  expect(errors).toBe(`bunker: No such container: ${id}\n`);
  expect(await bunker("ps", "-aq")).toBe("");
});

test("restart keeps a container of --rm, and stop does not", async () => {
  await bunker("run", "-d", "--rm", "--name", "kept", suite.image, "sleep", "1000");
  expect(await bunker("restart", "-t", "0", "kept")).toBe("kept\n");
  expect(await bunker("inspect", "--format", "{{.State.Status}}", "kept")).toBe("running\n");
  await bunker("stop", "-t", "0", "kept");
  expect(await bunker("ps", "-aq")).toBe("");
});

test("who is attached is told how the supervisor has ended, and nothing is left of --rm", async () => {
  const session = suite.user.talkTo(["--name", "watched", suite.image, "sh", "-c", "echo ready; sleep 1000"]);
  await session.expect("ready\n");
  killSupervisors();
  const { status, errors } = await session.finish();
  const reason = "its supervisor was killed by SIGKILL, and the container has ended with it";
  expect({ status, errors }).toEqual({ status: 255, errors: `bunker: wait for container watched: ${reason}\n` });
  expect(await bunker("ps", "-aq")).toBe("");
});

test("a supervisor that fails says of what, to those who are attached and to those who come later", async () => {
  const id = (await bunker("create", "--name", "failing", suite.image, "sleep", "1000")).trim();
  const obstacle = `${suite.user.data}/containers/${id}/supervisor`;
  mkdirSync(obstacle);
  suite.user.own(obstacle);
  const { status, errors } = await suite.user.bunker(["start", "-a", "failing"]);
  expect(errors).toMatch(/^bunker: wait for container failing: its supervisor failed: make the socket .*EADDRINUSE/);
  expect(status).toBe(1);
  await untilFree(id);
  const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}";
  expect(await bunker("inspect", "--format", state, "failing")).toMatch(
    /^exited 255 the supervisor failed: make the socket .*EADDRINUSE/,
  );
  await bunker("rm", "failing");
});
