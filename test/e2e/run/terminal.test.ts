/* `-t` and `-it` in a real terminal: what the container sees of it, what passes, and how it is left. */
import { afterEach, describe, expect, test } from "bun:test";
import { busyboxLayout } from "../../fixtures/images.ts";
import { eventually, output, type TerminalSession } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

const sessions: TerminalSession[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) {
    session.process.kill("SIGKILL");
    session.terminal.close();
  }
});

function start(options: readonly string[], ...command: string[]): TerminalSession {
  const session = suite.user.runInTerminal([...options, suite.image, ...command]);
  sessions.push(session);
  return session;
}

/** An interactive shell with a prompt that appears nowhere else. */
async function startShell(...options: string[]): Promise<TerminalSession> {
  const session = start(["-it", "-e", "PS1=#:", ...options], "sh");
  await session.expect("#:");
  return session;
}

/** Ends the shell that is the container. */
async function leave(session: TerminalSession, status = 0): Promise<void> {
  session.type(`exit ${status}\n`);
  expect(await session.process.exited).toBe(status);
}

/** The shell of a host's user, in whose terminal Bunker is started and leaves again. */
async function startHostShell(): Promise<TerminalSession> {
  const session = suite.user.startInTerminal(["bash", "--norc", "--noprofile", "+o", "history", "-i"]);
  sessions.push(session);
  session.type("PS1='host''$ '\n");
  await session.expect("host$ ");
  return session;
}

describe("-it", () => {
  test("gives a terminal: all three streams, its name and its type", async () => {
    const session = start(
      ["-it"],
      "sh",
      "-c",
      "tty; test -t 0 && test -t 1 && test -t 2 && echo all; echo $TERM; ls -l /dev/console",
    );
    await session.expect("/dev/pts/0\r\nall\r\nxterm\r\n");
    await session.expect(/crw--w----\s+1 root\s+(tty|5|root)\s+136,\s+0 .* \/dev\/console/);
    expect(await session.process.exited).toBe(0);
  });

  test("gives the terminal to the container's user", async () => {
    const session = start(["-it", "-u", "alice"], "sh", "-c", "stat -c %U $(tty); echo x >/dev/tty; echo y >$(tty)");
    await session.expect("alice\r\nx\r\ny\r\n");
    expect(await session.process.exited).toBe(0);
  });

  test("has the window's size, and its changes", async () => {
    const script = "trap 'stty size' WINCH; stty size; while :; do read x && exit $x; done";
    const session = start(["-it"], "sh", "-c", script);
    await session.expect("24 80\r\n");
    session.terminal.resize(100, 40);
    await session.expect("40 100\r\n");
    session.type("3\n");
    expect(await session.process.exited).toBe(3);
  });

  test("makes Ctrl-C a signal of the container's own processes", async () => {
    const session = await startShell();
    session.type("sleep 1000; echo status $?\n");
    await waitForProcess("sleep");
    session.type("\x03");
    await session.expect("#:");
    session.type("trap 'echo trap''ped' INT; echo s''et\n");
    await session.expect("set\r\n");
    session.type("\x03");
    await session.expect("trapped");
    await leave(session);
  });

  test("makes Ctrl-Z stop a job of the container's shell, not Bunker", async () => {
    const session = await startShell();
    session.type("cat\n");
    await waitForProcess("cat");
    session.type("words\n");
    await session.expect("words\r\nwords\r\n");
    session.type("\x1a");
    await session.expect("Stopped");
    await session.expect("#:");
    session.type("jobs\n");
    await session.expect(/\[1\]\+\s+Stopped/);
    session.type("fg\n");
    await session.expect("fg\r\ncat\r\n");
    session.type("again\n");
    await session.expect("again\r\nagain\r\n");
    session.type("\x04");
    await session.expect("#:");
    await leave(session);
  });

  test("passes bytes unchanged: no echo of ours, no translation", async () => {
    const session = start(["-it"], "sh", "-c", "stty raw -echo; printf 'go:'; head -c 6 | od -An -tx1");
    await session.expect("go:");
    session.type("\x00\x03\r\n\x7f\x1c");
    await session.expect("00 03 0d 0a 7f 1c");
    expect(await session.process.exited).toBe(0);
  });

  test("shows everything that was written at the end", async () => {
    const session = start(["-it"], "sh", "-c", "seq 1 20000; echo the end");
    await session.expect("20000\r\nthe end\r\n");
    expect(await session.process.exited).toBe(0);
  });

  test("lets vi edit a file", async () => {
    const session = await startShell();
    session.type("vi /tmp/text\n");
    await session.expect("- /tmp/text 1/1");
    // It drops what is typed ahead.
    for (const [keys, shown] of [
      ["i", "I /tmp/text"],
      ["written in vi", "vi"],
      ["\x1b", "- /tmp/text"],
      [":", ":"],
      ["wq\n", "#:"],
    ] as const) {
      session.type(keys);
      await session.expect(shown);
    }
    session.type("cat /tmp/text\n");
    await session.expect("written in vi\r\n");
    await leave(session);
  });

  test("works with --init and in the host's pid namespace", async () => {
    for (const option of ["--init", "--pid=host"]) {
      const session = await startShell(option);
      session.type("tty\n");
      await session.expect("/dev/pts/0");
      session.type("sleep 1000\n");
      await waitForProcess("sleep");
      session.type("\x03");
      await session.expect("#:");
      await leave(session, 5);
    }
  });

  test("needs a terminal, and says so in Docker's words", async () => {
    const { status, output, errors } = await suite.user.run(["-it", suite.image, "true"]);
    expect({ status, output }).toEqual({ status: 1, output: "" });
    expect(errors).toMatch(/^bunker: .*the input device is not a TTY\nhint: .*\n$/);
  });

  test("-t alone needs none", async () => {
    const { status, output } = await suite.user.run(["-t", suite.image, "sh", "-c", "tty; echo err >&2"]);
    expect({ status, output }).toEqual({ status: 0, output: "/dev/pts/0\r\nerr\r\n" });
  });
});

describe("the caller's terminal", () => {
  const bunker = () => `${suite.user.bunkerPath} run --rm -it oci:${busyboxLayout()}:latest`;

  /** Compares the settings of the shell's terminal before and after something. */
  async function expectRestored(during: (session: TerminalSession) => Promise<void>): Promise<void> {
    const session = await startHostShell();
    session.type("before=$(stty -g)\n");
    await session.expect("host$ ");
    await during(session);
    session.type('test "$before" = "$(stty -g)" && echo res""tored\n');
    await session.expect("restored\r\n");
    await session.expect("host$ ");
    session.type("exit\n");
    await session.process.exited;
  }

  test("is as it was after the container has ended", () =>
    expectRestored(async (session) => {
      session.type(`${bunker()} sh -c 'echo in""side; exit 3'; echo status $?\n`);
      await session.expect("inside\r\n");
      await session.expect("status 3\r\n");
      await session.expect("host$ ");
    }));

  test("and after it has left its own terminal in a mess and been killed", () =>
    expectRestored(async (session) => {
      session.type(`${bunker()} sh -c 'stty raw -echo; echo in""side; sh -c "kill -9 -1"; kill -9 1; exit 7'\n`);
      await session.expect("inside");
      await session.expect("host$ ");
    }));

  test("and after a command that is not there", () =>
    expectRestored(async (session) => {
      session.type(`${bunker()} no-such-program\n`);
      await session.expect("no-such-program: executable file not found in $PATH");
      await session.expect("host$ ");
    }));

  test("and after the guard was killed, which takes no exit status", () =>
    expectRestored(async (session) => {
      session.type(`${bunker()} sh -c 'echo in""side; read x; exit 3'; echo status $?\n`);
      await session.expect("inside\r\n");
      const command = suite.user.processes().find((candidate) => isCommand(candidate));
      output(["pkill", "-KILL", "-P", String(command), "-f", "^bunker-terminal-guard"]);
      session.type("\n");
      await session.expect("status 3\r\n");
      await session.expect("host$ ");
    }));

  test("is as others have left it meanwhile, when a command ends in the background", async () => {
    const place = suite.user.makeDirectory("signs");
    const command = [suite.user.bunkerPath, "run", "--rm", "--network", "none", "-v", `${place}:/signs`, suite.image];
    const script = [
      '"$@" &',
      `until [ -e ${place}/up ]; do sleep 0.01; done; stty -echo; touch ${place}/go; wait`,
      "stty -a | grep -o -- '-echo '",
    ].join("\n");
    const inside = "touch /signs/up; until [ -e /signs/go ]; do sleep 0.01; done";
    const session = suite.user.startInTerminal(["sh", "-c", script, "sh", ...command, "sh", "-c", inside]);
    sessions.push(session);
    expect(await session.process.exited).toBe(0);
    expect(session.shown()).toBe("-echo \r\n");
  });

  test.each(["TERM", "KILL"])("and after Bunker got SIG%s", (signal) =>
    expectRestored(async (session) => {
      session.type(`${bunker()} sh -c "trap 'exit 6' TERM; echo in''side; while :; do read x; done"\n`);
      await session.expect("inside\r\n");
      const pid = suite.user.processes().find((candidate) => isCommand(candidate));
      process.kill(pid ?? 0, `SIG${signal}`);
      await session.expect("host$ ");
      // The shell notices the end of its job before the guard puts the terminal back.
      await eventually(
        () => suite.user.processes().every((candidate) => !isCommand(candidate)),
        () => "Bunker to end",
      );
      // A container outlives the command.
      const { output } = await suite.user.bunker(["ps", "-aq"]);
      for (const id of output.split("\n").filter((line) => line !== "")) await suite.user.bunker(["rm", "-f", id]);
    }),
  );
});

/** Whether a process is `bunker run`. */
function isCommand(pid: number): boolean {
  return commandLine(pid).startsWith(`${suite.user.bunkerPath} run`);
}

function commandLine(pid: number): string {
  const { success, stdout } = Bun.spawnSync(["cat", `/proc/${pid}/cmdline`], { stderr: "ignore" });
  return success ? stdout.toString().replaceAll("\0", " ") : "";
}

/** Waits until a container runs a program. */
async function waitForProcess(name: string): Promise<void> {
  await eventually(
    () => suite.user.processes().some((pid) => commandLine(pid).startsWith(`${name}`)),
    () => `${name} to be started`,
  );
}
