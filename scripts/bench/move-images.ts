/*
 * Images on their way out of the store and into it, against Podman: save, load and push of one image with some 60 MB of
 * this machine's /usr/lib in one layer; a container's 50 changed files above a layer with 50 000; and the list of 100
 * images. That of 500 is Bunker's alone, since Podman's time grows with the square of their number: nearly two minutes.
 *
 * What a measurement has left is removed after it, outside of the measured time. Podman unpacks what it loads and packs
 * what it saves and pushes, and writes everything through once more; Bunker keeps layers packed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DockerRegistry } from "../../test/docker-registry.ts";
import { configuration, pack } from "../../test/unit/image/image-builder.ts";
import { archive } from "../../test/unit/image/tar-builder.ts";
import { type CommandContender, compareCosts } from "./command-costs.ts";
import type { Workplace } from "./workplace.ts";

const IMAGE_SIZE = 60_000_000;
const MOVED = "localhost/bench/moved:1";
const WIDE = "localhost/bench/wide:1";
const COMMITTED = "localhost/bench/committed:1";
const CONTAINER = "bench-changed";
const FILES = 50_000;
const FILES_PER_DIRECTORY = 500;
const CHANGED = 50;
const [FEW_IMAGES, MANY_IMAGES] = [100, 500];

/** Measures; tables in Markdown. */
export async function* measureMovingImages(workplace: Workplace, rounds: number): AsyncGenerator<string, void> {
  workplace.configurePodman();
  const compare = (title: string, contenders: readonly CommandContender[]) =>
    `${title}:\n\n${compareCosts(workplace, contenders, rounds).table}`;
  const saved = makeImage(workplace);
  yield compare("save", engines(workplace, save));
  yield compare("load", engines(workplace, load(saved)));
  {
    await using registry = await DockerRegistry.start();
    yield compare("push", engines(workplace, push(registry.host)));
  }
  makeChangedContainers(workplace);
  yield compare(`diff of ${CHANGED} changed files among ${FILES}`, engines(workplace, diff));
  yield compare(`commit of ${CHANGED} changed files among ${FILES}`, engines(workplace, commit));
  storeImages(workplace, 0, FEW_IMAGES, [workplace.bunker, "podman"]);
  yield compare(`images, with ${FEW_IMAGES}`, engines(workplace, list));
  storeImages(workplace, FEW_IMAGES, MANY_IMAGES, [workplace.bunker]);
  yield compare(`images, with ${MANY_IMAGES}`, [list(workplace, workplace.bunker, "bunker")]);
}

type Contend = (workplace: Workplace, program: string, name: string) => CommandContender;

function engines(workplace: Workplace, contend: Contend): readonly CommandContender[] {
  return [contend(workplace, workplace.bunker, "bunker"), contend(workplace, "podman", "podman")];
}

const save: Contend = (workplace, program, name) => {
  const path = join(workplace.directory, `${name}-saved.tar`);
  return {
    name: `${name} save`,
    commands: () => [[program, "save", "-o", path, MOVED]],
    clean: () => workplace.run("rm", path),
  };
};

function load(path: string): Contend {
  return (workplace, program, name) => ({
    name: `${name} load`,
    prepare: () => workplace.run(program, "rmi", MOVED),
    commands: () => [[program, "load", "-q", "-i", path]],
  });
}

function push(host: string): Contend {
  return (_, program, name) => ({
    name: `${name} push`,
    commands: (round) => [[program, "push", "-q", "--tls-verify=false", MOVED, `${host}/${name}:${round}`]],
  });
}

const diff: Contend = (_, program, name) => ({
  name: `${name} diff`,
  commands: () => [[program, "diff", CONTAINER]],
});

const commit: Contend = (workplace, program, name) => ({
  name: `${name} commit`,
  commands: () => [[program, "commit", "-q", CONTAINER, COMMITTED]],
  clean: () => workplace.run(program, "rmi", COMMITTED),
});

const list: Contend = (_, program, name) => ({ name: `${name} images`, commands: () => [[program, "images"]] });

/** Makes an image for both; returns where it is saved. */
function makeImage(workplace: Workplace): string {
  const [files, tar] = [join(workplace.directory, "moved-files"), join(workplace.directory, "moved-root.tar")];
  const find = 'find /usr/lib -xdev -type f -readable -size -20M -printf "%s %P\\n" 2>/dev/null || true';
  let size = 0;
  const chosen = [];
  for (const line of workplace.run("sh", "-c", find).split("\n").sort()) {
    const space = line.indexOf(" ");
    if (space < 0 || size >= IMAGE_SIZE) continue;
    size += Number(line.slice(0, space));
    chosen.push(line.slice(space + 1));
  }
  writeFileSync(files, chosen.join("\n"));
  workplace.run("tar", "-C", "/usr/lib", "--numeric-owner", "--owner=0", "--group=0", "-cf", tar, "-T", files);
  workplace.run(workplace.bunker, "import", tar, MOVED);
  const saved = join(workplace.directory, "moved.tar");
  workplace.run(workplace.bunker, "save", "-o", saved, MOVED);
  workplace.run("podman", "load", "-q", "-i", saved);
  return saved;
}

/** Makes a container of each engine that has other contents in some of its image's files. */
function makeChangedContainers(workplace: Workplace): void {
  const all = [];
  const changed = join(workplace.directory, "changed");
  for (let file = 0; file < FILES; file++) {
    const directory = String(Math.floor(file / FILES_PER_DIRECTORY));
    all.push({ name: `${directory}/${file}`, content: `file ${file}\n` });
    if (file % (FILES / CHANGED) !== 0) continue;
    mkdirSync(join(changed, directory), { recursive: true });
    writeFileSync(join(changed, directory, String(file)), `file ${file}, changed\n`);
  }
  const tar = join(workplace.directory, "wide.tar");
  writeFileSync(tar, archive(all));
  for (const program of [workplace.bunker, "podman"]) {
    workplace.run(program, "import", tar, WIDE);
    workplace.run(program, "create", "--name", CONTAINER, WIDE, "/none");
    workplace.run(program, "cp", `${changed}/.`, `${CONTAINER}:/`);
  }
}

/** Stores images that differ in their configurations, numbered from `start` to before `end`. */
function storeImages(workplace: Workplace, start: number, end: number, programs: readonly string[]): void {
  const layer = pack(archive([{ name: "file", content: "content\n" }]));
  const members = [{ name: "layer.tar", content: layer.bytes }];
  const images = [];
  for (let image = start; image < end; image++) {
    const config = `${image}.json`;
    members.push({
      name: config,
      content: Buffer.from(JSON.stringify(configuration([layer], { author: `${image}` }))),
    });
    images.push({ Config: config, RepoTags: [`localhost/bench/many:${image}`], Layers: ["layer.tar"] });
  }
  members.push({ name: "manifest.json", content: Buffer.from(JSON.stringify(images)) });
  const path = join(workplace.directory, "many.tar");
  writeFileSync(path, archive(members));
  for (const program of programs) workplace.run(program, "load", "-q", "-i", path);
}
