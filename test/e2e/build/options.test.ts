/* Options of `bunker build` that are not about files, and what it shows on a terminal. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DockerRegistry } from "../../docker-registry.ts";
import { readImage } from "./image-on-disk.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();
let registry: DockerRegistry;
beforeAll(async () => {
  registry = await DockerRegistry.start();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

test("what is said of containers holds for commands, and is asked of the cache", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM busybox",
      "RUN grep -E '^(Seccomp|CapEff|NoNewPrivs):' /proc/self/status > /status; cat /etc/resolv.conf > /resolv",
      "COPY . /all/",
      "",
    ].join("\n"),
    ".dockerignore": "a",
    other: "b\nother\nDockerfile\n.dockerignore\n",
    a: "",
    b: "",
  });
  const build = async (name: string, ...options: readonly string[]) => {
    const result = `${suite.user.directory}/data/${name}`;
    await suite.built(context, ["-o", `type=oci,tar=false,dest=${result}`, ...options], { directory: context });
    return readImage(result);
  };
  const usual = await build("usual");
  expect(usual.tree.get("status")).toContain('"CapEff:\\t00000000a80425fb\\nNoNewPrivs:\\t0\\nSeccomp:\\t2\\n"');
  expect(usual.tree.has("all/b")).toBe(true);
  expect(usual.tree.has("all/a")).toBe(false);
  const { tree, configuration } = await build(
    "other",
    ...["--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges"],
    ...["--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--ignorefile", "other"],
    ...["--dns", "192.0.2.1", "--dns-search", "example.org", "--dns-option", "ndots:3"],
    ...["--source-date-epoch", "7", "--isolation", "oci", "--builder", "default", "--jobs", "1"],
  );
  expect(tree.get("status")).toContain('"CapEff:\\t0000000000001000\\nNoNewPrivs:\\t1\\nSeccomp:\\t0\\n"');
  expect(tree.get("resolv")).toContain('"nameserver 192.0.2.1\\nsearch example.org\\noptions ndots:3\\n"');
  expect([...tree.keys()].filter((path) => path.startsWith("all/"))).toEqual(["all/a"]);
  expect(configuration.created).toStartWith("1970-01-01T00:00:07");
});

test("--jobs says how many commands run at the same time", async () => {
  const alone = "RUN --mount=type=cache,id=jobs,target=/c mkdir /c/in && usleep 50000 && rmdir /c/in";
  const stages = ["one", "two", "three"].flatMap((name) => [`FROM busybox AS ${name}`, `${alone} && touch /${name}`]);
  const context = suite.context({
    Dockerfile: [...stages, "FROM busybox", ...["one", "two", "three"].map((n) => `COPY --from=${n} /${n} /`), ""].join(
      "\n",
    ),
  });
  await suite.built(context, ["--jobs", "1"]);
});

test("--pull says when registries are asked", async () => {
  const name = `${registry.host}/here`;
  expect(await suite.user.bunker(["tag", "busybox", name])).toMatchObject({ status: 0 });
  const here = suite.context({ Dockerfile: `FROM ${name}\n` });
  for (const pull of ["--pull=missing", "--pull=never", "--pull=false"]) await suite.built(here, [pull]);
  expect(await suite.built(here, ["--pull=newer"])).toMatch(/WARNING: .*; the image that is here is used/);
  for (const pull of ["--pull", "--pull=always"]) expect((await suite.build(here, [pull])).status).toBe(1);
  const missing = suite.context({ Dockerfile: `FROM ${name}-not\n` });
  expect((await suite.build(missing, ["--pull=never"])).errors).toContain("pulling it was ruled out");
});

test.each([
  [["--builder", "other"], 'invalid value "other" for --builder: Bunker is the only builder'],
  [["--rm=false"], 'invalid value "false" for --rm: a step\'s container is gone with it'],
  [["--isolation", "chroot"], "expected default, oci or rootless"],
  [["--disable-content-trust=false"], "Bunker does not know Docker Content Trust"],
  [["--sbom", "true"], "Bunker lists no packages"],
  [["--policy", "x"], "build has no option --policy: Bunker evaluates no policies of builds"],
  [["-D"], "has no option -D: there is no log for debugging"],
  [["--userns", "host"], "has no option --userns: commands run with the map of ids"],
  [["--no-hosts", "--add-host", "a:1.2.3.4"], "conflicting options: --no-hosts and --add-host"],
  [["--jobs", "0"], "expected a whole number from 1"],
  [["--ignorefile", "missing"], "read the ignore file missing: there is no such file"],
] as const)("%p is refused with its reason", async (options, reason) => {
  const { status, errors } = await suite.build(suite.context({ Dockerfile: "FROM busybox\n" }), options);
  expect(status).not.toBe(0);
  expect(errors).toContain(reason);
});

test("what podman says of stages and their commands", async () => {
  const host = suite.user.makeDirectory("host");
  writeFileSync(join(host, "file"), "of the host\n");
  suite.user.own(join(host, "file"));
  const context = suite.context({
    Dockerfile: [
      ...["FROM nowhere AS first", "RUN echo $GREETING $LATER $http_proxy > /first", "ENV GREETING=changed LATER=1"],
      ...["FROM first", "RUN cat /host/file > /second && echo written > /host/view/new && id -G >> /second", ""],
    ].join("\n"),
  });
  const options = [
    ...["--from", "busybox", "--env", "GREETING=hello", "--env", "WHO", "--unsetenv", "LATER", "--http-proxy"],
    ...[
      "-v",
      `${host}:/host:ro`,
      "--volume",
      `${host}:/host/view:O`,
      "--group-add",
      "4321",
      "--timestamp",
      "1000000000",
    ],
  ];
  const log = join(suite.user.makeDirectory("logs"), "log");
  // A mount point of the second volume has to be in the first one.
  mkdirSync(join(host, "view"));
  const environment = { WHO: "me", http_proxy: "http://proxy.example" };
  const built = await suite.build(context, ["-t", "podmans", "--logfile", log, ...options], { environment });
  expect(built).toMatchObject({ status: 0, output: "", errors: "" });
  expect(readFileSync(log, "utf8")).toContain("naming to docker.io/library/podmans:latest done\n");
  const look =
    "cat /first /second; echo $WHO $GREETING; env | grep LATER; stat -c %Y /first /bin/busybox; ls -d /host 2>&1 || true";
  expect(await suite.inside("podmans", look)).toMatch(
    /^hello http:\/\/proxy.example\nof the host\n.*\b4321\nme changed\n1000000000\n\d+\nls: \/host: No such/s,
  );
  expect(readdirSync(host)).toEqual(["file", "view"]);
  expect(readdirSync(join(host, "view"))).toEqual([]);
  const created = await suite.user.bunker(["image", "inspect", "-f", "{{.Created}}", "podmans"]);
  expect(created.output).toStartWith("2001-09-09T01:46:40");
  const labelled = suite.context({ Dockerfile: "FROM busybox\nLABEL a=1 b=2\n" });
  await suite.built(labelled, ["-t", "labelled"]);
  const labels = async (...more: string[]) => {
    await suite.built(suite.context({ Dockerfile: "FROM labelled\nLABEL c=3\n" }), ["-t", "more", ...more]);
    const { output } = await suite.user.bunker(["image", "inspect", "-f", "{{json .Config.Labels}}", "more"]);
    return JSON.parse(output);
  };
  expect(await labels("--unsetlabel", "a")).toEqual({ b: "2", c: "3" });
  expect(await labels("--inherit-labels=false")).toEqual({ c: "3" });
  for (const [words, message] of [
    [["-v", "name:/x"], "a build mounts paths of the host"],
    [["-v", `${host}:/x:U`], "U is not for builds"],
    [["-v", "/nowhere:/x"], "/nowhere"],
    [["--timestamp", "1", "--source-date-epoch", "1"], "conflicting options: --timestamp and --source-date-epoch"],
    [["--logfile", "/nowhere/log"], "write /nowhere/log: ENOENT"],
    [["--cpp-flag", "-DX"], "Dockerfiles are not preprocessed"],
  ] as const) {
    const failed = await suite.build(suite.context({ Dockerfile: "FROM busybox\nRUN true\n" }), words);
    expect(failed).toMatchObject({ errors: expect.stringContaining(message) });
    expect(failed.status).not.toBe(0);
  }
});

test("--no-hosts leaves the image's /etc/hosts, and --omit-history says nothing of the steps", async () => {
  const dockerfile = [
    "FROM busybox",
    "COPY hosts /etc/hosts",
    "RUN cat /etc/hosts > /seen",
    'CMD ["cat", "/seen"]',
    "",
  ];
  const context = suite.context({ Dockerfile: dockerfile.join("\n"), hosts: "1.2.3.4 own\n" });
  const seen = async (...options: string[]) => {
    await suite.built(context, ["-t", "hosts", "--retry", "0", "--retry-delay", "1s", ...options]);
    return (await suite.user.bunker(["run", "--rm", "hosts"])).output;
  };
  const history = () => suite.user.bunker(["history", "--no-trunc", "--format", "{{.CreatedBy}}", "hosts"]);
  expect(await seen()).toContain("localhost");
  expect((await history()).output).toContain("COPY hosts");
  expect(await seen("--no-hosts", "--omit-history")).toBe("1.2.3.4 own\n");
  const omitted = await history();
  expect([omitted.status, omitted.errors]).toEqual([0, ""]);
  expect(omitted.output).not.toContain("COPY");
  expect(await seen()).toContain("localhost");
});

test("a terminal shows the steps, their times and what they have written last, and then that all is done", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM busybox",
      "RUN echo kept",
      "RUN --mount=type=cache,id=shown,target=/c echo shown; while [ ! -e /c/go ]; do usleep 1000; done",
      "",
    ].join("\n"),
  });
  const { user } = suite;
  const session = user.startInTerminal([user.bunkerPath, "build", "-t", "shown", context]);
  await session.expect(/\[\+\] Building \d+\.\ds \(\d+\/\d+\)/);
  await session.expect("=> => # shown");
  await suite.built(
    suite.context({ Dockerfile: "FROM busybox\nRUN --mount=type=cache,id=shown,target=/c touch /c/go\n" }),
  );
  await session.expect("FINISHED");
  await session.expect(/=> \[3\/3\] RUN --mount=type=cache.* \d+\.\ds/);
  await session.expect("=> => naming to docker.io/library/shown:latest");
  expect(await session.process.exited).toBe(0);
  const again = user.startInTerminal([user.bunkerPath, "build", context]);
  await again.expect("CACHED [2/3] RUN echo kept");
  expect(await again.process.exited).toBe(0);
  // Ctrl-C on the terminal.
  await suite.built(
    suite.context({ Dockerfile: "FROM busybox\nRUN --mount=type=cache,id=shown,target=/c rm -f /c/go\n" }),
  );
  const waiting = user.startInTerminal([user.bunkerPath, "build", "--no-cache", context]);
  await waiting.expect("=> => # shown");
  waiting.type("\x03");
  await waiting.expect("interrupted by SIGINT");
  expect(await waiting.process.exited).toBe(130);
});
