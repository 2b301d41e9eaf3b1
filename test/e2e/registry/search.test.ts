import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { DockerRegistry } from "../../docker-registry.ts";
import { busyboxLayout } from "../../fixtures/images.ts";
import { output, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
let registry: DockerRegistry;

beforeAll(async () => {
  user = new UnprivilegedUser("bunker-bare");
  registry = await DockerRegistry.start();
  const layout = busyboxLayout();
  for (const name of ["tools/busybox:1", "tools/busybox:2", "web/server:1", "web/client:1"]) {
    output([
      "skopeo",
      "copy",
      "-q",
      "--dest-tls-verify=false",
      `oci:${layout}:latest`,
      `docker://${registry.host}/${name}`,
    ]);
  }
}, 300_000);

afterAll(async () => {
  user?.[Symbol.dispose]();
  await registry?.[Symbol.asyncDispose]();
});

function search(...words: readonly string[]) {
  return user.bunker(["search", ...words]);
}

test("the catalogue of a registry is searched", async () => {
  const { output, status } = await search(`${registry.host}/web`);
  expect(status).toBe(0);
  expect(output.split("\n").map((line) => line.trimEnd())).toEqual([
    `${"NAME".padEnd(registry.host.length + 14)}DESCRIPTION   STARS     OFFICIAL`,
    `${registry.host}/web/client                 0`,
    `${registry.host}/web/server                 0`,
    "",
  ]);
  const names = await search("--format", "{{.Name}} {{.StarCount}}", "--limit", "1", `${registry.host}/`);
  expect(names.output).toBe(`${registry.host}/tools/busybox 0\n`);
  const fields = await search(
    "--format",
    "{{.Index}} {{.Stars}}{{.Official}}{{.Automated}}",
    `${registry.host}/web/cl`,
  );
  expect(fields.output).toBe(`${registry.host} 0\n`);
  expect((await search("--filter", "stars=1", "--format", "{{.Name}}", `${registry.host}/`)).output).toBe("");
});

test("the tags of a repository are listed", async () => {
  const { output } = await search("--list-tags", "--format", "{{.Name}}:{{.Tag}}", `${registry.host}/tools/busybox`);
  // Registries list them in any order.
  expect(output.trim().split("\n").sort()).toEqual([
    `${registry.host}/tools/busybox:1`,
    `${registry.host}/tools/busybox:2`,
  ]);
  const { errors, status } = await search("--list-tags", `${registry.host}/none`);
  expect(status).toBe(1);
  expect(errors).toBe(
    `bunker: list the tags of ${registry.host}/none: ${registry.host} answers 404: NAME_UNKNOWN: repository name not known to registry\nhint: Check the name, ${registry.host}/none, or log in if it is private: bunker login ${registry.host}\n`,
  );
});

test.each<[string[], string, number]>([
  [
    ["--filter", "starz=1", "x"],
    "filter by starz=1: expected is-official, is-automated or stars; did you mean stars?",
    1,
  ],
  [["--filter", "stars=many", "x"], "filter by stars=many: expected a whole number", 1],
  [["--limit", "0", "x"], "expected a whole number from 1 to 100", 125],
  [["--list-tags", "debian:12"], "--list-tags takes the name of a repository, without a tag", 1],
])("search %j is refused", async (words, message, expected) => {
  const { status, errors } = await search(...words);
  expect(errors).toContain(message);
  expect(status).toBe(expected);
});
