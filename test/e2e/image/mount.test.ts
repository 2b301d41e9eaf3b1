/* `bunker image mount` and `unmount`, in `bunker unshare`. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { UnprivilegedUser, type UserName } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

const file = (name: string, content: string) => ({ name, content });
const layers = [
  pack(archive([file("below", "below"), file("both", "lower"), { ...file("theirs", "x"), uid: 1000, gid: 33 }])),
  pack(archive([file("both", "upper"), file(".wh.below", "")]), "gzip"),
];
const ONE = "example.com/one:latest";
const TWO = "example.com/two:latest";
const NONE = "example.com/none:latest";
const MANY = "example.com/many:latest";
const names = [ONE, TWO, NONE, MANY];

const users = new Map<UserName, UnprivilegedUser>();
beforeAll(() => {
  for (const name of ["bunker-test", "bunker-bare"] as const) {
    const user = new UnprivilegedUser(name);
    users.set(name, user);
    storeImages(user, [
      { names: [ONE], layers: layers.slice(0, 1) },
      { names: [TWO], layers },
      { names: [NONE], layers: [], configuration: { created: "2026-01-01T00:00:00Z" } },
      {
        names: [MANY],
        layers: Array.from({ length: 130 }, (_, n) => pack(archive([file(`file-${n}`, ""), file("last", `${n}`)]))),
      },
    ]);
  }
}, 300_000);
afterEach(async () => {
  for (const user of users.values()) await user.expectNothingLeft();
});
afterAll(() => {
  for (const user of users.values()) user[Symbol.dispose]();
});

function theUser(name: UserName = "bunker-test"): UnprivilegedUser {
  const user = users.get(name);
  if (user === undefined) throw new Error("only for use within tests");
  return user;
}

/** What a script says in a user's namespace; `$bunker` is Bunker. */
async function inside(script: string, name: UserName = "bunker-test") {
  const user = theUser(name);
  return user.bunker(["unshare", "sh", "-c", script], { environment: { bunker: user.bunkerPath } });
}

async function outputOf(script: string, name: UserName = "bunker-test"): Promise<string> {
  const { status, output, errors } = await inside(`set -e; ${script}`, name);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

describe.each(["bunker-test", "bunker-bare"] as const)("as %s", (name) => {
  test("an image is seen as its containers see it, and cannot be changed", async () => {
    const look = 'cd "$root"; ls; cat both; stat -c %u:%g theirs; touch new 2>&1 || true';
    const owner = name === "bunker-test" ? "1000:33" : "0:0";
    const said = await outputOf(`root=$($bunker image mount ${TWO}); ${look}`, name);
    expect(said).toBe(`both\ntheirs\nupper${owner}\ntouch: cannot touch 'new': Read-only file system\n`);
    expect(await outputOf(`root=$($bunker image mount ${ONE}); ${look}`, name)).toBe(
      `below\nboth\ntheirs\nlower${owner}\ntouch: cannot touch 'new': Read-only file system\n`,
    );
  });

  test("images of no layer and of many", async () => {
    expect(await outputOf(`ls -A $($bunker image mount ${NONE}) | wc -l`, name)).toBe("0\n");
    expect(await outputOf(`cd $($bunker image mount ${MANY}); ls -A | wc -l; cat last`, name)).toBe("131\n129");
  });
});

test("mounts are listed, and taken away one by one", async () => {
  const said = await outputOf(`
    $bunker image mount
    $bunker image mount ${ONE} ${TWO} | sed "s,  */[^ ]*/mounts/.*, PATH,"
    $bunker image mount | sort | sed "s,  */[^ ]*/mounts/.*, PATH,"
    $bunker image unmount ${ONE} >/dev/null
    $bunker image mount --format json | grep -c mountpoint
    $bunker image unmount --all | wc -c
    $bunker image mount | wc -l
  `);
  const both = ["example.com/one:latest PATH", "example.com/two:latest PATH"];
  expect(said.split("\n")).toEqual([...both, ...both, "1", "65", "0", ""]);
});

test("an image that is mounted twice is unmounted twice, or by force", async () => {
  const mount = `root=$($bunker image mount ${TWO}); test "$root" = "$($bunker image mount ${TWO})"`;
  const look = '{ test -e "$root/both" && echo mounted || echo gone; }';
  const unmount = `$bunker image unmount ${TWO} >/dev/null`;
  expect(await outputOf(`${mount}; ${unmount}; ${look}; ${unmount}; ${look}`)).toBe("mounted\ngone\n");
  expect(await outputOf(`${mount}; $bunker image umount -f ${TWO} >/dev/null; ${look}`)).toBe("gone\n");
});

test("--all mounts what is there", async () => {
  expect(await outputOf("$bunker image mount --all | wc -l; $bunker image mount -a | grep -c /mounts/")).toBe(
    `${names.length}\n${names.length}\n`,
  );
});

test("mounts end with the shell in which they were made", async () => {
  const root = (await outputOf(`$bunker image mount ${TWO}`)).trim();
  expect(existsSync(root)).toBe(true);
  expect(readdirSync(root)).toEqual([]);
  expect(await outputOf("$bunker image mount")).toBe("");
});

describe("what goes wrong", () => {
  test("outside of unshare", async () => {
    expect(await theUser().bunker(["image", "mount", ONE])).toEqual({
      status: 125,
      output: "",
      errors: expect.stringMatching(
        /^bunker: mount an image: only root of a user namespace .*\nhint: .*bunker unshare/,
      ),
    });
    // Once, however many images there are.
    const { errors } = await theUser().bunker(["image", "mount", "--all"]);
    expect(errors.match(/only root of a user namespace/g)).toHaveLength(1);
  });

  test.each<[script: string, errors: RegExp]>([
    ["$bunker image mount nothing", /^bunker: find the image nothing: no such image\n/],
    [`$bunker image unmount ${ONE}`, /^bunker: unmount image example.com\/one:latest: it is not mounted here\n$/],
    ["$bunker image unmount", /^bunker: unmount needs the name of an image, or --all\n$/],
    ["$bunker image mount --format yaml", /^bunker: invalid value "yaml" for --format: expected json\n/],
    [
      `cd $($bunker image mount ${ONE}); $bunker image unmount ${ONE}`,
      /^bunker: unmount \S+\/mounts\/[0-9a-f]{64}: EBUSY\nhint: .*--force/,
    ],
  ])("%s", async (script, expected) => {
    const { status, output, errors } = await inside(script);
    expect(errors).toMatch(expected);
    expect({ status, output }).toEqual({ status: 125, output: "" });
  });

  test("one of several images that is missing does not keep the others from being mounted", async () => {
    const { status, output, errors } = await inside(`$bunker image mount ${ONE} nothing ${TWO}`);
    expect([status, output.split("\n").length - 1]).toEqual([125, 2]);
    expect(errors).toContain("nothing: no such image");
  });

  test("two at once unpack an image once", async () => {
    const mount = `$bunker image mount ${MANY} >/dev/null`;
    expect(
      await outputOf(`rm -rf ${theUser().data}/layers; ${mount} & ${mount}; wait $!; $bunker image mount | wc -l`),
    ).toBe("1\n");
  });
});
