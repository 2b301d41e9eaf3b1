import { describe, expect, test } from "bun:test";
import { chownSync, mkdirSync } from "node:fs";
import { cgroupFinding } from "../../../../src/engine/doctor/cgroups.ts";
import {
  dataDirectoryFinding,
  fuseFinding,
  overlayFinding,
  tunFinding,
} from "../../../../src/engine/doctor/file-systems.ts";
import { kernelFinding, seccompFinding } from "../../../../src/engine/doctor/kernel.ts";
import { inotifyFinding, keysFinding } from "../../../../src/engine/doctor/quotas.ts";
import { lingerFinding, runtimeDirectoryFinding } from "../../../../src/engine/doctor/session.ts";
import { pingFinding, portsFinding } from "../../../../src/engine/doctor/sockets.ts";
import {
  appArmorFinding,
  helperFinding,
  subordinateIdsFinding,
  userNamespaceFinding,
} from "../../../../src/engine/doctor/user-namespaces.ts";
import { userIdMap } from "../../../../src/runtime/id-map/user-id-map.ts";
import { alice, preparedRoot, root } from "./prepared-root.ts";

const host = preparedRoot();
const works = { works: true } as const;
const refused = { works: false, failure: "make a user namespace: EPERM" } as const;

test.each([
  ["6.18.44-fc-v782", "ok"],
  ["5.12.0", "ok"],
  ["5.11.22-generic", "failed"],
  ["5.4.0", "failed"],
  ["4.18.0-553.el8_10.x86_64", "failed"],
])("kernel %s: %s", (release, state) => {
  expect<unknown>(kernelFinding(release)).toMatchObject({ check: "kernel", state, found: `Linux ${release}` });
});

describe("seccomp", () => {
  const actions = (names: string) => host.prepare({ "/proc/sys/kernel/seccomp/actions_avail": `${names}\n` });

  test("is there", () => {
    actions("kill_process errno log allow");
    expect(seccompFinding(host.path)).toMatchObject({ state: "ok", found: "filters are taken" });
    host.prepare({ "/proc/self/status": "Name:\tbunker\nSeccomp:\t2\n" });
    expect(seccompFinding(host.path).found).toContain("one already holds");
  });

  test("is not there, or knows nothing", () => {
    expect(seccompFinding(host.path)).toMatchObject({
      state: "limited",
      effect: expect.stringContaining("unconfined"),
    });
    actions("allow");
    expect(seccompFinding(host.path).state).toBe("limited");
  });
});

describe("user namespaces", () => {
  const find = (attempt: Parameters<typeof userNamespaceFinding>[0], caller = alice) =>
    userNamespaceFinding(attempt, caller, host.path);

  test("can be made", () => {
    host.prepare({ "/proc/sys/user/max_user_namespaces": "15000\n" });
    expect(find(works)).toMatchObject({ state: "ok", found: "permitted, at most 15000 for each user" });
    expect(find(works, root)).toMatchObject({ state: "ok", found: "you are root" });
  });

  test.each([
    ["kernel/unprivileged_userns_clone", "sysctl -w kernel.unprivileged_userns_clone=1"],
    ["user/max_user_namespaces", "sysctl -w user.max_user_namespaces=15000"],
  ])("are refused by %s", (setting, remedy) => {
    host.prepare({ [`/proc/sys/${setting}`]: "0\n" });
    expect(find(refused)).toMatchObject({ state: "failed", found: refused.failure, remedy });
  });

  test("are refused by something else", () => {
    host.prepare({ "/proc/sys/user/max_user_namespaces": "15000\n" });
    expect(find(refused)).toMatchObject({ state: "failed", remedy: undefined });
  });
});

describe("AppArmor", () => {
  const find = (attempt: Parameters<typeof appArmorFinding>[0], caller = alice) =>
    appArmorFinding(attempt, caller, "/opt/bob's tools/bunker", host.path);

  test("restricts nothing", () => {
    expect(find(works)).toMatchObject({ state: "ok", found: "does not restrict user namespaces" });
    host.prepare({ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n" });
    expect(find(refused).state).toBe("ok");
  });

  test("restricts them", () => {
    host.prepare({
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
      "/proc/self/attr/apparmor/current": "unconfined\n",
    });
    expect(find(works)).toMatchObject({ state: "ok", effect: "but not Bunker's" });
    expect(find(works, root)).toMatchObject({ state: "ok", effect: "does not concern root" });
    const [, words] = /^(printf .*) >/.exec(find(refused).remedy ?? "") ?? [];
    expect(find(refused)).toMatchObject({
      state: "failed",
      found: "restricts user namespaces; this process is unconfined",
      remedy: expect.stringMatching(/^printf .* >\/etc\/apparmor\.d\/bunker && apparmor_parser -r/),
    });
    expect(Bun.spawnSync(["sh", "-c", words ?? "false"]).stdout.toString()).toBe(
      `abi <abi/4.0>,\nprofile bunker "/opt/bob's tools/bunker" flags=(unconfined) {\n  userns,\n}\n`,
    );
  });
});

describe("subordinate ids", () => {
  const find = (change: Partial<Parameters<typeof userIdMap>[0]>) =>
    subordinateIdsFinding(
      () =>
        userIdMap({
          uid: 1000,
          gid: 1000,
          userName: "alice",
          subuid: "alice:100000:65536\n",
          subgid: "alice:100000:65536\n",
          helperProblem: undefined,
          ...change,
        }),
      alice,
    );

  test("are there, or not needed", () => {
    expect(find({})).toMatchObject({ state: "ok", found: "65536 users and groups" });
    const unused = () => {
      throw new Error("not for root");
    };
    expect(subordinateIdsFinding(unused, root).state).toBe("ok");
  });

  test("are few", () => {
    expect(find({ subgid: "alice:100000:1000" })).toMatchObject({
      state: "limited",
      found: "65536 users, 1000 groups",
      effect: expect.stringContaining("only 1000 ids"),
    });
  });

  test("are missing: the remedy gives ids that nobody has", () => {
    expect(find({ subuid: "bob:100000:65536\ncarol:165536:65536\n", subgid: undefined })).toMatchObject({
      state: "limited",
      found: "alice has no subordinate ids in /etc/subuid and /etc/subgid",
      remedy: "usermod --add-subuids 231072-296607 --add-subgids 231072-296607 alice",
    });
  });

  test("cannot be used without helpers", () => {
    const found = find({ helperProblem: "newuidmap is missing" });
    expect(found).toMatchObject({ state: "limited", found: "cannot be mapped", remedy: undefined });
  });

  test("are given wrongly", () => {
    expect(find({ subuid: "alice:x:1" })).toMatchObject({
      state: "failed",
      found: expect.stringContaining("line 1 is malformed"),
      effect: expect.stringContaining("alice:100000:65536"),
    });
  });
});

describe("newuidmap", () => {
  const missing = {
    kind: "unusable",
    problem: "",
    fault: "newuidmap is missing",
    remedy: undefined,
    isMissing: true,
  } as const;

  test("is usable", () => {
    const found = helperFinding("newuidmap", { kind: "usable", path: "/usr/bin/newuidmap" }, alice, host.path);
    expect(found).toMatchObject({ check: "newuidmap", state: "ok", found: "/usr/bin/newuidmap" });
  });

  test("is missing", () => {
    expect(helperFinding("newuidmap", missing, alice, host.path)).toMatchObject({
      state: "limited",
      remedy: undefined,
    });
    host.prepare({ "/usr/bin/dnf": "" });
    expect(helperFinding("newuidmap", missing, alice, host.path).remedy).toBe("dnf install shadow-utils");
    expect(helperFinding("newuidmap", missing, root, host.path)).toMatchObject({ state: "ok" });
  });

  test("has lost its privilege", () => {
    const remedy = "chmod u+s /usr/bin/newuidmap";
    const search = { ...missing, remedy, isMissing: false };
    expect(helperFinding("newuidmap", search, alice, host.path)).toMatchObject({ state: "limited", remedy });
  });
});

describe("overlay", () => {
  test("works, or fails with or without the module", () => {
    expect(overlayFinding(works, host.path)).toMatchObject({ state: "ok" });
    expect(overlayFinding(refused, host.path)).toMatchObject({ state: "failed", remedy: "modprobe overlay" });
    host.prepare({ "/proc/filesystems": "nodev\tproc\nnodev\toverlay\n\text4\n" });
    expect(overlayFinding(refused, host.path)).toMatchObject({ state: "failed", remedy: undefined });
  });
});

describe("devices", () => {
  test("can be opened", () => {
    host.prepare({ "/dev/fuse": "" });
    const device = `${host.path}/dev/fuse`;
    expect(fuseFinding(works, device)).toMatchObject({ state: "ok", found: device });
    expect(fuseFinding(refused, device)).toMatchObject({ state: "limited", found: refused.failure });
    expect(tunFinding(device)).toMatchObject({ state: "ok" });
  });

  test("are missing", () => {
    const device = `${host.path}/dev/net/tun`;
    const found = { state: "limited", found: `open ${device}: ENOENT` } as const;
    expect(tunFinding(device)).toMatchObject({ ...found, remedy: "modprobe tun" });
    expect(fuseFinding(works, device)).toMatchObject({ ...found, remedy: "modprobe fuse" });
  });

  test("are something else", () => {
    host.prepare({ "/dev/net/tun/": "" });
    expect(tunFinding(`${host.path}/dev/net/tun`)).toMatchObject({ state: "limited", remedy: undefined });
  });
});

describe("the data directory", () => {
  const find = (type: string, free = 100 * 2 ** 30) =>
    dataDirectoryFinding(
      `${host.path}/share/bunker`,
      [
        { path: "/", type: "ext4" },
        { path: host.path, type },
        { path: `${host.path}-not`, type: "proc" },
      ],
      free,
    );

  test.each([
    ["ext4", "ok", "keeps"],
    ["nfs4", "limited", "local disk"],
    ["fuse.sshfs", "limited", "local disk"],
    ["tmpfs", "limited", "gone"],
  ])("on %s: %s", (type, state, effect) => {
    expect<unknown>(find(type)).toMatchObject({
      state,
      found: `${host.path}/share/bunker on ${type}, 100.0 GiB free`,
      effect: expect.stringContaining(effect),
    });
  });

  test("is full", () => {
    expect(find("ext4", 2 ** 29)).toMatchObject({ state: "limited", effect: expect.stringContaining("system prune") });
  });

  test("cannot be written", () => {
    expect(dataDirectoryFinding("/proc/sys/bunker", [{ path: "/proc", type: "proc" }])).toMatchObject({
      state: "failed",
      found: expect.stringMatching(/^\/proc\/sys\/bunker cannot be written: E/),
    });
  });
});

describe("ports", () => {
  const start = (port: string) => host.prepare({ "/proc/sys/net/ipv4/ip_unprivileged_port_start": `${port}\n` });

  test.each([
    ["1024", "limited", "not permitted"],
    ["443", "limited", "permitted from 443 on"],
    ["80", "ok", "permitted from 80 on"],
    ["0", "ok", "permitted from 0 on"],
  ])("from %s on: %s", (port, state, found) => {
    start(port);
    expect<unknown>(portsFinding(alice, host.path)).toMatchObject({ state, found });
    expect(portsFinding(root, host.path).state).toBe("ok");
  });

  test("without the setting", () => expect(portsFinding(alice, host.path).state).toBe("limited"));
});

test.each([
  ["1\t0", "limited", "permitted to nobody"],
  ["0\t2147483647", "ok", "permitted to groups 0 to 2147483647"],
  ["20\t20", "ok", "permitted to groups 20 to 20"],
  ["2000\t3000", "limited", "permitted to groups 2000 to 3000, none of them yours"],
])("ping for %j: %s", (range, state, found) => {
  host.prepare({ "/proc/sys/net/ipv4/ping_group_range": `${range}\n` });
  expect<unknown>(pingFinding(alice, host.path)).toMatchObject({ state, found });
});

describe("cgroups", () => {
  const group = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
  const find = (caller = alice, bus: string | undefined = "/run/user/1000/bus") =>
    cgroupFinding(caller, bus, host.path);
  const all = "cpuset cpu io memory pids\n";
  const second = () => host.prepare({ "/sys/fs/cgroup/cgroup.controllers": all });

  test("none, v1, and a mixture", () => {
    expect(find()).toMatchObject({ state: "limited", found: "none at /sys/fs/cgroup" });
    host.prepare({ "/sys/fs/cgroup/memory/cgroup.procs": "" });
    expect(find()).toMatchObject({ state: "limited", found: "v1", remedy: undefined });
    host.prepare({ "/sys/fs/cgroup/unified/cgroup.procs": "", "/etc/default/grub": "" });
    expect(find()).toMatchObject({
      found: "v1, and a v2 without controllers",
      remedy: expect.stringContaining("systemd.unified_cgroup_hierarchy=1"),
    });
  });

  test("v2 without a systemd of the caller's", () => {
    second();
    const withoutBus = () => cgroupFinding(alice, undefined, host.path);
    expect(withoutBus()).toMatchObject({ state: "limited", remedy: undefined });
    host.prepare({ "/run/systemd/system/": "" });
    expect(withoutBus()).toMatchObject({ state: "limited", remedy: "loginctl enable-linger alice" });
  });

  test("v2, some and all delegated", () => {
    second();
    host.prepare({ [`${group}/cgroup.controllers`]: "memory pids\n", "/run/systemd/system/": "" });
    expect(find()).toMatchObject({
      state: "limited",
      found: "v2, delegated: memory, pids",
      effect: "containers with limits by cpu, cpuset, io do not start",
      remedy: expect.stringContaining("Delegate=cpu cpuset io memory pids"),
    });
    host.prepare({ [`${group}/cgroup.controllers`]: all });
    expect(find()).toMatchObject({ state: "ok", found: "v2, delegated: cpu, cpuset, io, memory, pids" });
  });

  test("v2, root's systemd has what the machine has", () => {
    second();
    expect(find(root, "/run/dbus/system_bus_socket")).toMatchObject({ state: "ok" });
    expect(cgroupFinding(root, undefined, host.path)).toMatchObject({ state: "limited", remedy: undefined });
  });
});

describe("linger", () => {
  test("without systemd", () => expect(lingerFinding(alice, host.path)).toMatchObject({ state: "ok" }));

  test("with systemd", () => {
    host.prepare({ "/run/systemd/system/": "" });
    expect(lingerFinding(alice, host.path)).toMatchObject({
      state: "limited",
      remedy: "loginctl enable-linger alice",
    });
    expect(lingerFinding(root, host.path).state).toBe("ok");
    host.prepare({ "/var/lib/systemd/linger/alice": "" });
    expect(lingerFinding(alice, host.path)).toMatchObject({ state: "ok", found: "alice lingers" });
  });
});

describe("XDG_RUNTIME_DIR", () => {
  const caller = { ...alice, uid: process.getuid?.() ?? 0 };

  test("is the caller's", () => {
    expect(runtimeDirectoryFinding(host.path, caller)).toMatchObject({ state: "ok", found: host.path });
  });

  test.each([undefined, "", "relative"])("is %j", (path) => {
    expect(runtimeDirectoryFinding(path, alice)).toMatchObject({
      state: "limited",
      remedy: "install --directory --owner=alice --mode=700 /run/user/1000",
    });
  });

  test("is missing, no directory, or somebody else's", () => {
    host.prepare({ "/file": "", "/theirs/": "" });
    const find = (name: string) => runtimeDirectoryFinding(`${host.path}/${name}`, caller);
    expect(find("missing")).toMatchObject({ state: "limited", found: expect.stringContaining("is not there") });
    expect(find("file").found).toContain("is no directory");
    expect(find("my file").remedy).toEndWith(` '${host.path}/my file'`);
    chownSync(`${host.path}/theirs`, 4321, 4321);
    expect(find("theirs").found).toContain("belongs to user 4321");
  });

  test("root needs none", () => expect(runtimeDirectoryFinding(undefined, root).state).toBe("ok"));
});

describe("inotify", () => {
  const caller = { ...alice, uid: process.getuid?.() ?? 0 };
  const limits = (instances: number, watches: number) =>
    host.prepare({
      "/proc/sys/fs/inotify/max_user_instances": `${instances}\n`,
      "/proc/sys/fs/inotify/max_user_watches": `${watches}\n`,
    });
  const processes = () =>
    host.prepare({
      "/proc/7/fd/3": "-> anon_inode:inotify",
      "/proc/7/fd/4": "-> /dev/null",
      "/proc/7/fdinfo/3": "pos:\t0\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n",
      "/proc/8/fd/9": "-> anon_inode:inotify",
      "/proc/9/": "",
      "/proc/self/fd/9": "-> anon_inode:inotify",
    });

  test("counts what the caller has", () => {
    limits(128, 1000);
    processes();
    expect(inotifyFinding(caller, host.path)).toMatchObject({
      state: "ok",
      found: "2 of 128 instances in use, 2 of 1000 watches in use",
    });
    chownSync(`${host.path}/proc/8`, 4321, 4321);
    expect(inotifyFinding(caller, host.path).found).toContain("1 of 128 instances");
  });

  test("warns of the end", () => {
    limits(2, 1000);
    processes();
    expect(inotifyFinding(caller, host.path)).toMatchObject({
      state: "limited",
      remedy: "sysctl -w fs.inotify.max_user_instances=8",
    });
  });

  test("sees its own process", async () => {
    const { watch } = await import("node:fs");
    mkdirSync(`${host.path}/watched`);
    const watcher = watch(`${host.path}/watched`);
    const { found } = inotifyFinding(caller);
    watcher.close();
    expect(found).toMatch(/^[1-9]\d* of \d+ instances in use, [1-9]\d* of/);
  });

  test("may not be there", () => {
    expect(inotifyFinding(alice, host.path)).toMatchObject({ state: "ok", found: "the kernel has none" });
  });
});

describe("keys", () => {
  const users = (text: string) => host.prepare({ "/proc/key-users": text });

  test("counts what the caller has", () => {
    users("    0:     9 8/8 3/1000000 40/25000000\n 1000:     4 4/4 5/200 90/20000\n");
    expect(keysFinding(alice, host.path)).toMatchObject({ state: "ok", found: "5 of 200 keys in use" });
    expect(keysFinding(root, host.path).found).toBe("3 of 1000000 keys in use");
  });

  test("warns of the end", () => {
    users(" 1000:   199 199/199 199/200 3000/20000\n");
    expect(keysFinding(alice, host.path)).toMatchObject({
      state: "limited",
      remedy: "sysctl -w kernel.keys.maxkeys=2000",
    });
  });

  test("of a user without keys, and of a kernel without", () => {
    expect(keysFinding(alice, host.path).found).toBe("the kernel has none");
    users("    0:     9 8/8 3/1000000 40/25000000\n");
    host.prepare({ "/proc/sys/kernel/keys/maxkeys": "200\n" });
    expect(keysFinding(alice, host.path)).toMatchObject({ state: "ok", found: "0 of 200 keys in use" });
  });
});
