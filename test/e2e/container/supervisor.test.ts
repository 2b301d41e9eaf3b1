/* What becomes of containers whose supervisor was killed or has failed, and of those of `--rm` whatever happens. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { containerComponent } from "../../../src/engine/state/container-component.ts";
import { isHeld } from "../../../src/engine/state/container-directory.ts";
import { supervisedContainers } from "../../../src/engine/state/supervised-containers.ts";
import { advisedMappings } from "../../advised-mappings.ts";
import { eventually, finish, kill, openFiles } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();
const state = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}";

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

/** Kills the supervisors of all containers. */
function killSupervisors(): void {
  for (const pid of pidsOf("internal\0supervise")) kill(pid);
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

test("one whose removal was interrupted is removed by the next command, however far it had come", async () => {
  const database = `${suite.user.data}/state.db`;
  const script = `import sqlite3; d = sqlite3.connect("${database}"); d.execute("UPDATE container SET status = 'removing'"); d.commit()`;
  for (const [gone, next] of [
    ["", "start"],
    ["/lock", "start"],
    ["/lock", "rm"],
    ["", "inspect"],
  ] as const) {
    const id = (await bunker("create", "--name", "half", suite.image, "true")).trim();
    expect(await suite.user.execute(["python3", "-c", script])).toMatchObject({ status: 0 });
    if (gone !== "") rmSync(`${suite.user.data}/containers/${id}${gone}`);
    const { errors } = await suite.user.bunker([next, ...(next === "rm" ? ["-f"] : []), id]);
    expect(errors).toMatch(new RegExp(`^bunker: No such (container|object): ${id}\n$`));
    expect(await bunker("ps", "-aq")).toBe("");
    await suite.user.expectNothingLeft();
  }
  const id = (await bunker("create", "--name", "half", suite.image, "true")).trim();
  await suite.user.execute(["python3", "-c", script]);
  rmSync(`${suite.user.data}/containers/${id}`, { recursive: true });
  expect(await bunker("ps", "-aq")).toBe("");
});

test("restart keeps a container of --rm, and stop does not", async () => {
  await bunker("run", "-d", "--rm", "--name", "kept", suite.image, "sleep", "1000");
  expect(await bunker("restart", "-t", "0", "kept")).toBe("kept\n");
  expect(await bunker("inspect", "--format", "{{.State.Status}}", "kept")).toBe("running\n");
  await bunker("stop", "-t", "0", "kept");
  expect(await bunker("ps", "-aq")).toBe("");
});

test("a command asks the kernel for memory in large pages where it has them, and a supervisor does not", async () => {
  const setting = "/sys/kernel/mm/transparent_hugepage/enabled";
  const mayHave = process.arch === "x64" && existsSync(setting) && !readFileSync(setting, "utf8").includes("[never]");
  const session = suite.user.talkTo(["--name", "paged", suite.image, "sh", "-c", "echo ready; cat"]);
  await session.expect("ready\n");
  const pages = (words: string) => {
    const pids = suite.user.processes().filter((pid) => commandLine(pid).includes(words));
    const mappings = pids.map((pid) => advisedMappings(readFileSync(`/proc/${pid}/smaps`, "latin1")));
    // Both ask for that of their code.
    return mappings.map((advised) => advised.some(({ path }) => !path.startsWith("/")));
  };
  expect({ command: pages("run\0--rm"), supervisor: pages("internal\0supervise") }).toEqual({
    command: [mayHave],
    supervisor: [false],
  });
  expect((await session.finish()).status).toBe(0);
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

/** A first process that is alice's, who it becomes before it says that it is ready; the kernel unties it from its parent then. */
const asAlice = ["su", "alice", "-c", "echo ready; exec sleep 1000"];

test("one whose first process has changed its user is ended by the next command when its supervisor was killed", async () => {
  for (const next of ["ps", "start", "rm"]) {
    const id = (await bunker("run", "-d", "--name", "changed", suite.image, ...asAlice)).trim();
    while ((await bunker("logs", "changed")) !== "ready\n");
    const pid = (await bunker("inspect", "--format", "{{.State.Pid}}", "changed")).trim();
    killSupervisors();
    await untilFree(id);
    const { errors } = await suite.user.bunker([next, ...(next === "ps" ? ["-a"] : ["changed"])]);
    expect({ next, errors }).toEqual({ next, errors: "" });
    await eventually(
      () => commandLine(Number(pid)) === "",
      () => "the first process to be killed",
    );
    if (next !== "rm") await bunker("rm", "-f", "changed");
  }
});

test("nor does it outlive its supervisor when somebody is attached to it", async () => {
  const session = suite.user.talkTo(["--name", "changed", suite.image, ...asAlice]);
  await session.expect("ready\n");
  killSupervisors();
  expect((await session.finish()).status).toBe(255);
});

test("a supervisor that fails says of what to those who are attached", async () => {
  const script = "echo ready; while [ ! -e /end ]; do sleep 0.02; done";
  const id = (await bunker("run", "-d", "--name", "failing", suite.image, "sh", "-c", script)).trim();
  const session = suite.user.talk([suite.user.bunkerPath, "attach", "failing"]);
  const held = suite.user.talk([
    suite.user.bunkerPath,
    "exec",
    "-i",
    "failing",
    "sh",
    "-c",
    "echo in; read x; touch /end",
  ]);
  await held.expect("in\n");
  // It cannot record the end now.
  const path = `${suite.user.data}/state.db`;
  const put = (commands: string) => suite.user.execute(["sh", "-ec", commands]);
  while (!(await bunker("events", "--since", "1h", "--until", "0s")).includes(" attach "));
  await put(`mkdir ${path}.kept; mv ${path} ${path}-wal ${path}-shm ${path}.kept; echo rubbish >${path}`);
  held.type("\n");
  const { status, errors } = await session.finish();
  expect(errors).toMatch(/^bunker: wait for container failing: its supervisor failed: use .*state\.db: it is /);
  expect(status).toBe(255);
  await held.finish();
  await untilFree(id);
  await put(`rm -f ${path} ${path}-*; mv ${path}.kept/* ${suite.user.data}; rmdir ${path}.kept`);
  expect(await bunker("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe("failing exited\n");
  await bunker("rm", "failing");
});

test("a supervisor checks what others say to it, however many come at once", async () => {
  const id = (await bunker("run", "-d", "--name", "asked", suite.image, "sleep", "1000")).trim();
  const script = `
import json, os, socket
os.chdir("${suite.user.data}/containers/${id}")
said = [b"{", b"null", b'{"kind":"signal","signal":"9","isStop":true}', b'{"kind":"supervise"}', b'{"kind":"leave"}']
callers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(30)]
for number, caller in enumerate(callers):
    caller.connect("supervisor")
    caller.send(said[number % len(said)])
callers.pop().close()
for caller in callers:
    caller.send(b'{"kind":"status"}')
answers = [json.loads(caller.recv(65536)) for caller in callers]
print(len(answers), all(answer == {"kind": "status", "lostBytes": 0} for answer in answers))`;
  expect(await suite.user.execute(["python3", "-c", script])).toMatchObject({ status: 0, output: "29 True\n" });
  expect(await bunker("ps", "--format", "{{.Names}} {{.State}}")).toBe("asked running\n");
  await bunker("rm", "-f", "asked");
});

test("a supervisor answers all that somebody asks who takes the answers late", async () => {
  const id = (await bunker("run", "-d", "--name", "asked", suite.image, "sleep", "1000")).trim();
  const script = `
import array, fcntl, os, socket, termios
os.chdir("${suite.user.data}/containers/${id}")
pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
pair[0].setblocking(False)
answer, room = b'{"kind":"status","lostBytes":0}', 0
try:
    while True: room += pair[0].send(answer) > 0
except BlockingIOError: pass
def waiting():
    length = array.array("i", [0])
    fcntl.ioctl(caller, termios.FIONREAD, length)
    return length[0]
def is_asleep():
    with open("/proc/${supervisorOf(id)}/stat") as file: return file.read().rpartition(") ")[2].startswith("S")
caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
caller.connect("supervisor")
# Those that have no room for their answers have room where they wait themselves.
asked = room + room // 2
for _ in range(asked): caller.send(b'{"kind":"status"}')
while waiting() < room * len(answer) or not is_asleep(): pass
caller.shutdown(socket.SHUT_WR)
print(asked - len(list(iter(lambda: caller.recv(65536), b""))))`;
  expect(await suite.user.execute(["python3", "-c", script])).toEqual({ status: 0, output: "0\n", errors: "" });
  await bunker("rm", "-f", "asked");
});

test("what a supervisor has failed of is on record", async () => {
  const create = ["create", "--name", "failing", "--health-cmd", "true", suite.image, ...asAlice];
  const id = (await bunker(...create)).trim();
  const script = `
import json, sqlite3
d = sqlite3.connect("${suite.user.data}/state.db")
definition = json.loads(d.execute("SELECT definition FROM container").fetchone()[0])
definition["health"]["interval"] = definition["health"]["startInterval"] = -1000
d.execute("UPDATE container SET definition = ?", [json.dumps(definition)])
d.commit()`;
  expect(await suite.user.execute(["python3", "-c", script])).toMatchObject({ status: 0 });
  const { status, errors } = await suite.user.bunker(["start", "-a", "failing"]);
  expect(errors).toMatch(/^bunker: wait for container failing: its supervisor failed: start a timer: EINVAL/);
  expect(status).toBe(1);
  await untilFree(id);
  await eventually(
    () => suite.user.processes().length === 0,
    () => "the container to be gone with it",
  );
  expect(await bunker("inspect", "--format", state, "failing")).toMatch(
    /^exited 255 the supervisor failed: start a timer: EINVAL/,
  );
  await bunker("rm", "failing");
});

test("what is in the way of the supervisor's socket is named", async () => {
  const id = (await bunker("create", "--name", "blocked", suite.image, "true")).trim();
  const obstacle = `${suite.user.data}/containers/${id}/supervisor`;
  mkdirSync(obstacle);
  suite.user.own(obstacle);
  const { status, errors } = await suite.user.bunker(["start", "-a", "blocked"]);
  expect({ status, errors }).toEqual({ status: 1, errors: "bunker: make the socket supervisor: EADDRINUSE\n" });
  expect(await bunker("inspect", "--format", state, "blocked")).toMatch(/^created 125 make the socket .*EADDRINUSE/);
  await bunker("rm", "blocked");
});

/** A container, and a command that is stopped while its process runs in it. */
async function startWithStoppedExec(script: string) {
  await bunker("run", "-d", "--name", "held", suite.image, "sh", "-c", script);
  const session = suite.user.talk([suite.user.bunkerPath, "exec", "held", "sh", "-c", "echo ready; sleep 1000"]);
  await session.expect("ready\n");
  session.process.kill("SIGSTOP");
  return {
    /** Has the command go on, and waits for its end. */
    finish: () => {
      session.process.kill("SIGCONT");
      return session.finish();
    },
  };
}

test.each(["stop", "kill", "rm -f", "restart"])(
  "a stopped exec does not keep a container from its end by %s",
  async (words) => {
    const session = await startWithStoppedExec("trap 'exit 0' TERM; while :; do sleep 0.02; done");
    try {
      expect(await bunker(...words.split(" "), "held")).toBe("held\n");
    } finally {
      expect(await session.finish()).toEqual({ status: 137, output: "ready\n", errors: "" });
    }
    if (!words.startsWith("rm")) await bunker("rm", "-f", "held");
  },
);

test("a stopped exec does not keep a container from its end by itself, nor from its next run", async () => {
  const script = "while [ ! -e /end ]; do sleep 0.02; done; rm /end; exit 3";
  const session = await startWithStoppedExec(script);
  try {
    await suite.user.bunker(["exec", "held", "touch", "/end"]);
    expect(await bunker("wait", "held")).toBe("3\n");
    expect(await bunker("inspect", "--format", state, "held")).toBe("exited 3 \n");
    await bunker("start", "held");
  } finally {
    expect(await session.finish()).toEqual({ status: 137, output: "ready\n", errors: "" });
  }
  expect(await bunker("exec", "held", "echo", "there")).toBe("there\n");
  await bunker("rm", "-f", "held");
});

test.each(["stop", "kill", "rm -f"])(
  "a stopped supervisor of a container in the same pid namespace does not keep one from its end by %s",
  async (words) => {
    await bunker("run", "-d", "--name", "held", "--stop-signal", "KILL", suite.image, "sleep", "1000");
    const options = ["--name", "guest", "--pid", "container:held"];
    const id = (await bunker("run", "-d", ...options, suite.image, "sleep", "1000")).trim();
    const supervisor = supervisorOf(id);
    process.kill(supervisor, "SIGSTOP");
    try {
      expect(await bunker(...words.split(" "), "held")).toBe("held\n");
    } finally {
      process.kill(supervisor, "SIGCONT");
    }
    expect(await bunker("wait", "guest")).toBe("137\n");
    await bunker("rm", ...(words.startsWith("rm") ? [] : ["held"]), "guest");
  },
);

test("a supervisor that is told to end gives the container all the time that it has", async () => {
  // As at a logout.
  const script = "trap 'echo bye; exit 6' TERM; echo ready; while :; do sleep 0.01; done";
  const options = ["--name", "box", "--stop-timeout", "-1"];
  const id = (await bunker("run", "-d", ...options, suite.image, "sh", "-c", script)).trim();
  while ((await bunker("logs", "box")) !== "ready\n");
  process.kill(supervisorOf(id), "SIGTERM");
  expect(await bunker("wait", "box")).toBe("6\n");
  expect(await bunker("inspect", "--format", state, "box")).toBe("exited 6 \n");
  expect(await bunker("logs", "box")).toBe("ready\nbye\n");
  await bunker("rm", "box");
});

test("a supervisor that cannot start what checks the health keeps its container, and checks again", async () => {
  const options = ["--name", "box", "--health-cmd", "true", "--health-interval", "20ms"];
  const id = (
    await bunker("run", "-d", ...options, suite.image, "sh", "-c", "while :; do echo; sleep 0.01; done")
  ).trim();
  const supervisor = String(supervisorOf(id));
  const limit = async (files: string) => {
    const words = ["prlimit", `--nofile=${files}`, "--pid", supervisor];
    expect(await suite.user.execute(words)).toMatchObject({ status: 0 });
  };
  // Not asked for by a command, to which the supervisor could not talk either.
  const logged = () =>
    statSync(`${suite.user.data}/containers/${id}/${id}-json.log`, { throwIfNoEntry: false })?.size ?? 0;
  await eventually(
    () => logged() > 0,
    () => "a line of the log",
  );
  await limit("3:");
  const then = logged() + 5000;
  await eventually(
    () => logged() > then,
    () => "more lines of the log",
  );
  await limit("1000:");
  const health = () => bunker("inspect", "--format", "{{json .State.Health.Log}}", "box");
  const before = await health();
  while ((await health()) === before);
  expect(await bunker("inspect", "--format", state, "box")).toBe("running 0 \n");
  await bunker("rm", "-f", "box");
});

test.each([[[]], [["--rm"]]])(
  "whoever waits for or follows a container whose supervisor is killed is told: %p",
  async (options) => {
    await bunker("run", "-d", ...options, "--name", "box", suite.image, "sh", "-c", "echo ready; sleep 1000");
    const follow = suite.user.talk([suite.user.bunkerPath, "logs", "-f", "box"]);
    const attach = suite.user.start([suite.user.bunkerPath, "attach", "--no-stdin", "box"]);
    const waits = ["exited", "stopped"].map((condition) =>
      suite.user.start([suite.user.bunkerPath, "wait", "--condition", condition, "box"]),
    );
    const either = suite.user.start([suite.user.bunkerPath, "wait", "--condition=exited", "--condition=paused", "box"]);
    const exec = suite.user.talk([suite.user.bunkerPath, "exec", "box", "sh", "-c", "echo inside; sleep 1000"]);
    await Promise.all([follow.expect("ready\n"), exec.expect("inside\n")]);
    await eventually(
      () => [follow.process, attach, ...waits].every(({ pid }) => isConnected(pid)) && hasDatabase(either.pid),
      () => "all to have come to wait",
    );
    killSupervisors();
    const isGone = options.length > 0;
    const lost = isGone
      ? "its supervisor has gone without a word of how the container ended"
      : "the supervisor was killed; how the container ended is unknown";
    expect(await follow.finish()).toEqual({
      status: 0,
      output: "ready\n",
      errors: `warning: container box: ${lost}\n`,
    });
    expect(await finish(attach)).toMatchObject({
      status: 255,
      errors: "bunker: wait for container box: its supervisor was killed, and the container has ended with it\n",
    });
    for (const wait of waits) {
      const nobody = "bunker: wait for container box: it is removed, and nobody is left who knows how it ended\n";
      const expected = isGone ? { status: 1, output: "", errors: nobody } : { status: 0, output: "255\n", errors: "" };
      expect(await finish(wait)).toEqual(expected);
    }
    expect(await finish(either)).toEqual({ status: 0, output: isGone ? "-1\n" : "255\n", errors: "" });
    expect(await exec.finish()).toEqual({ status: 137, output: "inside\n", errors: "" });
    if (!isGone) await bunker("rm", "box");
  },
);

/** Whether a process is connected to a supervisor; its standard streams may be sockets, too. */
function isConnected(pid: number): boolean {
  return openFiles(pid)
    .slice(3)
    .some((path) => path.startsWith("socket:"));
}

function hasDatabase(pid: number): boolean {
  return openFiles(pid).some((path) => path.endsWith("/state.db"));
}

test("a list sets right all whose supervisors were killed", async () => {
  const run = async (...words: string[]) => (await bunker("run", "-d", ...words, suite.image, "sleep", "1000")).trim();
  const ids = [await run("--name", "one"), await run("--name", "gone", "--rm"), await run("--name", "two")];
  await eventually(
    () => {
      using supervised = supervisedContainers(suite.user.data);
      return ids.every((id) => supervised.has(id));
    },
    () => "the supervisors to say that they are there",
  );
  expect((await bunker("ps", "-q")).split("\n")).toHaveLength(4);
  killSupervisors();
  for (const id of ids) await untilFree(id);
  expect(await bunker("ps", "-q")).toBe("");
  const list = ["ps", "-a", "--format", "{{.Names}} {{.Status}}"];
  expect((await bunker(...list)).replace(/ \d+ seconds?| Less than a second/g, "")).toBe(
    "two Exited (255) ago\none Exited (255) ago\n",
  );
  await bunker("rm", "one", "two");
});

test("one whose state was migrated by a newer Bunker meanwhile still has its end recorded, where that is allowed", async () => {
  const { migrations } = containerComponent;
  const migrate = (version: number, compatibleFrom: number) =>
    suite.user.execute([
      "python3",
      "-c",
      `import sqlite3; d = sqlite3.connect("${suite.user.data}/state.db"); d.execute("UPDATE component SET version = ${version}, compatible_from = ${compatibleFrom} WHERE name = 'containers'"); d.commit()`,
    ]);
  const known = migrations.length;
  const script = 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done';
  await bunker("run", "-d", "--name", "kept", suite.image, "sh", "-c", script);
  expect(await migrate(known + 1, known + 1)).toMatchObject({ status: 0 });
  try {
    const { status, errors } = await suite.user.bunker(["ps"]);
    expect(status).toBe(1);
    expect(errors).toContain(`its containers have version ${known + 1}, this Bunker knows up to ${known}`);
    expect(await migrate(known + 1, known)).toMatchObject({ status: 0 });
    while (!(await bunker("logs", "kept")).includes("ready"));
    await bunker("stop", "kept");
    expect(await bunker("inspect", "-f", state, "kept")).toBe("exited 7 \n");
    await bunker("rm", "kept");
  } finally {
    await migrate(known, known);
  }
});

/** The pids of the processes that serve these tests' containers and whose command lines have these words. */
function pidsOf(words: string): readonly number[] {
  return suite.user.processes().filter((pid) => {
    const line = commandLine(pid);
    return line.includes(words) && line.includes(`\0${suite.user.data}\0`);
  });
}

/** The pid of a container's supervisor. */
function supervisorOf(id: string): number {
  const [pid] = pidsOf("internal\0supervise").filter((candidate) => commandLine(candidate).includes(`\0${id}`));
  if (pid === undefined) throw new Error("the container has no supervisor");
  return pid;
}

/** Waits until `ps` says of the only container what is expected. */
async function untilListed(expected: RegExp | string): Promise<void> {
  for (;;) {
    const list = await bunker("ps", "-a", "--format", "{{.Status}}");
    if (typeof expected === "string" ? list === expected : expected.test(list)) return;
  }
}

test("a command that was stopped does not keep back the end of its container", async () => {
  const script =
    "echo ready; while [ ! -e /end ]; do sleep 0.02; done; [ -e /second ] && exec sleep 1000; : >/second; exit 3";
  for (const options of [["--rm"], []]) {
    const words = ["run", ...options, "--name", "held", suite.image, "sh", "-c", script];
    const session = suite.user.talk([suite.user.bunkerPath, ...words]);
    await session.expect("ready\n");
    session.process.kill("SIGSTOP");
    try {
      // The container's end may be touch's own.
      await suite.user.bunker(["exec", "held", "touch", "/end"]);
      await untilListed(options.length === 0 ? /^Exited \(3\)/ : "");
      // The next run is none of the command's business.
      if (options.length === 0) await bunker("start", "held");
    } finally {
      session.process.kill("SIGCONT");
    }
    expect(await session.finish()).toEqual({ status: 3, output: "ready\n", errors: "" });
  }
  expect(await bunker("inspect", "--format", "{{.State.Status}}", "held")).toBe("running\n");
  await bunker("rm", "-f", "held");
});

test("a supervisor that is told to end while it waits to start its container again does not start it", async () => {
  await bunker("run", "-d", "--restart", "always", "--name", "box", suite.image, "sh", "-c", "exit 7");
  // By and by it waits for longer.
  await untilListed(/^Restarting/);
  // One that has stopped waiting meanwhile, on a busy machine, has made way for another.
  await eventually(
    () => {
      const supervisors = pidsOf("internal\0supervise");
      for (const pid of supervisors) kill(pid, "SIGTERM");
      return supervisors.length === 0;
    },
    () => "the supervisor to be gone",
  );
  expect(await bunker("inspect", "--format", state, "box")).toBe("exited 7 \n");
  await bunker("rm", "box");
});

/** Runs a container that is started again and again, and stops its supervisor while that waits to do so. */
async function stopBetweenRuns(): Promise<{ readonly id: string; readonly supervisor: number }> {
  const words = ["run", "-d", "--restart", "always", "--name", "box", suite.image, "sh", "-c", "exit 7"];
  const id = (await bunker(...words)).trim();
  // Each time it waits for longer.
  while (Number(await bunker("inspect", "--format", "{{.RestartCount}}", "box")) < 4);
  await untilListed(/^Restarting/);
  const supervisor = supervisorOf(id);
  process.kill(supervisor, "SIGSTOP");
  return { id, supervisor };
}

test("a supervisor that is told to end while it starts its container again tells its successor", async () => {
  const { supervisor } = await stopBetweenRuns();
  // Keeps the start from going on record.
  const script = `import sqlite3, sys
d = sqlite3.connect("${suite.user.data}/state.db", isolation_level=None)
d.execute("BEGIN IMMEDIATE"); print("locked", flush=True); sys.stdin.read(); d.execute("COMMIT")`;
  const holder = suite.user.talk(["python3", "-c", script]);
  try {
    await holder.expect("locked\n");
  } finally {
    process.kill(supervisor, "SIGCONT");
  }
  await eventually(
    () => pidsOf("internal\0supervise").some((pid) => pid !== supervisor),
    () => "a successor",
  );
  process.kill(supervisor, "SIGTERM");
  await holder.finish();
  await eventually(
    () => pidsOf("internal\0supervise").length === 0,
    () => "the successor to be gone",
  );
  expect(await bunker("inspect", "--format", state, "box")).toBe("exited 7 \n");
  await bunker("rm", "box");
});

/** Whether a process has a timer that has expired without its notice; proc_pid_fdinfo(5). */
function hasExpiredTimer(pid: number): boolean {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory).some((name) => /^ticks: [1-9]/m.test(readFileSync(`${directory}/${name}`, "latin1")));
}

test("kill that reaches a supervisor which is just starting its container again is heard by its successor", async () => {
  const { id, supervisor } = await stopBetweenRuns();
  const kill = suite.user.start([suite.user.bunkerPath, "kill", "--signal", "TERM", "box"]);
  try {
    const filters = ["--filter", "event=kill", "--filter", `container=${id}`];
    while ((await bunker("events", "--since", "1h", "--until", "0s", ...filters)) === "");
    await eventually(
      () => hasExpiredTimer(supervisor),
      () => "the end of the pause",
    );
  } finally {
    process.kill(supervisor, "SIGCONT");
  }
  expect(await finish(kill)).toEqual({ status: 0, output: "box\n", errors: "" });
  await eventually(
    () => pidsOf("internal\0supervise").length === 0,
    () => "the successor to be gone",
  );
  expect(await bunker("inspect", "--format", "{{.State.Status}}", "box")).toBe("exited\n");
  await bunker("rm", "box");
});

test("stop between a container's end and its record keeps it from being started again", async () => {
  const id = (await bunker("run", "-d", "--restart", "always", "--name", "box", suite.image, "sleep", "1000")).trim();
  const pid = Number(await bunker("inspect", "--format", "{{.State.Pid}}", "box"));
  const supervisor = supervisorOf(id);
  process.kill(supervisor, "SIGSTOP");
  const stop = suite.user.start([suite.user.bunkerPath, "stop", "box"]);
  try {
    process.kill(pid, "SIGKILL");
    const filters = ["--filter", "event=kill", "--filter", `container=${id}`];
    while ((await bunker("events", "--since", "1h", "--until", "0s", ...filters)) === "");
  } finally {
    process.kill(supervisor, "SIGCONT");
  }
  expect(await finish(stop)).toEqual({ status: 0, output: "box\n", errors: "" });
  expect(await bunker("inspect", "--format", state, "box")).toBe("exited 137 \n");
  await bunker("rm", "box");
});

test("an image that --rmi cannot remove for want of a process is told of", async () => {
  const archive = suite.image.slice("oci:".length, -":latest".length);
  await bunker("load", "-i", archive);
  await bunker("tag", (await bunker("images", "-q", "--no-trunc")).trim().split("\n")[0] ?? "", "kept:1");
  const words = ["run", "-i", "--rmi", "--name", "box", "kept:1", "sh", "-c", "echo ready; cat; exit 4"];
  const session = suite.user.talk([suite.user.bunkerPath, ...words]);
  await session.expect("ready\n");
  const limit = ["prlimit", "--nproc=1:1", "--pid", String(session.process.pid)];
  expect(await suite.user.execute(limit)).toMatchObject({ status: 0 });
  expect(await session.finish()).toEqual({
    status: 4,
    output: "ready\n",
    errors:
      "bunker: remove image kept:1: the host permits no further process: EAGAIN\nhint: Remove it with bunker rmi.\n",
  });
  expect(await bunker("ps", "-aq")).toBe("");
  await bunker("rmi", "kept:1");
});
