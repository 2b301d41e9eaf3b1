import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatReference, parseReference } from "../../../../../src/image/reference.ts";
import {
  pullEndpoints,
  pushEndpoint,
  registryEndpoint,
} from "../../../../../src/image/registry/configuration/endpoints.ts";
import { readRegistriesFiles } from "../../../../../src/image/registry/configuration/registries-file.ts";
import { resolveShortName } from "../../../../../src/image/registry/configuration/short-names.ts";
import { failureOf, openReader } from "../reading.ts";
import { refuse, smallImage, startScriptedServer } from "../scripted-server.ts";

const VARIABLES = ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CONTAINERS_REGISTRIES_CONF"] as const;
let directory: string;
let before: Record<string, string | undefined>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-registries-"));
  before = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  process.env["XDG_CONFIG_HOME"] = join(directory, "config");
  process.env["XDG_CACHE_HOME"] = join(directory, "cache");
  delete process.env["CONTAINERS_REGISTRIES_CONF"];
});

afterEach(() => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(directory, { recursive: true });
});

function write(path: string, content: string): void {
  const whole = join(directory, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, content);
}

/** Writes the user's registries.conf, and reads everything. */
function configure(content: string) {
  write("config/containers/registries.conf", content);
  return readRegistriesFiles();
}

function pulls(content: string, name: string): string[] {
  const file = configure(content);
  return pullEndpoints(file, parseReference(name)).map(
    ({ registry, repository, insecure }) => `${registry}/${repository}${insecure ? " insecure" : ""}`,
  );
}

const DIGEST = `sha256:${"a".repeat(64)}`;

const MIRRORED = `
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000/hub"
insecure = true
[[registry.mirror]]
location = "tags.local"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "digests.local"
pull-from-mirror = "digest-only"
`;

test.each<[name: string, content: string, reference: string, expected: string[]]>([
  ["no configuration", "", "debian:12", ["docker.io/library/debian"]],
  [
    "mirrors for tags",
    MIRRORED,
    "debian:12",
    ["mirror.local:5000/hub/library/debian insecure", "tags.local/library/debian", "docker.io/library/debian"],
  ],
  [
    "mirrors for digests",
    MIRRORED,
    `debian@${DIGEST}`,
    ["mirror.local:5000/hub/library/debian insecure", "digests.local/library/debian", "docker.io/library/debian"],
  ],
  [
    "mirrors for digests only, in the old way",
    '[[registry]]\nlocation="a.com"\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation="m.com"',
    "a.com/b:1",
    ["a.com/b"],
  ],
  [
    "another location",
    '[[registry]]\nprefix="a.com/x"\nlocation="b.com:5000/y/z"',
    "a.com/x/i:1",
    ["b.com:5000/y/z/i"],
  ],
  ["a prefix that ends within a word", '[[registry]]\nprefix="a.com/x"\nlocation="b.com"', "a.com/xy:1", ["a.com/xy"]],
  ["a prefix without the port", '[[registry]]\nprefix="a.com"\nlocation="b.com"', "a.com:5000/x:1", ["a.com:5000/x"]],
  [
    "the longest prefix",
    '[[registry]]\nprefix="a.com/x/y"\nlocation="long.com"\n[[registry]]\nprefix="a.com"\nlocation="short.com"',
    "a.com/x/y/i:1",
    ["long.com/i"],
  ],
  ["a wildcard", '[[registry]]\nprefix="*.a.com"\ninsecure=true', "x.y.a.com:5000/i:1", ["x.y.a.com:5000/i insecure"]],
  [
    "a wildcard with a port",
    '[[registry]]\nprefix="*.a.com:5000"\ninsecure=true',
    "x.a.com:5000/i:1",
    ["x.a.com:5000/i insecure"],
  ],
  ["a wildcard with another port", '[[registry]]\nprefix="*.a.com:5000"\ninsecure=true', "x.a.com/i:1", ["x.a.com/i"]],
  ["a wildcard that moves", '[[registry]]\nprefix="*.a.com"\nlocation="b.com/c"', "x.a.com/i:1", ["b.com/c/i"]],
  [
    "a wildcard that is not the whole host",
    '[[registry]]\nprefix="*.a.com"\nlocation="b.com"',
    "a.com/i:1",
    ["a.com/i"],
  ],
])("%s", (_name, content, reference, expected) => {
  expect(pulls(content, reference)).toEqual(expected);
});

test("pushes and logins go to the registry, never to a mirror or another location", () => {
  expect(pushEndpoint(configure(MIRRORED), parseReference("debian:12")).registry).toBe("docker.io");
  const moved = configure('[[registry]]\nprefix = "docker.io"\nlocation = "cache.local/hub"\ninsecure = true');
  const repository = "library/debian";
  expect(pushEndpoint(moved, parseReference("debian:12"))).toEqual({
    registry: "docker.io",
    repository,
    insecure: true,
  });
  expect(registryEndpoint(moved, "docker.io")).toEqual({ registry: "docker.io", repository: "", insecure: true });
});

test("what is blocked is refused", async () => {
  const file = configure('[[registry]]\nprefix = "a.com/bad"\nblocked = true');
  const find = async () => pullEndpoints(file, parseReference("a.com/bad/image:1"));
  expect(await failureOf(find())).toEqual({
    code: "registry_blocked",
    message: "use a.com/bad/image:1: registries.conf blocks a.com/bad",
  });
});

test("drop-ins replace what they name, in the order of their names", () => {
  write(
    "config/containers/registries.conf.d/20.conf",
    '[[registry]]\nlocation="a.com"\nblocked=false\n[aliases]\nx="q.io/x"\ngone=""',
  );
  write(
    "config/containers/registries.conf.d/10.conf",
    'unqualified-search-registries=["ten.com"]\n[aliases]\nx="r.io/x"\ngone="r.io/gone"',
  );
  const file = configure('unqualified-search-registries=["main.com"]\n[[registry]]\nlocation="a.com"\nblocked=true');
  expect(file.searchRegistries).toEqual(["ten.com"]);
  expect(file.registries.get("a.com")?.blocked).toBe(false);
  expect(file.aliases.get("x")).toBe("q.io/x");
  expect(resolveShortName(file, "gone:1").map(formatReference)).toEqual(["ten.com/gone:1"]);
});

test("drop-ins that cannot be looked for are told of", () => {
  write("config/containers/other", "");
  symlinkSync("registries.conf.d", join(directory, "config/containers/registries.conf.d"));
  expect(() => configure("")).toThrow(/^read \S+\/registries\.conf\.d: ELOOP$/);
});

test.each([
  ["debian:12", ["docker.io/library/debian:12"]],
  ["short:1", ["quay.io/long/name:1"]],
  ["team/short", ["ghcr.io/team/short"]],
  [`short@${DIGEST}`, [`quay.io/long/name@${DIGEST}`]],
  ["a.com/short", ["a.com/short"]],
  ["localhost/short", ["localhost/short"]],
])("the short name %s", (name, expected) => {
  write("cache/containers/short-name-aliases.conf", '[aliases]\n"team/short" = "ghcr.io/team/short"');
  const file = configure('[aliases]\nshort = "quay.io/long/name"');
  expect(resolveShortName(file, name).map(formatReference)).toEqual(expected);
});

test("without prompts, as other tools have them, short names are aliases still", () => {
  const file = configure('short-name-mode = "disabled"\n[aliases]\nshort = "quay.io/long/name"');
  expect(resolveShortName(file, "short:1").map(formatReference)).toEqual(["quay.io/long/name:1"]);
});

test("registries to search are tried in their order, or named where that is not allowed", async () => {
  const searching = 'unqualified-search-registries = ["one.com", "two.com"]\n';
  expect(resolveShortName(configure(searching), "no-alias:1").map(formatReference)).toEqual([
    "one.com/no-alias:1",
    "two.com/no-alias:1",
  ]);
  const strict = configure(`${searching}short-name-mode = "enforcing"`);
  const resolve = async () => resolveShortName(strict, "no-alias:1");
  expect(await failureOf(resolve())).toMatchObject({
    code: "ambiguous_short_name",
    hint: "Write one.com/no-alias:1 or two.com/no-alias:1.",
  });
});

test.each([
  ["a = \n", "Missing value"],
  ['[[registry]]\nblocked = "yes"', "registry.0.blocked: "],
  ["[[registry]]\nblocked = true", "registry.0: a registry needs a prefix or a location"],
  ['unqualified-search-registries = ["one.com/path"]', "unqualified-search-registries.0: it is HOST[:PORT]"],
  ['credential-helpers = [""]', "credential-helpers.0: a helper has a name"],
  ['[registries.search]\nregistries = "docker.io"', "registries.search.registries: "],
  ['[registries.block]\nregistries = ["http://a.com"]', "registries.block.registries.0: it is HOST[:PORT]"],
  [
    "unqualified-search-registries = []\n[registries.search]\nregistries = []",
    "registries.search is of version 1 of its format and unqualified-search-registries of version 2",
  ],
  [
    '[[registry]]\nprefix = "a.com"\nlocation = "https://b.com"',
    "registry.0.location: it is HOST[:PORT] or HOST[:PORT]/PATH",
  ],
  [
    '[[registry]]\nlocation = "a.com"\n[[registry.mirror]]\nlocation = "http://m.com"',
    "registry.0.mirror.0.location: it is",
  ],
  ['[[registry]]\nprefix = "a.*.com"', "registry.0: only a prefix of the form *.example.com may have a wildcard"],
])("a mistake is told with its place: %s", async (content, reason) => {
  const read = async () => configure(content);
  expect(await failureOf(read())).toMatchObject({
    code: "invalid_registries_configuration",
    message: expect.stringContaining(`${directory}/config/containers/registries.conf: ${reason}`),
  });
});

test("version 1 says which registries are searched, insecure and blocked", () => {
  const content = `
[registries.search]
registries = ["one.com", "two.com/"]
[registries.insecure]
registries = ["three.com", "one.com"]
[registries.block]
registries = ["bad.com", "three.com/bad"]`;
  const file = configure(content);
  expect(resolveShortName(file, "image:1").map(formatReference)).toEqual(["one.com/image:1", "two.com/image:1"]);
  expect(pulls(content, "one.com/image")).toEqual(["one.com/image insecure"]);
  expect(pulls(content, "three.com/good/image")).toEqual(["three.com/good/image insecure"]);
  expect(pulls(content, "two.com/image")).toEqual(["two.com/image"]);
  expect(() => pulls(content, "bad.com/image")).toThrow("registries.conf blocks bad.com");
  expect(() => pulls(content, "three.com/bad/image")).toThrow("registries.conf blocks three.com/bad");
  expect(configure("[registries.search]").searchRegistries).toEqual([]);
});

test("what adds to the main file is in version 2, also where the main one is in version 1", async () => {
  write("config/containers/registries.conf.d/1.conf", '[[registry]]\nlocation = "one.com"\ninsecure = true');
  const content = '[registries.search]\nregistries = ["one.com"]';
  expect(pulls(content, "one.com/image")).toEqual(["one.com/image insecure"]);
  expect(configure(content).searchRegistries).toEqual(["one.com"]);
  write("config/containers/registries.conf.d/2.conf", content);
  const read = async () => configure(content);
  expect(await failureOf(read())).toEqual({
    code: "invalid_registries_configuration",
    message: `read ${directory}/config/containers/registries.conf.d/2.conf: it is in version 1 of its format, which only the main file may be in`,
  });
});

test("who has logins is said by the last file that names somebody", () => {
  expect(configure("").credentialHelpers).toEqual(["containers-auth.json"]);
  expect(configure('credential-helpers = ["pass", "containers-auth.json"]').credentialHelpers).toEqual([
    "pass",
    "containers-auth.json",
  ]);
  write("config/containers/registries.conf.d/1.conf", 'credential-helpers = ["ecr-login"]');
  expect(configure('credential-helpers = ["pass"]').credentialHelpers).toEqual(["ecr-login"]);
  write("config/containers/registries.conf.d/2.conf", "credential-helpers = []");
  expect(configure('credential-helpers = ["pass"]').credentialHelpers).toEqual(["containers-auth.json"]);
});

test("what a mirror lacks comes from the registry", async () => {
  const image = smallImage();
  await using registry = await startScriptedServer((request, response) => {
    if (request.url?.includes("/blobs/")) response.end(image.blob);
    else response.end(image.manifest);
  });
  await using mirror = await startScriptedServer((_request, response) => refuse(response, 404, "MANIFEST_UNKNOWN"));
  write(
    "registries.conf",
    `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/copies"`,
  );
  process.env["CONTAINERS_REGISTRIES_CONF"] = join(directory, "registries.conf");
  await using reader = openReader(`${registry.host}/some/image:1`);
  expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
  expect(mirror.requests).toEqual(["GET /v2/copies/some/image/manifests/1"]);
  expect(registry.requests).toEqual(["GET /v2/some/image/manifests/1"]);
});

test("a login that was given for a registry is not told to its mirrors", async () => {
  const image = smallImage();
  const challenge = { "www-authenticate": 'Basic realm="any"' };
  await using registry = await startScriptedServer((request, response) => {
    if (request.headers.authorization === undefined) refuse(response, 401, "UNAUTHORIZED", challenge);
    else response.end(image.manifest);
  });
  await using mirror = await startScriptedServer((_request, response) => {
    refuse(response, 401, "UNAUTHORIZED", challenge);
  });
  write(
    "registries.conf",
    `[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"`,
  );
  process.env["CONTAINERS_REGISTRIES_CONF"] = join(directory, "registries.conf");
  const credentials = { kind: "password", user: "alice", password: "secret" } as const;
  await using reader = openReader(`${registry.host}/image:1`, { credentials, authFile: "/dev/null" });
  expect((await reader.readManifest()).digest).toBe(image.manifestDigest);
  expect(mirror.authorizations).toEqual([undefined]);
  expect(registry.authorizations).toEqual([undefined, "Basic YWxpY2U6c2VjcmV0"]);
});
