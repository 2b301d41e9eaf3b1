/* Attaching to a container, detaching from it, and its log. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readSync, writeSync } from "node:fs";
import { setBlocking } from "../../../src/sys/blocking.ts";
import { pipe } from "../../../src/sys/socket.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

describe("a terminal", () => {
  test("is left by the detach keys and found again", async () => {
    const first = suite.user.startInTerminal([
      suite.user.bunkerPath,
      ...["run", "-it", "--name", "shell", "-e", "PS1=#:", suite.image, "sh"],
    ]);
    await first.expect("#:");
    first.type("x=kept\n");
    await first.expect("#:");
    first.type("\x10\x11");
    expect(await first.process.exited).toBe(0);
    first.terminal.close();
    const second = suite.user.startInTerminal([suite.user.bunkerPath, "attach", "--detach-keys", "a,b", "shell"]);
    second.type("echo $x\n");
    await second.expect("kept\r\n");
    second.type("ab");
    expect(await second.process.exited).toBe(0);
    second.terminal.close();
    const third = suite.user.startInTerminal([suite.user.bunkerPath, "attach", "shell"]);
    third.type("exit 4\n");
    expect(await third.process.exited).toBe(4);
    third.terminal.close();
    await bunker("rm", "shell");
  });

  test("goes on when that of whoever is attached has gone", async () => {
    const first = suite.user.startInTerminal([
      suite.user.bunkerPath,
      ...["run", "-it", "--name", "shell", "-e", "PS1=#:", suite.image, "sh"],
    ]);
    await first.expect("#:");
    first.type("x=kept\n");
    await first.expect("#:");
    // The end of the terminal is SIGHUP for the command.
    first.process.kill("SIGHUP");
    await first.process.exited;
    first.terminal.close();
    const second = suite.user.startInTerminal([suite.user.bunkerPath, "attach", "shell"]);
    second.type("echo $x; exit 4\n");
    await second.expect("kept\r\n");
    expect(await second.process.exited).toBe(4);
    second.terminal.close();
    await bunker("rm", "shell");
  });

  test("shows the same to all who are attached", async () => {
    await bunker("run", "-dit", "--name", "shared", "-e", "PS1=#:", suite.image, "sh");
    const sessions = [1, 2].map(() => suite.user.startInTerminal([suite.user.bunkerPath, "attach", "shared"]));
    sessions[0]?.type("echo to''gether\n");
    // Whoever came later sees what is written from then on.
    await sessions[0]?.expect("together\r\n");
    sessions[1]?.type("echo for''all\n");
    for (const session of sessions) await session.expect("forall\r\n");
    await bunker("rm", "-f", "shared");
    for (const session of sessions) {
      expect(await session.process.exited).toBe(137);
      session.terminal.close();
    }
  });
});

describe("signals", () => {
  test("go to the container, or with --sig-proxy=false to the command alone", async () => {
    // Its output tells that the trap is set.
    const script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    const words = ["--network", "none", "--name", "signalled", suite.image, "sh", "-c", script];
    const session = (...command: string[]) => suite.user.talk([suite.user.bunkerPath, ...command]);
    const run = session("run", "--sig-proxy=false", ...words);
    await run.expect("ready\n");
    const attached = session("attach", "--sig-proxy=false", "--no-stdin", "signalled");
    // It is recorded when the command is attached.
    const filters = ["--filter", "event=attach", "--filter", "container=signalled"];
    const isAttached = async () => (await bunker("events", "--since", "1h", "--until", "0s", ...filters)) !== "";
    while (!(await isAttached()));
    for (const { process } of [run, attached]) {
      process.kill("SIGTERM");
      expect(await process.exited).toBe(143);
    }
    expect(await bunker("ps", "--format", "{{.Names}}")).toBe("signalled\n");
    await bunker("stop", "-t", "5", "signalled");
    const started = session("start", "--attach", "signalled");
    await started.expect("ready\n");
    started.process.kill("SIGTERM");
    expect(await started.process.exited).toBe(9);
    await bunker("rm", "signalled");
  });
});

describe("pipes", () => {
  test("carry 100 MB in both directions byte for byte, and the log has none of it with the driver none", async () => {
    const input = Buffer.alloc(100_000_000);
    for (let offset = 0; offset < input.length; offset += 4) input.writeUInt32LE((offset * 2654435761) >>> 0, offset);
    const child = Bun.spawn(
      suite.user.as([suite.user.bunkerPath, "run", "--rm", "-i", "--log-driver", "none", suite.image, "cat"]),
      { env: suite.user.environment, cwd: suite.user.home, stdin: input, stdout: "pipe", stderr: "inherit" },
    );
    const hash = createHash("sha256");
    let length = 0;
    for await (const piece of child.stdout) {
      hash.update(piece);
      length += piece.length;
    }
    expect(await child.exited).toBe(0);
    expect(length).toBe(input.length);
    expect(hash.digest("hex")).toBe(createHash("sha256").update(input).digest("hex"));
  });

  test("attach to a container that runs, and leave its input open", async () => {
    await bunker(
      "run",
      "-di",
      "--name",
      "echo",
      suite.image,
      "sh",
      "-c",
      "while read x; do echo got $x; done; echo end",
    );
    const session = suite.user.talk([suite.user.bunkerPath, "attach", "echo"]);
    session.type("one\n");
    await session.expect("got one\n");
    session.process.kill("SIGKILL");
    await session.finish();
    const other = suite.user.talk([suite.user.bunkerPath, "attach", "echo"]);
    other.type("two\n");
    await other.expect("got two\n");
    await bunker("rm", "-f", "echo");
    expect((await other.finish()).status).toBe(137);
  });
});

describe("whoever does not read what he is attached to", () => {
  /** Starts a command whose output nobody reads. */
  function startUnread(words: readonly string[], isFull: boolean) {
    const [output, inner] = pipe();
    if (isFull) {
      setBlocking(inner.number, false);
      expect(() => {
        for (;;) writeSync(inner.number, Buffer.alloc(4096, "-"));
      }).toThrow("EAGAIN");
      setBlocking(inner.number, true);
    }
    const child = Bun.spawn(suite.user.as([suite.user.bunkerPath, ...words]), {
      env: suite.user.environment,
      cwd: suite.user.home,
      stdin: "pipe",
      stdout: inner.number,
      stderr: "inherit",
    });
    inner.close();
    return {
      child,
      /** Reads the output after all. */
      async finish(): Promise<{ readonly zeros: number; readonly status: number }> {
        using _ = output;
        const buffer = Buffer.alloc(1 << 20);
        let zeros = 0;
        for (let length = 1; length > 0; ) {
          length = readSync(output.number, buffer);
          for (const byte of buffer.subarray(0, length)) if (byte === 0) zeros++;
          await Bun.sleep(0);
        }
        return { zeros, status: await child.exited };
      },
    };
  }

  const untilExited = async () => {
    while (!(await bunker("ps", "-a", "--format", "{{.Status}}")).startsWith("Exited"));
  };

  test("keeps nobody from ending the container", async () => {
    const script = "read x; head -c 1000000 /dev/zero; sleep 1000";
    await bunker("run", "-di", "--name", "box", suite.image, "sh", "-c", script);
    const attached = startUnread(["attach", "box"], false);
    attached.child.stdin.write("go\n");
    attached.child.stdin.flush();
    // All pipes on the way are full when nothing more is logged.
    const logged = async () => (await bunker("logs", "box")).length;
    for (let before = 0, now = await logged(); now === 0 || now > before; [before, now] = [now, await logged()]);
    await bunker("kill", "box");
    await untilExited();
    const all = await logged();
    await bunker("rm", "box");
    const { zeros, status } = await attached.finish();
    expect(status).toBe(137);
    expect(zeros).toBe(all);
  });

  test.each([
    ["with a log", []],
    ["without a log, and so perhaps without a supervisor", ["--log-driver", "none"]],
  ])("keeps a container that has ended from nothing, %s", async (_name, options) => {
    const script = "head -c 60000 /dev/zero; exit 3";
    const words = ["run", "--name", "box", "--network", "none", ...options, suite.image, "sh", "-c", script];
    const run = startUnread(words, true);
    await untilExited();
    await bunker("start", "box");
    await bunker("stop", "box");
    await bunker("rm", "box");
    expect(await run.finish()).toEqual({ zeros: 60_000, status: 3 });
  });

  test("loses nothing when the container is started again meanwhile", async () => {
    // More than the pipes on the way to the supervisor's end hold, by less than what head writes at once: a supervisor that
    // reads while it writes has no more in hand when all of them are full.
    const script = "[ -e /second ] && exit 0; : >/second; head -c 133000 /dev/zero; exit 3";
    const policy = ["--restart", "on-failure:1"];
    const words = ["run", "--name", "box", "--network", "none", ...policy, suite.image, "sh", "-c", script];
    const run = startUnread(words, true);
    await untilExited();
    expect(await bunker("inspect", "--format", "{{.RestartCount}} {{.State.ExitCode}}", "box")).toBe("1 0\n");
    // Whoever still gives out what the run before has left has not got the container in hand.
    await bunker("rm", "box");
    expect(await run.finish()).toEqual({ zeros: 133_000, status: 3 });
  });
});

describe("start", () => {
  test("attaches also to a container that runs already", async () => {
    const script = "while read x; do echo got $x; done; exit 5";
    const id = (await bunker("run", "-di", "--name", "box", suite.image, "sh", "-c", script)).trim();
    const session = suite.user.talk([suite.user.bunkerPath, "start", "-ai", "box"]);
    session.type("one\n");
    await session.expect("got one\n");
    const looking = suite.user.talk([suite.user.bunkerPath, "start", "-a", "box"]);
    const filters = ["--filter", "event=attach", "--filter", `container=${id}`];
    const isAttached = async () =>
      (await bunker("events", "--since", "1h", "--until", "0s", ...filters)).split("\n").length > 2;
    while (!(await isAttached()));
    session.type("two\n");
    for (const one of [session, looking]) await one.expect("got two\n");
    await bunker("kill", "box");
    for (const one of [session, looking]) expect((await one.finish()).status).toBe(137);
    await bunker("rm", "box");
  });
});

test("attach to a container that is paused is refused, as Docker does", async () => {
  await bunker("run", "-d", "--name", "box", suite.image, "sleep", "1000");
  // Also where the host lets this user freeze nothing.
  const path = `${suite.user.data}/state.db`;
  const put = (status: string) =>
    suite.user.execute([
      "python3",
      "-c",
      `import sqlite3; d = sqlite3.connect("${path}"); d.execute("UPDATE container SET status = '${status}'"); d.commit()`,
    ]);
  expect(await put("paused")).toMatchObject({ status: 0 });
  const refusal = "bunker: attach to container box: it is paused\nhint: Unpause it first.\n";
  expect(await suite.user.bunker(["attach", "box"])).toEqual({ status: 1, output: "", errors: refusal });
  expect(await put("running")).toMatchObject({ status: 0 });
  await bunker("rm", "-f", "box");
});

test("attach to a container that is being started again is refused", async () => {
  await bunker(
    "run",
    "-d",
    "--restart",
    "always",
    "--name",
    "box",
    "--network",
    "none",
    suite.image,
    "sh",
    "-c",
    "exit 7",
  );
  for (;;) {
    const { status, errors } = await suite.user.bunker(["attach", "box"]);
    // It may just have been running.
    if (status === 7) continue;
    const refusal =
      "bunker: attach to container box: it is just being started again\nhint: Wait until it is running.\n";
    expect({ status, errors }).toEqual({ status: 1, errors: refusal });
    break;
  }
  await bunker("rm", "-f", "box");
});

describe("logs", () => {
  test("have both streams apart, with times, from the end, and go on", async () => {
    const script = "echo one; echo two >&2; echo three; read x; echo four";
    await bunker("run", "-di", "--name", "writer", suite.image, "sh", "-c", script);
    const following = suite.user.talk([suite.user.bunkerPath, "logs", "-f", "writer"]);
    await following.expect("three\n");
    const { output, errors } = await suite.user.bunker(["logs", "writer"]);
    expect({ output, errors }).toEqual({ output: "one\nthree\n", errors: "two\n" });
    // Which of two pipes is read first is nobody's business.
    const last = await suite.user.bunker(["logs", "--tail", "1", "-t", "writer"]);
    expect(last.output + last.errors).toMatch(/^\d{4}-\S+Z (two|three)\n$/);
    expect((await suite.user.bunker(["logs", "--since", "1h", "--until", "1h", "writer"])).output).toBe("");
    await suite.user.bunker(["attach", "writer"], { input: "\n" });
    const { status, output: followed } = await following.finish();
    expect({ status, followed }).toEqual({ status: 0, followed: "one\nthree\nfour\n" });
    await bunker("rm", "-f", "writer");
  });

  test("are kept within bounds, and compressed", async () => {
    const options = ["--log-opt", "max-size=4k", "--log-opt", "max-file=3", "--log-opt", "compress=true"];
    await bunker(
      "run",
      "--name",
      "loud",
      ...options,
      suite.image,
      "sh",
      "-c",
      "i=0; while test $i -lt 400; do echo line $i; i=$((i+1)); done",
    );
    const lines = (await bunker("logs", "loud")).trimEnd().split("\n");
    expect(lines.at(-1)).toBe("line 399");
    expect(lines.length).toBeLessThan(399);
    expect(lines).toEqual(lines.map((_, index) => `line ${400 - lines.length + index}`));
    await bunker("rm", "loud");
  });

  test("cannot be read with the driver none", async () => {
    await bunker("run", "--name", "mute", "--log-driver", "none", suite.image, "echo", "hi");
    expect((await suite.user.bunker(["logs", "mute"])).errors).toMatch(/^bunker: read the log of container mute: /);
    await bunker("rm", "mute");
  });
});
