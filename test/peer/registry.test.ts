/*
 * Bunker, Podman and skopeo exchange images through registries: Debian's docker-registry, plain, with a password, with a
 * password and TLS by a private authority, and Bunker's own. Whoever pushes, everybody pulls the same digest, and Bunker and
 * Podman run what the other has pushed. Larger images go through one registry each, through all with
 * BUNKER_TEST_ALL_COMBINATIONS=1.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { DockerRegistry } from "../docker-registry.ts";
import { busyboxLayout, debianImages, nginxImage } from "../fixtures/images.ts";
import { finish, kill, type Outcome, type PipedSession, UnprivilegedUser } from "../unprivileged-user.ts";

setDefaultTimeout(180_000);

const WITHOUT_UNIFIED_CGROUPS = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';
const USER = "alice";
const PASSWORD = "wonderland";

let user: UnprivilegedUser;
let own: PipedSession;
const debians = new AsyncDisposableStack();
const places = ["plain", "basic", "tls", "own"] as const;
const hosts = new Map<(typeof places)[number], string>();

async function well(outcome: Promise<Outcome>): Promise<string> {
  const { status, output, errors } = await outcome;
  if (status !== 0) throw new Error(`it ended with ${status}: ${errors}`);
  return output.trim();
}

function bunker(...words: string[]): Promise<string> {
  return well(user.bunker(words));
}

function skopeo(...words: string[]): Promise<string> {
  return well(user.execute(["skopeo", ...words]));
}

function podman(...words: string[]): Promise<string> {
  // Its usual driver for ordinary users copies whole images.
  const driver = "--storage-driver=overlay";
  const storage = [`--root=${user.directory}/storage`, `--runroot=${user.directory}/runroot`, driver];
  const options = [`--runtime=${user.directory}/bunker-runtime`, "--cgroup-manager=cgroupfs", "--events-backend=file"];
  const command = user.as(["podman", ...storage, ...options, ...words]);
  return well(finish(user.startAsRoot(["unshare", "-m", "sh", "-c", WITHOUT_UNIFIED_CGROUPS, "sh", ...command])));
}

beforeAll(async () => {
  user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/bunker-runtime`);
  for (const name of ["storage", "runroot"]) user.makeDirectory(name);
  const users = { [USER]: PASSWORD };
  const plain = debians.use(await DockerRegistry.start());
  const basic = debians.use(await DockerRegistry.start({ users }));
  const tls = debians.use(await DockerRegistry.start({ tls: true, users }));
  own = user.talk([user.bunkerPath, "registry", "serve", "--address", ":0", `${user.home}/own`]);
  const [, address = ""] = (await own.expect(/Serving .* at \S+\n/)).trim().split(" at ");
  for (const [place, host] of Object.entries({ plain: plain.host, basic: basic.host, tls: tls.host, own: address })) {
    hosts.set(place as (typeof places)[number], host);
  }
  // What has no TLS has to be told to Podman; it reads the same files as Bunker.
  mkdirSync(`${user.home}/.config/containers`, { recursive: true });
  await Bun.write(
    `${user.home}/.config/containers/registries.conf`,
    [plain.host, basic.host, address]
      .map((location) => `[[registry]]\nlocation = "${location}"\ninsecure = true\n`)
      .join(""),
  );
  const certificates = `${user.home}/.config/containers/certs.d/${tls.host}`;
  mkdirSync(certificates, { recursive: true });
  copyFileSync(tls.authority ?? "", `${certificates}/ca.crt`);
  Bun.spawnSync(["chown", "-R", `${user.uid}:${user.gid}`, `${user.home}/.config`]);
  // One login for all three programs.
  for (const { host } of [basic, tls]) {
    await well(user.bunker(["login", "-u", USER, "--password-stdin", host], { input: PASSWORD }));
  }
}, 600_000);

afterAll(async () => {
  own?.process.kill("SIGINT");
  await own?.finish();
  for (const pid of user.processes()) kill(pid);
  user[Symbol.dispose]();
  await debians[Symbol.asyncDispose]();
}, 600_000);

/** Pushes an image that is at a name already to another one; returns the digest that it has there. */
const pushers = {
  bunker: async (from: string, to: string) => {
    await bunker("pull", "-q", from);
    await bunker("tag", from, to);
    await bunker("push", "-q", "--digestfile", `${user.home}/digest`, to);
    return readFileSync(`${user.home}/digest`, "utf8").trim();
  },
  podman: async (from: string, to: string) => {
    await podman("pull", "-q", from);
    await podman("tag", from, to);
    await podman("push", "-q", "--digestfile", `${user.home}/digest`, to);
    return readFileSync(`${user.home}/digest`, "utf8").trim();
  },
  skopeo: async (from: string, to: string) => {
    await skopeo("copy", "-q", "--digestfile", `${user.home}/digest`, `docker://${from}`, `docker://${to}`);
    return readFileSync(`${user.home}/digest`, "utf8").trim();
  },
};

describe.each(places)("through the %s registry", (place) => {
  const host = () => hosts.get(place) ?? "";

  beforeAll(async () => {
    await skopeo("copy", "-q", `oci:${busyboxLayout()}:latest`, `docker://${host()}/first:1`);
  });

  test.each(["bunker", "podman", "skopeo"] as const)("what %s pushes has one digest for all", async (pusher) => {
    const name = `${host()}/by/${pusher}:1`;
    const digest = await pushers[pusher](`${host()}/first:1`, name);
    expect(digest).toStartWith("sha256:");
    expect(JSON.parse(await skopeo("inspect", `docker://${name}`)).Digest).toBe(digest);
    expect(await bunker("pull", name)).toContain(`\nDigest: ${digest}\n`);
    await podman("pull", "-q", name);
    expect(await podman("inspect", "--format={{.Digest}}", name)).toBe(digest);
    expect(await bunker("image", "inspect", "--format={{.RepoDigests}}", name)).toContain(
      `${name.slice(0, -2)}@${digest}`,
    );
    const words = ["--rm", "--network=none", name, "cat", "/etc/passwd"];
    const expected = expect.stringContaining("alice:x:1000");
    expect([await bunker("run", ...words), await podman("run", ...words)]).toEqual([expected, expected]);
  });

  const applications = [
    ["debian", "tls", () => debianImages().layered, ["sh", "-c", "test ! -e /usr/share/doc && cat /etc/issue/inside"]],
    ["nginx", "basic", nginxImage, ["nginx", "-t"]],
  ] as const;
  const isWhole = process.env["BUNKER_TEST_ALL_COMBINATIONS"] === "1";
  test.each(applications.filter(([_image, usual]) => isWhole || usual === place))(
    "%s from Debian's packages goes around and still starts",
    async (image, _place, layout, command) => {
      const name = (pusher: string) => `${host()}/${image}/by-${pusher}:1`;
      await skopeo("copy", "-q", layout(), `docker://${name("skopeo")}`);
      const original = JSON.parse(await skopeo("inspect", `docker://${name("skopeo")}`)).Digest;
      expect(await pushers.bunker(name("skopeo"), name("bunker"))).toBe(original);
      await pushers.podman(name("bunker"), name("podman"));
      await bunker("pull", "-q", name("podman"));
      const words = ["--rm", "--network=none", name("podman"), ...command];
      await bunker("run", ...words);
      await podman("run", ...words);
    },
    600_000,
  );
});
