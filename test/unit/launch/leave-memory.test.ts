import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { memoryHolders } from "../../../src/launch/memory-holder/memory-holders.ts";
import { waitForExit } from "../../../src/sys/process.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { disassemble } from "./disassemble.ts";

const PR_SET_CHILD_SUBREAPER = 36;
const module = join(import.meta.dir, "../../../src/launch/leave-memory.ts");

// Who is left without a parent is reaped here.
beforeAll(() => {
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
});
afterAll(() => {
  systemCall(SystemCall.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
});

/** A process that leaves its memory, sees that its waiting child keeps nothing else, prints the child's pid and does `last`. */
function leave(last: string) {
  const script = `
    const { leaveMemory } = await import("${module}");
    const { readdirSync, readFileSync, readlinkSync } = await import("node:fs");
    leaveMemory();
    const child = readFileSync("/proc/thread-self/children", "utf8").trim();
    while (!readFileSync("/proc/" + child + "/stat", "utf8").includes(") S ")) Bun.sleepSync(1);
    if (readdirSync("/proc/" + child + "/fd").length > 0) throw new Error("it keeps a descriptor");
    if (readlinkSync("/proc/" + child + "/cwd") !== "/") throw new Error("it keeps the directory");
    await Bun.write(Bun.stdout, child);
    ${last}`;
  const { stdout, exitCode, signalCode } = Bun.spawnSync([process.execPath, "-e", script], { cwd: import.meta.dir });
  return { exitCode, signalCode, child: waitForExit(Number(stdout.toString())) };
}

test("the child that has a command's memory ends with the command, whose output ends before", () => {
  expect(leave("process.exit(3)")).toMatchObject({ exitCode: 3, child: { signal: Signal.SIGKILL } });
});

test("it ends also when the command is killed", () => {
  expect(leave('process.kill(process.pid, "SIGKILL")')).toMatchObject({
    signalCode: "SIGKILL",
    child: { signal: Signal.SIGKILL },
  });
});

test.each(["x86-64", "arm64"] as const)("the code for %s is the code that was reviewed", (architecture) => {
  const reviewed = readFileSync(join(import.meta.dir, `memory-holder-${architecture}.asm`), "utf8");
  const code = Buffer.from(memoryHolders()[architecture], "base64");
  expect(disassemble(architecture, code)).toEqual(reviewed.trimEnd().split("\n"));
});
