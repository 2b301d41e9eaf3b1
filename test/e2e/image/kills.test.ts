/*
 * Commands that change the store, killed at random instants of their run: whatever the instant, the store is whole
 * afterwards, and the next command finds its way. The image is small, so that there can be many instants.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ARCHITECTURE } from "../../fixtures/images.ts";
import { type LayoutServer, serveLayout } from "../../fixtures/layout-server.ts";
import { INDEX_TYPE, pack, tagged, writeImage, writeJson, writeLayout } from "../../unit/image/image-builder.ts";
import { archive, type Member } from "../../unit/image/tar-builder.ts";
import { finish, output, UnprivilegedUser } from "../../unprivileged-user.ts";
import { faultsOf, listing, namesIn } from "./check-store.ts";

setDefaultTimeout(600_000);

/** How many commands are killed, all together; more for those who have the time. */
const KILLS = Number(process.env["BUNKER_TEST_KILLS"] ?? 200);
const share = (part: number) => Math.ceil(KILLS * part);
const [PULLS, LOADS, COPIES, SAVES, PUSHES] = [share(0.25), share(0.25), share(0.1), share(0.1), share(0.1)];
const PRUNES = KILLS - PULLS - LOADS - COPIES - SAVES - PUSHES;
const LAYERS = 4;

let user: UnprivilegedUser;
let directory: string;
let server: LayoutServer;
/** What the layers look like when nothing has happened, by the names of their directories. */
let layers: ReadonlyMap<string, string>;

const nameOf = (tag: string) => `${server.host}/team/killed:${tag}`;

beforeAll(async () => {
  user = new UnprivilegedUser();
  directory = mkdtempSync(join(tmpdir(), "bunker-kills-"));
  user.own(directory);
  const layout = `${directory}/layout`;
  const packed = Array.from({ length: LAYERS }, (_, layer) =>
    pack(
      archive([
        { name: "./", type: "5" },
        { name: "shared/", type: "5" },
        { name: `shared/.wh.${layer - 1}`, content: "" },
        { name: `shared/${layer}`, content: randomBytes(layer * 30_000), uid: layer, gid: 3 },
        // In the others the directory is only implied, and is to look as it does here.
        ...(layer === 0 ? [{ name: "implied/", type: "5", uid: 5, modified: 1_000_000 }] : []),
        { name: `implied/${layer}/`, type: "5" },
        ...Array.from({ length: 10 }, (_, file): Member => ({ name: `implied/${layer}/${file}`, content: `${file}` })),
      ]),
      layer % 2 === 0 ? "gzip" : "zstd",
    ),
  );
  const fewer = packed.filter((_, layer) => layer !== LAYERS - 2);
  const configuration = { architecture: ARCHITECTURE };
  const images = [writeImage(layout, packed, configuration), writeImage(layout, fewer, configuration)] as const;
  const index = writeJson(layout, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: images }, INDEX_TYPE);
  writeLayout(layout, [tagged(images[0], "more"), tagged(images[1], "fewer"), tagged(index, "index")]);
  server = await serveLayout(layout);
  expect(await user.bunker(["pull", "-q", nameOf("more")])).toMatchObject({ status: 0, errors: "" });
  expect(await user.bunker(["pull", "-q", nameOf("fewer")])).toMatchObject({ status: 0, errors: "" });
  const names = namesIn(`${user.data}/layers`);
  // The uppermost layer is another one where it lies on others.
  expect(names).toHaveLength(LAYERS + 1);
  layers = new Map(names.map((name) => [name, listing(`${user.data}/layers/${name}/diff`)]));
  for (const tag of ["more", "fewer"]) {
    await expectSuccess(["save", "-o", `${directory}/${tag}.tar`, nameOf(tag)]);
  }
  output(["cp", "-a", user.data, `${directory}/full`]);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  clearStore();
  await user.expectNothingLeft();
  rmSync(directory, { recursive: true });
  user[Symbol.dispose]();
});

async function expectSuccess(words: readonly string[]): Promise<void> {
  expect(await user.bunker(words)).toMatchObject({ status: 0, errors: "" });
}

/** Makes the store what it was when both images had just been pulled. */
function fillStore(): void {
  clearStore();
  output(["cp", "-a", `${directory}/full`, user.data]);
}

function clearStore(): void {
  rmSync(user.data, { recursive: true, force: true });
}

/**
 * Kills a command at random instants. Every other time the store is made ready anew; between those the command finds what
 * its killed predecessor has left.
 * @param findFaults says what is wrong outside of the store
 */
async function killAgainAndAgain(
  times: number,
  words: readonly string[],
  makeReady: () => void,
  findFaults: () => readonly string[] = () => [],
): Promise<void> {
  makeReady();
  const begun = performance.now();
  await expectSuccess(words);
  const duration = performance.now() - begun;
  for (let round = 0; round < times; round++) {
    if (round % 2 === 0) makeReady();
    const killed = user.start([user.bunkerPath, ...words]);
    await Bun.sleep(Math.random() * duration);
    killed.kill("SIGKILL");
    await finish(killed);
    // What it has started dies with it, a moment later.
    while (user.processes().length > 0) await Bun.sleep(2);
    expect({ round, faults: [...faultsOf(user.data, layers), ...findFaults()] }).toEqual({ round, faults: [] });
  }
  await expectSuccess(words);
  expect(faultsOf(user.data, layers)).toEqual([]);
}

/** What is left of unfinished work, besides locks, after whoever looks for such things. */
async function leftOver(): Promise<string[]> {
  await expectSuccess(["image", "prune", "-f"]);
  return namesIn(`${user.data}/tmp`).filter((name) => !name.endsWith(".lock"));
}

test(`pull leaves a whole store, killed ${PULLS} times`, async () => {
  await killAgainAndAgain(PULLS, ["pull", "-q", nameOf("more")], clearStore);
  expect(namesIn(`${user.data}/layers`)).toHaveLength(LAYERS);
  expect(await leftOver()).toEqual([]);
});

test(`load leaves a whole store, killed ${LOADS} times`, async () => {
  await killAgainAndAgain(LOADS, ["load", "-q", "-i", `${directory}/more.tar`], clearStore);
  expect((await user.bunker(["images", "--format", "{{.Repository}}:{{.Tag}}"])).output).toBe(`${nameOf("more")}\n`);
  expect(await leftOver()).toEqual([]);
});

test(`copy of an index leaves a whole store, killed ${COPIES} times`, async () => {
  const layout = `${directory}/layout`;
  const name = "localhost/copied:1";
  await killAgainAndAgain(COPIES, ["copy", "-q", "--all", `oci:${layout}:index`, name], clearStore);
  // The index and both of its images, with their configurations and each layer once.
  expect(namesIn(`${user.data}/blobs/sha256`)).toHaveLength(1 + 2 * 2 + LAYERS);
  expect(await leftOver()).toEqual([]);
  await expectSuccess(["rmi", name]);
  expect(namesIn(`${user.data}/blobs/sha256`)).toEqual([]);
});

test(`save leaves the archive or none, killed ${SAVES} times`, async () => {
  const saved = `${directory}/saved`;
  fillStore();
  const makeReady = () => {
    rmSync(saved, { recursive: true, force: true });
    mkdirSync(saved);
    user.own(saved);
  };
  const whole = readFileSync(`${directory}/more.tar`);
  const isWhole = (name: string) => name === "image.tar" && readFileSync(`${saved}/${name}`).equals(whole);
  const findFaults = () => namesIn(saved).filter((name) => !isWhole(name));
  await killAgainAndAgain(SAVES, ["save", "-q", "-o", `${saved}/image.tar`, nameOf("more")], makeReady, findFaults);
  expect(namesIn(saved)).toEqual(["image.tar"]);
  await expectSuccess(["load", "-q", "-i", `${saved}/image.tar`]);
  expect(await leftOver()).toEqual([]);
});

test(`manifest push that packs layers anew leaves a whole store and a whole layout, killed ${PUSHES} times`, async () => {
  const pushed = `${directory}/pushed`;
  fillStore();
  await expectSuccess(["manifest", "create", "list", nameOf("more"), nameOf("fewer")]);
  const words = ["manifest", "push", "-q", "--compression-format", "zstd", "--force-compression", "list"];
  await killAgainAndAgain(PUSHES, [...words, `oci:${pushed}:1`], () => {
    rmSync(pushed, { recursive: true, force: true });
  });
  expect(namesIn(pushed).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  expect(await leftOver()).toEqual([]);
});

test(`prune leaves a whole store, killed ${PRUNES} times`, async () => {
  await killAgainAndAgain(PRUNES, ["image", "prune", "-af"], fillStore);
  expect((await user.bunker(["images", "-q"])).output).toBe("");
  for (const kept of ["layers", "blobs/sha256", "partial", "tmp"]) {
    const names = namesIn(`${user.data}/${kept}`).filter((name) => !name.endsWith(".lock"));
    expect({ kept, names }).toEqual({ kept, names: [] });
  }
  // Nothing stands in the way of what comes next.
  await expectSuccess(["pull", "-q", nameOf("fewer")]);
  expect(faultsOf(user.data, layers)).toEqual([]);
});
