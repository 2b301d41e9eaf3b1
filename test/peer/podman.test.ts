/*
 * Podman and Buildah, from Debian's packages and as an ordinary user, with Bunker as their OCI runtime. On a host with
 * hybrid cgroups Podman wants to manage cgroups that it cannot; it gets a mount namespace without the unified ones.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { busyboxLayout } from "../fixtures/images.ts";
import { finish, kill, type Outcome, UnprivilegedUser } from "../unprivileged-user.ts";

setDefaultTimeout(60_000);

const WITHOUT_UNIFIED_CGROUPS = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"';
const IMAGE = "localhost/busybox";

let user: UnprivilegedUser;
let runtime: string;

function peer(program: "podman" | "buildah", ...words: string[]): Promise<Outcome> {
  const storage = [`--root=${user.directory}/storage`, `--runroot=${user.directory}/runroot`];
  const command = user.as([program, ...storage, ...words]);
  return finish(user.startAsRoot(["unshare", "-m", "sh", "-c", WITHOUT_UNIFIED_CGROUPS, "sh", ...command]));
}

function podman(...words: string[]): Promise<Outcome> {
  return peer("podman", `--runtime=${runtime}`, "--cgroup-manager=cgroupfs", "--events-backend=file", ...words);
}

beforeAll(async () => {
  user = new UnprivilegedUser();
  runtime = `${user.directory}/bunker-runtime`;
  symlinkSync("bunker", runtime);
  for (const name of ["storage", "runroot"]) user.makeDirectory(name);
  const pulled = await peer("podman", "pull", "--quiet", `oci:${busyboxLayout()}:latest`);
  expect(pulled).toMatchObject({ status: 0 });
  await peer("podman", "tag", pulled.output.trim(), IMAGE);
}, 300_000);

afterAll(async () => {
  await podman("rm", "--force", "--all", "--time=0");
  // The process by which Podman keeps its user's namespaces.
  for (const pid of user.processes()) kill(pid);
  user[Symbol.dispose]();
});

describe("podman run", () => {
  test.each([
    [["id", "-u"], 0, "0\n"],
    [["sh", "-c", "exit 9"], 9, ""],
    [["cat", "/proc/sys/kernel/hostname"], 0, /^[0-9a-f]{12}\n$/],
  ])("%j", async (command, status, output) => {
    const outcome = await podman("run", "--rm", "--network=none", IMAGE, ...command);
    expect(outcome).toMatchObject({
      status,
      output: typeof output === "string" ? output : expect.stringMatching(output),
    });
  });

  test.each([
    ["no-such-program", 127],
    ["/etc/passwd", 126],
  ])("of %s ends as with other runtimes", async (command, status) => {
    expect((await podman("run", "--rm", "--network=none", IMAGE, command)).status).toBe(status);
  });

  test("with a read-only root, a tmpfs, limits of rights and a user", async () => {
    const options = ["--read-only", "--tmpfs=/t", "--cap-drop=all", "--security-opt=no-new-privileges", "--user=1:1"];
    const script = "touch /x 2>/dev/null || touch /t/x && id -u && grep -E 'NoNewPrivs|CapBnd' /proc/self/status";
    const outcome = await podman("run", "--rm", "--network=none", ...options, IMAGE, "sh", "-c", script);
    expect(outcome.output).toBe("1\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n");
  });

  test("with a terminal", async () => {
    const { output, status } = await podman("run", "--rm", "-t", "--network=none", IMAGE, "tty");
    expect({ output, status }).toEqual({ output: "/dev/pts/0\r\n", status: 0 });
  });
});

test("a container in the background is executed in, stopped, started again and removed", async () => {
  const name = "background";
  expect(
    (await podman("run", "-d", `--name=${name}`, "--init=false", "--network=none", IMAGE, "sleep", "1000")).status,
  ).toBe(0);
  expect((await podman("exec", name, "sh", "-c", "id -u; exit 4")).status).toBe(4);
  expect((await podman("exec", "--user=1", name, "id", "-u")).output).toBe("1\n");
  expect((await podman("inspect", "--format={{.State.Status}} {{.OCIRuntime}}", name)).output).toBe(
    `running ${runtime}\n`,
  );
  expect((await podman("stop", "--time=0", name)).status).toBe(0);
  expect((await podman("start", name)).status).toBe(0);
  expect((await podman("kill", name)).status).toBe(0);
  expect((await podman("wait", name)).output).toBe("137\n");
  expect((await podman("rm", name)).status).toBe(0);
});

test("an image is built, with RUN", async () => {
  const context = user.makeDirectory("context");
  writeFileSync(`${context}/Dockerfile`, `FROM ${IMAGE}\nRUN echo made in a container > /made && id -u >> /made\n`);
  const built = await peer(
    "buildah",
    "bud",
    "--isolation=oci",
    `--runtime=${runtime}`,
    "--network=none",
    "-t",
    "built",
    context,
  );
  expect(built).toMatchObject({ status: 0 });
  const { output } = await podman("run", "--rm", "--network=none", "localhost/built", "cat", "/made");
  expect(output).toBe("made in a container\n0\n");
});
