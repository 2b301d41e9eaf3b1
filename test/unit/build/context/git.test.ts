import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync } from "node:fs";
import { type CheckoutOptions, checkOut } from "../../../../src/build/context/check-out.ts";
import { parseGitReference } from "../../../../src/build/context/git-reference.ts";
import { GitServer } from "../../../git-server.ts";
import { TemporaryTree, type TreeDescription } from "../files/trees.ts";

const never = new AbortController().signal;

function git(directory: string, ...words: string[]): string {
  const settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"];
  const { stdout, stderr, exitCode } = Bun.spawnSync(["git", ...settings, ...words], {
    cwd: directory,
    env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
  if (exitCode !== 0) throw new Error(`git ${words.join(" ")}: ${stderr.toString()}`);
  return stdout.toString().trim();
}

/** Makes a repository `NAME.git` with one commit. */
function repository(place: TemporaryTree, name: string, files: TreeDescription): string {
  const path = place.at(`${name}.git`);
  mkdirSync(path);
  git(path, "init", "-q", "-b", "trunk");
  commit(place, name, files);
  return path;
}

function commit(place: TemporaryTree, name: string, files: TreeDescription): string {
  place.add(Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}.git/${file}`, content])));
  const path = place.at(`${name}.git`);
  git(path, "add", "-A");
  git(path, "commit", "-q", "-m", "commit");
  return git(path, "rev-parse", "HEAD");
}

function check(
  server: GitServer,
  path: string,
  directory: string,
  options: Partial<CheckoutOptions> = {},
): ReturnType<typeof checkOut> {
  const reference = parseGitReference(server.url(path).href);
  if (reference === undefined) throw new Error(`${path} is no repository`);
  return checkOut(reference, directory, { keepsGitDirectory: false, authorization: undefined, ...options }, never);
}

function filesIn(place: TemporaryTree, directory: string): Record<string, string> {
  const found = Object.entries(place.describe()).filter(([name]) => name.startsWith(`${directory}/`));
  return Object.fromEntries(found.map(([name, content]) => [name.slice(directory.length + 1), content]));
}

describe("names of repositories", () => {
  test.each([
    ["https://host/a/b.git", { ref: undefined, subdirectory: "" }],
    ["https://host/a.git#main", { ref: "main", subdirectory: "" }],
    ["https://host/a.git#main:sub//dir/", { ref: "main", subdirectory: "sub/dir" }],
    ["https://host/a.git#:sub", { ref: undefined, subdirectory: "sub" }],
    ["https://host/a.git?branch=main&subdir=x", { ref: "refs/heads/main", subdirectory: "x" }],
    ["https://host/a.git?tag=v1&keep-git-dir=1", { ref: "refs/tags/v1", keepsGitDirectory: true }],
    ["https://host/a.git?ref=v1&checksum=0123456789ab", { ref: "v1", commit: "0123456789ab" }],
    ["github.com/owner/name#v2", { ref: "v2" }],
  ] as const)("%s", (text, expected) => {
    expect(parseGitReference(text)).toMatchObject(expected);
  });

  test("what is none", () => {
    for (const text of ["dir", "./dir.git", "https://host/a.tar.gz", "https://host/a.git/x", "-", "http:/x.git"]) {
      expect(parseGitReference(text)).toBeUndefined();
    }
  });

  test.each([
    ["git@github.com:owner/name.git#x", /ssh is not spoken/, "Name it by https: https://github.com/owner/name.git."],
    ["ssh://git@host/a.git", /ssh is not spoken/, "Name it by https: https://host/a.git."],
    ["git://host/a.git", /without encryption is not spoken/, "Name it by https: https://host/a.git."],
    ["https://host/a.git#x:../y", /leads out of the repository/, undefined],
    ["https://host/a.git?reff=x", /there is no field reff/, undefined],
    ["https://host/a.git?ref=a&tag=b", /give one of/, undefined],
    ["https://host/a.git?checksum=xyz", /a checksum is/, undefined],
  ])("refuses %s", (text, message, hint) => {
    let failure: unknown;
    try {
      parseGitReference(text);
    } catch (error) {
      failure = error;
    }
    expect(String(failure)).toMatch(message);
    expect(failure).toMatchObject({ hint });
  });
});

describe("a checkout", () => {
  test("is of a branch, a tag, a commit, or of what the server has as HEAD", async () => {
    using place = new TemporaryTree();
    const path = repository(place, "a", { f: "one", "d/script": "#!", l: "-> d/script", "ünï code": "ü" });
    chmodSync(place.at("a.git/d/script"), 0o755);
    const first = commit(place, "a", { g: "g" });
    git(path, "tag", "-a", "-m", "tag", "v1");
    git(path, "checkout", "-q", "-b", "topic/x");
    const second = commit(place, "a", { "d/big": "line\n".repeat(100_000) });
    git(path, "checkout", "-q", "trunk");
    using server = new GitServer(place.path);
    const whole = { f: "one", "d/script": "#!", l: "-> d/script", "ünï code": "ü", g: "g" };
    for (const [index, ref] of ["", "#trunk", "#v1", "#refs/heads/trunk", `#${first}`].entries()) {
      const made = await check(server, `/a.git${ref}`, place.at(`out${index}`));
      expect(made).toEqual({ directory: place.at(`out${index}`), commit: first });
      expect(filesIn(place, `out${index}`)).toEqual(whole);
    }
    expect(statSync(place.at("out0/d/script")).mode & 0o777).toBe(0o755);
    expect(statSync(place.at("out0/f")).mode & 0o777).toBe(0o644);
    expect(await check(server, "/moved/a.git#topic/x:d", place.at("sub"))).toEqual({
      directory: place.at("sub/d"),
      commit: second,
    });
    expect(statSync(place.at("sub/d/big")).size).toBe(500_000);
  });

  test("keeps .git where that is asked for, and git takes it", async () => {
    using place = new TemporaryTree();
    repository(place, "a", { f: "one", "d/g": "two" });
    const last = commit(place, "a", { f: "three" });
    using server = new GitServer(place.path);
    await check(server, "/a.git", place.at("out"), { keepsGitDirectory: true });
    expect(git(place.at("out"), "rev-parse", "HEAD")).toBe(last);
    expect(git(place.at("out"), "status", "--porcelain")).toBe("");
    expect(git(place.at("out"), "log", "--oneline").split("\n").length).toBe(1);
  });

  test("has its submodules", async () => {
    using place = new TemporaryTree();
    repository(place, "inner", { i: "inner" });
    const path = repository(place, "outer", { o: "outer" });
    git(path, "submodule", "--quiet", "add", "../inner.git", "deep/inner");
    commit(place, "inner", { later: "later" });
    git(path, "commit", "-q", "-m", "submodule");
    using server = new GitServer(place.path);
    await check(server, "/outer.git", place.at("out"));
    const { o, "deep/inner/i": i, ...rest } = filesIn(place, "out");
    expect([o, i, Object.keys(rest)]).toEqual(["outer", "inner", [".gitmodules"]]);
    expect(existsSync(place.at("out/deep/inner/.git"))).toBe(false);
  });

  test("with a login", async () => {
    using place = new TemporaryTree();
    repository(place, "a", { f: "one" });
    const login = `Basic ${btoa("user:secret")}`;
    using server = new GitServer(place.path, login);
    await expect(check(server, "/a.git", place.at("denied"))).rejects.toMatchObject({
      message: expect.stringMatching(/fetch from http.*\/a.git: the server answered 401/),
      hint: expect.stringMatching(/GIT_AUTH_TOKEN/),
    });
    await check(server, "/a.git", place.at("token"), { authorization: login });
    const url = server.url("/a.git");
    url.username = "user";
    url.password = "secret";
    const reference = parseGitReference(url.href);
    if (reference === undefined) throw new Error("it is a repository");
    await checkOut(reference, place.at("url"), { keepsGitDirectory: true, authorization: undefined }, never);
    expect(filesIn(place, "url/.git")["config"]).not.toContain("secret");
    expect(server.logins.at(-1)).toBe(login);
  });

  test("that cannot be is an error", async () => {
    using place = new TemporaryTree();
    repository(place, "a", { f: "one", link: "-> /" });
    using server = new GitServer(place.path);
    const fails = (path: string, message: RegExp) =>
      expect(check(server, path, place.at(`out${Bun.hash(path)}`))).rejects.toThrow(message);
    await fails("/none.git", /none.git: the server answered 404/);
    await fails("/a.git#trnk", /it has no branch or tag "trnk"/);
    await fails("/a.git#:dir", /there is no directory "dir" in it/);
    await fails("/a.git#:link", /there is no directory "link" in it/);
    await fails("/a.git?checksum=0000000", /verify the commit of .*: it is [0-9a-f]{40} and not 0000000/);
    await fails(`/a.git#${"0".repeat(40)}`, /fetch from/);
  });

  test("of a hostile repository writes nothing elsewhere", async () => {
    using place = new TemporaryTree({ "elsewhere/": "" });
    const path = repository(place, "a", { f: "one" });
    const hash = (content: string) => {
      const { stdout } = Bun.spawnSync(["git", "hash-object", "-w", "--stdin"], {
        cwd: path,
        stdin: Buffer.from(content),
      });
      return Buffer.from(stdout.toString().trim(), "hex");
    };
    const tree = (entries: readonly (readonly [mode: string, name: string, oid: Buffer])[]) => {
      const bytes = Buffer.concat(entries.flatMap(([mode, name, oid]) => [Buffer.from(`${mode} ${name}\0`), oid]));
      const { stdout, stderr } = Bun.spawnSync(["git", "hash-object", "--literally", "-w", "-t", "tree", "--stdin"], {
        cwd: path,
        stdin: bytes,
      });
      if (stderr.length > 0) throw new Error(stderr.toString());
      return Buffer.from(stdout.toString().trim(), "hex");
    };
    const file = hash("escaped");
    const inner = tree([["100644", "x", file]]);
    const hostile = {
      twice: tree([
        ["120000", "d", hash(place.at("elsewhere"))],
        ["40000", "d", inner],
      ]),
      up: tree([["100644", "..", file]]),
      slash: tree([["100644", "a/../../elsewhere/x", file]]),
      git: tree([["40000", ".GIT", inner]]),
    };
    for (const [name, oid] of Object.entries(hostile)) {
      const made = git(path, "commit-tree", oid.toString("hex"), "-m", "hostile");
      git(path, "update-ref", `refs/heads/${name}`, made);
    }
    using server = new GitServer(place.path);
    for (const name of Object.keys(hostile)) {
      await expect(check(server, `/a.git#${name}`, place.at(`out-${name}`))).rejects.toMatchObject({
        code: "git_failed",
      });
    }
    expect(lstatSync(place.at("elsewhere")).isDirectory()).toBe(true);
    expect(filesIn(place, "elsewhere")).toEqual({ "": "" });
  });
});
