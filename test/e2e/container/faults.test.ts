/* What can happen to containers in the background: a full disk, a state database that is no use, two commands at once. */
import { describe, expect, test } from "bun:test";
import { existsSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { isHeld } from "../../../src/engine/state/container-directory.ts";
import { eventually, finish, type Outcome, openFiles } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

/** Runs a shell script as the user whose data directory is a file system of 24 MB; `$1` is Bunker, `$2` the image. */
function onSmallDisk(script: string): Promise<Outcome> {
  const data = suite.user.environment["XDG_DATA_HOME"] ?? "";
  const mount = `set -e; mount -t tmpfs -o size=24m,mode=700,uid=${suite.user.uid} tmpfs ${data}; mountpoint -q ${data}; exec "$@"`;
  const words = suite.user.as(["sh", "-c", script, "sh", suite.user.bunkerPath, suite.image]);
  return finish(suite.user.startAsRoot(["unshare", "-m", "sh", "-c", mount, "sh", ...words]));
}

describe("a full disk", () => {
  test("stops the log and not the container, which can be stopped, listed and removed", async () => {
    const { output, errors } = await onSmallDisk(`
      "$1" run -d --name idle "$2" sleep 1000 >/dev/null
      "$1" run -d --name full "$2" sh -c 'head -c 1000000 /dev/zero | tr "\\0" "\\n"; exit 7' >/dev/null
      "$1" wait full
      "$1" logs --tail 1 full | wc -l
      "$1" inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' full
      head -c 30000000 /dev/zero >"$XDG_DATA_HOME/rest" 2>/dev/null
      rm -f "$XDG_DATA_HOME/bunker/state.db-shm"
      "$1" stop -t 0 idle
      "$1" ps -a --format '{{.Names}} {{.State}}'
      "$1" run --name more "$2" true
      echo "status $?"
      "$1" rm full idle
      "$1" ps -aq
      rm "$XDG_DATA_HOME/rest"
      "$1" run --rm "$2" echo again`);
    expect(output).toMatch(
      /^7\n1\nexited 7 \d+ bytes of the log could not be written: ENOSPC\nidle\nfull exited\nidle exited\nstatus 125\nfull\nidle\nagain\n$/,
    );
    const [warning, refusal, hint, ...rest] = errors.split("\n");
    expect(warning).toMatch(/^warning: container full: \d+ bytes of the log could not be written: ENOSPC$/);
    expect(refusal).toMatch(/^bunker: .*(ENOSPC|no space)/);
    expect(hint).toMatch(/^hint: Free some space/);
    expect(rest).toEqual([""]);
  });

  test("lets an end be recorded that several wait for", async () => {
    const { output, errors } = await onSmallDisk(`
      "$1" run -d --name idle "$2" sleep 1000 >/dev/null
      pid=$("$1" inspect --format '{{.State.Pid}}' idle)
      rm -f "$XDG_DATA_HOME/bunker/state.db-shm"
      dd if=/dev/zero of="$XDG_DATA_HOME/rest" bs=4k 2>/dev/null
      waiting=
      for one in 1 2 3 4 5 6; do "$1" wait idle & waiting="$waiting $!"; done
      for one in $waiting; do
        until ls -l /proc/$one/fd 2>/dev/null | grep -q socket: || ! kill -0 $one 2>/dev/null; do :; done
      done
      kill -9 $pid
      wait
      "$1" ps -a --format '{{.Names}} {{.State}}'
      "$1" rm idle`);
    expect({ output, errors }).toEqual({ output: `${"137\n".repeat(6)}idle exited\nidle\n`, errors: "" });
  });

  test("is told of by whoever needs some of it, and keeps nobody from making space", async () => {
    const layout = suite.image.slice("oci:".length, -":latest".length);
    const { output, errors } = await onSmallDisk(`
      "$1" load -qi ${layout} >/dev/null
      for id in $("$1" images -q); do "$1" tag $id box; done
      "$1" create --name idle --network none box true >/dev/null
      "$1" run -d --name busy --network none box sleep 1000 >/dev/null
      "$1" volume create data >/dev/null
      tar cf "$HOME/files.tar" -C / bin/busybox
      dd if=/dev/zero of="$XDG_DATA_HOME/rest" bs=4k 2>/dev/null
      bunker=$1
      try() { "$bunker" "$@" >/dev/null 2>"$HOME/errors"; echo "$1 $? $(grep -oiE 'ENOSPC|no space' "$HOME/errors")" >&2; }
      try create --name more --network none box true
      try run --name more --network none box true
      try cp "$bunker" busy:/big
      try cp "$bunker" idle:/big
      try exec busy sh -c 'echo text >/file'
      try commit --squash --pause=false busy big
      try volume import data "$HOME/files.tar"
      try export -o "$XDG_DATA_HOME/export.tar" busy
      head -c 100000 /dev/zero | try secret create password -
      rm -f "$HOME/errors" "$HOME/files.tar"
      "$1" ps -a --format '{{.Names}} {{.State}}'
      "$1" stop -t 0 busy
      "$1" rm busy idle
      dd if=/dev/zero of="$XDG_DATA_HOME/more" bs=4k 2>/dev/null
      "$1" volume rm data >/dev/null; "$1" system prune -af >/dev/null; echo "prune $?"
      "$1" images -q; "$1" ps -aq; "$1" volume ls -q; "$1" secret ls -q`);
    expect(output).toBe("busy running\nidle created\nbusy\nbusy\nidle\nprune 0\n");
    const refusals = [
      "create 125",
      "run 125",
      "cp 1",
      "cp 1",
      "exec 1",
      "commit 1",
      "volume 1",
      "export 1",
      "secret 1",
    ];
    expect(errors.replaceAll(/no space/gi, "ENOSPC")).toBe(refusals.map((line) => `${line} ENOSPC\n`).join(""));
  });
});

describe("the state database", () => {
  /** Does something to it, in Python, as the user; `d` is a connection. */
  const change = (statements: string) => {
    const path = `${suite.user.data}/state.db`;
    const script = `import sqlite3, sys; d = sqlite3.connect("${path}", isolation_level=None); ${statements}`;
    return suite.user.talk(["python3", "-c", script]);
  };
  /** What commands say that need it. */
  const refusals = async () => {
    const all = [["ps"], ["start", "kept"], ["run", "--rm", suite.image, "true"], ["rm", "-f", "kept"]];
    return Promise.all(all.map((words) => suite.user.bunker(words)));
  };

  test("of a newer version is left alone", async () => {
    await bunker("create", "--name", "kept", suite.image, "true");
    await change(
      "d.execute(\"UPDATE component SET version = version + 100, compatible_from = compatible_from + 100 WHERE name = 'containers'\")",
    ).finish();
    for (const { status, output, errors } of await refusals()) {
      expect(errors).toMatch(
        /^bunker: open .*state\.db: its containers have version 10\d, this Bunker knows up to \d+\nhint: /,
      );
      expect({ isRefused: status !== 0, output }).toEqual({ isRefused: true, output: "" });
    }
    await change(
      "d.execute(\"UPDATE component SET version = version - 100, compatible_from = compatible_from - 100 WHERE name = 'containers'\")",
    ).finish();
    expect(await bunker("rm", "kept")).toBe("kept\n");
  });

  test("that is damaged is said to be", async () => {
    const path = `${suite.user.data}/state.db`;
    await bunker("create", "--name", "kept", suite.image, "true");
    await suite.user.execute([
      "sh",
      "-c",
      `mkdir ${path}.kept; mv ${path} ${path}-wal ${path}-shm ${path}.kept; echo rubbish >${path}`,
    ]);
    for (const { status, output, errors } of await refusals()) {
      expect(errors).toMatch(/^bunker: use .*state\.db: it is (damaged|no SQLite database)\n/);
      expect({ isRefused: status !== 0, output }).toEqual({ isRefused: true, output: "" });
    }
    await suite.user.execute([
      "sh",
      "-c",
      `rm -f ${path} ${path}-*; mv ${path}.kept/* ${suite.user.data}; rmdir ${path}.kept`,
    ]);
    expect(await bunker("rm", "kept")).toBe("kept\n");
  });

  test("that another process has locked is waited for", async () => {
    await bunker("create", "--name", "kept", suite.image, "true");
    const holder = change(
      "d.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read(); d.execute('COMMIT')",
    );
    await holder.expect("locked\n");
    // Who only reads need not wait.
    expect(await bunker("ps", "-a", "--format", "{{.Names}}")).toBe("kept\n");
    const removal = suite.user.talk([suite.user.bunkerPath, "rm", "kept"]);
    expect(await bunker("ps", "-a", "--format", "{{.Names}} {{.State}}")).toBe("kept created\n");
    expect(removal.process.exitCode).toBeNull();
    await holder.finish();
    expect(await removal.finish()).toEqual({ status: 0, output: "kept\n", errors: "" });
  });
});

test("a container whose config.json a power failure has emptied is told of, shown and removed", async () => {
  const ids = [
    (await bunker("create", "--name", "idle", suite.image, "true")).trim(),
    (await bunker("run", "-d", "--name", "busy", suite.image, "sleep", "1000")).trim(),
  ] as const;
  const file = (id: string) => `${suite.user.data}/containers/${id}/config.json`;
  truncateSync(file(ids[0]));
  writeFileSync(file(ids[1]), Buffer.alloc(4096));
  const reason = (id: string) =>
    `use container ${id.slice(0, 12)}: its ${file(id)} is empty, as a power failure leaves it`;
  for (const [id, ...words] of [
    [ids[0], "start", "idle"],
    [ids[1], "exec", "busy", "true"],
    [ids[1], "cp", "busy:/etc/passwd", "-"],
  ] as const) {
    const { status, errors } = await suite.user.bunker(words);
    expect(status).not.toBe(0);
    expect(errors.split("\n")).toEqual([`bunker: ${reason(id)}`, expect.stringMatching(/^hint: Remove/), ""]);
  }
  const shown = "{{.State.Status}} {{.State.Error}}";
  expect(await bunker("inspect", "-f", shown, ...ids)).toBe(`created ${reason(ids[0])}\nrunning ${reason(ids[1])}\n`);
  expect(await bunker("ps", "-as", "--format", "{{.Names}} {{.State}}")).toBe("busy running\nidle created\n");
  expect(await bunker("logs", "busy")).toBe("");
  await bunker("stop", "-t", "0", "busy");
  await bunker("rm", "idle");
  expect(await bunker("system", "prune", "-f")).toContain(ids[1]);
  expect(await bunker("ps", "-aq")).toBe("");
});

describe("at once", () => {
  test("several prune what is not used, while it also goes by itself, and each thing is said to be gone once", async () => {
    for (let round = 0; round < 4; round++) {
      const names = Array.from({ length: 6 }, (_, index) => `pruned-${index}`);
      for (const name of names) {
        await bunker("network", "create", name);
        await bunker("volume", "create", name);
      }
      const created = names.map((name) => ["create", "--name", name, "--network", "none", suite.image, "true"]);
      await Promise.all(created.map((words) => bunker(...words)));
      const passing = names.map(() => suite.user.bunker(["run", "--rm", "--network", "none", suite.image, "true"]));
      const pruned = await Promise.all(
        [["container"], ["network"], ["volume"], ["container"], ["network"], ["volume"]].map(([kind = ""]) =>
          bunker(kind, "prune", "-f", ...(kind === "volume" ? ["-a"] : [])).then((output) => ({ kind, output })),
        ),
      );
      // A container that has not begun yet may be pruned.
      await Promise.all(passing);
      for (const kind of ["network", "volume"]) {
        const lines = pruned.filter((one) => one.kind === kind).flatMap(({ output }) => output.split("\n"));
        expect(lines.filter((line) => line.startsWith("pruned-")).toSorted()).toEqual(names);
      }
      const ids = pruned
        .flatMap(({ kind, output }) => (kind === "container" ? output.split("\n") : []))
        .filter((line) => /^[0-9a-f]{64}$/.test(line));
      expect(ids.length).toBeGreaterThanOrEqual(names.length);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("fifty containers start in the background", async () => {
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    const words = (name: string) => ["run", "-d", "--name", name, "--network", "none", suite.image, "sleep", "1000"];
    const outcomes = await Promise.all(names.map((name) => suite.user.bunker(words(name))));
    for (const { status, errors } of outcomes) expect({ status, errors }).toEqual({ status: 0, errors: "" });
    const listed = await bunker("ps", "--format", "{{.Names}}");
    expect(listed.trim().split("\n").toSorted()).toEqual(names.toSorted());
    expect((await bunker("rm", "-fa")).trim().split("\n").length).toBe(50);
  });

  test("a container that is copied from is not removed without a word", async () => {
    await bunker(
      "run",
      "-d",
      "--name",
      "source",
      suite.image,
      "sh",
      "-c",
      "head -c 20000000 /dev/zero >/big; echo done; sleep 1000",
    );
    for (let log = ""; log !== "done\n"; ) log = await bunker("logs", "source");
    for (const isRunning of [true, false]) {
      if (!isRunning) await bunker("stop", "-t", "0", "source");
      // It has begun, and cannot end before somebody reads all of it.
      const script = '"$1" cp source:/big - | { head -c 100000 | wc -c; read go <"$2"; wc -c; }; echo $PIPESTATUS';
      const fifo = `${suite.user.home}/go`;
      await suite.user.execute(["mkfifo", fifo]);
      const copy = suite.user.talk(["bash", "-c", script, "bash", suite.user.bunkerPath, fifo]);
      await copy.expect("100000\n");
      const removal = await suite.user.bunker(["rm", "source"]);
      expect(removal.status).toBe(1);
      expect(removal.errors).toMatch(isRunning ? /it is running/ : /another command is working on it/);
      await suite.user.execute(["sh", "-c", `echo >${fifo}; rm ${fifo}`]);
      expect((await copy.finish()).output).toMatch(/^100000\n\d{8}\n0\n$/);
    }
    await bunker("rm", "source");
  });

  test.each(["start", "restart"])("%s waits for a copy of the files", async (command) => {
    await bunker("create", "--name", "source", suite.image, "sh", "-c", "test -e /added; echo $?; exec sleep 1000");
    const work = `${suite.user.home}/work`;
    using _ = { [Symbol.dispose]: () => rmSync(work, { recursive: true, force: true }) };
    // It cannot end before the other half of the archive comes.
    const script = `mkdir "$2"; cd "$2"; head -c 100000 /dev/zero >added; tar cf all.tar added; mkfifo go
      { head -c 50000 all.tar; cat go; tail -c +50001 all.tar; } | "$1" cp - source:/; echo "cp $?"`;
    const copy = suite.user.talk(["sh", "-c", script, "sh", suite.user.bunkerPath, work]);
    const id = (await bunker("inspect", "--format", "{{.Id}}", "source")).trim();
    await eventually(
      () => isHeld(suite.user.data, id),
      () => "the copy to have begun",
    );
    const start = suite.user.start([suite.user.bunkerPath, command, "source"]);
    await eventually(
      () => start.exitCode !== null || openFiles(start.pid).some((path) => path.endsWith("/state.db")),
      () => "the start to look for the container",
    );
    expect(await bunker("inspect", "--format", "{{.State.Status}}", "source")).toBe("created\n");
    await suite.user.execute(["sh", "-c", `: >${work}/go`]);
    expect((await copy.finish()).output).toBe("cp 0\n");
    expect(await finish(start)).toEqual({ status: 0, output: "source\n", errors: "" });
    for (let log = ""; log !== "0\n"; ) log = await bunker("logs", "source");
    await bunker("rm", "-f", "source");
  });

  test("of those who start or remove one, one does it, and the others are told", async () => {
    const four = (words: readonly string[]) => Promise.all(Array.from({ length: 4 }, () => suite.user.bunker(words)));
    /** What those say who come too late. */
    const told = (outcomes: readonly Outcome[]) =>
      outcomes.filter(({ status }) => status !== 0).map(({ errors }) => errors);
    const create = () => bunker("create", "--name", "both", "--network", "none", suite.image, "sleep", "1000");
    const expectOneWinner = async (words: readonly string[], reasons: readonly string[]) => {
      const outcomes = await four(words);
      const losers = told(outcomes);
      for (const reason of losers) expect(reasons).toContain(reason);
      expect(losers.length).toBeLessThan(4);
      return 4 - losers.length;
    };
    const gone = "bunker: No such container: both\n";
    for (let round = 0; round < 2; round++) {
      await create();
      // One that runs already is started, as Docker has it.
      expect(await expectOneWinner(["start", "both"], [])).toBe(4);
      expect(await bunker("ps", "--format", "{{.Names}}")).toBe("both\n");
      await expectOneWinner(["rm", "-f", "both"], [gone]);
      await create();
      const underWay = "bunker: remove container both: removal of container both is already in progress\n";
      expect(await expectOneWinner(["rm", "both"], [gone, underWay])).toBe(1);
      expect(await bunker("ps", "-aq")).toBe("");
    }
  });

  test("rm during exec and cp ends them, where it may", async () => {
    await bunker("run", "-d", "--name", "both", "--network", "none", suite.image, "sleep", "1000");
    const { home } = suite.user;
    using _ = { [Symbol.dispose]: () => rmSync(`${home}/work`, { recursive: true, force: true }) };
    // Copies in what comes of a pipe, which nobody ends before he is told to.
    const script = `mkdir "$2"; cd "$2"; head -c 8000000 /dev/urandom >big; tar cf all.tar big; mkfifo go
      { head -c 4000000 all.tar; : >begun; cat go; tail -c +4000001 all.tar; } | { "$1" cp - both:/; echo "cp $?"; }`;
    const copy = suite.user.talk(["sh", "-c", script, "sh", suite.user.bunkerPath, `${home}/work`]);
    const exec = suite.user.talk([suite.user.bunkerPath, "exec", "both", "sh", "-c", "echo inside; sleep 1000"]);
    await exec.expect("inside\n");
    while (!existsSync(`${home}/work/begun`)) await Bun.sleep(1);
    expect((await suite.user.bunker(["rm", "both"])).errors).toStartWith(
      "bunker: remove container both: it is running\n",
    );
    expect(await bunker("rm", "-f", "both")).toBe("both\n");
    expect(await exec.finish()).toMatchObject({ status: 137 });
    await suite.user.execute(["sh", "-c", `: >${home}/work/go`]);
    const { output, errors } = await copy.finish();
    expect(output).toBe("cp 1\n");
    expect(errors).toMatch(/^bunker: No such container: both\n/);
    expect(await bunker("ps", "-aq")).toBe("");
  });
});
