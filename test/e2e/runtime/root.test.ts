import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { NamespaceType } from "../../../src/runtime/configuration/namespaces.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite("root");

test("a container without a user namespace", async () => {
  await suite.withCreated(suite.box.bundle(["sleep", "1000"]), () => {
    expect(suite.box.runtime("start", "test").status).toBe(0);
    const { pid } = JSON.parse(suite.box.runtime("state", "test").output);
    expect(readlinkSync(`/proc/${pid}/ns/user`)).toBe(readlinkSync("/proc/self/ns/user"));
    expect(suite.box.runtime("exec", "test", "sh", "-c", "id -u; cat /proc/self/uid_map").output).toMatch(
      /^0\n +0 +0 +4294967295\n$/,
    );
    expect(suite.box.runtime("exec", "-u", "12:13", "test", "id").output).toBe("uid=12 gid=13\n");
  });
});

test("device nodes are made with their mode and owner", () => {
  const devices = [{ type: "c" as const, path: "/dev/mine", major: 1, minor: 3, fileMode: 0o640, uid: 4, gid: 5 }];
  expect(suite.box.shell("stat -c '%A %u:%g %t:%T' /dev/mine", { linux: { devices } })).toBe("crw-r----- 4:5 1:3");
});

test("a new file system takes the mappings of its mount, with and without the option", () => {
  const mappings = [{ containerID: 0, hostID: 1000, size: 1000 }];
  const mount = { type: "tmpfs", source: "tmpfs", uidMappings: mappings, gidMappings: mappings };
  const mounts = [
    { ...mount, destination: "/mapped" },
    { ...mount, destination: "/asked", options: ["idmap"] },
  ];
  expect(suite.box.shell("stat -c %u:%g /mapped /asked", { mounts })).toBe("1000:1000\n1000:1000");
});

test("a bind with a mapping in its option, and an id map that nobody has", () => {
  const mount = { destination: "/mapped", source: suite.box.rootfs };
  const mapped = (option: string) => ({ mounts: [{ ...mount, options: ["bind", option] }] });
  expect(suite.box.shell("stat -c %u:%g /mapped", mapped("idmap=uids=0-70-1;gids=0-80-1"))).toBe("70:80");
  expect(suite.box.run(["true"], mapped("idmap"))).toEqual({
    status: 1,
    output: "",
    errors:
      "bunker: map the ids of the mount on /mapped: it has no uidMappings and gidMappings, and the container no user namespace to take them from\n",
  });
});

test("what a container mounts below a shared bind is seen on the host if the root's propagation says so", () => {
  const source = join(suite.box.path, "shared");
  mkdirSync(source);
  const mount = (...words: readonly string[]) => expect(Bun.spawnSync(["mount", ...words]).exitCode).toBe(0);
  mount("-t", "tmpfs", "outer", source);
  try {
    mount("--make-shared", source);
    const capabilities = { bounding: ["CAP_SYS_ADMIN"], effective: ["CAP_SYS_ADMIN"], permitted: ["CAP_SYS_ADMIN"] };
    const mounting = (name: string, rootfsPropagation: "shared" | "slave") => {
      suite.box.shell(`mkdir /shared/${name} && mount -t tmpfs inner /shared/${name}`, {
        process: { capabilities },
        mounts: [{ destination: "/shared", source, options: ["rbind", "rshared"] }],
        linux: { rootfsPropagation },
      });
    };
    mounting("seen", "shared");
    mounting("hidden", "slave");
    const mounted = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const below = mounted.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(suite.box.path));
    expect(below).toEqual([source, join(source, "seen")]);
  } finally {
    Bun.spawnSync(["umount", "-R", source]);
  }
});

test("a container in a user namespace of ids of others", () => {
  const uidMappings = [{ containerID: 0, hostID: 200000, size: 1000 }];
  const namespaces: readonly NamespaceType[] = ["user", "mount", "pid", "ipc", "uts", "network", "cgroup"];
  Bun.spawnSync(["chown", "-hR", "200000:200000", suite.box.rootfs]);
  const shown = suite.box.shell("cat /proc/self/uid_map; id -u", {
    namespaces,
    linux: { uidMappings, gidMappings: uidMappings },
  });
  expect(shown.trim().split(/\s+/)).toEqual(["0", "200000", "1000", "0"]);
  Bun.spawnSync(["chown", "-hR", "0:0", suite.box.rootfs]);
});

test("hooks, and a terminal in the foreground", async () => {
  const marker = join(suite.box.path, "hook");
  const hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", `cat >${marker}`] }] };
  expect(suite.box.run(["true"], { rest: { hooks } })).toEqual({ status: 0, output: "", errors: "" });
  expect(JSON.parse(readFileSync(marker, "utf8"))).toMatchObject({ id: "test" });
  let shown = "";
  const bundle = suite.box.bundle(["tty"], { process: { terminal: true } });
  const child = Bun.spawn(suite.box.words("run", "--bundle", bundle, "test"), {
    env: suite.box.environment,
    terminal: { data: (_, data) => (shown += Buffer.from(data).toString()) },
  });
  expect(await child.exited).toBe(0);
  expect(shown).toBe("/dev/pts/0\r\n");
});
