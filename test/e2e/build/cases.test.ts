/*
 * Every instruction and flag of the Dockerfile language in a small case of its own: see `cases/build-case.ts`. Config and
 * files of the images have to be equal, but for what is listed here.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { busyboxLayout } from "../../fixtures/images.ts";
import { output } from "../../unprivileged-user.ts";
import { Buildah } from "./buildah.ts";
import type { ComparedCase, ExpectedCase } from "./cases/build-case.ts";
import { CONFIGURATION_CASES, CONFIGURATION_CASES_ALONE } from "./cases/configuration-cases.ts";
import { completeContext, FILES_OF_CONTEXT } from "./cases/context.ts";
import { COPY_CASES, COPY_CASES_ALONE } from "./cases/copy-cases.ts";
import { FROM_CASES, FROM_CASES_ALONE } from "./cases/from-cases.ts";
import { RUN_CASES, RUN_CASES_ALONE } from "./cases/run-cases.ts";
import { comparable, readImage, type WrittenImage } from "./image-on-disk.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();
let buildah: Buildah;
let server: Bun.Server<undefined>;
let busybox: WrittenImage;
let directory: string;
let directoryOfResults: string;
let count = 0;

beforeAll(async () => {
  buildah = await Buildah.start({ busybox: `oci:${busyboxLayout()}:latest` });
  busybox = readImage(busyboxLayout());
  directory = suite.context(FILES_OF_CONTEXT);
  directoryOfResults = suite.user.makeDirectory("results");
  completeContext(directory);
  output(["chown", "-Rh", suite.user.name, directory]);
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      new Response(readFileSync(directory + new URL(url).pathname), {
        headers: { "last-modified": "Fri, 13 Feb 2009 23:31:30 GMT" },
      }),
  });
}, 60_000);

afterAll(async () => {
  buildah?.[Symbol.dispose]();
  await server?.stop(true);
});

/** The options of a case, and where its Dockerfile is. */
function optionsOf({ dockerfile, options = [] }: ComparedCase | ExpectedCase): readonly string[] {
  const file = `${suite.user.directory}/Dockerfile-${count++}`;
  writeFileSync(file, dockerfile.join("\n"));
  return ["-f", file, "--build-arg", `FILES=${server.url.origin}`, ...options];
}

async function buildHere(options: readonly string[]): Promise<WrittenImage> {
  const result = `${directoryOfResults}/${count++}`;
  await suite.built(directory, ["-o", `type=oci,tar=false,dest=${result}`, ...options], { directory });
  const image = readImage(result);
  rmSync(result, { recursive: true });
  return image;
}

const withNames = <Case extends { readonly name: string }>(cases: readonly Case[]) =>
  cases.map((each) => [each.name, each] as const);

describe("as buildah builds it", () => {
  const cases = [...FROM_CASES, ...RUN_CASES, ...COPY_CASES, ...CONFIGURATION_CASES];
  test.each(withNames(cases))("%s", async (_, each) => {
    const options = optionsOf(each);
    const [here, there] = await Promise.all([buildHere(options), buildah.build(directory, options)]);
    const counted = { timed: each.times ?? [] };
    expect(comparable(here, counted)).toEqual(comparable(there, counted));
  });
});

describe("what buildah does not know, or does otherwise", () => {
  const cases = [...FROM_CASES_ALONE, ...RUN_CASES_ALONE, ...COPY_CASES_ALONE, ...CONFIGURATION_CASES_ALONE];
  test.each(withNames(cases))("%s", async (_, each) => {
    const { tree, configuration } = await buildHere(optionsOf(each));
    const base = tree.has("bin/busybox") ? busybox.tree : new Map<string, string>();
    const paths = [...new Set([...base.keys(), ...tree.keys()])].filter((path) => base.get(path) !== tree.get(path));
    expect(Object.fromEntries(paths.map((path) => [path, tree.get(path)]))).toEqual(each.files);
    expect(configuration.config).toMatchObject(each.configuration ?? {});
  });
});
