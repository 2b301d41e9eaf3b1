import { describe, expect, test } from "bun:test";
import type { Linux } from "../../src/runtime/configuration/configuration.ts";
import type { Run } from "./limits.ts";

const USERS_GROUP = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";

/** Lines of a script that write a bundle's configuration in the current directory; `root` in the home is its root. */
function writeConfiguration(user: "dev" | "root", script: string, linux: Partial<Linux>): string {
  const types = ["mount", "pid", "ipc", "uts", "cgroup", ...(user === "dev" ? ["user"] : [])];
  const map = [{ containerID: 0, hostID: 1000, size: 1 }];
  const configuration = {
    ociVersion: "1.2.0",
    root: { path: "/home/dev/root" },
    process: { args: ["sh", "-c", script], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"] },
      { destination: "/groups", type: "cgroup", source: "cgroup" },
    ],
    linux: {
      namespaces: types.map((type) => ({ type })),
      ...(user === "dev" ? { uidMappings: map, gidMappings: map } : {}),
      ...linux,
    },
  };
  return `cat >config.json <<'END'\n${JSON.stringify(configuration)}\nEND\n`;
}

/** Tests of `bunker runtime` with the cgroups that systemd makes; `root` in dev's home is a root file system. */
export function testRuntime(run: Run): void {
  describe("the OCI runtime", () => {
    test("has the user's systemd make a cgroup, whose limits can be changed", async () => {
      const resources = { memory: { limit: 50 << 20 }, pids: { limit: 20 }, cpu: { quota: 50000, period: 100000 } };
      const group = `${USERS_GROUP}/user.slice/test-two.scope/container`;
      const { output, errors } = await run(`
        mkdir -p bundle root/groups && cd bundle
        ${writeConfiguration("dev", "cat /proc/self/cgroup /groups/memory.max /groups/pids.max /groups/cpu.max", { resources })}
        bunker runtime run one
        ${writeConfiguration("dev", "sleep 1000", { cgroupsPath: "user.slice:test:two", resources })}
        bunker runtime --systemd-cgroup run --detach two </dev/null >log 2>&1
        cat ${group}/memory.max
        bunker runtime exec two cat /proc/self/cgroup
        mkdir ${group}/below
        bunker runtime exec --cgroup below two cat /proc/self/cgroup
        bunker runtime exec --cgroup / two cat /proc/self/cgroup
        bunker runtime exec --cgroup none two true 2>&1 | head -n 1
        rmdir ${group}/below
        bunker runtime update --memory 60m --memory-swap 70m --pids-limit 7 two
        bunker runtime update --memory-reservation 20m two
        cat ${group}/memory.max ${group}/memory.swap.max ${group}/memory.low ${group}/pids.max
        echo '{"memory": {"limit": 1000, "checkBeforeUpdate": true}}' |
          bunker runtime update --resources - two 2>&1 | sed 's/[0-9]* bytes/some bytes/'
        bunker runtime update --cpuset-cpus 0 two 2>&1 | head -n 1
        bunker runtime delete two 2>&1 | head -n 1
        # The same name at once, while systemd may still know the former.
        for _ in 1 2 3; do
          bunker runtime delete --force two
          bunker runtime --systemd-cgroup run --detach two </dev/null >log 2>&1 || cat log
        done
        bunker runtime delete --force two
        bunker runtime list --quiet
        for _ in $(seq 100); do [ -e ${USERS_GROUP}/user.slice/test-two.scope ] || break; sleep 0.1; done
        ls -d ${USERS_GROUP}/user.slice/test* 2>/dev/null`);
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          ...["0::/", "52428800", "20", "50000 100000", "52428800", "0::/", "0::/below", "0::/"],
          `bunker: enter the cgroup ${group.replace("/sys/fs/cgroup", "")}/none: ENOENT (no such file or directory)`,
          ...["62914560", "10485760", "20971520", "7"],
          "bunker: set limit memory.limit: some bytes are in use, more than 1000",
          "bunker: limit the container's resources: the controller cpuset is not delegated to this user, only cpu, io, memory, pids",
          "bunker: delete container two: it is running",
          "",
        ],
        errors: "",
      });
    });

    test("does without a cgroup where there is none to be had, unless there are limits", async () => {
      const { output, errors } = await run(`
        mkdir -p bundle && cd bundle
        ${writeConfiguration("dev", "cat /proc/self/cgroup", {})}
        bunker runtime --cgroup-manager cgroupfs run one
        bunker runtime --cgroup-manager cgroupfs --rootless false run one 2>&1
        ${writeConfiguration("dev", "true", { resources: { pids: { limit: 5 } } })}
        bunker runtime --cgroup-manager cgroupfs run one 2>&1 | head -n 1
        XDG_RUNTIME_DIR=/nowhere DBUS_SESSION_BUS_ADDRESS= bunker runtime --root state --systemd-cgroup run one 2>&1 | head -n 1`);
      const path = "/user.slice/user-1000.slice/one";
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          "0::/",
          `bunker: make the cgroup ${path}: EACCES (permission denied)`,
          `bunker: limit the container's resources: no writable cgroup: make the cgroup ${path}: EACCES`,
          "bunker: limit the container's resources: no writable cgroup: make the container's cgroup: no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR",
          "",
        ],
        errors: "",
      });
    });

    test("reports that memory ran out", async () => {
      // With its last process the cgroup goes, and with it what happened.
      const script = "dd if=/dev/zero of=/dev/null bs=150M count=1; until [ -e /seen ]; do sleep 0.05; done";
      const { output } = await run(`
        mkdir -p bundle && cd bundle
        ${writeConfiguration("dev", script, { resources: { memory: { limit: 50 << 20, swap: 50 << 20 } } })}
        bunker runtime create hungry </dev/null >log 2>&1
        bunker runtime events hungry >events &
        # It is awake when it has a watch.
        until grep -qs inotify /proc/$!/fdinfo/*; do sleep 0.05; done
        bunker runtime start hungry
        until grep -q '"type":"oom"' events; do sleep 0.05; done
        touch ../root/seen
        wait
        cat events
        bunker runtime delete hungry
        rm ../root/seen`);
      expect(JSON.parse(output)).toEqual({ type: "oom", id: "hungry" });
    });

    test("as root makes cgroups by hand and has systemd make them", async () => {
      const resources = { memory: { limit: 50 << 20 }, devices: [{ allow: false, access: "rwm" }] };
      const shown = "cat /proc/self/cgroup /groups/memory.max; (: >/dev/null) && echo null";
      const { output, errors } = await run(
        `mkdir -p bundle && cd bundle
        ${writeConfiguration("root", shown, { resources })}
        bunker runtime run one
        ${writeConfiguration("root", shown, { resources, cgroupsPath: "/bunker/deep/one" })}
        bunker runtime run one
        ${writeConfiguration("root", "sleep 1000", { resources, cgroupsPath: "machine.slice:x:y" })}
        bunker runtime --systemd-cgroup run --detach one </dev/null
        bunker runtime exec one sh -c '${shown}'
        cat /sys/fs/cgroup/machine.slice/x-y.scope/container/memory.max
        bunker runtime delete --force one
        ls -d /sys/fs/cgroup/bunker* /sys/fs/cgroup/system.slice/one 2>/dev/null`,
        "root",
      );
      const inside = ["0::/", "52428800", "null"];
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [...inside, ...inside, ...inside, "52428800", ""],
        errors: "",
      });
    });

    test("gives Podman what it asks for, with both of its ways to make cgroups", async () => {
      const { output, errors } = await run(`
        tar -C root -cf - . | podman import --quiet - box >/dev/null
        podman() { command podman --runtime /usr/local/bin/bunker-runtime "$@"; }
        options="--network none -m 50m --pids-limit 12"
        podman run --rm $options box sh -c 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max'
        podman run --detach --name held $options box sleep 1000 >/dev/null
        podman pause held >/dev/null
        bunker-runtime --root $XDG_RUNTIME_DIR/bunker-runtime list | grep -o paused
        podman unpause held >/dev/null
        podman exec held cat /proc/self/cgroup
        podman rm --force --time 0 held >/dev/null
        podman --cgroup-manager cgroupfs run --rm --network none box sh -c 'cat /proc/self/cgroup; exit 7' || echo $?
        command podman rmi --force box >/dev/null`);
      expect({ output: output.trim().split("\n"), errors }).toEqual({
        output: ["0::/", "52428800", "12", "paused", "0::/", "0::/", "7"],
        errors: "",
      });
    });
  });
}
