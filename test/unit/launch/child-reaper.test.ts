import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { childReaper } from "../../../src/launch/child-reaper.ts";
import { hostArchitecture } from "../../../src/sys/architecture.ts";
import type { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { processOrZombieStatus, sendSignal } from "../../../src/sys/process-identity.ts";
import { openProcess } from "../../../src/sys/reactor.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { systemCallNumber } from "../../../src/sys/system-call-number.ts";
import { eventually } from "../../unprivileged-user.ts";
import { executableFile } from "./run-file.ts";

/** The children of a process, also those that have ended; none of one that is gone. */
function childrenOf(pid: number): number[] {
  if (!existsSync(`/proc/${pid}`)) return [];
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

function hasEnded(pid: number): boolean {
  return processOrZombieStatus(pid)?.hasEnded !== false;
}

/** Whether a process waits for its input; /proc/PID/syscall, proc(5). */
function isReading(pid: number): boolean {
  const read = systemCallNumber("read", hostArchitecture());
  return readFileSync(`/proc/${pid}/syscall`, "utf8").startsWith(`${read} 0x0 `);
}

describe.each(["x86-64", "arm64"] as const)("the reaper for %s", (architecture) => {
  test("is smaller than 2 KiB", () => {
    expect(childReaper(architecture).length).toBeLessThan(2048);
  });

  test.each([
    ["a byte", "."],
    ["the end", ""],
  ])(
    "reaps nothing before %s of its input, then each child at its end, and ends after the last",
    async (_, told) => {
      using file = executableFile(architecture, childReaper(architecture));
      // Both are children of the shell, which becomes the reaper.
      const script = 'false & sleep 1000 & exec "$@"';
      const reaper = Bun.spawn(["sh", "-c", script, "sh", ...file.command], {
        stdin: "pipe",
        stdout: "ignore",
        stderr: "ignore",
      });
      let running: FileDescriptor | undefined;
      try {
        await eventually(
          () => childrenOf(reaper.pid).map(hasEnded).toSorted().join() === "false,true",
          () => "a child that runs, and one that has ended and was not reaped",
        );
        const last = childrenOf(reaper.pid).find((pid) => !hasEnded(pid));
        if (last === undefined) throw new Error("the child that ran has ended");
        running = openProcess(last);
        // Once it is the reaper, none of these ends it.
        await eventually(
          () => isReading(reaper.pid),
          () => "the reaper to wait",
        );
        for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.kill(reaper.pid, signal);
        expect(childrenOf(reaper.pid)).toHaveLength(2);
        reaper.stdin.write(told);
        if (told === "") reaper.stdin.end();
        else reaper.stdin.flush();
        await eventually(
          () => childrenOf(reaper.pid).length === 1,
          () => "the child that has ended to be reaped",
        );
        expect(childrenOf(reaper.pid)).toEqual([last]);
        sendSignal(running, Signal.SIGKILL);
        expect(await reaper.exited).toBe(0);
      } finally {
        if (running !== undefined) sendSignal(running, Signal.SIGKILL);
        running?.close();
        reaper.kill("SIGKILL");
      }
    },
    60_000,
  );
});
