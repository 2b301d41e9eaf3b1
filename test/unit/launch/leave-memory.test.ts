import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { waitForExit } from "../../../src/sys/process.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";

const PR_SET_CHILD_SUBREAPER = 36;
const module = join(import.meta.dir, "../../../src/launch/leave-memory.ts");

// Who is left without a parent is reaped here.
beforeAll(() => {
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
});
afterAll(() => {
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
});

/** A process that leaves its memory, sees that its child keeps one descriptor, prints the child's pid and does `last`. */
function leave(last: string) {
  const script = `
    const { leaveMemory } = await import("${module}");
    const { readdirSync, readFileSync } = await import("node:fs");
    leaveMemory();
    const child = readFileSync("/proc/thread-self/children", "utf8").trim();
    while (readdirSync("/proc/" + child + "/fd").length !== 1) Bun.sleepSync(1);
    await Bun.write(Bun.stdout, child);
    ${last}`;
  const { stdout, exitCode, signalCode } = Bun.spawnSync([process.execPath, "-e", script]);
  return { exitCode, signalCode, child: waitForExit(Number(stdout.toString())) };
}

test("the child that has a command's memory ends with the command, whose output ends before", () => {
  expect(leave("process.exit(3)")).toMatchObject({ exitCode: 3, child: { exitCode: 0 } });
});

test("it ends also when the command is killed", () => {
  expect(leave('process.kill(process.pid, "SIGKILL")')).toMatchObject({
    signalCode: "SIGKILL",
    child: { exitCode: 0 },
  });
});
