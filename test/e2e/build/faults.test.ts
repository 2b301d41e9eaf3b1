/* What interrupts builds, and what becomes of the cache then. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DockerRegistry } from "../../docker-registry.ts";
import { busyboxLayout } from "../../fixtures/images.ts";
import { eventually, finish, kill, openFiles } from "../../unprivileged-user.ts";
import { type BuildSuite, buildSuite } from "./suite.ts";

const suite: BuildSuite = buildSuite();

/** A build whose second command goes on until `/c/go` is there, and says when it has begun. */
function waitingContext(id: string): string {
  return suite.context({
    Dockerfile: [
      "FROM busybox",
      "RUN echo kept > /kept",
      `RUN --mount=type=cache,id=${id},target=/c touch /c/begun; while [ ! -e /c/go ]; do usleep 1000; done; echo done > /done`,
      "",
    ].join("\n"),
  });
}

/** Where a cache mount's files are. */
function cacheMount(id: string): string {
  const name = new Bun.CryptoHasher("sha256").update(id).digest("hex").slice(0, 32);
  return join(suite.user.data, "build", "mounts", name, "data");
}

async function startWaiting(id: string) {
  const context = waitingContext(id);
  const { user } = suite;
  const build = user.start([user.bunkerPath, "build", "--progress", "plain", "-t", id, context]);
  await eventually(
    () => existsSync(join(cacheMount(id), "begun")),
    () => "the command to begin",
  );
  return { build, context };
}

/** Lets the command end, and builds again: what came before is in the cache, and nothing is broken. */
async function expectWhole(id: string, context: string): Promise<void> {
  const go = suite.context({ Dockerfile: `FROM busybox\nRUN --mount=type=cache,id=${id},target=/c touch /c/go\n` });
  await suite.built(go);
  const progress = await suite.built(context, ["-t", id]);
  expect(progress).toMatch(/^#(\d+) \[2\/3\] RUN echo kept > \/kept\n#\1 CACHED$/m);
  expect(await suite.inside(id, "cat /kept /done")).toBe("kept\ndone\n");
  expect(readdirSync(join(suite.user.data, "build", "tmp"))).toEqual([]);
}

test.each(["SIGINT", "SIGTERM"] as const)("stops everything at %s", async (signal) => {
  const id = `stopped-${signal.toLowerCase()}`;
  const { build, context } = await startWaiting(id);
  build.kill(signal);
  const errors = await new Response(build.stderr).text();
  expect(await build.exited).toBe(signal === "SIGINT" ? 130 : 143);
  expect(errors).toMatch(/^#\d+ CANCELED$/m);
  expect(errors).toMatch(new RegExp(`bunker: interrupted by ${signal}\n$`));
  await suite.user.expectNothingLeft();
  await expectWhole(id, context);
});

test("Ctrl-C ends what takes long: reading a file, packing a layer, asking a registry", async () => {
  const { user } = suite;
  const [kept, size] = ["RUN echo kept > /kept", 2 ** 40];
  let requests = 0;
  // It never answers.
  using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Promise(() => void requests++) });
  const contextOf = (...lines: string[]) =>
    suite.context({ Dockerfile: ["FROM busybox", kept, ...lines, ""].join("\n") });
  const reading = contextOf("COPY huge /");
  writeFileSync(join(reading, "huge"), "");
  truncateSync(join(reading, "huge"), size);
  const isReading = () => user.processes().some((pid) => openFiles(pid).some((name) => name === join(reading, "huge")));
  const packing = contextOf(`RUN dd of=/huge bs=1 count=0 seek=${size} 2>/dev/null`);
  const asking = contextOf(`COPY --from=127.0.0.1:${server.port}/image / /`);
  for (const [context, options, isAtWork] of [
    [reading, [], isReading],
    [packing, [], (shown: string) => shown.includes("exporting layers\n")],
    [packing, ["--output", "type=tar,dest=/dev/null"], (shown: string) => shown.includes("copying files\n")],
    [asking, ["--tls-verify=false"], () => requests > 0],
  ] as const) {
    const build = user.start([user.bunkerPath, "build", "--progress", "plain", ...options, context]);
    let shown = "";
    const reader = (async () => {
      for await (const piece of build.stderr) shown += Buffer.from(piece).toString();
    })();
    await eventually(
      () => isAtWork(shown),
      () => `the build to be at work: ${shown}`,
    );
    build.kill("SIGINT");
    expect(await build.exited).toBe(130);
    await reader;
    await user.expectNothingLeft();
    expect(readdirSync(join(user.data, "build", "tmp"))).toEqual([]);
  }
  expect(await suite.built(contextOf())).toMatch(/^#(\d+) \[2\/2\] RUN echo kept > \/kept\n#\1 CACHED$/m);
});

test("leaves nothing running and nothing broken when it is killed, whichever of its processes", async () => {
  for (const [place, words] of ["build", "internal build", "internal build-run"].entries()) {
    const id = `killed-${place}`;
    const { build, context } = await startWaiting(id);
    const victims = suite.user.processes().filter((pid) => isCommand(pid, words));
    expect(victims.length).toBeGreaterThan(0);
    for (const pid of victims) kill(pid);
    await build.exited;
    // Files that it has left are removed by the next build.
    await eventually(
      () => suite.user.processes().length === 0,
      () => "no process to be left",
    );
    await expectWhole(id, context);
  }
});

test("nor a command whose process has changed its user, which the kernel does not kill", async () => {
  for (const [place, [signal, words]] of (
    [
      ["SIGKILL", "build"],
      ["SIGKILL", "internal build-run"],
      ["SIGINT", "build"],
    ] as const
  ).entries()) {
    const id = `changed-${place}`;
    const script = "touch /c/begun; while :; do usleep 1000; done";
    const context = suite.context({
      Dockerfile: `FROM busybox\nRUN --mount=type=cache,id=${id},target=/c chmod 777 /c; exec su alice -c '${script}'\n`,
    });
    const { user } = suite;
    const build = user.start([user.bunkerPath, "build", "--progress", "plain", context]);
    await eventually(
      () => existsSync(join(cacheMount(id), "begun")),
      () => "the command to begin",
    );
    for (const pid of user.processes().filter((candidate) => isCommand(candidate, words))) kill(pid, signal);
    await build.exited;
    await eventually(
      () => user.processes().length === 0,
      () => `no process to be left after ${signal} for ${words}`,
    );
  }
});

test("leaves nothing broken when it is killed or interrupted, however far it has come", async () => {
  const { user } = suite;
  await using registry = await DockerRegistry.start();
  const base = `${registry.host}/busybox`;
  expect(await user.bunker(["copy", "-q", `oci:${busyboxLayout()}:latest`, `docker://${base}`])).toMatchObject({
    status: 0,
  });
  const context = suite.context({
    Dockerfile: [
      `FROM ${base} AS one`,
      "RUN echo one > /one",
      `FROM ${base}`,
      "COPY file /",
      "COPY --from=one /one /",
      "RUN cat /file /one > /both",
      "",
    ].join("\n"),
    file: "file\n",
  });
  const signals = ["SIGKILL", "SIGINT"] as const;
  for (const [place, linesBefore] of [1, 4, 5, 7, 9, 11, 12, 14, 15, 17, 18, 21].entries()) {
    const signal = signals[place % signals.length];
    const options = ["--no-cache", "--pull", "--progress", "plain", "-t", "survives"];
    const build = user.start([user.bunkerPath, "build", ...options, context]);
    let lines = 0;
    for await (const piece of build.stderr) {
      const isBefore = lines < linesBefore;
      lines += piece.filter((byte) => byte === 10).length;
      if (isBefore && lines >= linesBefore) build.kill(signal);
    }
    const status = await build.exited;
    // It may have been done already.
    if (signal === "SIGINT") expect([0, 130]).toContain(status);
    await eventually(
      () => user.processes().length === 0,
      () => "no process to be left",
    );
    await suite.built(context, ["-t", "survives"]);
    expect(await suite.inside("survives", "cat /both")).toBe("file\none\n");
    expect(readdirSync(join(user.data, "build", "tmp"))).toEqual([]);
  }
});

test("has its image whole though the image that it begins with is removed meanwhile", async () => {
  const { user } = suite;
  await suite.built(suite.context({ Dockerfile: "FROM busybox\nRUN echo base > /base\n" }), ["-t", "base"]);
  const script = "touch /c/begun; while [ ! -e /c/go ]; do usleep 1000; done";
  const context = suite.context({
    Dockerfile: `FROM base\nRUN --mount=type=cache,id=removed,target=/c ${script}\nRUN echo done > /done\n`,
  });
  const build = user.start([user.bunkerPath, "build", "-q", "-t", "removed-base", context]);
  await eventually(
    () => existsSync(join(cacheMount("removed"), "begun")),
    () => "the command to begin",
  );
  for (const words of [
    ["rmi", "base"],
    ["image", "prune", "-f"],
  ]) {
    expect(await user.bunker(words)).toMatchObject({ status: 0, errors: "" });
  }
  await suite.built(
    suite.context({ Dockerfile: "FROM busybox\nRUN --mount=type=cache,id=removed,target=/c touch /c/go\n" }),
  );
  expect(await finish(build)).toMatchObject({ status: 0, errors: "" });
  // Not from what the cache has unpacked.
  const archive = join(user.makeDirectory("removed-base"), "image.tar");
  expect(await user.bunker(["save", "-q", "-o", archive, "removed-base"])).toMatchObject({ status: 0, errors: "" });
  expect((await user.bunker(["rmi", "removed-base"])).status).toBe(0);
  expect((await user.bunker(["builder", "prune", "-af"])).status).toBe(0);
  expect((await user.bunker(["load", "-q", "-i", archive])).status).toBe(0);
  expect(await suite.inside("removed-base", "cat /base /done")).toBe("base\ndone\n");
});

test("says that a command was killed", async () => {
  const { build, context } = await startWaiting("command");
  const victims = suite.user.processes().filter((pid) => readCommandLine(pid).startsWith("/bin/sh -c touch /c/begun"));
  // The shell, and what it may just have forked to become usleep.
  expect(victims).not.toEqual([]);
  for (const pid of victims) kill(pid);
  expect(await new Response(build.stderr).text()).toContain("did not complete successfully: exit code: 137\n");
  expect(await build.exited).toBe(1);
  await expectWhole("command", context);
});

test("ends when the disk is full, and builds again when it is not", async () => {
  const { user } = suite;
  const context = suite.context({
    run: "FROM busybox\nRUN echo kept > /kept\nRUN dd if=/dev/zero of=/zeros bs=1M count=64\n",
    copy: "FROM busybox\nCOPY large /\n",
    little: "FROM busybox\nRUN echo kept > /kept\nRUN echo little > /little\n",
    large: "x".repeat(64 << 20),
  });
  const data = user.makeDirectory("little-disk");
  const build = `"$0" build --progress plain -f ${context}`;
  const script = [
    `"$0" copy -q oci:${busyboxLayout()}:latest busybox`,
    ...["run", "copy", "little"].map((name) => `${build}/${name} ${context} 2>&1; echo status $?`),
    `ls -A ${data}/bunker/build/tmp | wc -l`,
  ].join("\n");
  const mount = `mount -t tmpfs -o size=32m,mode=777 tmpfs ${data} && exec "$@"`;
  const shell = user.as(["env", `XDG_DATA_HOME=${data}`, "sh", "-c", script, user.bunkerPath]);
  const { output: said } = await finish(user.startAsRoot(["unshare", "-m", "--", "sh", "-c", mount, "sh", ...shell]));
  const [run = "", copy = "", little = "", left = ""] = said.split(/^status (?=\d)/m);
  expect(run).toMatch(/No space left on device/);
  expect(copy).toMatch(/^1\n[\s\S]*bunker: .*(?:ENOSPC|no space)/);
  expect(little).toMatch(/^1\n[\s\S]*RUN echo kept > \/kept\n#\d+ CACHED\n/);
  expect(left).toBe("0\n0\n");
});

function isCommand(pid: number, words: string): boolean {
  const line = readCommandLine(pid);
  return words === "build"
    ? / build --progress/.test(line) && !line.includes("internal")
    : line.includes(` ${words} `) || line.endsWith(` ${words}`);
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

test("takes out of the cache what is not used, and leaves images whole", async () => {
  const context = suite.context({ Dockerfile: "FROM busybox\nRUN echo content > /file\nRUN echo more > /more\n" });
  const bunker = async (...words: readonly string[]) => {
    const { status, output, errors } = await suite.user.bunker(words);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    return output;
  };
  await bunker("builder", "prune", "-af");
  await suite.built(context, ["-t", "pruned"]);
  // The image has them, too.
  expect(await bunker("builder", "prune", "-f")).toBe("Total reclaimed space: 0B\n");
  expect(await bunker("system", "df", "--format", "{{.Type}} {{.TotalCount}}")).toContain("Build Cache 2\n");
  expect((await bunker("builder", "prune", "-af")).split("\n")).toHaveLength(6);
  expect(await bunker("builder", "du", "--format", "{{.ID}}")).toBe("");
  expect(await suite.inside("pruned", "cat /file /more")).toBe("content\nmore\n");
  // And the other way round.
  expect(await suite.built(context, ["-t", "pruned"])).not.toMatch(/\] RUN .*\n#\d+ CACHED/);
  await bunker("image", "rm", "-f", "pruned");
  await bunker("image", "prune", "-f");
  expect(await suite.built(context, ["-t", "again"])).toMatch(/\] RUN echo more > \/more\n#\d+ CACHED/);
  expect(await suite.inside("again", "cat /file /more")).toBe("content\nmore\n");
  await bunker("image", "rm", "-f", "again");
  expect(await bunker("builder", "prune", "-f")).toMatch(
    /^Deleted build cache objects:\n(?:\S+\n){2}\nTotal reclaimed space: 13B\n$/,
  );
});

test("does not take a step out of the cache while a build uses it", async () => {
  const { build, context } = await startWaiting("used");
  const { output } = await suite.user.bunker(["builder", "prune", "-af", "--filter", "type=regular"]);
  expect(output).not.toContain("Deleted");
  expect((await suite.user.bunker(["builder", "prune", "-af"])).output).not.toContain("Deleted");
  build.kill("SIGTERM");
  await build.exited;
  await expectWhole("used", context);
});
