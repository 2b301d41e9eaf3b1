import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

const base = pack(
  archive([
    { name: "etc/", type: "5", mode: 0o755 },
    { name: "etc/passwd", content: "root" },
    { name: "etc/group", content: "root" },
    { name: "srv/", type: "5", mode: 0o755 },
    { name: "srv/data/", type: "5", mode: 0o755 },
    { name: "srv/data/one", content: "1" },
    { name: "srv/data/two", content: "2" },
    { name: "opt/", type: "5", mode: 0o755 },
    { name: "opt/tool/", type: "5", mode: 0o755 },
    { name: "opt/tool/file", content: "x" },
    { name: "link", type: "2", linkName: "etc" },
  ]),
  "gzip",
);
const changed = pack(
  archive([
    { name: "etc/passwd", content: "boot" },
    { name: "etc/.wh.group" },
    { name: "srv/data/.wh..wh..opq" },
    { name: "srv/data/", type: "5", mode: 0o755 },
    { name: "srv/data/three", content: "3" },
    { name: ".wh.opt" },
    { name: "link", content: "a file now" },
    { name: "hard", type: "1", linkName: "etc/passwd" },
    { name: "line\nbreak", content: "" },
  ]),
  "zstd",
);
const restored = pack(archive([{ name: "etc/passwd", content: "root" }]));
const broken = pack(Buffer.alloc(1024, "no archive"));

let user: UnprivilegedUser;
beforeAll(() => {
  user = new UnprivilegedUser();
  const images = { base: [base], changed: [base, changed], restored: [base, restored], broken: [base, broken] };
  storeImages(
    user,
    Object.entries(images).map(([name, layers]) => ({ names: [`docker.io/library/${name}:latest`], layers })),
  );
}, 300_000);
afterAll(() => user[Symbol.dispose]());

const CHANGES = [
  "C /etc",
  "D /etc/group",
  "C /etc/passwd",
  "A /hard",
  "A /line?break",
  "C /link",
  "D /opt",
  "C /srv",
  "C /srv/data",
  "D /srv/data/one",
  "A /srv/data/three",
  "D /srv/data/two",
];

test.each([
  [["base", "changed"], CHANGES],
  [["changed"], CHANGES],
  [["changed", "changed"], []],
  [["base", "restored"], []],
  [["changed", "base"], CHANGES.map(reversed).sort(byPath).flatMap(withContent)],
])("image diff %j", async (names, lines) => {
  const { status, output, errors } = await user.bunker(["image", "diff", ...names]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(output.split("\n").slice(0, -1)).toEqual(lines);
});

function reversed(line: string): string {
  return line.replace(/^[AD]/, (letter) => (letter === "A" ? "D" : "A"));
}

function byPath(one: string, other: string): number {
  return one.slice(2) < other.slice(2) ? -1 : 1;
}

/** What is added is named with everything in it. */
function withContent(line: string): string[] {
  return line === "A /opt" ? [line, "A /opt/tool", "A /opt/tool/file"] : [line];
}

test("as JSON", async () => {
  const { output } = await user.bunker(["image", "diff", "--format", "json", "base", "changed"]);
  expect(JSON.parse(output)).toEqual({
    added: ["/hard", "/line\nbreak", "/srv/data/three"],
    changed: ["/etc", "/etc/passwd", "/link", "/srv", "/srv/data"],
    deleted: ["/etc/group", "/opt", "/srv/data/one", "/srv/data/two"],
  });
});

test.each([
  [["base", "missing"], /find the image missing: no such image/],
  [["base", "broken"], /bunker: /],
])("image diff %j fails", async (names, message) => {
  const { status, output, errors } = await user.bunker(["image", "diff", ...names]);
  expect({ status, output }).toEqual({ status: 1, output: "" });
  expect(errors).toMatch(message);
  expect(errors).not.toContain("internal_error");
});
