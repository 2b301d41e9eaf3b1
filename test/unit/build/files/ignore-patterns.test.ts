import { describe, expect, test } from "bun:test";
import { parseIgnoreFile, readIgnoreFile } from "../../../../src/build/context/ignore-file.ts";
import { readInRoot, readOwnFile } from "../../../../src/build/context/read-in-root.ts";
import { ignoreState, isIgnored } from "../../../../src/build/files/ignore-patterns.ts";
import { TemporaryTree } from "./trees.ts";

/** Patterns, a path, and whether Docker leaves it out. */
const cases: readonly (readonly [patterns: readonly string[], path: string, isIgnored: boolean])[] = [
  [["**"], "file", true],
  [["**"], "dir/file", true],
  [["**/"], "dir/file", true],
  [["**/**"], "dir/file", true],
  [["dir/**"], "dir/file", true],
  [["dir/**"], "dir/dir2/file", true],
  [["dir/**"], "dir", false],
  [["**/dir2/*"], "dir/dir2/file", true],
  [["**/dir2/*"], "dir/dir2/dir2/file", true],
  [["**/dir2/*"], "file", false],
  [["**file"], "dir/file", true],
  [["**file"], "file", true],
  [["**/file"], "file", true],
  [["**/file"], "dir/sub/file", true],
  [["**/*.txt"], "dir/a.txt", true],
  [["**/*.txt"], "dir/a.text", false],
  [["a**/*.txt"], "a/dir/file.txt", true],
  [["a**/*.txt"], "b/file.txt", false],
  [["a/*.txt"], "a/b/file.txt", false],
  [["a[b-d]e"], "ace", true],
  [["a[b-d]e"], "aae", false],
  [["a[^b-d]e"], "aze", true],
  [["a\\*b"], "a*b", true],
  [["a\\*b"], "axb", false],
  [["a?b"], "aéb", true],
  [["a?b"], "a/b", false],
  [["*.md", "!README.md"], "README.md", false],
  [["*.md", "!README.md"], "NOTES.md", true],
  [["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true],
  [["*.md", "README-secret.md", "!README*.md"], "README-secret.md", false],
  [["docs", "!docs/README.md"], "docs/README.md", false],
  [["docs", "!docs/README.md"], "docs/a/README.md", true],
  [["node_modules"], "node_modules/left-pad/index.js", true],
  [["node_modules"], "app/node_modules/index.js", false],
  [["/build"], "build/out", true],
  [["./build/"], "build/out", true],
  [["a/../b"], "b", true],
  [["."], "anything", false],
  [["$HOME(1)+{x}|^"], "$HOME(1)+{x}|^", true],
  [["dir", "!dir/keep", "dir/keep/secret"], "dir/keep/secret", true],
];

describe("patterns of .dockerignore", () => {
  test.each(cases)("%j leaves out %j: %p", (patterns, path, expected) => {
    expect(isIgnored(ignoreState(patterns), path)).toBe(expected);
  });

  test("a directory that is left out is entered only where something may be taken back in", () => {
    const isClosed = (patterns: readonly string[], path: string) =>
      path.split("/").reduce((state, name) => state.enter(name), ignoreState(patterns)).isClosed;
    expect(isClosed(["node_modules"], "node_modules")).toBe(true);
    expect(isClosed(["*", "!src"], "node_modules")).toBe(true);
    expect(isClosed(["*", "!src/app"], "src")).toBe(false);
    expect(isClosed(["*", "!src/app"], "src/other")).toBe(true);
    expect(isClosed(["*", "!**/*.txt"], "deep/down")).toBe(false);
    expect(isClosed(["*", "!s*/app"], "src")).toBe(false);
    expect(isClosed(["*", "!s*/app"], "lib")).toBe(true);
  });

  test("refuses patterns that are none", () => {
    for (const pattern of ["[", "a[", "[]a]", "[-]", "a\\", "!"]) {
      expect(() => ignoreState([pattern])).toThrow(/read the pattern/);
    }
  });

  test("an ignore file: comments, blanks, a byte order mark, carriage returns", () => {
    const text = "\ufeff# comment\n\n  a/b/../c  \r\n! d\n/e/\n \\#f\n";
    expect(parseIgnoreFile(text)).toEqual(["a/c", "!d", "e", "\\#f"]);
  });

  test("the ignore file of a Dockerfile goes before that of the context", () => {
    using tree = new TemporaryTree({ ".dockerignore": "one", "docker/x.Dockerfile.dockerignore": "two" });
    const usual = tree.at(".dockerignore");
    expect(readIgnoreFile(readOwnFile, tree.at("docker/x.Dockerfile"), usual)).toEqual(["two"]);
    expect(readIgnoreFile(readOwnFile, tree.at("Dockerfile"), usual)).toEqual(["one"]);
    expect(readIgnoreFile(readOwnFile, undefined, tree.at("none"))).toEqual([]);
    expect(readIgnoreFile((path) => readInRoot(tree.path, path), "docker/x.Dockerfile", ".dockerignore")).toEqual([
      "two",
    ]);
  });

  test("an ignore file that cannot be read is an error", () => {
    using tree = new TemporaryTree({ ".dockerignore/x": "" });
    expect(() => readIgnoreFile(readOwnFile, undefined, tree.at(".dockerignore"))).toThrow(/read .*ignore: EISDIR/);
  });

  test("in a context of somebody else, links lead within it", () => {
    using tree = new TemporaryTree({ "context/.dockerignore": "-> ../secret", secret: "outside" });
    expect(readInRoot(tree.at("context"), ".dockerignore")).toBeUndefined();
    tree.add({ "context/secret": "inside" });
    expect(readInRoot(tree.at("context"), ".dockerignore")?.toString()).toBe("inside");
    tree.add({ "context/fifo/": "" });
    expect(() => readInRoot(tree.at("context"), "fifo")).toThrow(/it is not a file/);
  });
});
