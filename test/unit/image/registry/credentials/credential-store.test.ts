import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
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
  type LoginPlaces,
  listLogins,
  unforgettableLogin,
} from "../../../../../src/image/registry/credentials/credential-store.ts";
import type { Credentials } from "../../../../../src/image/registry/credentials/credentials.ts";
import { failureOf } from "../reading.ts";

const PLACES = ["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "PATH"] as const;
const ALICE = { kind: "password", user: "alice", password: "wonder:land" } as const;
const BOB = { kind: "password", user: "bob", password: "builder" } as const;

let directory: string;
let before: Record<string, string | undefined>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-logins-"));
  before = Object.fromEntries(PLACES.map((name) => [name, process.env[name]]));
  Object.assign(process.env, {
    HOME: join(directory, "home"),
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

const USUAL: LoginPlaces = { file: undefined, helpers: ["containers-auth.json"] };

function only(file: string): LoginPlaces {
  return { ...USUAL, file };
}

/** Looks up a login; a helper that fails is an error. */
function find(places: LoginPlaces, name: string): Promise<Credentials | undefined> {
  return findCredentials(places, name, (error) => {
    throw error;
  });
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
  expect(await keepCredentials(USUAL, "example.com:5000", ALICE)).toEqual({
    place: join(directory, "config/containers/auth.json"),
    isPlain: true,
    failures: [],
  });
  expect(statSync(join(directory, "config/containers/auth.json")).mode & 0o777).toBe(0o600);
  expect(await find(USUAL, "example.com:5000/some/image")).toEqual(ALICE);
  expect(await find(USUAL, "example.com/some/image")).toBeUndefined();
  expect(await listLogins(USUAL)).toEqual({ names: ["example.com:5000"], failures: [] });
  expect(await forgetCredentials(USUAL, "example.com:5000")).toBe(true);
  expect(await forgetCredentials(USUAL, "example.com:5000")).toBe(false);
  expect(await find(USUAL, "example.com:5000/some/image")).toBeUndefined();
  expect(readdirSync(join(directory, "config/containers"))).toEqual(["auth.json"]);
});

test("what else is in a file stays in it", async () => {
  const content = {
    auths: { "a.example.com": encoded("a:a") },
    psFormat: "table",
    credHelpers: { "b.example.com": "x" },
  };
  write("docker/config.json", { ...content, auths: { ...content.auths, "c.example.com": { auth: "", extra: 1 } } });
  await keepCredentials(USUAL, "a.example.com", BOB);
  expect(read("docker/config.json")).toEqual({
    ...content,
    auths: { "a.example.com": encoded("bob:builder"), "c.example.com": { auth: "", extra: 1 } },
  });
});

test("of a login that was killed nothing is left by the next one", async () => {
  const path = write("auth.json", { auths: {} });
  const left = write(".auth.json.bunker", "{ half of a pass");
  chmodSync(left, 0o644);
  await keepCredentials(only(path), "example.com", ALICE);
  expect(readdirSync(directory)).toEqual(["auth.json"]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await find(only(path), "example.com")).toEqual(ALICE);
});

test("a file for Docker has the key that Docker has for its Hub", async () => {
  const path = join(directory, "docker.json");
  const places = { ...only(path), helpers: ["missing"], isForDocker: true };
  expect(await keepCredentials(places, "docker.io", ALICE)).toMatchObject({ place: path });
  expect(Object.keys(JSON.parse(readFileSync(path, "utf8")).auths)).toEqual(["https://index.docker.io/v1/"]);
  expect(await find(places, "docker.io")).toEqual(ALICE);
  await expect(keepCredentials(places, "docker.io/alice", ALICE)).rejects.toThrow("for whole registries only");
});

test("a file that is a link stays one", async () => {
  const target = write("elsewhere/auth.json", "");
  symlinkSync(target, join(directory, "link.json"));
  await keepCredentials(only(join(directory, "link.json")), "example.com", ALICE);
  expect(await find(only(target), "example.com")).toEqual(ALICE);
});

test("logins for a part of a registry go before those for all of it, and the session's before Docker's", async () => {
  write("runtime/containers/auth.json", {
    auths: { "example.com/team": encoded("team:1"), "example.com/team/image": encoded("image:2") },
  });
  write("docker/config.json", { auths: { "https://example.com/v1/": encoded("all:3") } });
  const user = async (name: string) => {
    const found = await find(USUAL, name);
    return found?.kind === "password" ? found.user : undefined;
  };
  expect(await user("example.com/team/image")).toBe("image");
  expect(await user("example.com/team/other")).toBe("team");
  expect(await user("example.com/teams/image")).toBe("all");
  expect(await user("example.com")).toBe("all");
});

test("Docker Hub has the names that Docker and Podman call it by", async () => {
  write("docker/config.json", { auths: { "https://index.docker.io/v1/": encoded("hub:1") } });
  expect(await find(USUAL, "docker.io/library/debian")).toMatchObject({ user: "hub" });
  write("runtime/containers/auth.json", { auths: { "docker.io": { identitytoken: "token" } } });
  expect(await find(USUAL, "docker.io")).toEqual({ kind: "identity-token", token: "token" });
});

test("an identity token has the user that Docker keeps beside it", async () => {
  const path = write("auth.json", {
    auths: { "a.com": { ...encoded("alice:"), identitytoken: "token" }, "b.com": { auth: "", identitytoken: "token" } },
  });
  expect(await find(only(path), "a.com")).toEqual({ kind: "identity-token", token: "token", user: "alice" });
  expect(await find(only(path), "b.com")).toEqual({ kind: "identity-token", token: "token" });
});

test("a named file is the only one", async () => {
  write("docker/config.json", { auths: { "example.com": encoded("docker:1") } });
  const path = join(directory, "named.json");
  expect(await find(only(path), "example.com")).toBeUndefined();
  process.env["REGISTRY_AUTH_FILE"] = path;
  expect(await keepCredentials(USUAL, "example.com", ALICE)).toEqual({ place: path, isPlain: true, failures: [] });
  expect(await find(USUAL, "example.com")).toEqual(ALICE);
});

test("a credential helper keeps what it is named for", async () => {
  installHelper("memory");
  write("docker/config.json", { credHelpers: { "example.com": "memory" } });
  expect(await find(USUAL, "example.com/image")).toBeUndefined();
  expect(await keepCredentials(USUAL, "example.com", ALICE)).toEqual({
    place: "docker-credential-memory",
    isPlain: false,
    failures: [],
  });
  expect(read("docker/config.json")).toEqual({ credHelpers: { "example.com": "memory" } });
  expect(await find(USUAL, "example.com/image")).toEqual(ALICE);
  expect(await forgetCredentials(USUAL, "example.com")).toBe(true);
  expect(await find(USUAL, "example.com/image")).toBeUndefined();
});

test("Docker's store for all logins is used, and asked for its list", async () => {
  installHelper("memory");
  write("docker/config.json", { auths: {}, credsStore: "memory" });
  await keepCredentials(USUAL, "docker.io", ALICE);
  expect(readFileSync(join(directory, "kept-by-memory"), "utf8")).toContain('"https://index.docker.io/v1/"');
  expect(await find(USUAL, "docker.io/library/debian")).toEqual(ALICE);
  expect(await listLogins(USUAL)).toEqual({ names: ["listed.example.com"], failures: [] });
});

test("a helper for Docker Hub alone is asked by the name that its entry has", async () => {
  installHelper("memory");
  write("runtime/containers/auth.json", { credHelpers: { "docker.io": "memory" } });
  await keepCredentials(USUAL, "docker.io", ALICE);
  expect(readFileSync(join(directory, "kept-by-memory"), "utf8")).toContain('"ServerURL":"docker.io"');
  expect(await find(USUAL, "docker.io/library/debian")).toEqual(ALICE);
});

test("a login for a part of a registry does not touch the one that a helper has for all of it", async () => {
  installHelper("memory");
  write("docker/config.json", { credsStore: "memory" });
  await keepCredentials(USUAL, "example.com", ALICE);
  expect(await keepCredentials(USUAL, "example.com/team", BOB)).toMatchObject({ isPlain: true });
  expect(await find(USUAL, "example.com/team/image")).toEqual(BOB);
  expect(await find(USUAL, "example.com/other")).toEqual(ALICE);
  expect(await forgetCredentials(USUAL, "example.com/team")).toBe(true);
  expect(await find(USUAL, "example.com/team/image")).toEqual(ALICE);
  const path = write("named.json", { credsStore: "memory", auths: { "example.com/team": encoded("bob:builder") } });
  expect(await find(only(path), "example.com/team/image")).toEqual(BOB);
  write("named.json", { credHelpers: { "example.com": "memory" } });
  expect(await failureOf(keepCredentials(only(path), "example.com/team", BOB))).toEqual({
    code: "invalid_login",
    message: `log in to example.com/team: docker-credential-memory, which credHelpers of ${path} names, has no logins for parts of a registry`,
    hint: "Log in to all of it: bunker login example.com",
  });
});

test("all names that a file has for Docker Hub are changed and forgotten together", async () => {
  const keys = ["docker.io", "https://index.docker.io/v1/", "https://registry-1.docker.io"];
  write("docker/config.json", { auths: Object.fromEntries(keys.map((key) => [key, encoded("old:1")])) });
  await keepCredentials(USUAL, "docker.io", BOB);
  expect(read("docker/config.json")).toEqual({
    auths: Object.fromEntries(keys.map((key) => [key, encoded("bob:builder")])),
  });
  expect(await forgetCredentials(USUAL, "docker.io")).toBe(true);
  expect(await find(USUAL, "docker.io")).toBeUndefined();
});

test("Docker's tokens for its Hub are no logins, and go with the one that they belong to", async () => {
  const hub = "https://index.docker.io/v1/";
  const tokens = {
    [`${hub}access-token`]: encoded("alice:access"),
    [`${hub}refresh-token`]: encoded("alice:refresh"),
  };
  write("docker/config.json", { auths: tokens });
  expect(await find(USUAL, "docker.io/library/debian")).toBeUndefined();
  expect((await listLogins(USUAL)).names).toEqual([]);
  write("docker/config.json", { auths: { ...tokens, [hub]: encoded("old:1"), "example.com": encoded("a:b") } });
  expect((await listLogins(USUAL)).names).toEqual(["docker.io", "example.com"]);
  await keepCredentials(USUAL, "docker.io", BOB);
  const kept = { auths: { ...tokens, [hub]: encoded("bob:builder"), "example.com": encoded("a:b") } };
  expect(read("docker/config.json")).toEqual(kept);
  expect(await forgetCredentials(USUAL, "docker.io")).toBe(true);
  expect(read("docker/config.json")).toEqual({ auths: { "example.com": encoded("a:b") } });
});

test("a helper that has Docker's tokens for its Hub forgets them with the login", async () => {
  installHelper("memory");
  write("docker/config.json", { credsStore: "memory" });
  const token = { ServerURL: "https://index.docker.io/v1/refresh-token", Username: "alice", Secret: "refresh" };
  write("kept-by-memory", `${JSON.stringify(token)}\n`);
  expect(await find(USUAL, "docker.io")).toBeUndefined();
  expect(await forgetCredentials(USUAL, "docker.io")).toBe(true);
  expect(existsSync(join(directory, "kept-by-memory"))).toBe(false);
});

test("a helper that cannot list its logins does not hide the others", async () => {
  write("docker/config.json", { credsStore: "no-such-helper", auths: { "example.com": encoded("a:b") } });
  const { names, failures } = await listLogins(USUAL);
  expect(names).toEqual(["example.com"]);
  expect(failures.map(({ code }) => code)).toEqual(["credential_helper_failed"]);
});

test("a helper that is not there or fails is told by its name", async () => {
  write("docker/config.json", { credsStore: "no-such-helper" });
  expect(await failureOf(find(USUAL, "example.com"))).toEqual({
    code: "credential_helper_failed",
    message: "run the credential helper docker-credential-no-such-helper: there is no such program in PATH",
    hint: `Install it, or remove it from credsStore of ${directory}/docker/config.json.`,
  });
  write("docker/config.json", { credsStore: "../../bin/sh" });
  expect(await failureOf(find(USUAL, "example.com"))).toMatchObject({
    code: "credential_helper_failed",
  });
  const path = write("bin/docker-credential-locked", "#!/bin/sh\necho 'the keyring is locked' >&2\nexit 3\n");
  chmodSync(path, 0o755);
  process.env["PATH"] = `${join(directory, "bin")}:${process.env["PATH"]}`;
  write("docker/config.json", { credsStore: "locked" });
  expect((await failureOf(find(USUAL, "example.com"))).message).toEndWith("the keyring is locked");
});

test("a helper that cannot be asked is as good as one without the login, for whoever wants to go on", async () => {
  write("docker/config.json", { credHelpers: { "example.com": "no-such-helper" } });
  write("config/containers/auth.json", {
    credsStore: "no-such-helper",
    auths: { "example.com": encoded("bob:builder") },
  });
  const failures: string[] = [];
  expect(await findCredentials(USUAL, "example.com", ({ message }) => failures.push(message))).toEqual(BOB);
  expect(await findCredentials(USUAL, "other.example.com", ({ message }) => failures.push(message))).toBeUndefined();
  const failure = "run the credential helper docker-credential-no-such-helper: there is no such program in PATH";
  expect(failures).toEqual([failure, failure]);
});

test("an entry that is none is as good as no login, for whoever wants to go on", async () => {
  const path = write("config/containers/auth.json", { auths: { "example.com/team": encoded("no colon") } });
  write("docker/config.json", { auths: { "example.com": encoded("bob:builder") } });
  const failures: string[] = [];
  expect(await findCredentials(USUAL, "example.com/team/image", ({ message }) => failures.push(message))).toEqual(BOB);
  expect(failures).toEqual([`read ${path}: auth of the entry example.com/team is not USER:PASSWORD in base64`]);
});

test("what is wrong with an entry is its registry's matter alone, and stays until a login replaces it", async () => {
  const others = { "a.example.com": null, "b.example.com": 5, "c.example.com": { auth: ["x"] }, "d.example.com": "x" };
  const path = write("config/containers/auth.json", { auths: { ...others, "example.com": { auth: 1 } } });
  const failures: string[] = [];
  const onFailure = ({ message }: Error) => failures.push(message);
  expect(await find(USUAL, "a.example.com")).toBeUndefined();
  expect(await findCredentials(USUAL, "example.com", onFailure)).toBeUndefined();
  expect(await findCredentials(USUAL, "b.example.com", onFailure)).toBeUndefined();
  expect(failures).toEqual([
    `read ${path}: auth of the entry example.com: Invalid type: Expected string but received 1`,
    `read ${path}: the entry b.example.com: Invalid type: Expected Object but received 5`,
  ]);
  await keepCredentials(USUAL, "example.com", ALICE);
  expect(read("config/containers/auth.json")).toEqual({
    auths: { ...others, "example.com": encoded("alice:wonder:land") },
  });
  expect(await find(USUAL, "example.com")).toEqual(ALICE);
  for (const name of Object.keys(others)) expect(await forgetCredentials(USUAL, name)).toBe(true);
  expect(read("config/containers/auth.json")).toEqual({ auths: { "example.com": encoded("alice:wonder:land") } });
});

test("Docker's file of old is read as the last one, and never written", async () => {
  const old = {
    "https://index.docker.io/v1/": { ...encoded("bob:builder"), email: "bob@example.com" },
    "example.com": { ...encoded("bob:builder"), email: "bob@example.com" },
  };
  const path = write("home/.dockercfg", old);
  expect(await find(USUAL, "example.com/image")).toEqual(BOB);
  expect(await find(USUAL, "docker.io/library/debian")).toEqual(BOB);
  expect((await listLogins(USUAL)).names).toEqual(["docker.io", "example.com"]);
  expect(await forgetCredentials(USUAL, "example.com")).toBe(false);
  expect(unforgettableLogin(USUAL, "example.com")).toBe(path);
  expect(unforgettableLogin(USUAL, "other.example.com")).toBeUndefined();
  await keepCredentials(USUAL, "example.com", ALICE);
  expect(await find(USUAL, "example.com")).toEqual(ALICE);
  expect(read("home/.dockercfg")).toEqual(old);
  const other = write("other.json", { auths: {} });
  expect(await find(only(other), "docker.io")).toBeUndefined();
  expect(unforgettableLogin(only(other), "docker.io")).toBeUndefined();
  write("home/.dockercfg", "{");
  expect((await failureOf(find(USUAL, "other.example.com"))).message).toContain(path);
  write("home/.dockercfg", "5");
  const { message } = await failureOf(find(USUAL, "other.example.com"));
  expect(message).toStartWith(`read ${path}: `);
  expect(message).not.toContain("auths");
});

test("helpers that registries.conf names are asked in their order, and the files where it names them", async () => {
  installHelper("memory");
  installHelper("other");
  const places = { file: undefined, helpers: ["memory", "containers-auth.json", "other"] };
  write("config/containers/auth.json", { auths: { "example.com": encoded("bob:builder") } });
  expect(await find(places, "example.com/image")).toEqual(BOB);
  expect(await keepCredentials(places, "example.com", ALICE)).toEqual({
    place: "docker-credential-memory",
    isPlain: false,
    failures: [],
  });
  expect(await find(places, "example.com/image")).toEqual(ALICE);
  expect(await find({ ...places, helpers: ["containers-auth.json", "memory"] }, "example.com/image")).toEqual(BOB);
  expect(await find({ ...places, helpers: ["other"] }, "example.com/image")).toBeUndefined();
  expect((await listLogins(places)).names).toEqual(["example.com", "listed.example.com"]);
  await keepCredentials({ ...places, helpers: ["other"] }, "example.com", BOB);
  expect(await forgetCredentials(places, "example.com")).toBe(true);
  for (const helper of places.helpers) {
    expect(await find({ ...places, helpers: [helper] }, "example.com")).toBeUndefined();
  }
  expect(await forgetCredentials(places, "example.com")).toBe(false);
});

test("a helper that registries.conf names knows Docker Hub as Podman calls it, and is asked as Docker calls it too", async () => {
  installHelper("memory");
  const places = { file: undefined, helpers: ["memory"] };
  await keepCredentials(places, "docker.io", ALICE);
  expect(readFileSync(join(directory, "kept-by-memory"), "utf8")).toContain('"ServerURL":"docker.io"');
  await forgetCredentials(places, "docker.io");
  write("docker/config.json", { credsStore: "memory" });
  await keepCredentials(USUAL, "docker.io", ALICE);
  expect(await find(places, "docker.io/library/debian")).toEqual(ALICE);
  expect(await forgetCredentials(places, "docker.io")).toBe(true);
});

test("a login goes to the next place when the first does not take it, and one for a part of a registry to the files", async () => {
  installHelper("memory");
  const path = write("bin/docker-credential-refusing", "#!/bin/sh\necho 'not implemented'\nexit 1\n");
  chmodSync(path, 0o755);
  const places = { file: undefined, helpers: ["refusing", "memory", "containers-auth.json"] };
  const kept = await keepCredentials(places, "example.com", ALICE);
  expect(kept).toMatchObject({ place: "docker-credential-memory", isPlain: false });
  expect(kept.failures.map(({ message }) => message)).toEqual([
    "run the credential helper docker-credential-refusing store: not implemented",
  ]);
  expect(await keepCredentials(places, "example.com/team", BOB)).toEqual({
    place: join(directory, "config/containers/auth.json"),
    isPlain: true,
    failures: [],
  });
  expect(await failureOf(keepCredentials({ ...places, helpers: ["memory"] }, "example.com/team", BOB))).toEqual({
    code: "invalid_login",
    message:
      "log in to example.com/team: docker-credential-memory, which credential-helpers of registries.conf names, has no logins for parts of a registry",
    hint: "Log in to all of it: bunker login example.com",
  });
  expect(await failureOf(keepCredentials({ ...places, helpers: ["refusing"] }, "example.com", BOB))).toMatchObject({
    code: "credential_helper_failed",
  });
  // All the others forget it before the failure of one is told.
  expect(await failureOf(forgetCredentials(places, "example.com"))).toMatchObject({ code: "credential_helper_failed" });
  expect(await find({ ...places, helpers: ["memory"] }, "example.com")).toBeUndefined();
});

test("a file that the user names counts also where registries.conf has logins nowhere but with a helper", async () => {
  installHelper("memory");
  const path = write("named.json", { auths: { "example.com": encoded("bob:builder") } });
  const places = { file: path, helpers: ["memory"] };
  await keepCredentials({ ...places, file: undefined }, "example.com", ALICE);
  expect(await find(places, "example.com")).toEqual(BOB);
  expect(await find({ ...places, helpers: ["memory", "containers-auth.json"] }, "example.com")).toEqual(ALICE);
});

test.each([
  ["{", "it is not JSON"],
  ['{"auths":"none"}', "auths"],
  ['{"auths":{"example.com":{"auth":"bm8gY29sb24="}}}', "auth of the entry example.com is not USER:PASSWORD in base64"],
])("a file of logins with %s is refused, and not written over", async (text, reason) => {
  const path = write("auth.json", text);
  const found = await failureOf(find(only(path), "example.com"));
  expect(found).toMatchObject({ code: "invalid_auth_file", message: expect.stringContaining(reason) });
  if (text.startsWith('{"auths":{')) return;
  expect(await failureOf(keepCredentials(only(path), "example.com", ALICE))).toMatchObject({
    code: "invalid_auth_file",
  });
  expect(readFileSync(path, "utf8")).toBe(text);
});

test("a login that cannot be written says why", async () => {
  const path = `${write("file", "")}/auth.json`;
  expect(await failureOf(keepCredentials(only(path), "example.com", ALICE))).toMatchObject({
    code: "auth_file_unwritable",
    message: expect.stringMatching(/EEXIST|ENOTDIR/),
  });
});
