import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  findCredentials,
  forgetCredentials,
  keepCredentials,
  listLogins,
} from "../../../../../src/image/registry/credentials/credential-store.ts";
import { failureOf } from "../reading.ts";

const PLACES = ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "PATH"] as const;
const ALICE = { kind: "password", user: "alice", password: "wonder:land" } as const;
const BOB = { kind: "password", user: "bob", password: "builder" } as const;

let directory: string;
let before: Record<string, string | undefined>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-logins-"));
  before = Object.fromEntries(PLACES.map((name) => [name, process.env[name]]));
  Object.assign(process.env, {
    XDG_CONFIG_HOME: join(directory, "config"),
    XDG_RUNTIME_DIR: join(directory, "runtime"),
    DOCKER_CONFIG: join(directory, "docker"),
    REGISTRY_AUTH_FILE: "",
  });
});

afterEach(() => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(directory, { recursive: true });
});

function write(path: string, content: object | string): string {
  const whole = join(directory, path);
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, typeof content === "string" ? content : JSON.stringify(content));
  return whole;
}

function read(path: string): unknown {
  return JSON.parse(readFileSync(join(directory, path), "utf8"));
}

function encoded(text: string): { auth: string } {
  return { auth: Buffer.from(text).toString("base64") };
}

/** Puts a credential helper into PATH that keeps logins in a file of the test's directory. */
function installHelper(name: string): void {
  const path = write(
    `bin/docker-credential-${name}`,
    `#!/bin/sh
kept=${directory}/kept-by-${name}
case $1 in
  get) read -r server; grep -F "\\"$server\\"" "$kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
  store) cat >> "$kept"; echo >> "$kept" ;;
  erase) rm "$kept" ;;
  list) echo '{"listed.example.com":"alice"}' ;;
esac
`,
  );
  chmodSync(path, 0o755);
  process.env["PATH"] = `${join(directory, "bin")}:${process.env["PATH"]}`;
}

test("a login is kept for the user alone, found again and forgotten", async () => {
  expect(await keepCredentials(undefined, "example.com:5000", ALICE)).toEqual({
    place: join(directory, "config/containers/auth.json"),
    isPlain: true,
  });
  expect(statSync(join(directory, "config/containers/auth.json")).mode & 0o777).toBe(0o600);
  expect(await findCredentials(undefined, "example.com:5000/some/image")).toEqual(ALICE);
  expect(await findCredentials(undefined, "example.com/some/image")).toBeUndefined();
  expect(await listLogins(undefined)).toEqual({ names: ["example.com:5000"], failures: [] });
  expect(await forgetCredentials(undefined, "example.com:5000")).toBe(true);
  expect(await forgetCredentials(undefined, "example.com:5000")).toBe(false);
  expect(await findCredentials(undefined, "example.com:5000/some/image")).toBeUndefined();
  expect(readdirSync(join(directory, "config/containers"))).toEqual(["auth.json"]);
});

test("what else is in a file stays in it", async () => {
  const content = {
    auths: { "a.example.com": encoded("a:a") },
    psFormat: "table",
    credHelpers: { "b.example.com": "x" },
  };
  write("docker/config.json", { ...content, auths: { ...content.auths, "c.example.com": { auth: "", extra: 1 } } });
  await keepCredentials(undefined, "a.example.com", BOB);
  expect(read("docker/config.json")).toEqual({
    ...content,
    auths: { "a.example.com": encoded("bob:builder"), "c.example.com": { auth: "", extra: 1 } },
  });
});

test("a file that is a link stays one", async () => {
  const target = write("elsewhere/auth.json", "");
  symlinkSync(target, join(directory, "link.json"));
  await keepCredentials(join(directory, "link.json"), "example.com", ALICE);
  expect(await findCredentials(target, "example.com")).toEqual(ALICE);
});

test("logins for a part of a registry go before those for all of it, and the session's before Docker's", async () => {
  write("runtime/containers/auth.json", {
    auths: { "example.com/team": encoded("team:1"), "example.com/team/image": encoded("image:2") },
  });
  write("docker/config.json", { auths: { "https://example.com/v1/": encoded("all:3") } });
  const user = async (name: string) => {
    const found = await findCredentials(undefined, name);
    return found?.kind === "password" ? found.user : undefined;
  };
  expect(await user("example.com/team/image")).toBe("image");
  expect(await user("example.com/team/other")).toBe("team");
  expect(await user("example.com/teams/image")).toBe("all");
  expect(await user("example.com")).toBe("all");
});

test("Docker Hub has the names that Docker and Podman call it by", async () => {
  write("docker/config.json", { auths: { "https://index.docker.io/v1/": encoded("hub:1") } });
  expect(await findCredentials(undefined, "docker.io/library/debian")).toMatchObject({ user: "hub" });
  write("runtime/containers/auth.json", { auths: { "docker.io": { identitytoken: "token" } } });
  expect(await findCredentials(undefined, "docker.io")).toEqual({ kind: "identity-token", token: "token" });
});

test("a named file is the only one", async () => {
  write("docker/config.json", { auths: { "example.com": encoded("docker:1") } });
  const path = join(directory, "named.json");
  expect(await findCredentials(path, "example.com")).toBeUndefined();
  process.env["REGISTRY_AUTH_FILE"] = path;
  expect(await keepCredentials(undefined, "example.com", ALICE)).toEqual({ place: path, isPlain: true });
  expect(await findCredentials(undefined, "example.com")).toEqual(ALICE);
});

test("a credential helper keeps what it is named for", async () => {
  installHelper("memory");
  write("docker/config.json", { credHelpers: { "example.com": "memory" } });
  expect(await findCredentials(undefined, "example.com/image")).toBeUndefined();
  expect(await keepCredentials(undefined, "example.com", ALICE)).toEqual({
    place: "docker-credential-memory",
    isPlain: false,
  });
  expect(read("docker/config.json")).toEqual({ credHelpers: { "example.com": "memory" } });
  expect(await findCredentials(undefined, "example.com/image")).toEqual(ALICE);
  expect(await forgetCredentials(undefined, "example.com")).toBe(true);
  expect(await findCredentials(undefined, "example.com/image")).toBeUndefined();
});

test("Docker's store for all logins is used, and asked for its list", async () => {
  installHelper("memory");
  write("docker/config.json", { auths: {}, credsStore: "memory" });
  await keepCredentials(undefined, "docker.io", ALICE);
  expect(readFileSync(join(directory, "kept-by-memory"), "utf8")).toContain('"https://index.docker.io/v1/"');
  expect(await findCredentials(undefined, "docker.io/library/debian")).toEqual(ALICE);
  expect(await listLogins(undefined)).toEqual({ names: ["listed.example.com"], failures: [] });
});

test("a helper for Docker Hub alone is asked by the name that its entry has", async () => {
  installHelper("memory");
  write("runtime/containers/auth.json", { credHelpers: { "docker.io": "memory" } });
  await keepCredentials(undefined, "docker.io", ALICE);
  expect(readFileSync(join(directory, "kept-by-memory"), "utf8")).toContain('"ServerURL":"docker.io"');
  expect(await findCredentials(undefined, "docker.io/library/debian")).toEqual(ALICE);
});

test("a login for a part of a registry does not touch the one that a helper has for all of it", async () => {
  installHelper("memory");
  write("docker/config.json", { credsStore: "memory" });
  await keepCredentials(undefined, "example.com", ALICE);
  expect(await keepCredentials(undefined, "example.com/team", BOB)).toMatchObject({ isPlain: true });
  expect(await findCredentials(undefined, "example.com/team/image")).toEqual(BOB);
  expect(await findCredentials(undefined, "example.com/other")).toEqual(ALICE);
  expect(await forgetCredentials(undefined, "example.com/team")).toBe(true);
  expect(await findCredentials(undefined, "example.com/team/image")).toEqual(ALICE);
  const path = write("named.json", { credsStore: "memory", auths: { "example.com/team": encoded("bob:builder") } });
  expect(await findCredentials(path, "example.com/team/image")).toEqual(BOB);
  write("named.json", { credHelpers: { "example.com": "memory" } });
  expect(await failureOf(keepCredentials(path, "example.com/team", BOB))).toEqual({
    code: "invalid_login",
    message: `log in to example.com/team: docker-credential-memory, which ${path} names for example.com, has no logins for parts of a registry`,
    hint: "Log in to all of it: bunker login example.com",
  });
});

test("all names that a file has for Docker Hub are changed and forgotten together", async () => {
  const keys = ["docker.io", "https://index.docker.io/v1/", "https://registry-1.docker.io"];
  write("docker/config.json", { auths: Object.fromEntries(keys.map((key) => [key, encoded("old:1")])) });
  await keepCredentials(undefined, "docker.io", BOB);
  expect(read("docker/config.json")).toEqual({
    auths: Object.fromEntries(keys.map((key) => [key, encoded("bob:builder")])),
  });
  expect(await forgetCredentials(undefined, "docker.io")).toBe(true);
  expect(await findCredentials(undefined, "docker.io")).toBeUndefined();
});

test("a helper that cannot list its logins does not hide the others", async () => {
  write("docker/config.json", { credsStore: "no-such-helper", auths: { "example.com": encoded("a:b") } });
  const { names, failures } = await listLogins(undefined);
  expect(names).toEqual(["example.com"]);
  expect(failures.map(({ code }) => code)).toEqual(["credential_helper_failed"]);
});

test("a helper that is not there or fails is told by its name", async () => {
  write("docker/config.json", { credsStore: "no-such-helper" });
  expect(await failureOf(findCredentials(undefined, "example.com"))).toEqual({
    code: "credential_helper_failed",
    message: "run the credential helper docker-credential-no-such-helper: there is no such program in PATH",
    hint: "Install it, or remove it from credsStore and credHelpers in the file of logins.",
  });
  write("docker/config.json", { credsStore: "../../bin/sh" });
  expect(await failureOf(findCredentials(undefined, "example.com"))).toMatchObject({
    code: "credential_helper_failed",
  });
  const path = write("bin/docker-credential-locked", "#!/bin/sh\necho 'the keyring is locked' >&2\nexit 3\n");
  chmodSync(path, 0o755);
  process.env["PATH"] = `${join(directory, "bin")}:${process.env["PATH"]}`;
  write("docker/config.json", { credsStore: "locked" });
  expect((await failureOf(findCredentials(undefined, "example.com"))).message).toEndWith("the keyring is locked");
});

test.each([
  ["{", "it is not JSON"],
  ['{"auths":"none"}', "auths"],
  ['{"auths":{"example.com":{"auth":"bm8gY29sb24="}}}', "auths.example.com.auth is not USER:PASSWORD in base64"],
])("a file of logins with %s is refused, and not written over", async (text, reason) => {
  const path = write("auth.json", text);
  const found = await failureOf(findCredentials(path, "example.com"));
  expect(found).toMatchObject({ code: "invalid_auth_file", message: expect.stringContaining(reason) });
  if (text.startsWith('{"auths":{')) return;
  expect(await failureOf(keepCredentials(path, "example.com", ALICE))).toMatchObject({ code: "invalid_auth_file" });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a login that cannot be written says why", async () => {
  const path = `${write("file", "")}/auth.json`;
  expect(await failureOf(keepCredentials(path, "example.com", ALICE))).toMatchObject({
    code: "auth_file_unwritable",
    message: expect.stringMatching(/EEXIST|ENOTDIR/),
  });
});
