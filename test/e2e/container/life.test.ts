/* The life of a container that outlives its command: from create to rm, and what others may do to it meanwhile. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { release, totalmem } from "node:os";
import { REAPER_NAME } from "../../../src/runtime/staying-parent.ts";
import { processStatus } from "../../../src/sys/process-identity.ts";
import { eventually, kill } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

/** Runs `bunker`, which has to end well, and returns what it says. */
async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

const state = (name: string) => bunker("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", name);
const idle = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done";

/** The processes with this command line that have not ended. */
function processesOf(commandLine: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandLineOf(pid) === commandLine);
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

async function untilState(name: string, wanted: string): Promise<void> {
  for (let found = ""; found !== `${wanted}\n`; ) found = await state(name);
}

describe("a container in the background", () => {
  test("is created, started, stopped, started again and removed", async () => {
    const id = (await bunker("create", "--name", "life", suite.image, "sh", "-c", idle)).trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await state("life")).toBe("created 0\n");
    expect(await bunker("start", "life")).toBe("life\n");
    expect(await state(id.slice(0, 12))).toBe("running 0\n");
    expect(await bunker("start", "life")).toBe("life\n");
    await untilLogged("life", "ready\n");
    expect(await bunker("stop", "life")).toBe("life\n");
    expect(await state("life")).toBe("exited 5\n");
    expect(await bunker("restart", "life")).toBe("life\n");
    expect(await state("life")).toBe("running 0\n");
    expect((await suite.user.bunker(["rm", "life"])).errors).toMatch(/^bunker: remove container life: it is running\n/);
    expect(await suite.user.bunker(["rename", "life", "life"])).toMatchObject({
      status: 1,
      errors: expect.stringContaining('use the container name "life": it is in use'),
    });
    expect(await bunker("rename", "life", "other")).toBe("");
    expect(await bunker("rm", "--force", "other")).toBe("other\n");
    expect(await bunker("ps", "-aq")).toBe("");
  });

  test("is stopped by SIGKILL when it does not listen, and killed by any signal", async () => {
    await bunker("run", "-d", "--name", "deaf", suite.image, "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done");
    await bunker("stop", "-t", "0", "deaf");
    expect(await state("deaf")).toBe("exited 137\n");
    await bunker(
      "run",
      "-d",
      "--name",
      "hears",
      suite.image,
      "sh",
      "-c",
      "trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done",
    );
    await untilLogged("hears", "ready\n");
    await bunker("kill", "-s", "USR1", "hears");
    expect(await bunker("wait", "hears")).toBe("3\n");
    expect((await suite.user.bunker(["kill", "hears"])).status).toBe(1);
    await bunker("rm", "deaf", "hears");
  });

  test("of --rm is gone when it ends, with its command or without", async () => {
    await bunker("run", "-d", "--rm", "--name", "short", suite.image, "true");
    await eventually(
      () => !existsSync(`${suite.user.data}/containers`) || suite.user.traces().length === 0,
      () => `the container to go: ${suite.user.traces()}`,
    );
    expect(await bunker("ps", "-aq")).toBe("");
  });

  test("writes its id to a file, and no second one there", async () => {
    const file = `${suite.user.home}/id`;
    const id = await bunker("run", "-d", "--cidfile", file, "--name", "filed", suite.image, "true");
    expect(readFileSync(file, "utf8")).toBe(id.trim());
    const again = await suite.user.bunker(["run", "-d", "--cidfile", file, suite.image, "true"]);
    expect(again.errors).toMatch(/^bunker: make the container ID file .*it is there already/);
    expect(again.status).toBe(125);
    await bunker("wait", "filed");
    await bunker("rm", "filed");
    await suite.user.execute(["rm", file]);
  });

  test("that cannot start stays as created, and says why", async () => {
    const refused = await suite.user.bunker(["run", "-d", "--name", "none", suite.image, "no-such-program"]);
    expect(refused).toMatchObject({ status: 127, output: "" });
    expect(await state("none")).toBe("created 127\n");
    expect(await bunker("inspect", "--format", "{{.State.Error}}", "none")).toContain("no-such-program");
    await bunker("rm", "none");
  });

  test("that cannot start again has exited as before, and says why", async () => {
    const source = suite.user.makeDirectory("source");
    await bunker(
      "run",
      "--name",
      "unmounted",
      "--mount",
      `type=bind,source=${source},target=/mnt`,
      suite.image,
      "true",
    );
    rmSync(source, { recursive: true });
    expect((await suite.user.bunker(["start", "unmounted"])).status).toBe(1);
    expect(await state("unmounted")).toBe("exited 125\n");
    expect(await bunker("inspect", "--format", "{{.State.Error}}", "unmounted")).toContain("bind mount on /mnt");
    await bunker("rm", "unmounted");
  });

  test("has all that several commands change of it at once", async () => {
    await bunker("create", "--name", "changed", suite.image, "true");
    const changes = [
      ["--memory", "100m"],
      ["--pids-limit", "9"],
      ["--cpu-shares", "77"],
      ["--cpus", "0.5"],
      ["--cpuset-cpus", "0"],
      ["--restart", "on-failure:3"],
    ];
    await Promise.all(changes.map((change) => bunker("update", ...change, "changed")));
    const members = ["Memory", "PidsLimit", "CpuShares", "NanoCpus", "CpusetCpus", "RestartPolicy.Name"];
    const format = members.map((member) => `{{.HostConfig.${member}}}`).join(" ");
    expect(await bunker("inspect", "--format", format, "changed")).toBe("104857600 9 77 500000000 0 on-failure\n");
    await bunker("rm", "changed");
  });

  test("is what two commands at once agree on: one removes it, both start it", async () => {
    await bunker("create", "--name", "twice", suite.image, "sh", "-c", idle);
    const started = await Promise.all([1, 2].map(() => suite.user.bunker(["start", "twice"])));
    for (const outcome of started) expect(outcome).toEqual({ status: 0, output: "twice\n", errors: "" });
    expect(await state("twice")).toBe("running 0\n");
    const removed = await Promise.all([1, 2].map(() => suite.user.bunker(["rm", "-f", "twice"])));
    expect(removed.some(({ status, output }) => status === 0 && output === "twice\n")).toBe(true);
    expect(await bunker("ps", "-aq")).toBe("");
  });

  test("ends what is executed in it when it is removed", async () => {
    await bunker("run", "-d", "--name", "host", suite.image, "sh", "-c", idle);
    const session = suite.user.talk([suite.user.bunkerPath, "exec", "host", "sh", "-c", "echo inside; sleep 1000"]);
    await session.expect("inside\n");
    await bunker("rm", "-f", "host");
    expect((await session.finish()).status).toBe(137);
  });

  test("has a policy that starts it again, until it is stopped", async () => {
    await bunker(
      "run",
      "-d",
      "--name",
      "again",
      "--restart",
      "on-failure:2",
      suite.image,
      "sh",
      "-c",
      "echo run; exit 4",
    );
    await untilState("again", "exited 4");
    expect(await bunker("logs", "again")).toBe("run\nrun\nrun\n");
    expect(await bunker("inspect", "--format", "{{.RestartCount}}", "again")).toBe("2\n");
    await bunker("run", "-d", "--name", "always", "--restart", "always", suite.image, "sh", "-c", "exit 1");
    await untilState("always", "restarting 1");
    await bunker("stop", "always");
    expect(await state("always")).toBe("exited 1\n");
    await bunker("rm", "again", "always");
  });

  test("has on record why its policy could not start it again", async () => {
    const source = suite.user.makeDirectory("source");
    const options = ["--name", "again", "--restart", "always", "--mount", `type=bind,source=${source},target=/mnt`];
    await bunker("run", "-d", ...options, suite.image, "sleep", "1000");
    rmSync(source, { recursive: true });
    kill(Number(await bunker("inspect", "--format", "{{.State.Pid}}", "again")));
    await untilState("again", "exited 125");
    const error = `bind mount on /mnt: find ${source}: ENOENT\n`;
    expect(await bunker("inspect", "--format", "{{.State.Error}}", "again")).toBe(error);
    expect(await bunker("rm", "again")).toBe("again\n");
  });

  test("is checked for its health", async () => {
    const check = ["--health-cmd", "test -e /well", "--health-interval", "50ms", "--health-retries", "2"];
    await bunker("run", "-d", "--name", "patient", ...check, suite.image, "sh", "-c", idle);
    const health = () => bunker("inspect", "--format", "{{.State.Health.Status}}", "patient");
    for (let found = ""; found !== "unhealthy\n"; ) found = await health();
    expect(await bunker("ps", "--filter", "health=unhealthy", "--format", "{{.Names}}")).toBe("patient\n");
    await bunker("exec", "patient", "touch", "/well");
    for (let found = ""; found !== "healthy\n"; ) found = await health();
    await bunker("rm", "-f", "patient");
  });

  test("starts in the foreground with more ports than wait in its supervisor's socket", async () => {
    const words = ["-p", "21000-21599:1000-1599", suite.image, "sh", "-c", "echo said; sleep 0.2; exit 5"];
    expect(await suite.user.run(words)).toMatchObject({ status: 5, output: "said\n" });
  });

  test("is checked for its health by what says more than a pipe holds", async () => {
    const check = ["--health-cmd", "echo first; dd if=/dev/zero bs=1M count=1", "--health-interval", "50ms"];
    await bunker("run", "-d", "--name", "patient", ...check, suite.image, "sleep", "1000");
    const health = () => bunker("inspect", "--format", "{{json .State.Health}}", "patient");
    let found = await health();
    while (found.includes('"starting"')) found = await health();
    const { Status, Log } = JSON.parse(found);
    expect(Status).toBe("healthy");
    expect(Log[0].Output).toStartWith("first\n");
    expect(Log[0].Output).toHaveLength(4096);
    await bunker("rm", "-f", "patient");
  });

  test("is checked less often when it is healthy, also at its beginning", async () => {
    const check = ["--health-interval", "1h", "--health-start-period", "1h", "--health-start-interval", "20ms"];
    const checks = (name: string) => bunker("inspect", "--format", "{{len .State.Health.Log}}", name);
    const run = (name: string, command: string) =>
      bunker("run", "-d", "--name", name, ...check, "--health-cmd", command, suite.image, "sleep", "1000");
    await run("well", "true");
    while ((await checks("well")) === "0\n");
    await run("ill", "false");
    while ((await checks("ill")) !== "5\n");
    expect(await checks("well")).toBe("1\n");
    await bunker("rm", "-f", "well", "ill");
  });

  test("is checked for its health though the executable that started it has been removed", async () => {
    const older = `${suite.user.directory}/older`;
    copyFileSync(suite.user.bunkerPath, older);
    const check = ["--health-cmd", "true", "--health-interval", "50ms"];
    const words = ["run", "-d", "--name", "patient", ...check, suite.image, "sleep", "1000"];
    expect(await suite.user.execute([older, ...words])).toMatchObject({ status: 0 });
    rmSync(older);
    for (let found = ""; found !== "healthy\n"; ) {
      found = await bunker("inspect", "--format", "{{.State.Health.Status}}", "patient");
      expect(found).not.toBe("unhealthy\n");
    }
    await bunker("rm", "-f", "patient");
  });

  test("tells what happens to it", async () => {
    await bunker("run", "--rm", "--name", "told", suite.image, "true");
    const events = await bunker(
      "events",
      "--since",
      "1h",
      "--until",
      "0s",
      "--filter",
      "container=told",
      "--format",
      "{{.Action}}",
    );
    expect(events).toBe("create\nstart\ndie\ndestroy\n");
    const ends = [
      "events",
      "--since=1h",
      "--until=0s",
      "--filter=container=told",
      "--filter=event=die",
      "--format=json",
    ];
    expect(JSON.parse(await bunker(...ends)).Actor.Attributes).toMatchObject({
      exitCode: "0",
      execDuration: expect.stringMatching(/^\d+$/),
    });
  });

  test("tells of its end in Docker's order, whoever asks for it", async () => {
    const run = (name: string, ...options: string[]) =>
      bunker("run", "-d", "--name", name, ...options, suite.image, "sleep", "1000");
    await run("ended");
    await bunker("kill", "ended");
    await bunker("start", "ended");
    await bunker("restart", "-t", "0", "ended");
    await bunker("stop", "-t", "0", "ended");
    await bunker("start", "ended");
    await bunker("rm", "-f", "ended");
    await run("once", "--rm");
    await bunker("stop", "-t", "0", "once");
    const told = async (name: string) => {
      const format = "{{.Action}}{{with .Actor.Attributes.signal}} {{.}}{{end}}";
      const words = ["--since=1h", "--until=0s", `--filter=container=${name}`, `--format=${format}`];
      return (await bunker("events", ...words)).trimEnd().split("\n");
    };
    const stopped = ["kill 15", "kill 9", "die", "stop"];
    expect(await told("ended")).toEqual([
      ...["create", "start", "kill 9", "die", "start"],
      ...[...stopped, "start", "restart"],
      ...[...stopped, "start", "kill 9", "die", "destroy"],
    ]);
    expect(await told("once")).toEqual(["create", "start", ...stopped, "destroy"]);
    // As with Docker, the beginning of a name will do, but not its middle.
    expect(await told("on")).toEqual(await told("once"));
    expect(await told("nce")).toEqual([""]);
  });

  test("is counted in what is told of the host and of Bunker", async () => {
    await bunker("create", "--name", "counted", suite.image, "true");
    const facts = JSON.parse(await bunker("info", "--format", "{{json .}}"));
    await bunker("rm", "counted");
    expect(facts).toMatchObject({
      Containers: 1,
      ContainersRunning: 0,
      ContainersStopped: 1,
      Driver: "overlay",
      OSType: "linux",
      NCPU: navigator.hardwareConcurrency,
      MemTotal: totalmem(),
      KernelVersion: release(),
      DockerRootDir: suite.user.data,
      Plugins: { Volume: ["local"], Log: ["json-file", "local", "journald", "none"] },
      Runtimes: { bunker: { path: suite.user.bunkerPath } },
    });
    // What Docker's own has, of what there is without a daemon.
    const members = [
      ...["Architecture", "CgroupDriver", "CgroupVersion", "CpuCfsPeriod", "CpuCfsQuota", "CPUSet", "CPUShares"],
      ...["Debug", "DefaultRuntime", "DriverStatus", "HttpProxy", "HttpsProxy", "Images", "Labels", "LoggingDriver"],
      ...["MemoryLimit", "Name", "NoProxy", "OperatingSystem", "OSVersion", "PidsLimit", "SecurityOptions"],
      ...["ServerVersion", "SwapLimit", "SystemTime", "Warnings"],
    ];
    expect(Object.keys(facts)).toEqual(expect.arrayContaining(members));
    const environment = { HTTP_PROXY: "http://somebody:secret@proxy.example:3128", https_proxy: "me:pw@other:1" };
    const words = ["info", "--format", "{{.HttpProxy}} {{.HttpsProxy}}"];
    const { output } = await suite.user.bunker(words, { environment });
    expect(output).toBe("http://xxxxx:xxxxx@proxy.example:3128 xxxxx:xxxxx@other:1\n");
  });

  test("tells of what is copied and pruned, and of images", async () => {
    await bunker("run", "-d", "--name", "source", suite.image, "sh", "-c", idle);
    expect(await bunker("container", "inspect", "--format", "{{.Name}}", "source")).toBe("/source\n");
    await bunker("top", "source");
    await bunker("cp", "source:/etc/passwd", "source:/copy");
    await bunker("commit", "--squash", "--pause=false", "source", "told:1");
    await bunker("tag", "told:1", "told:2");
    await bunker("rmi", "told:2");
    await bunker("rmi", "told:1");
    await bunker("rm", "-f", "source");
    await bunker("container", "prune", "--force");
    const events = async (...filters: string[]) => {
      const format = "{{.Action}} {{.Actor.Attributes.name}}";
      const asked = filters.flatMap((filter) => ["--filter", filter]);
      const told = await bunker("events", "--since", "1h", "--until", "0s", ...asked, "--format", format);
      return told.trimEnd().split("\n");
    };
    const [tag, untag, first, deletion] = await events("type=image");
    expect([tag, untag, first]).toEqual(["tag told:2", "untag told:2", "untag told:1"]);
    expect(deletion).toMatch(/^delete sha256:[0-9a-f]{64}$/);
    expect(await events("image=told:2")).toEqual(["tag told:2", "untag told:2"]);
    expect(await events("container=source")).toEqual(
      ["create", "start", "top", "archive-path", "extract-to-dir", "commit", "kill", "die", "destroy"].map(
        (action) => `${action} source`,
      ),
    );
    expect((await events("event=prune")).at(-1)).toMatch(/^prune /);
  });

  test("is checked for its health by the image's shell, and told which time was exceeded", async () => {
    await bunker("create", "--name", "source", suite.image, "true");
    await bunker(
      "commit",
      "--squash",
      "--change",
      'SHELL ["/bin/sh", "-c", "echo by the shell: $0"]',
      "source",
      "shelled",
    );
    const run = (name: string, image: string, command: string) => {
      const check = ["--health-cmd", command, "--health-interval", "50ms", "--health-timeout", "1500ms"];
      return bunker("run", "-d", "--name", name, ...check, image, "sleep", "1000");
    };
    await run("shelled", "shelled", "hello");
    await run("late", suite.image, "echo begun; sleep 1000");
    await run("silent", suite.image, "sleep 1000");
    const first = async (name: string) => {
      const format = "{{with .State.Health.Log}}{{json (index . 0)}}{{end}}";
      let found = "";
      while (found === "") found = (await bunker("inspect", "--format", format, name)).trim();
      return JSON.parse(found);
    };
    expect(await first("shelled")).toMatchObject({ ExitCode: 0, Output: "by the shell: hello\n" });
    const exceeded = "Health check exceeded timeout (1.5s)";
    expect(await first("late")).toMatchObject({ ExitCode: -1, Output: `${exceeded}: begun\n` });
    expect(await first("silent")).toMatchObject({ ExitCode: -1, Output: exceeded });
    await bunker("rm", "-f", "source", "shelled", "late", "silent");
    await bunker("rmi", "shelled");
  });
});

describe("exec", () => {
  test("has the container's surroundings, or the user's own", async () => {
    await bunker("run", "-d", "--name", "room", "-e", "A=1", "-w", "/usr", suite.image, "sh", "-c", idle);
    expect(await bunker("exec", "room", "sh", "-c", "echo $A $(pwd)")).toBe("1 /usr\n");
    expect(await bunker("exec", "-e", "A=2", "-w", "/tmp", "room", "sh", "-c", "echo $A $(pwd)")).toBe("2 /tmp\n");
    expect((await suite.user.bunker(["exec", "room", "sh", "-c", "exit 9"])).status).toBe(9);
    expect((await suite.user.bunker(["exec", "room", "nothing"])).status).toBe(127);
    for (const [directory, error] of [
      ["/nosuch", "ENOENT"],
      ["/etc/passwd", "ENOTDIR"],
    ] as const) {
      const refused = await suite.user.bunker(["exec", "-w", directory, "room", "true"]);
      const errors = `bunker: change to directory ${directory}: ${error}\n`;
      expect(refused).toEqual({ status: 127, output: "", errors });
    }
    for (const [user, error] of [
      ["nosuch", "unable to find user nosuch: no matching entries in passwd file"],
      ["0:nosuch", "unable to find group nosuch: no matching entries in group file"],
    ] as const) {
      const refused = await suite.user.bunker(["exec", "-u", user, "room", "true"]);
      expect(refused).toMatchObject({ status: 126, errors: expect.stringContaining(`bunker: ${error}\nhint: `) });
    }
    // Before anything is executed.
    const keys = await suite.user.bunker(["exec", "--detach-keys", "ctrl-", "room", "touch", "/executed"]);
    expect(keys).toMatchObject({ status: 125, errors: expect.stringContaining('"ctrl-" is no key') });
    expect((await suite.user.bunker(["exec", "room", "ls", "/executed"])).status).toBe(1);
    const { output } = await suite.user.bunker(["exec", "-i", "room", "wc", "-c"], { input: "x".repeat(1_000_000) });
    expect(output.trim()).toBe("1000000");
    await bunker("exec", "-d", "room", "sh", "-c", "echo to nobody; echo to nobody >&2; echo done >/written");
    for (let found = ""; found !== "done\n"; )
      found = (await suite.user.bunker(["exec", "room", "cat", "/written"])).output;
    await bunker("rm", "-f", "room");
    const gone = await suite.user.bunker(["exec", "room", "true"]);
    expect(gone).toMatchObject({ status: 1, errors: "bunker: No such container: room\n" });
  });

  test("has a parent that waits for a process of exec -d, so that nothing of it holds up the container's end", async () => {
    await bunker("run", "-d", "--name", "room", suite.image, "sleep", "1000");
    await bunker("exec", "-d", "room", "sleep", "1001");
    await bunker("exec", "-dt", "room", "sleep", "1002");
    const parents = ["sleep\x001001\0", "sleep\x001002\0"].map((words) => {
      const [pid] = processesOf(words);
      return pid === undefined ? undefined : processStatus(pid)?.parent;
    });
    expect(parents.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"))).toEqual(
      [REAPER_NAME, REAPER_NAME].map((name) => `${name}\0`),
    );
    // Nothing of it is in the way of anybody: no descriptor is open, and it is in a session of its own.
    for (const pid of parents) {
      expect(readdirSync(`/proc/${pid}/fd`)).toEqual([]);
      expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
      expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").slice(4, 6)).toEqual([String(pid), String(pid)]);
    }
    // One that ends is reaped at once, and its parent goes.
    await bunker("exec", "room", "sh", "-c", "kill $(pidof sleep | tr ' ' '\n' | grep -v '^1$' | head -n 1)");
    await eventually(
      () => parents.filter((pid) => pid !== undefined && processStatus(pid) !== undefined).length === 1,
      () => "one of the parents to end",
    );
    await bunker("rm", "-f", "room");
    await eventually(
      () => parents.every((pid) => pid === undefined || processStatus(pid) === undefined),
      () => "the other parent to end",
    );
    expect(processesOf("sleep\x001001\0")).toEqual([]);
  });

  test("tells why a process of exec -d does not start, and leaves nothing", async () => {
    await bunker("run", "-d", "--name", "room", suite.image, "sleep", "1000");
    const before = processesOf(`${REAPER_NAME}\0`);
    for (const [words, status] of [
      [["room", "missing"], 127],
      [["room", "/etc/passwd"], 126],
      [["-w", "/missing", "room", "true"], 127],
      [["-t", "room", "missing"], 127],
    ] as const) {
      expect(await suite.user.bunker(["exec", "-d", ...words])).toMatchObject({ status, output: "" });
    }
    expect(processesOf(`${REAPER_NAME}\0`)).toEqual(before);
    expect(await bunker("exec", "room", "sh", "-c", "ls -d /proc/[0-9]* | wc -l")).toMatch(/^[1-4]\n$/);
    await bunker("rm", "-f", "room");
  });

  test("finds its container by all that it is called by, and gives the process its limits", async () => {
    const id = (
      await bunker("run", "-d", "--name", "limited", "--ulimit", "nofile=100:200", suite.image, "sh", "-c", idle)
    ).trim();
    for (const reference of ["limited", "/limited", id, id.slice(0, 5)]) {
      expect(await bunker("exec", reference, "sh", "-c", "ulimit -n; ulimit -Hn")).toBe("100\n200\n");
    }
    await bunker("rm", "-f", "limited");
  });

  test.each([
    ["when that of the command has gone", ["-it"], "SIGHUP"],
    ["when it is left by the detach keys", ["-it"], "keys"],
    ["when it is started in the background", ["-dt"], "nothing"],
  ] as const)("goes on with its terminal %s", async (_name, options, event) => {
    await bunker("run", "-d", "--name", "room", suite.image, "sh", "-c", idle);
    const script = "echo ready; while [ ! -e /go ]; do sleep 0.02; done; [ -t 1 ] && echo still here && : >/done";
    const words = ["exec", ...options, "room", "sh", "-c", script];
    const session = suite.user.startInTerminal([suite.user.bunkerPath, ...words]);
    if (event !== "nothing") await session.expect("ready");
    if (event === "SIGHUP") session.process.kill(event);
    if (event === "keys") session.type("\x10\x11");
    expect(await session.process.exited).toBe(0);
    session.terminal.close();
    await bunker("exec", "room", "touch", "/go");
    while ((await suite.user.bunker(["exec", "room", "test", "-e", "/done"])).status !== 0);
    await bunker("rm", "-f", "room");
  });

  test("with keys that are none executes nothing", async () => {
    await bunker("run", "-d", "--name", "room", suite.image, "sh", "-c", idle);
    const refused = await suite.user.bunker(["exec", "--detach-keys", "nokey", "room", "sh", "-c", ": >/executed"]);
    expect(refused.errors).toStartWith('bunker: read the detach keys "nokey": "nokey" is no key\n');
    expect((await suite.user.bunker(["exec", "room", "sh", "-c", "test ! -e /executed"])).status).toBe(0);
    await bunker("rm", "-f", "room");
  });
});

/** Waits until a container has written something. */
async function untilLogged(name: string, text: string): Promise<void> {
  for (let log = ""; !log.includes(text); ) log = await bunker("logs", name);
}
