import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DockerRegistry } from "../../docker-registry.ts";
import { eventually, type RunSettings, UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

let user: UnprivilegedUser;
let registry: DockerRegistry;
let authFile: string;

beforeAll(async () => {
  user = new UnprivilegedUser("bunker-bare");
  registry = await DockerRegistry.start({ users: { alice: "wonderland" } });
  authFile = join(user.home, ".config/containers/auth.json");
}, 300_000);

afterEach(async () => {
  await eventually(
    () => user.processes().length === 0,
    () => "no process to be left",
  );
  rmSync(join(user.home, ".config"), { recursive: true, force: true });
  rmSync(join(user.home, ".docker"), { recursive: true, force: true });
});

afterAll(async () => {
  user?.[Symbol.dispose]();
  await registry?.[Symbol.asyncDispose]();
});

function login(words: readonly string[], settings?: RunSettings) {
  return user.bunker(["login", ...words], settings);
}

function keptLogins(): unknown {
  return JSON.parse(readFileSync(authFile, "utf8")).auths;
}

test("a login is verified, kept for the user alone, used by Podman, and forgotten", async () => {
  const given = await login(["-u", "alice", "--password-stdin", registry.host], { input: "wonderland\n" });
  expect(given).toEqual({
    status: 0,
    output: "Login Succeeded\n",
    errors: `warning: the password is kept unencrypted in ${authFile}; a credential helper would keep it safe\n`,
  });
  expect(statSync(authFile).mode & 0o777).toBe(0o600);
  expect(keptLogins()).toEqual({ [registry.host]: { auth: Buffer.from("alice:wonderland").toString("base64") } });
  const again = await login(["-v", "-u", "alice", "--password-stdin", registry.host], { input: "wonderland" });
  expect(again.output).toBe(`Login Succeeded\nUsed: ${authFile}\n`);
  const seen = await user.execute(["skopeo", "login", "--authfile", authFile, "--get-login", registry.host]);
  expect(seen.output).toBe("alice\n");
  expect((await login(["--get-login", registry.host])).output).toBe("alice\n");
  expect((await login([registry.host])).output).toBe("Authenticating with existing credentials...\nLogin Succeeded\n");

  const logout = () => user.bunker(["logout", registry.host]);
  expect(await logout()).toEqual({
    status: 0,
    output: `Removing login credentials for ${registry.host}\n`,
    errors: "",
  });
  expect(keptLogins()).toEqual({});
  expect((await logout()).output).toBe(`Not logged in to ${registry.host}\n`);
  expect(await login(["--get-login", registry.host])).toEqual({
    status: 1,
    output: "",
    errors: `bunker: not logged in to ${registry.host}\n`,
  });
});

test("a copy takes another login than the one that is kept, or none", async () => {
  const place = `docker://${registry.host}/none:1`;
  const copy = async (...words: string[]) =>
    (await user.bunker(["copy", ...words, place, `dir:${user.home}/none`])).errors;
  await login(["-u", "alice", "--password-stdin", registry.host], { input: "wonderland\n" });
  const missing = await copy();
  expect(missing).not.toContain("log in");
  expect(await copy("--src-no-creds")).not.toBe(missing);
  expect(await copy("--src-username", "alice", "--src-password", "looking-glass")).not.toBe(missing);
  expect(await copy("--src-username", "alice")).toBe("bunker: --src-username and --src-password need each other\n");
  expect(await copy("--src-no-creds", "--src-creds", "alice:wonderland")).toContain("exclude each other");
  await user.bunker(["logout", registry.host]);
  expect(await copy("--src-username", "alice", "--src-password", "wonderland")).toBe(missing);
});

test("logout --all goes on when a helper fails", async () => {
  const entry = { auth: Buffer.from("alice:wonderland").toString("base64") };
  const path = join(user.home, "logins.json");
  const content = {
    auths: { "a.example.com": entry, "c.example.com/team": entry },
    credHelpers: { "b.example.com": "missing" },
  };
  writeFileSync(path, JSON.stringify(content));
  user.own(path);
  expect(await user.bunker(["logout", "--authfile", path, "--all"])).toEqual({
    status: 1,
    output: "Removing login credentials for a.example.com\nRemoving login credentials for c.example.com/team\n",
    errors: expect.stringContaining("docker-credential-missing: there is no such program in PATH"),
  });
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ ...content, auths: {} });
  rmSync(path);
});

test("a wrong password is not kept", async () => {
  expect(await login(["-u", "alice", "--password-stdin", registry.host], { input: "looking-glass" })).toEqual({
    status: 1,
    output: "",
    errors: `bunker: log in to ${registry.host}: it does not accept the user name or password\n`,
  });
  expect(existsSync(authFile)).toBe(false);
});

test("a login replaces an entry that is none, and leaves those of other registries as they are", async () => {
  const others = { "a.example.com": { auth: "%" }, "b.example.com": { auth: 5 }, "c.example.com": "x" };
  mkdirSync(join(authFile, ".."), { recursive: true });
  writeFileSync(authFile, JSON.stringify({ auths: { ...others, [registry.host]: { auth: "bm8gY29sb24=" } } }));
  user.own(join(user.home, ".config"));
  user.own(join(authFile, ".."));
  user.own(authFile);
  expect(await login(["--get-login", registry.host])).toMatchObject({
    status: 1,
    errors: `bunker: read ${authFile}: auth of the entry ${registry.host} is not USER:PASSWORD in base64\n`,
  });
  const given = await login(["-u", "alice", "--password-stdin", registry.host], { input: "wonderland" });
  expect(given).toMatchObject({ status: 0, output: "Login Succeeded\n" });
  expect(keptLogins()).toEqual({
    ...others,
    [registry.host]: { auth: Buffer.from("alice:wonderland").toString("base64") },
  });
});

test("a login in Docker's file of old is used, and stays after a logout, which says so", async () => {
  const path = join(user.home, ".dockercfg");
  const content = JSON.stringify({ [registry.host]: { auth: btoa("alice:wonderland"), email: "a@example.com" } });
  writeFileSync(path, content);
  user.own(path);
  try {
    expect((await login([registry.host])).output).toBe(
      "Authenticating with existing credentials...\nLogin Succeeded\n",
    );
    const stays = `warning: the login for ${registry.host} in ${path} stays: that file is only read\n`;
    expect(await user.bunker(["logout", registry.host])).toEqual({ status: 0, output: "", errors: stays });
    expect(await user.bunker(["logout", "--all"])).toEqual({ status: 0, output: "", errors: stays });
    expect(readFileSync(path, "utf8")).toBe(content);
  } finally {
    rmSync(path);
  }
});

test("a password may be a secret", async () => {
  const create = (name: string, content: string) =>
    user.bunker(["secret", "create", name, "-"], { input: content }).then(({ status }) => expect(status).toBe(0));
  await create("alice", "wonderland\n");
  await create("wrong", "looking glass");
  expect((await login(["--secret", "alice", registry.host])).output).toBe("Login Succeeded\n");
  expect((await login(["--get-login", registry.host])).output).toBe("alice\n");
  expect(await login(["--secret", "wrong", "-u", "alice", registry.host])).toMatchObject({ status: 1, output: "" });
  expect(await login(["--secret", "none", registry.host])).toMatchObject({
    status: 1,
    errors: expect.stringContaining("No such secret: none"),
  });
  expect(await login(["--secret", "alice", "--password-stdin", registry.host])).toMatchObject({
    status: 1,
    errors: expect.stringContaining("--secret and --password-stdin exclude each other"),
  });
});

test("a login can be kept for Docker", async () => {
  const path = join(user.home, "docker.json");
  const file = ["--compat-auth-file", path];
  const given = (words: readonly string[]) =>
    login([...file, "-u", "alice", "--password-stdin", ...words], { input: "wonderland" });
  expect((await given([registry.host])).output).toBe("Login Succeeded\n");
  const auth = Buffer.from("alice:wonderland").toString("base64");
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ auths: { [registry.host]: { auth } } });
  expect(existsSync(authFile)).toBe(false);
  expect((await login([...file, "--get-login", registry.host])).output).toBe("alice\n");
  expect(await given([`${registry.host}/team`])).toMatchObject({
    status: 1,
    errors: expect.stringContaining("logins for whole registries only"),
  });
  expect(await given(["--authfile", path, registry.host])).toMatchObject({
    status: 1,
    errors: expect.stringContaining("--authfile and --compat-auth-file exclude each other"),
  });
  expect(await user.bunker(["logout", ...file, registry.host])).toMatchObject({
    status: 0,
    output: `Removing login credentials for ${registry.host}\n`,
  });
});

test("--password warns", async () => {
  const { status, errors } = await login(["--username=alice", "-p", "wonderland", `http://${registry.host}/v2/`]);
  expect(errors).toStartWith("warning: --password shows the password to other users of this machine");
  expect(status).toBe(0);
  expect(keptLogins()).toHaveProperty([registry.host]);
});

test("user and password are asked for on a terminal, which never shows the password", async () => {
  const session = user.startInTerminal([user.bunkerPath, "login", registry.host]);
  await session.expect("Username: ");
  session.type("alice\r");
  await session.expect("Password: ");
  session.type("wonderlant\x7fd\r");
  await session.expect("Login Succeeded");
  await session.process.exited;
  expect(session.process.exitCode).toBe(0);
  expect(session.shown()).not.toContain("wonder");
});

test("Ctrl-C at the password ends it, with the terminal as it was", async () => {
  const script = `stty > before; "$0" login -u alice "$1"; echo "status $?"; stty | cmp - before && echo same`;
  const session = user.startInTerminal(["sh", "-c", script, user.bunkerPath, registry.host]);
  await session.expect("Password: ");
  session.type("won\x03");
  await session.expect("status 130");
  await session.expect("same");
  await session.process.exited;
  expect(existsSync(authFile)).toBe(false);
  rmSync(join(user.home, "before"));
});

test.each([
  [["--password-stdin"], "bunker: log in: --password-stdin needs --username\n"],
  [["-u", "alice"], "bunker: log in: there is no terminal to ask for the login\n"],
  [["-u", "alice", "--password-stdin"], "bunker: log in: the password is missing\n"],
  [["-u", "a:b", "-p", "x"], "bunker: log in: a user name has no colon\n"],
  [["https://not a host"], 'bunker: read the registry\'s name "https://not a host": it is not'],
])("login %j is refused", async (words, message) => {
  const { status, errors } = await login(
    words.some((word) => word.startsWith("https")) ? words : [...words, registry.host],
  );
  expect(status).toBe(1);
  expect(errors).toContain(message);
});

/** Installs a helper of the user's that keeps one login in a file. */
function installHelper(name: string): string {
  const bin = join(user.home, "bin");
  mkdirSync(bin);
  writeFileSync(
    join(bin, `docker-credential-${name}`),
    `#!/bin/sh
case $1 in
  get) cat "$HOME/kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
  store) cat > "$HOME/kept" ;;
  erase) rm "$HOME/kept" ;;
esac
`,
  );
  chmodSync(join(bin, `docker-credential-${name}`), 0o755);
  for (const path of ["bin", `bin/docker-credential-${name}`]) user.own(join(user.home, path));
  return bin;
}

test("a credential helper of the user's keeps the password", async () => {
  const bin = installHelper("test");
  mkdirSync(join(user.home, ".docker"));
  writeFileSync(join(user.home, ".docker/config.json"), '{"credsStore":"test"}');
  for (const path of [".docker", ".docker/config.json"]) user.own(join(user.home, path));
  const environment = { PATH: `${bin}:${user.environment["PATH"]}` };
  const given = await login(["-u", "alice", "--password-stdin", registry.host], { input: "wonderland", environment });
  expect(given).toEqual({ status: 0, output: "Login Succeeded\n", errors: "" });
  expect(JSON.parse(readFileSync(join(user.home, "kept"), "utf8"))).toEqual({
    ServerURL: registry.host,
    Username: "alice",
    Secret: "wonderland",
  });
  expect(readFileSync(join(user.home, ".docker/config.json"), "utf8")).toBe('{"credsStore":"test"}');
  await user.bunker(["logout", registry.host], { environment });
  expect(existsSync(join(user.home, "kept"))).toBe(false);
  rmSync(bin, { recursive: true });
});

test("a helper that registries.conf names keeps logins for pulls, and Podman's as well", async () => {
  const bin = installHelper("test");
  const configuration = join(user.home, ".config/containers");
  mkdirSync(configuration, { recursive: true });
  writeFileSync(join(configuration, "registries.conf"), 'credential-helpers = ["test", "containers-auth.json"]');
  for (const path of [".config", ".config/containers"]) user.own(join(user.home, path));
  const environment = { PATH: `${bin}:${user.environment["PATH"]}` };
  const given = await login(["-v", "-u", "alice", "--password-stdin", registry.host], {
    input: "wonderland",
    environment,
  });
  expect(given).toEqual({ status: 0, output: "Login Succeeded\nUsed: docker-credential-test\n", errors: "" });
  expect(existsSync(authFile)).toBe(false);
  const seen = await user.execute(["skopeo", "login", "--get-login", registry.host], { environment });
  expect(seen.output).toBe("alice\n");
  expect((await user.bunker(["search", `${registry.host}/none`], { environment })).status).toBe(0);
  expect((await user.bunker(["logout", registry.host], { environment })).output).toBe(
    `Removing login credentials for ${registry.host}\n`,
  );
  expect(existsSync(join(user.home, "kept"))).toBe(false);
  rmSync(bin, { recursive: true });
});

test("a helper that is not installed keeps nobody from what needs no login, and no login can be kept with it", async () => {
  const path = join(user.home, "logins.json");
  const entry = { auth: Buffer.from("alice:wonderland").toString("base64") };
  writeFileSync(path, JSON.stringify({ credsStore: "missing", auths: { [registry.host]: entry } }));
  user.own(path);
  const failure = "run the credential helper docker-credential-missing: there is no such program in PATH";
  expect(await user.bunker(["search", "--authfile", path, `${registry.host}/none`])).toMatchObject({
    status: 0,
    errors: `warning: ${failure}; going on without that login\n`,
  });
  writeFileSync(path, JSON.stringify({ credsStore: "missing" }));
  const { status, errors } = await user.bunker(["pull", "--authfile", path, `${registry.host}/none`]);
  expect(status).not.toBe(0);
  expect(errors.split(failure)).toHaveLength(2);
  expect(await login(["--authfile", path, "-u", "alice", "--password-stdin", registry.host])).toEqual({
    status: 1,
    output: "",
    errors: `bunker: ${failure}\nhint: Install it, or remove it from credsStore of ${path}.\n`,
  });
  rmSync(path);
});

test("--get-login tells the user of an identity token where it is known", async () => {
  const path = join(user.home, "logins.json");
  const auth = Buffer.from("alice:").toString("base64");
  const auths = { "a.example.com": { auth, identitytoken: "token" }, "b.example.com": { identitytoken: "token" } };
  writeFileSync(path, JSON.stringify({ auths }));
  user.own(path);
  const shown = async (host: string) => (await login(["--authfile", path, "--get-login", host])).output;
  expect(await shown("a.example.com")).toBe("alice\n");
  expect(await shown("b.example.com")).toBe("<token>\n");
  rmSync(path);
});

test("a registry with TLS by a private authority is trusted when its certificate is there", async () => {
  await using secured = await DockerRegistry.start({ tls: true, users: { alice: "wonderland" } });
  const words = ["-u", "alice", "--password-stdin", secured.host];
  const attempt = (more: readonly string[] = []) => login([...more, ...words], { input: "wonderland" });
  const { errors } = await attempt(["--tls-verify"]);
  expect(errors).toContain("its certificate is by an unknown authority");
  expect(errors).toContain(`hint: Put its authority into ~/.config/containers/certs.d/${secured.host}/ca.crt`);
  const certificates = join(user.home, ".config/containers/certs.d", secured.host);
  mkdirSync(certificates, { recursive: true });
  writeFileSync(join(certificates, "ca.crt"), readFileSync(secured.authority ?? ""));
  Bun.spawnSync(["chown", "-R", `${user.uid}:${user.gid}`, join(user.home, ".config")]);
  expect(await attempt(["--tls-verify"])).toMatchObject({ status: 0, output: "Login Succeeded\n" });
  // Whoever has named the authority wants it verified, on this machine as well.
  await using other = await DockerRegistry.start({ tls: true });
  writeFileSync(join(certificates, "ca.crt"), readFileSync(other.authority ?? ""));
  expect((await attempt()).errors).toContain("its certificate is by an unknown authority");
});
