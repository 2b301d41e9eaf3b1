/* What commands do that come in the moment in which somebody else has a container in hand. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { eventually, finish, kill, openFiles } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

/** Has nobody write to the state database, until it is disposed of. */
async function withholdDatabase(): Promise<AsyncDisposable> {
  const script = `
import sqlite3, sys
d = sqlite3.connect("${suite.user.data}/state.db", isolation_level=None)
d.execute("BEGIN IMMEDIATE")
print("withheld", flush=True)
sys.stdin.read()`;
  const session = suite.user.talk(["python3", "-c", script]);
  await session.expect("withheld\n");
  return { [Symbol.asyncDispose]: async () => void (await session.finish()) };
}

test.each(["start", "rm"])("%s waits until the end of a container is on record that shows already", async (command) => {
  const id = (await bunker("run", "-d", "--name", "ended", suite.image, "sleep", "1000")).trim();
  const pid = Number(await bunker("inspect", "--format", "{{.State.Pid}}", "ended"));
  let come: ReturnType<typeof suite.user.start>;
  {
    await using _ = await withholdDatabase();
    kill(pid);
    const death = ["events", "--since=1h", "--until=0s", `--filter=container=${id}`, "--filter=event=die"];
    while ((await bunker(...death)) === "");
    come = suite.user.start([suite.user.bunkerPath, command, "ended"]);
    await eventually(
      () => come.exitCode !== null || openFiles(come.pid).some((path) => path.endsWith("/state.db")),
      () => "the command to look for the container",
    );
  }
  expect(await finish(come)).toEqual({ status: 0, output: "ended\n", errors: "" });
  const left = await bunker("ps", "-a", "--format", "{{.Names}} {{.State}}");
  expect(left).toBe(command === "start" ? "ended running\n" : "");
  if (command === "start") await bunker("rm", "-f", "ended");
});

test("exec tells of a container that has just ended, however far it has come itself", async () => {
  const hasEnded =
    /^bunker: execute in container ended: container [0-9a-f]{12} is not running, it (has just ended|is exited)\n$/;
  await bunker("run", "-d", "--name", "ended", suite.image, "sleep", "1000");
  const pid = Number(await bunker("inspect", "--format", "{{.State.Pid}}", "ended"));
  {
    await using _ = await withholdDatabase();
    kill(pid);
    await eventually(
      () => !existsSync(`/proc/${pid}/exe`),
      () => "the container's process to end",
    );
    const { status, errors } = await suite.user.bunker(["exec", "ended", "true"]);
    expect(status).toBe(1);
    expect(errors).toMatch(hasEnded);
  }
  await bunker("rm", "-f", "ended");
  for (let round = 0; round < 10; round++) {
    await bunker("run", "-d", "--name", "ended", "--network", "none", suite.image, "usleep", "40000");
    const words = ["exec", "ended", "true"];
    for (const { status, errors } of await Promise.all([1, 2, 3, 4, 5].map(() => suite.user.bunker(words)))) {
      // The command itself may have been killed with the container.
      if (status === 0 || status === 137) expect(errors).toBe("");
      else expect({ status, errors }).toEqual({ status: 1, errors: expect.stringMatching(hasEnded) });
    }
    await bunker("rm", "-f", "ended");
  }
});

/** Whether a timer of a process has run out that it has not looked at since. */
function isTimeOver(pid: number): boolean {
  const directory = `/proc/${pid}/fdinfo`;
  return readdirSync(directory).some((name) => /^ticks: [1-9]/m.test(readFileSync(`${directory}/${name}`, "latin1")));
}

test.each(["stop -t 0", "kill", "rm -f"])(
  "%s tells once of a signal that a second supervisor has to hear of",
  async (words) => {
    // The fifth run stays; before it the first supervisors have waited longer and longer.
    const script = "echo >>/runs; [ $(wc -l </runs) -lt 5 ] || exec sleep 1000";
    const options = ["--name", "again", "--restart", "always"];
    const id = (await bunker("run", "-d", ...options, suite.image, "sh", "-c", script)).trim();
    const state = "{{.RestartCount}} {{.State.Status}}";
    while ((await bunker("inspect", "--format", state, "again")) !== "4 restarting\n");
    const supervisor = suite.user
      .processes()
      .find((pid) => readFileSync(`/proc/${pid}/cmdline`, "latin1").endsWith(`\0${id}\0`));
    if (supervisor === undefined) throw new Error("the container has no supervisor");
    kill(supervisor, "SIGSTOP");
    let command: ReturnType<typeof suite.user.start>;
    const told = async () => {
      const filters = [`--filter=container=${id}`, "--filter=event=kill"];
      const format = "--format={{.Actor.Attributes.signal}}";
      return (await bunker("events", "--since=1h", "--until=0s", ...filters, format)).split("\n").filter(Boolean);
    };
    try {
      await eventually(
        () => isTimeOver(supervisor),
        () => "the time of the next run",
      );
      command = suite.user.start([suite.user.bunkerPath, ...words.split(" "), "again"]);
      // The supervisor starts the container again before it sees who has come.
      while ((await told()).length === 0);
    } finally {
      kill(supervisor, "SIGCONT");
    }
    expect(await finish(command)).toEqual({ status: 0, output: "again\n", errors: "" });
    expect(await told()).toEqual(words.startsWith("stop") ? ["15", "9"] : ["9"]);
    if (!words.startsWith("rm")) {
      expect(await bunker("ps", "-a", "--format", "{{.State}}")).toBe("exited\n");
      await bunker("rm", "again");
    }
  },
);
