import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import { containerInit, memfdWithContainerInit } from "../../../src/launch/container-init.ts";
import { LaunchProgram } from "../../../src/launch/program.ts";
import { Errno } from "../../../src/sys/errno.ts";
import { Signal } from "../../../src/sys/signal.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { executableFile } from "./run-file.ts";
import { runProgram, unexpected } from "./run-program.ts";

const F_GET_SEALS = 1034;

describe.each(["x86-64", "arm64"] as const)("the init for %s", (architecture) => {
  const init = containerInit(architecture, { tellsPid: false });
  const teller = containerInit(architecture, { tellsPid: true });

  function run(...command: string[]) {
    using file = executableFile(architecture, init);
    const { stdout, exitCode } = Bun.spawnSync([...file.command, ...command], {
      env: { NAME: "value" },
      stdin: "ignore",
    });
    return { stdout: stdout.toString(), exitCode };
  }

  /** Runs the init as process 1 of a pid namespace of its own. */
  function runAsFirstProcess(script: string) {
    using file = executableFile(architecture, init);
    const namespaces = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    const { stdout, stderr, exitCode } = Bun.spawnSync([...namespaces, ...file.command, "--", "/bin/sh", "-c", script]);
    return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
  }

  test("is smaller than 2 KiB", () => {
    expect(init.length).toBeLessThan(2048);
    expect(teller.length).toBeLessThan(3072);
  });

  test("passes arguments and the environment on, with or without --", () => {
    const script = 'echo "$0 $1 $NAME"';
    const expected = { stdout: "-- -- value\n", exitCode: 0 };
    expect(run("--", "/bin/sh", "-c", script, "--", "--")).toEqual(expected);
    expect(run("/bin/sh", "-c", script, "--", "--")).toEqual(expected);
  });

  test("tells the command its process id where there is room for it, and changes nothing else", () => {
    using file = executableFile(architecture, teller);
    const script = '[ "$LISTEN_PID" = $$ ] && echo "$LISTEN $LISTEN_PIDS $LIST, $AFTER"';
    const env = { LISTEN: "one", LISTEN_PIDS: "two", LIST: "", LISTEN_PID: " ".repeat(13), AFTER: "three" };
    // The ids of many processes have another number of digits than those of few.
    const none = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    for (const namespaces of [[], none]) {
      const { stdout, exitCode } = Bun.spawnSync([...namespaces, ...file.command, "/bin/sh", "-c", script], { env });
      expect({ stdout: stdout.toString(), exitCode }).toEqual({ stdout: "one two , three\n", exitCode: 0 });
    }
    const { stdout } = Bun.spawnSync([...file.command, "/bin/sh", "-c", "echo $AFTER"], { env: { AFTER: "three" } });
    expect(stdout.toString()).toBe("three\n");
  });

  test.each([
    ["exit 0", 0],
    ["exit 3", 3],
    ["exit 255", 255],
    ["kill -KILL $$", 128 + Signal.SIGKILL],
    ["kill -TERM $$", 128 + Signal.SIGTERM],
  ])("ends as the command does: %s", (script, exitCode) => {
    expect(run("--", "/bin/sh", "-c", script)).toEqual({ stdout: "", exitCode });
  });

  test("says by its status that the command is missing or cannot be executed", () => {
    expect(run("--", "/no/such/command").exitCode).toBe(127);
    expect(run("/etc/passwd").exitCode).toBe(126);
    expect(run("/etc").exitCode).toBe(126);
    expect(run("--").exitCode).toBe(127);
    expect(run().exitCode).toBe(127);
  });

  test("gives the command its own signal mask back and a process group of its own", () => {
    const { stdout } = run(
      "--",
      "/bin/sh",
      "-c",
      "read pid name state parent group rest < /proc/self/stat; echo $((pid - group)); grep SigBlk /proc/self/status",
    );
    expect(stdout).toMatch(/^0\nSigBlk:\t0000000000000000\n$/);
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGWINCH", "SIGQUIT", "SIGTSTP"] as const)(
    "forwards %s",
    async (signal) => {
      using file = executableFile(architecture, init);
      // It loops instead of waiting, because a signal between two commands would not end the wait; and not for ever.
      const script = `trap 'echo got; exit 9' ${signal.slice(3)}; echo ready; while kill -0 $PPID; do :; done`;
      const child = Bun.spawn([...file.command, "--", "/bin/sh", "-c", script], { stdin: "ignore", stdout: "pipe" });
      try {
        const reader = child.stdout.getReader();
        expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("ready\n");
        child.kill(constants.signals[signal]);
        expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("got\n");
        expect(await child.exited).toBe(9);
      } finally {
        child.kill("SIGKILL");
      }
    },
  );

  test("reaps orphans while the command runs", () => {
    // Ten grandchildren lose their parent at once; when they are gone from the process table they have been reaped.
    const { stdout, stderr, exitCode } = runAsFirstProcess(`
      (for n in 1 2 3 4 5 6 7 8 9 10; do sh -c 'exit 1' & done)
      while [ "$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' [A-Z] 1 ')" -gt 1 ]; do :; done
      echo alone
      exit 4`);
    expect(stderr).toBe("");
    expect({ stdout, exitCode }).toEqual({ stdout: "alone\n", exitCode: 4 });
  });

  test("does not end when an orphan does", () => {
    const { stdout, exitCode } = runAsFirstProcess(`
      (sh -c 'exit 77' &)
      while [ "$(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' [A-Z] 1 ')" -gt 1 ]; do :; done
      echo still here; exit 5`);
    expect({ stdout, exitCode }).toEqual({ stdout: "still here\n", exitCode: 5 });
  });

  test("puts the command into the foreground of its terminal", () => {
    using file = executableFile(architecture, init);
    const inner = [
      ...file.command,
      "--",
      "/bin/sh",
      "-c",
      "'read pid name state parent group session tty foreground rest < /proc/self/stat; echo foreground \\$((pid - foreground))'",
    ];
    const { stdout } = Bun.spawnSync(["script", "-qec", inner.join(" ").replaceAll("\\$", "$"), "/dev/null"], {
      stdin: "ignore",
    });
    expect(stdout.toString()).toContain("foreground 0");
  });
});

test("the file in memory runs, and nobody can change it", () => {
  using file = memfdWithContainerInit({ tellsPid: false });
  const seals = systemCall(SystemCall.fcntl, file.number, F_GET_SEALS);
  expect(seals & 0xf).toBe(0xf);
  expect(systemCall(SystemCall.ftruncate, file.number, 0)).toBe(-Errno.EPERM);
  expect(systemCall(SystemCall.fchmod, file.number, 0o755)).toBe(0);
  using program = new LaunchProgram();
  const argv = program.texts(["init", "--", "/bin/sh", "-c", "exit 21"]);
  const AT_EMPTY_PATH = 0x1000;
  program.call("execveat", [file.number, program.text(""), argv, program.texts([]), AT_EMPTY_PATH], unexpected);
  expect(runProgram(program)).toEqual({ failure: undefined, end: { exitCode: 21 } });
});
