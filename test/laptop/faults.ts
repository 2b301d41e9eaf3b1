import { describe, expect, test } from "bun:test";
import type { Run } from "./limits.ts";

const GROUPS = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice";

/** A shell that ends when it is told to. */
const OBEDIENT = "trap exit\\ 3 TERM; while :; do sleep 0.1; done";

/** Tests of what may become of cgroups; `root` in the user's home is a root file system with busybox. */
export function testFaults(run: Run): void {
  /** The lines that a script of the user's prints, which complains of nothing. */
  const lines = async (script: string): Promise<readonly string[]> => {
    const { output, errors } = await run(`
      start() { bunker run -d --network none "$@" --rootfs root sh -c '${OBEDIENT}' >/dev/null; }
      states() { bunker ps -a --format '{{.Names}} {{.State}}'; }
      ${script}`);
    expect(errors).toBe("");
    return output.trim().split("\n");
  };

  describe("a container's cgroup", () => {
    test("outlives a reload and another execution of systemd", async () => {
      const output = await lines(`
        start --name kept -m 50m
        systemctl --user daemon-reload
        systemctl --user daemon-reexec
        bunker exec kept cat /proc/self/cgroup
        bunker update -m 60m kept
        cat ${GROUPS}/bunker-*/container/memory.max
        bunker run --rm -m 50m --network none --rootfs root id -u
        bunker stop kept
        bunker inspect --format '{{.State.ExitCode}} {{.State.OOMKilled}}' kept
        bunker rm kept`);
      expect(output).toEqual(["0::/", "kept", "62914560", "0", "kept", "3 false", "kept"]);
    });

    test("ends with its container when systemd stops the one or ends itself, which can be started again", async () => {
      expect(
        await lines(`
          start --name kept --restart always
          systemctl --user stop 'bunker-*.scope'
          states
          bunker inspect --format '{{.State.ExitCode}}' kept
          bunker start kept`),
      ).toEqual(["kept exited", "3", "kept"]);
      expect(await run("systemctl restart user@1000.service", "root")).toEqual({ status: 0, output: "", errors: "" });
      expect(
        await lines(`
          states
          ls -d ${GROUPS}/bunker-* 2>/dev/null
          bunker start kept
          states
          bunker rm -f kept`),
      ).toEqual(["kept exited", "kept", "kept running", "kept"]);
    });

    test("may be removed by somebody who moves its processes, which is said, and mended by another start", async () => {
      const output = await lines(`
        start --name moved -m 50m
        scope=$(ls -d ${GROUPS}/bunker-*)
        mkdir $scope/elsewhere
        # The shell's children come and go.
        until rmdir $scope/container 2>/dev/null; do
          for process in $(cat $scope/container/cgroup.procs); do
            echo $process >$scope/elsewhere/cgroup.procs
          done 2>/dev/null
        done
        for what in pause 'update -m 60m' 'exec'; do
          bunker $what moved true 2>&1 | grep -m 1 -o '^bunker: [a-z ]*\\|: somebody.*' | tr -d '\\n'
          echo
        done
        bunker stats --no-stream --format '{{.Name}} {{.PIDs}}' moved | grep -c '^moved [1-9]'
        bunker kill moved
        states
        bunker start moved
        cat ${GROUPS}/bunker-*/container/memory.max
        bunker rm -f moved`);
      expect(output).toEqual([
        "bunker: freeze the cgroup : somebody else has removed it",
        "bunker: limit the processes of the cgroup : somebody else has removed it",
        "bunker: enter the container: somebody else has removed it",
        ...["1", "moved", "moved exited", "moved", "52428800", "moved"],
      ]);
    });

    test("may be watched by nobody, because the user has too many watches, which the container survives", async () => {
      const limit = "/proc/sys/fs/inotify/max_user_instances";
      const { output: usual } = await run(`cat ${limit}; echo 0 >${limit}`, "root");
      try {
        const output = await lines(`
          bunker run --name hog -m 50m --memory-swap 50m --network none --rootfs root \\
            dd if=/dev/zero of=/dev/null bs=150M count=1 || echo $?
          bunker inspect --format '{{.State.OOMKilled}}' hog
          bunker rm hog`);
        expect(output).toEqual(["137", "true", "hog"]);
      } finally {
        await run(`echo ${usual.trim()} >${limit}`, "root");
      }
    });

    test("is refused where a controller is missing, and nothing is left; the way there is made and given the others", async () => {
      const script = `
        mine=$(sed s/0::// /proc/self/cgroup)
        mkdir /sys/fs/cgroup$mine/shell
        echo $$ >/sys/fs/cgroup$mine/shell/cgroup.procs
        echo +pids >/sys/fs/cgroup$mine/cgroup.subtree_control
        mkdir -p /sys/fs/cgroup$mine/few
        run() { bunker run --rm --cgroup-parent $mine/few/fewer --network none "$@" --rootfs root id -u; }
        run --cpuset-cpus 0 2>&1 | head -n 1
        run -m 50m
        find /sys/fs/cgroup$mine -type d -name 'bunker*'
        bunker create --name later --pids-limit 10 --cgroup-parent $mine/few/fewer --network none --rootfs root id -u >/dev/null
        rmdir /sys/fs/cgroup$mine/few/fewer
        bunker start -a later
        bunker rm later`;
      const output = await lines(
        `cat >script <<'END'\n${script}\nEND
        systemd-run --user --scope --property Delegate=yes --unit few --quiet bash script`,
      );
      expect(output).toEqual([
        "bunker: limit the container's resources: the controller cpuset is not delegated to this user, only cpu, io, memory, pids",
        ...["0", "0", "later"],
      ]);
    });
  });
}
