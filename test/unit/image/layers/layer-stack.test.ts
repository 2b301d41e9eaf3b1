/* Layers on layers, seen through the kernel's overlay. */
import { afterAll, describe, expect, test } from "bun:test";
import { parseImageName } from "../../../../src/image/image-source.ts";
import { layerDirectory } from "../../../../src/image/layers/layer-directory.ts";
import { openImage } from "../../../../src/image/open-image.ts";
import { makeImage } from "../image-builder.ts";
import { archive, type Member } from "../tar-builder.ts";
import { enter, type Place, places, run, unpack, workspace } from "./unpacked.ts";

const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

/** Unpacks an image of these layers; the listing of their union, one line for each name, without the root. */
function union(place: Place, layers: readonly (readonly Member[])[], format = "%y %m %U:%G"): string[] {
  const { path } = spaces.use(workspace());
  const name = `oci:${path}/image`;
  const store = `${path}/store`;
  makeImage(
    `${path}/image`,
    layers.map((members) => archive(members)),
    "gzip",
  );
  const outcome = unpack(place, name, store);
  expect(outcome.error).toBeUndefined();
  expect(outcome.warnings).toEqual([]);
  return listUnion(place, name, store, format);
}

function listUnion(place: Place, name: string, store: string, format: string): string[] {
  const mapping = place === "single" ? "single" : "full";
  const { layers } = openImage(parseImageName(name));
  const lower = layers.map((layer) => layerDirectory(layer, store, mapping)).reverse();
  // Overlay wants two lower directories where there is no upper one.
  const options = `userxattr,lowerdir=${[...lower, `${store}/tmp`].join(":")}`;
  const script = 'mount -t overlay overlay -o "$0" "$1" && cd "$1" && find . -printf "%P|$2\\\\n"';
  const command = ["sh", "-c", script, options, `${store}/layers`, format];
  const inMountNamespace = place === "root" ? ["unshare", "-m", "--", ...command] : command;
  return run(enter(place, inMountNamespace), { LC_ALL: "C" }).split("\n").slice(0, -1).sort();
}

const directory = (name: string, mode: number, owner = 0): Member => ({
  name: `${name}/`,
  type: "5",
  mode,
  uid: owner,
  gid: owner,
});

describe.each([...places])("in place %s", (place) => {
  const owner = (id: number) => (place === "single" ? "0:0" : `${id}:${id}`);

  test("whiteouts and opaque directories hide what is below", () => {
    const seen = union(place, [
      [
        directory("", 0o755),
        directory("a", 0o755),
        { name: "a/gone" },
        { name: "a/kept" },
        directory("b", 0o755),
        { name: "b/old" },
        directory("c", 0o755),
        { name: "c/old" },
        directory("d", 0o755),
        { name: "d/old" },
        directory("e", 0o755),
        { name: "e/old" },
        { name: "f" },
      ],
      [
        directory("", 0o755),
        directory("a", 0o755),
        { name: "a/.wh.gone" },
        { name: "a/.wh.never" },
        directory("b", 0o755),
        { name: "b/new" },
        { name: "b/.wh..wh..opq" },
        // Gone, and made anew by the same layer: whichever comes first.
        { name: ".wh.c" },
        directory("c", 0o755),
        { name: "c/new" },
        directory("d", 0o755),
        { name: "d/new" },
        { name: ".wh.d" },
        { name: ".wh.e" },
        { name: "e/new" },
        { name: ".wh.f" },
        { name: "f", mode: 0o600 },
        { name: ".wh..wh.aufs" },
      ],
    ]);
    expect(seen).toEqual(
      [
        "a/kept|f 644 0:0",
        "a|d 755 0:0",
        "b/new|f 644 0:0",
        "b|d 755 0:0",
        "c/new|f 644 0:0",
        "c|d 755 0:0",
        "d/new|f 644 0:0",
        "d|d 755 0:0",
        "e/new|f 644 0:0",
        "e|d 755 0:0",
        "f|f 600 0:0",
        "|d 755 0:0",
      ].sort(),
    );
  });

  test("directories that an archive only implies look as below", () => {
    const time = { mtime: "1111111111.5" };
    const seen = union(
      place,
      [
        [
          { ...directory("", 0o750, 9), pax: time },
          { ...directory("var", 0o2711, 3), pax: time },
          { ...directory("var/lib", 0o1777, 4), pax: time },
          { ...directory("other", 0o700, 5), pax: time },
          { ...directory("replaced", 0o700, 5), pax: time },
        ],
        [{ name: "var/first" }, { name: ".wh.replaced" }],
        [{ name: "var/lib/second" }, { name: "other/.wh..wh..opq" }, { name: "replaced/new" }, { name: "fresh/new" }],
        [{ name: "other/deep/third" }],
      ],
      "%m %U:%G %T@",
    );
    const time11 = "1111111111.5000000000";
    const byName = new Map(seen.map((line) => line.split("|") as [string, string]));
    expect(byName.get("")).toBe(`750 ${owner(9)} ${time11}`);
    // Without its owner a set-group-id bit would mean another group.
    expect(byName.get("var")).toBe(`${place === "single" ? "711" : "2711"} ${owner(3)} ${time11}`);
    expect(byName.get("var/lib")).toBe(`1777 ${owner(4)} ${time11}`);
    // Opaque, so there is nothing below: the layer itself is the lowest to have it.
    expect(byName.get("other")).toStartWith("755 0:0");
    expect(byName.get("other/deep")).toStartWith("755 0:0");
    expect(byName.get("replaced")).toStartWith("755 0:0");
    expect(byName.get("fresh")).toStartWith("755 0:0");
  });

  test("layers of one base are shared, those of another are not", () => {
    const { path } = spaces.use(workspace());
    const store = `${path}/store`;
    const base = archive([directory("", 0o755), directory("srv", 0o700, 3)]);
    const otherBase = archive([directory("", 0o755), directory("srv", 0o755, 8)]);
    const top = archive([{ name: "srv/file" }]);
    makeImage(`${path}/one`, [base, top]);
    makeImage(`${path}/two`, [base, top, archive([{ name: "more" }])]);
    makeImage(`${path}/three`, [otherBase, top]);
    for (const image of ["one", "two", "three"]) {
      expect(unpack(place, `oci:${path}/${image}`, store).error).toBeUndefined();
    }
    expect(
      run(enter(place, ["ls", `${store}/layers`]))
        .trim()
        .split("\n"),
    ).toHaveLength(5);
    expect(listUnion(place, `oci:${path}/two`, store, "%m %U:%G")).toContain(`srv|700 ${owner(3)}`);
    expect(listUnion(place, `oci:${path}/three`, store, "%m %U:%G")).toContain(`srv|755 ${owner(8)}`);
  });
});
