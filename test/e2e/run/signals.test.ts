/* Signals to a foreground container, its init, and what a kill of Bunker itself leaves behind. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually, kill, type PipedSession } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** A shell that says when it is ready and then waits, as process 1, for what its traps do. */
async function waiting(options: readonly string[], traps: string): Promise<PipedSession> {
  const script = `${traps}; echo ready; while :; do read x && echo "got $x"; done`;
  const session = suite.user.talkTo([...options, suite.image, "sh", "-c", script]);
  await session.expect("ready\n");
  return session;
}

describe("signals", () => {
  test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTSTP", "SIGCONT"] as const)(
    "%s reaches a container that handles it",
    async (signal) => {
      const session = await waiting([], `trap 'echo ${signal}; exit 9' ${signal.slice(3)}`);
      session.process.kill(signal);
      await session.expect(`${signal}\n`);
      expect((await session.finish()).status).toBe(9);
    },
  );

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s ends a container that does not handle it, under an init",
    async (signal) => {
      const session = suite.user.talkTo(["--init", suite.image, "sh", "-c", "echo ready; exec sleep 1000"]);
      await session.expect("ready\n");
      // The init forwards it to its child, whose default it is to die.
      session.process.kill(signal);
      const number = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal];
      expect((await session.finish()).status).toBe(128 + number);
    },
  );

  test("in a row all arrive", async () => {
    const session = await waiting([], "trap 'echo one' USR1; trap 'echo two' USR2; trap 'exit 4' TERM");
    for (const [signal, word] of [
      ["SIGUSR1", "one"],
      ["SIGUSR2", "two"],
      ["SIGUSR1", "one"],
    ] as const) {
      session.process.kill(signal);
      await session.expect(`${word}\n`);
    }
    session.process.kill("SIGTERM");
    expect((await session.finish()).status).toBe(4);
  });

  test("a child that is stopped is no end", async () => {
    const script = "sh -c 'kill -STOP $$; echo on' & read x; kill -CONT $!; wait; echo end";
    const session = suite.user.talkTo([suite.image, "sh", "-c", script]);
    await eventually(
      () => suite.user.processes().some((pid) => /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, "latin1"))),
      () => "a stopped process",
    );
    session.type("\n");
    await session.expect("on\nend\n");
    expect((await session.finish()).status).toBe(0);
  });
});

describe("--init", () => {
  test("is process 1, and reaps what the command leaves", async () => {
    const script = [
      "tr '\\0' ' ' </proc/1/cmdline; echo",
      "sh -c 'true & exec sleep 0' & wait",
      "i=0; while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null && test $i -lt 1000; do i=$((i+1)); done",
      "cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z'",
    ].join("; ");
    const { output } = await suite.user.run(["--init", suite.image, "sh", "-c", script]);
    expect(output).toStartWith("/dev/init -- ");
    expect(output).toEndWith("\n0\n");
  });

  test("gives the command its own process group and the command's environment", async () => {
    const { output } = await suite.user.run(["--init", "-e", "A=1", suite.image, "sh", "-c", "echo $$ $A"]);
    expect(output).toBe("2 1\n");
  });
});

describe("kill -9 of", () => {
  test("the command leaves the container running", async () => {
    const session = await waiting(["--name", "left"], ":");
    session.process.kill("SIGKILL");
    await session.finish();
    expect((await suite.user.bunker(["ps", "--format", "{{.Names}} {{.State}}"])).output).toBe("left running\n");
    expect(await suite.user.bunker(["rm", "-f", "left"])).toEqual({ status: 0, output: "left\n", errors: "" });
  });

  test.each([[[]], [["--init"]]])("the supervisor, with %j, kills the container", async (options) => {
    const session = await waiting(["--name", "killed", ...options], "sleep 1000 & sleep 1001 & :");
    killSupervisors();
    const { status, errors } = await session.finish();
    expect(errors).toMatch(/^bunker: wait for container killed: its supervisor was killed/);
    expect(status).toBe(255);
    await eventually(
      () => suite.user.processes().length === 0,
      () => `the container to end: ${suite.user.traces()}`,
    );
    expect((await suite.user.bunker(["ps", "-aq"])).output).toBe("");
  });
});

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
