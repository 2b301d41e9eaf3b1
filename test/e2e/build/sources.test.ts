/* Where the files of a build come from: directories, standard input, archives, the web, repositories. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/image/digest.ts";
import { GitServer } from "../../git-server.ts";
import { buildSuite, ends } from "./suite.ts";

const suite = buildSuite();
let server: Bun.Server<undefined>;
let served: Readonly<Record<string, Buffer>> = {};
let requests: string[] = [];
let beforeAnswer = () => {};

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { pathname } = new URL(request.url);
      requests.push(pathname);
      beforeAnswer();
      const content = served[pathname];
      const headers = { "last-modified": "Fri, 13 Feb 2009 23:31:30 GMT" };
      return content === undefined ? new Response("", { status: 404 }) : new Response(content, { headers });
    },
  });
});
afterAll(() => server.stop(true));

function archive(directory: string, ...options: string[]): Buffer {
  const { stdout, exitCode } = Bun.spawnSync(["tar", "-C", directory, "-cf", "-", ...options, "."]);
  expect(exitCode).toBe(0);
  return stdout;
}

test("a Dockerfile alone, from standard input or the web", async () => {
  const dockerfile = "FROM busybox\nCOPY <<one <<two /d/\n1\none\n2\ntwo\n";
  await suite.built("-", ["-t", "alone"], { input: dockerfile });
  expect(await suite.inside("alone", "cat /d/one /d/two")).toBe("1\n2\n");
  served = { "/Dockerfile": Buffer.from(dockerfile) };
  expect(await suite.built(`${server.url}Dockerfile`)).toContain("CACHED");
  const context = suite.context({ a: "a" });
  await suite.built(context, ["-f", "-", "-t", "both"], { input: "FROM busybox\nCOPY a /\n" });
  expect(await suite.inside("both", "cat /a")).toBe("a");
  expect(await suite.build("-", ["-f", "-"], { input: dockerfile })).toMatchObject({
    status: 1,
    errors: expect.stringContaining("standard input cannot be both"),
  });
});

test("an archive, from standard input, a file, or the web; with nothing from outside of it", async () => {
  const context = suite.context({
    "docker/x": "FROM busybox\nCOPY . /c\n",
    "docker/x.dockerignore": "*.log\nsecret\n",
    a: "a",
    "d/b.log": "log",
    secret: "secret",
  });
  symlinkSync("/etc/passwd", join(context, "link"));
  const list = "cd /c; find . | sort; readlink link";
  const expected = ".\n./a\n./d\n./d/b.log\n./docker\n./docker/x\n./docker/x.dockerignore\n./link\n/etc/passwd\n";
  const packed = archive(context, "--gzip");
  await suite.built("-", ["-f", "docker/x", "-t", "packed"], { input: packed });
  expect(await suite.inside("packed", list)).toBe(expected);
  served = { "/context.tar.gz": packed };
  writeFileSync(join(context, "c.tar"), archive(context));
  for (const place of [`${server.url}context.tar.gz`, join(context, "c.tar")]) {
    expect(await suite.built(place, ["-f", "docker/x", "-t", "packed"])).toContain("CACHED");
  }
  // The archive's link names nothing of the host's.
  expect(await suite.build("-", ["-f", "link"], { input: packed })).toMatchObject({
    status: 1,
    errors: expect.stringContaining("there is no such file"),
  });
});

test("ADD of archives, files from the web, and repositories", async () => {
  const context = suite.context({ "in/x": "unpacked" });
  writeFileSync(join(context, "a.tar.bz2"), archive(join(context, "in"), "--bzip2"));
  const repositories = join(context, "repositories");
  mkdirSync(join(repositories, "r.git/sub"), { recursive: true });
  const git = (...words: string[]) => {
    const settings = ["-c", "user.name=a", "-c", "user.email=a@b"];
    const { stdout, stderr, exitCode } = Bun.spawnSync(["git", ...settings, ...words], {
      cwd: join(repositories, "r.git"),
    });
    if (exitCode !== 0) throw new Error(stderr.toString());
    return stdout.toString().trim();
  };
  git("init", "-q", "-b", "main");
  writeFileSync(join(repositories, "r.git/sub/Dockerfile"), "FROM busybox\nCOPY f /\n");
  writeFileSync(join(repositories, "r.git/sub/f"), "from git");
  git("add", "-A");
  git("commit", "-q", "-m", "commit");
  using repository = new GitServer(repositories);
  const commit = git("rev-parse", "HEAD");
  const url = (fragment: string) => repository.url(`/r.git${fragment}`).href;
  const file = readFileSync(join(context, "a.tar.bz2"));
  served = { "/f": Buffer.from("file"), "/a.tar.bz2": file };
  writeFileSync(
    join(context, "Dockerfile"),
    [
      "FROM busybox",
      "ADD a.tar.bz2 /one/",
      "ADD --unpack=false a.tar.bz2 /two/",
      `ADD --checksum=${digestOf("file")} ${server.url}f /three/`,
      `ADD --unpack=true --chmod=644 ${server.url}a.tar.bz2 ${server.url}f /four/`,
      `ADD ${url("#main:sub")} /five`,
      `ADD --keep-git-dir=true ${url(`#${commit}`)} /six`,
      "",
    ].join("\n"),
  );
  await suite.built(context, ["-t", "added"]);
  const script =
    "cat /one/x /four/x; ls /two; stat -c '%a %u:%g %Y %n' /three/f /four/f; cat /five/f; test -e /five/.git || ls -d /six/.git";
  expect(await suite.inside("added", script)).toBe(
    [
      "unpackedunpackeda.tar.bz2",
      "600 0:0 1234567890 /three/f",
      "644 0:0 1234567890 /four/f",
      "from git/six/.git",
      "",
    ].join("\n"),
  );
  requests = [];
  const again = Object.values(ends(await suite.built(context)));
  expect(again).toEqual(Array.from({ length: 7 }, () => "CACHED"));
  // A checksum says what a file is, without asking for it.
  expect(requests.sort()).toEqual(["/a.tar.bz2", "/f"]);
  // The repository as a context.
  await suite.built(url("#main:sub"), ["-t", "from-git"]);
  expect(await suite.inside("from-git", "cat /f")).toBe("from git");
  const wrong = `FROM busybox\nADD --checksum=${digestOf("other")} ${server.url}f /\n`;
  const failed = await suite.build("-", [], { input: wrong });
  expect(failed).toMatchObject({ status: 1, errors: expect.stringContaining("its digest is sha256:") });
});

test("named contexts", async () => {
  const context = suite.context({
    Dockerfile: "FROM base\nCOPY --from=files a b* /\nRUN --mount=from=files,target=/m cat /m/a > /c\n",
  });
  const files = suite.context({ a: "a", b1: "1", b2: "2", ".dockerignore": "b2" });
  const names = ["--build-context", `files=${files}`, "--build-context", "base=docker-image://busybox"];
  await suite.built(context, [...names, "-t", "named"]);
  expect(await suite.inside("named", "cat /a /b1 /c; test -e /b2 || echo none")).toBe("a1anone\n");
  served = { "/files.tar": archive(files) };
  await suite.built(context, [...names.slice(2), "--build-context", `files=${server.url}files.tar`, "-t", "named"]);
  expect(await suite.inside("named", "cat /a /b1 /c")).toBe("a1a");
});

test("files that change while a build goes on", async () => {
  served = { "/f": Buffer.from("file") };
  const dockerfile = `FROM busybox\nADD --checksum=${digestOf("file")} ${server.url}f /changing/\nCOPY a /\n`;
  const context = suite.context({ a: "old" });
  // The keys of all steps are made before the first of them is done.
  beforeAnswer = () => writeFileSync(join(context, "a"), "newer");
  const progress = await suite.built(context, ["-f", "-", "-t", "changing"], { input: dockerfile });
  beforeAnswer = () => {};
  expect(progress).toContain("have been changed while they were copied: building again");
  expect(await suite.inside("changing", "cat /a")).toBe("newer");
  const again = ends(await suite.built(context, ["-f", "-"], { input: dockerfile }));
  expect(again).toMatchObject({ "COPY a /": "CACHED" });
  writeFileSync(join(context, "a"), "old");
  await suite.built(context, ["-f", "-", "-t", "changing"], { input: dockerfile });
  expect(await suite.inside("changing", "cat /a")).toBe("old");
});

test("what is not there, or not spoken", async () => {
  const fails = async (context: string, message: string, ...options: string[]) =>
    expect(await suite.build(context, options)).toMatchObject({ status: 1, errors: expect.stringContaining(message) });
  const context = suite.context({ Dockerfile: "FROM busybox\nCOPY aple /\n", apple: "" });
  await fails(context, 'find "/aple": not found');
  const unreadable = suite.context({ Dockerfile: "FROM busybox\nCOPY secret /\n", secret: "" });
  chownSync(join(unreadable, "secret"), 0, 0);
  chmodSync(join(unreadable, "secret"), 0o600);
  await fails(unreadable, 'open "/secret": EACCES');
  await fails(join(context, "none"), "there is no such file or directory");
  await fails(context, "there is no such file", "-f", join(context, "none"));
  await fails("git@github.com:o/r.git", "git over ssh is not spoken");
  served = {};
  await fails(`${server.url}none.tar`, "the server answered 404");
});

test("takes images of an image layout, and of the store under another name, as named contexts", async () => {
  const layout = join(suite.user.makeDirectory("layout"), "images");
  const one = suite.context({ Dockerfile: "FROM busybox\nRUN echo one > /which\nENV WHICH=one\n" });
  const two = suite.context({ Dockerfile: "FROM busybox\nRUN echo two > /which\n" });
  await suite.built(one, ["-o", `type=oci,tar=false,dest=${layout}`, "-t", "some:latest"]);
  await suite.built(two, ["-o", `type=oci,tar=false,dest=${layout}`, "-t", "some:second"]);
  await suite.built(two, ["-t", "stored"]);
  const { manifests } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const directory = suite.context({
    Dockerfile: "FROM base\nCOPY --from=other /which /other\nRUN cat /which /other > /both\n",
  });
  const build = async (base: string, other: string) => {
    await suite.built(directory, [
      "-t",
      "mixed",
      "--build-context",
      `base=${base}`,
      "--build-context",
      `other=${other}`,
    ]);
    return suite.inside("mixed", 'cat /both; echo "$WHICH"');
  };
  expect(await build(`oci-layout://${layout}`, `oci-layout://${layout}:second`)).toBe("one\ntwo\none\n");
  const byDigest = `oci-layout://${layout}@${manifests[1].digest}`;
  expect(await build(byDigest, "docker-image://stored")).toBe("two\ntwo\n\n");
  for (const [value, message] of [
    [`oci-layout://${layout}:third`, "there is only"],
    [`oci-layout://${layout}x`, "there is no such directory"],
    [`oci-layout://${layout}@sha256:0`, "is no digest"],
  ]) {
    const { status, errors } = await suite.build(directory, ["--build-context", `base=${value}`]);
    expect({ status, errors }).toMatchObject({ status: 1, errors: expect.stringContaining(message ?? "") });
  }
});
