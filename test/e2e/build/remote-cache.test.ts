/* Caches of builds that are kept elsewhere: --cache-to and --cache-from. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/image/digest.ts";
import { DockerRegistry } from "../../docker-registry.ts";
import { buildSuite, ends } from "./suite.ts";

const suite = buildSuite();
let registry: DockerRegistry;
beforeAll(async () => {
  registry = await DockerRegistry.start();
});
afterAll(() => registry[Symbol.asyncDispose]());

const DOCKERFILE = [
  ...["FROM busybox AS maker", "RUN echo made > /made && echo more > /more"],
  ...["FROM busybox", "RUN mkdir -p /a/b && echo one > /a/b/one && rm /bin/wget && chown 7:8 /a/b"],
  ...[
    "COPY --link file /linked/",
    "COPY --from=maker /made /got",
    "RUN cat /linked/file /got > /both",
    "CMD cat /both",
    "",
  ],
].join("\n");

/** What makes the cache of a user an empty one. */
async function forget(): Promise<void> {
  await suite.user.bunker(["rmi", "-f", "result"]);
  expect((await suite.user.bunker(["builder", "prune", "-af"])).status).toBe(0);
  expect(readdirSync(join(suite.user.data, "build", "layers"))).toEqual([]);
}

function context(): string {
  return suite.context({ Dockerfile: DOCKERFILE, file: "text\n" });
}

const idOf = async (name: string) =>
  (await suite.user.bunker(["image", "inspect", "--format", "{{.Id}}", name])).output.trim();

/** Builds without a cache of one's own, and says how the steps ended. */
async function rebuilt(
  directory: string,
  options: readonly string[],
): Promise<{ steps: Record<string, string>; progress: string }> {
  await forget();
  const progress = await suite.built(directory, ["-t", "result", ...options]);
  expect(await suite.inside("result", "cat /both; stat -c '%u:%g' /a/b; ls /bin/wget 2>/dev/null || echo gone")).toBe(
    "text\nmade\n7:8\ngone\n",
  );
  return { steps: ends(progress), progress };
}

const ALL_CACHED = {
  "RUN mkdir -p /a/b && echo one > /a/b/one && rm /bin/wget && chown 7:8 /a/b": "CACHED",
  "COPY --link file /linked/": "CACHED",
  "COPY --from=maker /made /got": "CACHED",
  "RUN cat /linked/file /got > /both": "CACHED",
};

test("finds everything again in a registry, in a directory and in the image itself", async () => {
  const directory = context();
  const layout = join(suite.user.makeDirectory("cache"), "layout");
  const name = `${registry.host}/team/app`;
  const destinations = [
    `type=registry,ref=${name}:cache,mode=max`,
    `type=registry,ref=${name}:index,image-manifest=false`,
    `type=local,dest=${layout},compression=zstd,mode=max`,
    "type=inline",
  ];
  const options = [...destinations.flatMap((each) => ["--cache-to", each]), "-t", `${name}:1`, "--push"];
  await suite.built(directory, options);
  const first = await idOf(`${name}:1`);
  await suite.user.bunker(["rmi", `${name}:1`]);
  const sources = [`type=registry,ref=${name}:cache`, `${name}:index`, `type=local,src=${layout}`, `${name}:1`];
  for (const source of sources) {
    const { steps, progress } = await rebuilt(directory, [
      "--cache-from",
      source,
      "--build-arg",
      "BUILDKIT_INLINE_CACHE=1",
    ]);
    expect(steps).toMatchObject(ALL_CACHED);
    expect(await idOf("result")).toBe(first);
    // The stage that was only copied from is not fetched.
    const { length } = readdirSync(join(suite.user.data, "build", "layers"));
    expect({ source, length }).toEqual({ source, length: 4 });
    expect(progress).not.toContain("WARNING");
  }
  // What this build has not needed goes on to the next cache.
  await forget();
  const next = join(suite.user.makeDirectory("next"), "layout");
  await suite.built(directory, [
    "--cache-from",
    sources[0] ?? "",
    "--cache-to",
    `${"type=local,mode=max,dest="}${next}`,
  ]);
  writeFileSync(join(directory, "Dockerfile"), DOCKERFILE.replace("/made /got", "/more /got"));
  await forget();
  expect(ends(await suite.built(directory, ["--cache-from", `type=local,src=${next}`]))).toMatchObject({
    "RUN echo made > /made && echo more > /more": "CACHED",
    "COPY --from=maker /more /got": "DONE",
  });
});

test("builds on where a cache is missing, damaged, or lies", async () => {
  const directory = context();
  const made = join(suite.user.makeDirectory("damaged"), "layout");
  await suite.built(directory, ["--cache-to", `type=local,dest=${made}`]);
  const blob = (digest: string) => join(made, "blobs", digest.replace(":", "/"));
  const index = JSON.parse(readFileSync(join(made, "index.json"), "utf8"));
  const [entry] = index.manifests;
  const manifest = JSON.parse(readFileSync(blob(entry.digest), "utf8"));
  const [lowest, top] = [manifest.layers[0], manifest.layers.at(-1)];
  const cases: Record<string, () => void> = {
    // A layer of somebody else's in the place of the step's.
    "the unpacked layer: its digest is": () => {
      const lying = { ...lowest, annotations: top.annotations };
      const text = JSON.stringify({ ...manifest, layers: [lying, ...manifest.layers.slice(1)] });
      const digest = digestOf(text);
      writeFileSync(blob(digest), text);
      const manifests = [{ ...entry, digest, size: text.length }];
      writeFileSync(join(made, "index.json"), JSON.stringify({ ...index, manifests }));
    },
    "blob sha256:": () => {
      writeFileSync(join(made, "index.json"), JSON.stringify(index));
      writeFileSync(blob(top.digest), Buffer.alloc(top.size));
    },
    ENOENT: () => rmSync(join(made, "index.json")),
  };
  for (const [reason, damage] of Object.entries(cases)) {
    damage();
    await forget();
    const progress = await suite.built(directory, ["--cache-from", `type=local,src=${made}`]);
    const [warning] = /^WARNING: the cache .* is not used: .*$/m.exec(progress) ?? [];
    expect({ reason, steps: ends(progress), warning }).toMatchObject({
      steps: { "RUN cat /linked/file /got > /both": "DONE" },
      warning: expect.stringContaining(reason),
    });
  }
});
