/* What is built, and what is not: the graph, the cache, and what several builds share. */
import { expect, test } from "bun:test";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSuite, ends } from "./suite.ts";

const suite = buildSuite();

const ID = /^sha256:[0-9a-f]{64}\n$/;

test("does each step once, and knows it again by what it does and copies", async () => {
  const context = suite.context({
    Dockerfile:
      "FROM busybox\nARG WHO=world\nWORKDIR /app\nCOPY a.txt .\nRUN echo $WHO > who\nCOPY b.txt .\nCMD cat who\n",
    "a.txt": "a",
    "b.txt": "b",
  });
  const steps = (copyA: string, run: string, copyB: string) => ({
    "WORKDIR /app": copyA === "DONE" ? "DONE" : "CACHED",
    "COPY a.txt .": copyA,
    "RUN echo $WHO > who": run,
    "COPY b.txt .": copyB,
  });
  expect(ends(await suite.built(context, ["-t", "steps"]))).toMatchObject(steps("DONE", "DONE", "DONE"));
  expect(await suite.inside("steps", "cat who; ls")).toBe("world\na.txt\nb.txt\nwho\n");
  const { output: id } = await suite.build(context, ["-q"]);
  expect(id).toMatch(ID);
  // Times and owners of files do not count.
  utimesSync(join(context, "a.txt"), 1, 1);
  expect(ends(await suite.built(context, ["-t", "steps"]))).toMatchObject(steps("CACHED", "CACHED", "CACHED"));
  expect(await suite.build(context, ["-q"])).toMatchObject({ status: 0, output: id });
  writeFileSync(join(context, "b.txt"), "c");
  expect(ends(await suite.built(context, ["-t", "steps"]))).toMatchObject(steps("CACHED", "CACHED", "DONE"));
  const progress = await suite.built(context, ["-t", "steps", "--build-arg", "WHO=you", "--build-arg", "WHOM=me"]);
  expect(progress).toContain('WARNING: One or more build-args "WHOM" were not consumed\n');
  const other = ends(progress);
  expect(other).toMatchObject(steps("CACHED", "DONE", "DONE"));
  expect(await suite.inside("steps", "cat who b.txt")).toBe("you\nc");
  expect(ends(await suite.built(context, ["--no-cache"]))).toMatchObject(steps("DONE", "DONE", "DONE"));
});

test("builds stages that do not need each other at the same time, and no others", async () => {
  // Each waits for what the other leaves in the cache mount.
  const meet = (own: string, other: string) =>
    `RUN --mount=type=cache,id=meet,target=/c touch /c/${own} && while [ ! -e /c/${other} ]; do usleep 1000; done && echo ${own} > /${own}`;
  const context = suite.context({
    Dockerfile: [
      ...["FROM busybox AS one", meet("one", "two")],
      ...["FROM busybox AS two", meet("two", "one")],
      ...["FROM busybox AS unwanted", "RUN false"],
      ...["FROM busybox", "COPY --from=one /one /", "COPY --from=two /two /", ""],
    ].join("\n"),
  });
  const progress = await suite.built(context, ["-t", "stages"]);
  expect(progress).not.toContain("RUN false");
  expect(await suite.inside("stages", "cat one two; ls -d /c 2>/dev/null || echo none")).toBe("one\ntwo\nnone\n");
});

test("knows files out of a stage again although the stage is another one", async () => {
  const dockerfile = (comment: string) =>
    `FROM busybox AS maker\nRUN : ${comment}; mkdir /out && echo made > /out/file\nFROM busybox\nCOPY --from=maker /out /got\nRUN cat /got/file\n`;
  const context = suite.context({ Dockerfile: dockerfile("first") });
  await suite.built(context);
  writeFileSync(join(context, "Dockerfile"), dockerfile("second"));
  expect(ends(await suite.built(context))).toMatchObject({
    "RUN : second; mkdir /out && echo made > /out/file": "DONE",
    "COPY --from=maker /out /got": "CACHED",
    "RUN cat /got/file": "CACHED",
  });
});

test("keeps what came before a step that fails, and shows what it was", async () => {
  const context = suite.context({
    Dockerfile: "FROM busybox\nRUN echo first > /first\nRUN echo to stdout; echo to stderr >&2; exit 7\nRUN true\n",
  });
  const { status, errors } = await suite.build(context);
  expect(status).toBe(1);
  expect(errors).toContain("did not complete successfully: exit code: 7\n");
  expect(errors).toMatch(/^#\d+ \d\.\d{3} to stdout$/m);
  expect(errors).toMatch(/^ > \[3\/4\] RUN echo to stdout.*:\n(?:.*to std\w+\n){2}------$/m);
  expect(errors).toContain("   3 | >>> RUN echo to stdout; echo to stderr >&2; exit 7\n");
  expect(errors).toMatch(/\nbunker: .*exit code: 7\n$/);
  writeFileSync(join(context, "Dockerfile"), "FROM busybox\nRUN echo first > /first\nRUN cat /first\n");
  expect(ends(await suite.built(context))).toMatchObject({
    "RUN echo first > /first": "CACHED",
    "RUN cat /first": "DONE",
  });
});

test("shares work with other builds at the same time", async () => {
  const context = suite.context({
    Dockerfile:
      "FROM busybox\nRUN --mount=type=cache,id=shared,target=/c echo line >> /c/log; usleep 200000\nRUN true\n",
  });
  const builds = await Promise.all([1, 2, 3].map((number) => suite.build(context, ["-q", "-t", `shared:${number}`])));
  const [{ output } = { output: "" }] = builds;
  expect(builds).toEqual(builds.map(() => ({ status: 0, output, errors: "" })));
  const counting = suite.context({
    Dockerfile: "FROM busybox\nRUN --mount=type=cache,id=shared,target=/c cp /c/log /log\n",
  });
  await suite.built(counting, ["-t", "counted"]);
  expect(await suite.inside("counted", "cat /log")).toBe("line\n");
});

test("makes the same image of the same files, whenever", async () => {
  const context = suite.context({
    Dockerfile: "FROM busybox\nCOPY file /\nRUN mkdir -p /a/b && date > /dev/null && echo text > /a/b/c\nENV A=1\n",
    file: "text",
  });
  const digest = async (name: string) => {
    const layout = join(suite.user.makeDirectory(name), "layout");
    const options = ["--no-cache", "-o", `type=oci,tar=false,dest=${layout}`];
    await suite.built(context, options, { environment: { SOURCE_DATE_EPOCH: "1000000000" } });
    return JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests[0].digest;
  };
  expect(await digest("once")).toBe(await digest("again"));
});

test("fills a cache mount once, from where it is said", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM busybox AS source",
      "RUN mkdir -p /full/below && echo first > /full/below/file",
      "FROM busybox",
      "RUN --mount=type=cache,id=filled,target=/c,from=source,source=/full,uid=7,mode=0750 stat -c '%u %a' /c; cat /c/below/file; echo second > /c/below/file",
      "RUN --mount=type=cache,id=filled,target=/c,from=source,source=/full cat /c/below/file > /file",
      "",
    ].join("\n"),
  });
  expect(await suite.built(context, ["-t", "filled"])).toMatch(/^#\d+ \S+ 7 750\n#\d+ \S+ first$/m);
  expect(await suite.inside("filled", "cat /file")).toBe("second\n");
});

test("leaves no process of a command behind, and nothing that was only mounted", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM busybox",
      "RUN sleep 1000 & echo $! > /left",
      "RUN --mount=type=tmpfs,target=/memory/here --mount=type=bind,target=/context ls /context > /memory/here/list; chmod 700 /etc",
      "",
    ].join("\n"),
  });
  await suite.built(context, ["-t", "clean"]);
  expect(await suite.inside("clean", "ls -d /memory /context /etc/hosts 2>/dev/null; stat -c %a /etc")).toBe(
    "/etc/hosts\n700\n",
  );
});

test("shows the users of a command its root and its files with a strict umask, too", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM busybox",
      "USER alice",
      "RUN --mount=type=cache,target=/c stat -c '%a %n' / /etc/hosts /etc/resolv.conf /c",
      "",
    ].join("\n"),
  });
  const words = [suite.user.bunkerPath, "build", "--progress", "plain", context];
  const { status, errors } = await suite.user.execute(["sh", "-c", 'umask 077; exec "$0" "$@"', ...words]);
  expect(errors).toMatch(/ 755 \/\n\S+ \S+ 644 \/etc\/hosts\n\S+ \S+ 644 \/etc\/resolv.conf\n\S+ \S+ 755 \/c\n/);
  expect(status).toBe(0);
});
