import { describe, expect, test } from "bun:test";
import type { Outcome } from "../unprivileged-user.ts";
import type { LaptopUser } from "./laptop.ts";

/** Runs a script in the laptop. */
export type Run = (script: string, user?: LaptopUser) => Promise<Outcome>;

const NO_SCOPES = "systemctl --user list-units --all --plain --no-legend 'bunker-*.scope'";

/** The cgroup of all that systemd has started for the user. */
const service = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";

/** Waits, inside, until systemd has taken the scopes of ended containers away. */
const UNTIL_NO_SCOPES = `for _ in $(seq 100); do [ -z "$(${NO_SCOPES})" ] && break; sleep 0.1; done; ${NO_SCOPES}`;

/** Tests of the limits of containers; `root` in the user's home is a root file system with busybox. */
export function testLimits(run: Run): void {
  /** What a shell script in a container with these options prints. */
  const inside = async (options: string, script: string) => {
    const { status, output, errors } = await run(
      `bunker run --rm ${options} --network none --rootfs root sh -c '${script}'`,
    );
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    return output;
  };

  describe("a container with limits", () => {
    test("has them in the files of its own cgroup, which is the root of its cgroup namespace", async () => {
      const files = "memory.max memory.swap.max memory.low cpu.max cpu.weight pids.max memory.high";
      const output = await inside(
        "-m 50m --memory-swap 60m --memory-reservation 20m --cpus 0.5 --cpu-shares 512 --pids-limit 33 " +
          "--cgroup-conf memory.high=41943040 -v /sys/fs/cgroup:/host-groups:ro",
        `cat /proc/self/cgroup; g=$(ls -d /host-groups/user.slice/user-1000.slice/user@1000.service/app.slice/bunker-*/container); for f in ${files}; do cat $g/$f; done`,
      );
      expect(output.split("\n")).toEqual([
        "0::/",
        ...["52428800", "10485760", "20971520", "50000 100000", "59", "33", "41943040"],
        "",
      ]);
      expect((await run(UNTIL_NO_SCOPES)).output).toBe("");
    });

    test("has those of devices", async () => {
      const output = await inside(
        "--device-read-bps /dev/ubda:1m --device-write-iops /dev/ubda:50 -v /sys/fs/cgroup:/host-groups:ro",
        "cat /host-groups/user.slice/user-1000.slice/user@1000.service/app.slice/bunker-*/container/io.max",
      );
      expect(output).toBe("98:0 rbps=1048576 wbps=max riops=max wiops=50\n");
    });

    test("shows them, once more after they were changed", async () => {
      const limits = [
        ...["Memory", "MemoryReservation", "MemorySwap", "NanoCpus", "CpuShares", "PidsLimit"],
        ...["BlkioWeight", "BlkioDeviceReadBps", "BlkioDeviceWriteIOps", "CgroupConf", "OomScoreAdj", "ShmSize"],
      ];
      const shown = limits.map((name) => `{{json .HostConfig.${name}}}`).join(" ");
      const { output, errors } = await run(`
        bunker create --name shown -m 50m --memory-reservation 20m --cpus 0.5 --cpu-shares 512 --pids-limit 33 \\
          --device-read-bps /dev/ubda:1m --device-write-iops /dev/ubda:50 --cgroup-conf memory.high=41943040 \\
          --oom-score-adj 500 --shm-size 1m --network none --rootfs root true >/dev/null
        bunker inspect --format '${shown}' shown
        bunker update --pids-limit -1 --cpus 0.25 --device-read-bps /dev/ubda:2m shown
        bunker inspect --format '${shown}' shown
        bunker rm shown`);
      const devices = (read: number) =>
        `[{"Path":"/dev/ubda","Rate":${read}}] [{"Path":"/dev/ubda","Rate":50}] {"memory.high":"41943040"} 500 1048576`;
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          `52428800 20971520 104857600 500000000 512 33 0 ${devices(1_048_576)}`,
          "shown",
          `52428800 20971520 104857600 250000000 512 -1 0 ${devices(2_097_152)}`,
          ...["shown", ""],
        ],
        errors: "",
      });
    });

    test.each([
      ["-m 5m", "the least memory that can be asked for is 6m"],
      ["-m 50m --memory-swap 40m", "--memory-swap is less than --memory"],
      ["--memory-swap 40m", "--memory-swap without --memory"],
      ["--memory-reservation 5m", "the least memory that can be asked for is 6m"],
      ["-m 50m --memory-reservation 60m", "--memory-reservation is more than --memory"],
      ["--cpuset-cpus 0-99", "this machine has the processors 0, and no 99"],
      ["--cpu-period 999", "1000"],
      ["--cpu-quota 999", "1000"],
      ["--pids-limit -2", "-1"],
      ["--blkio-weight 9", "10"],
      ["--kernel-memory 50m", "cgroup v2 counts the kernel's memory as the container's"],
      ["--cpu-rt-runtime 5000", "cgroup v2 does not divide real-time CPU time"],
      ["--oom-score-adj -1001", "-1000"],
      ["--cpus 1000", "as many processors as there are"],
      ["--cpus 1 --cpu-quota 5000", "--cpus with --cpu-period or --cpu-quota"],
      ["--memory-swappiness 60", "one swappiness for the whole host"],
      ["--oom-kill-disable", "the OOM killer cannot be turned off"],
      ["--device-cgroup-rule 'c 1:3 r'", "only root can have rules for devices"],
      ["--cgroup-parent /user.slice", "make the cgroup /user.slice/bunker-"],
      ["--cgroup-parent heavy", "expected a slice"],
      ["--cgroups split", "is not delegated to us"],
      ["--device-read-bps /dev/null:1m", "/dev/null is no block device"],
      ["--cgroup-conf cgroup.procs=1", "cgroup.procs"],
    ])("%s is refused", async (options, message) => {
      const { status, errors } = await run(`bunker run --rm ${options} --network none --rootfs root true`);
      expect({ status, isFailure: errors.includes(message), errors }).toMatchObject({ status: 125, isFailure: true });
    });

    test("is killed when it wants more memory, and says so", async () => {
      const { output } = await run(`
        bunker run --name hog -m 50m --memory-swap 50m --network none --rootfs root \\
          dd if=/dev/zero of=/dev/null bs=150M count=1
        echo "status $?"
        bunker inspect --format '{{.State.OOMKilled}} {{.State.ExitCode}}' hog
        bunker rm hog`);
      expect(output).toBe("status 137\ntrue 137\nhog\n");
    });

    test("tells of its memory when that happens", async () => {
      const { output, errors } = await run(`
        bunker run -d --name tight -m 50m --memory-swap 50m --network none --rootfs root sh -c \\
          'dd if=/dev/zero of=/dev/null bs=150M count=1; sleep 1000' >/dev/null
        : >events
        bunker events --since 1h --filter container=tight --format '{{.Action}}' >>events & events=$!
        until grep -q '^oom$' events && grep -q 'memory_pressure: max' events; do sleep 0.1; done
        kill $events
        bunker inspect --format '{{.State.Status}} {{.State.OOMKilled}}' tight
        # What the kernel tells when it finds nobody to kill; to have it happen would hang whoever wants the memory.
        bunker internal memory-events ~/.local/share/bunker $(bunker inspect --format '{{.Id}}' tight) oom=3,oom_kill=1
        bunker rm -f tight
        bunker events --since 1h --until 0s --filter container=tight --format '{{.Action}} {{.Actor.Attributes.count}}' |
          grep -E 'oom'`);
      expect({ output: output.split("\n"), errors }).toEqual({
        output: ["running true", "tight", "oom 1", "memory_pressure: oom 2", "oom 1", ""],
        errors: "",
      });
    });

    test("gets no more CPU time than was asked for", async () => {
      const output = await inside(
        "--cpus 0.5 -v /sys/fs/cgroup:/host-groups:ro",
        `head -n 1 /proc/uptime; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; head -n 1 /proc/uptime
         cat /host-groups/user.slice/user-1000.slice/user@1000.service/app.slice/bunker-*/container/cpu.stat`,
      );
      const [before = 0, after = 0] = output.split("\n").map((line) => Number(line.split(" ")[0]));
      const statistic = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(output)?.[1]);
      const period = 0.1;
      expect(statistic("nr_throttled")).toBeGreaterThan(0);
      // What was used before the first look at the clock belongs to the periods around.
      expect(statistic("usage_usec") / 1e6).toBeLessThan(0.5 * (after - before) + 5 * period);
    });

    test("cannot have more processes", async () => {
      const { status, errors } = await run(
        "bunker run --rm --pids-limit 5 --network none --rootfs root sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 100 & done'",
      );
      expect(status).not.toBe(0);
      expect(errors).toContain("can't fork");
    });

    test("holds what is executed in it to its limits", async () => {
      const { output, errors } = await run(`
        bunker run -d --rm --name busy --pids-limit 4 --network none --rootfs root sleep 1000 >/dev/null
        bunker exec busy cat /proc/self/cgroup
        bunker exec busy sh -c 'for i in 1 2 3 4 5 6; do sleep 100 & done' 2>&1 | grep -c "can't fork"
        bunker update --restart always busy 2>&1 | grep -c 'it was started with --rm'
        bunker rm -f busy`);
      expect({ output, errors }).toEqual({ output: "0::/\n1\n1\nbusy\n", errors: "" });
    });

    test("can be paused, seen to be, killed and stopped while it is", async () => {
      const { output, errors } = await run(`
        for name in one two; do
          bunker run -d --name $name --pids-limit 9 --network none --rootfs root sh -c \\
            'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done' >/dev/null
        done
        bunker pause one two
        bunker inspect --format '{{.State.Status}} {{.State.Paused}}' one
        before=$(bunker logs one | tail -n 1)
        cat /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/bunker-*/container/cgroup.events |
          grep -c 'frozen 1'
        bunker pause one 2>&1 | grep -o 'it is paused'
        bunker exec one true 2>&1 | grep -o 'it is paused'
        bunker unpause one
        bunker unpause one 2>&1 | grep -o 'it is not paused, it is running'
        bunker logs -f one | head -n $((before + 3)) | tail -n 1 | grep -c .
        bunker kill two
        bunker inspect --format '{{.State.Status}}' two
        bunker rm -f one two`);
      expect({ output: output.trim().split("\n"), errors }).toEqual({
        output: [
          ...["one", "two", "paused true", "2", "it is paused", "it is paused", "one"],
          ...["it is not paused, it is running", "1", "two", "exited", "one", "two"],
        ],
        errors: "",
      });
    });

    test("can be given others while it runs, and keeps them", async () => {
      const group = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/bunker-*/container";
      const { output, errors } = await run(`
        bunker run -d --name elastic -m 50m --network none --rootfs root sleep 1000 >/dev/null
        bunker update -m 60m --cpus 0.25 elastic
        cat ${group}/memory.max ${group}/memory.swap.max ${group}/cpu.max
        bunker update -m 200m elastic 2>&1 | grep -c 'memory.swap: it is the sum of memory and swap, and less'
        bunker update elastic 2>&1 | grep -c 'nothing to change'
        bunker update --restart on-failure:2 elastic
        kill -9 $(bunker inspect --format '{{.State.Pid}}' elastic)
        until [ "$(bunker inspect --format '{{.State.Status}} {{.RestartCount}}' elastic)" = 'running 1' ]; do
          sleep 0.1
        done
        cat ${group}/memory.max
        bunker update --restart no elastic
        bunker inspect --format '{{json .HostConfig.RestartPolicy}}' elastic
        bunker kill elastic
        bunker start elastic
        cat ${group}/memory.max ${group}/cpu.max
        bunker rm -f elastic`);
      expect({ output: output.trim().split("\n"), errors }).toEqual({
        output: [
          ...["elastic", "62914560", "41943040", "25000 100000", "1", "1"],
          ...["elastic", "62914560", "elastic", '{"Name":"no","MaximumRetryCount":0}'],
          ...["elastic", "elastic", "62914560", "25000 100000", "elastic"],
        ],
        errors: "",
      });
    });

    test("is counted by its cgroup, of which the pressure is known too", async () => {
      const { output, errors } = await run(`
        bunker run -d --name counted -m 50m --network none --rootfs root sh -c 'sleep 1000 & while :; do :; done' >/dev/null
        bunker stats --no-stream --format json counted
        bunker rm -f counted`);
      expect(errors).toBe("");
      const usage = JSON.parse(output.split("\n")[0] ?? "");
      expect(usage).toMatchObject({
        MemUsage: expect.stringMatching(/^[1-9]\S*[KM]iB \/ 50MiB$/),
        NetIO: "0B / 0B",
        PIDs: "2",
      });
      // The laptop's kernel may have been built, or started, without the accounting of pressure.
      expect(usage.Pressure).toMatch(/^(--|\d+\.\d\d% \/ \d+\.\d\d% \/ \d+\.\d\d%)$/);
      expect(Number.parseFloat(usage.CPUPerc)).toBeGreaterThan(0);
    });

    test("leaves no cgroup behind when its supervisor is killed", async () => {
      const { output, errors } = await run(`
        kill_supervisor() { kill -9 $(cat ${service}/app.slice/bunker-*/supervisor/cgroup.procs); }
        bunker run -d --rm --name lost -m 50m --network none --rootfs root sleep 1000 >/dev/null
        ${NO_SCOPES} | grep -c bunker
        kill_supervisor
        ${UNTIL_NO_SCOPES}
        bunker ps -aq
        # Of one among the host's processes only the first ends by that, and the others when it is found.
        bunker run -d --rm --pid host -m 50m --network none --rootfs root sh -c 'sleep 1000 & exec sleep 1001' >/dev/null
        for _ in $(seq 100); do [ $(cat ${service}/app.slice/bunker-*/container/cgroup.procs | wc -l) = 2 ] && break; sleep 0.1; done
        cat ${service}/app.slice/bunker-*/container/cgroup.procs | wc -l
        kill_supervisor
        for _ in $(seq 20); do bunker ps -aq | grep -q . || break; done
        ${UNTIL_NO_SCOPES}`);
      expect({ output, errors }).toEqual({ output: "1\n2\n", errors: "" });
    });

    test("is refused where the kernel lacks a controller, and nothing is left of it", async () => {
      const { status, errors } = await run("bunker run --rm --cpuset-cpus 0 --network none --rootfs root true");
      expect(status).toBe(125);
      expect(errors).toContain("the controller cpuset is not delegated to this user, only cpu, io, memory, pids");
      expect((await run(UNTIL_NO_SCOPES)).output).toBe("");
    });

    test("is refused where nothing is delegated, if watching it is not enough", async () => {
      const { output, errors } = await run(
        `mkdir -p root/bin; cp /bin/busybox root/bin/sh; ln -sf sh root/bin/sleep
         bunker run -d --name soft -m 50m --network none --rootfs root sleep 1000 >/dev/null
         bunker inspect --format '{{.HostConfig.SoftLimits}}' soft
         bunker rm -f soft
         bunker run --rm --memory-reservation 50m --network none --rootfs root sh -c true 2>&1 | head -n 1
         bunker info --format '{{.CgroupDriver}} {{.SoftLimits}}'`,
        "bare",
      );
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          "[memory]",
          "soft",
          "bunker: limit the container's resources memory.low: only a cgroup can do that, and there is none to be had: no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR",
          "none [memory cpus pids]",
          "",
        ],
        errors: "",
      });
    });
  });

  describe("a container of root's", () => {
    test("may use the devices that it was given, and what rules permit, also after other limits", async () => {
      const { output, errors } = await run(
        `mkdir -p root/bin root/proc root/dev root/tmp
        cp /bin/busybox root/bin/busybox
        for name in sh dd mknod cat sleep rm; do ln -sf busybox root/bin/$name; done
        run() { bunker run --rm --network none "$@"; }
        can='read() { dd if=$1 of=/dev/null count=1 2>/dev/null && echo read || echo no; }; : >/dev/null && echo null'
        made="$can; rm -f /tmp/disk; mknod /tmp/disk b 98 0 && read /tmp/disk"
        given="$can; read /dev/disk; (: >>/dev/disk) 2>/dev/null && echo write || echo no"
        run --rootfs root sh -c "$made"
        run --device-cgroup-rule 'b 98:* rwm' --rootfs root sh -c "$made"
        run --privileged --rootfs root sh -c "$made"
        run --device /dev/ubda:/dev/disk:r --rootfs root sh -c "$given"
        run --device /dev/ubda:/dev/disk --rootfs root sh -c "$given"
        bunker run -d --name kept -m 50m --network none --rootfs root sleep 1000 >/dev/null
        bunker update -m 60m kept
        bunker exec kept sh -c "$made"
        bunker rm -f kept
        run --cgroups disabled --rootfs root mknod /tmp/other b 98 0 2>&1 | grep -o 'Operation not permitted'
        run --cgroups disabled --device-cgroup-rule 'c 1:3 r' --rootfs root true 2>&1 | grep -c 'need a cgroup of v2'
        rm -rf root`,
        "root",
      );
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          ...["null", "no", "null", "read", "null", "read"],
          ...["null", "read", "no", "null", "read", "write"],
          ...["kept", "null", "no", "kept", "Operation not permitted", "1", ""],
        ],
        errors: "",
      });
    });
  });

  describe("a container without limits", () => {
    test("has a cgroup as well, where it was asked to be", async () => {
      const { output, errors } = await run(`
        start() { bunker run -d --name it --network none "$@" --rootfs root sleep 1000 >/dev/null; }
        groups() { find ${service} -path '*bunker-*' -type d | sed 's/bunker-[^/]*/ID/' | sed 's|.*user@1000.service/||' | sort; }
        start
        groups
        bunker exec it cat /proc/self/cgroup
        bunker update -m 40m it
        cat ${service}/app.slice/bunker-*/container/memory.max
        bunker rm -f it
        ${UNTIL_NO_SCOPES}
        start --cgroup-parent user-heavy.slice
        groups
        bunker rm -f it
        ${UNTIL_NO_SCOPES}
        start --cgroups no-conmon
        groups
        bunker exec it cat /proc/self/cgroup
        bunker rm -f it
        ${UNTIL_NO_SCOPES}
        start --cgroups disabled
        groups
        bunker pause it 2>&1 | head -n 1
        bunker rm -f it
        bunker info --format '{{.CgroupDriver}} {{.CgroupVersion}} {{.SoftLimits}}'`);
      const slice = "user.slice/user-heavy.slice";
      expect({ output: output.split("\n"), errors }).toEqual({
        output: [
          ...["app.slice/ID", "app.slice/ID/container", "app.slice/ID/supervisor"],
          ...["0::/", "it", "41943040", "it"],
          ...[`${slice}/ID`, `${slice}/ID/container`, `${slice}/ID/supervisor`, "it"],
          ...["app.slice/ID", "app.slice/ID/container", "0::/", "it"],
          "bunker: pause container it: only the freezer of a cgroup can do that, and this container has none of its own",
          ...["it", "systemd 2 []", ""],
        ],
        errors: "",
      });
    });

    test("has a command of a build in it, where there are limits", async () => {
      const { output, errors } = await run(`
        mkdir -p files/bin; cp /bin/busybox files/bin/sh; ln -sf sh files/bin/cat
        printf 'FROM scratch\nCOPY . /\nRUN cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /proc/self/cgroup\n' >Dockerfile
        limits() { bunker build --no-cache --progress plain -f Dockerfile "$@" files 2>&1 | sed -n 's/^#[0-9]* [0-9.]* //p'; }
        limits -m 50m --pids-limit 100 --cgroup-parent user-heavy.slice
        ls -d ${service}/user.slice/user-heavy.slice/bunker-* 2>/dev/null
        ls -d ${service}/user.slice/user-heavy.slice`);
      expect({ output: output.split("\n"), errors }).toEqual({
        output: ["52428800", "100", "0::/", `${service}/user.slice/user-heavy.slice`, ""],
        errors: "",
      });
    });

    test("can share a cgroup that was delegated, which is as before when it ends or is killed", async () => {
      const mine = `${service}/app.slice/mine.scope`;
      const script = `
        groups() { find ${mine} -mindepth 1 -type d | sed 's/bunker-.*/ID/' | sed 's|.*mine.scope/||' | sort; }
        start() { bunker run -d --name it -m 50m --network none "$@" --rootfs root sleep 1000 >/dev/null; }
        start --cgroups split
        groups
        cat ${mine}/bunker*/memory.max
        bunker exec it cat /proc/self/cgroup
        bunker rm -f it
        groups
        start --cgroup-parent ${mine.replace("/sys/fs/cgroup", "")}
        supervisor=$(ps -o ppid= $(bunker inspect --format '{{.State.Pid}}' it))
        kill -9 $supervisor
        while kill -0 $supervisor 2>/dev/null; do sleep 0.05; done
        bunker ps --all --format '{{.Names}}'
        groups
        bunker rm it`;
      const { output, errors } = await run(
        `cat >script <<'END'\n${script}\nEND\nsystemd-run --user --scope --property Delegate=yes --unit mine --quiet bash script`,
      );
      expect({ output: output.split("\n"), errors }).toEqual({
        output: ["ID", "supervisor", "52428800", "0::/", "it", "supervisor", "it", "supervisor", "it", ""],
        errors: "",
      });
    });

    test("of a build that was killed goes with the next one, or with prune", async () => {
      const mine = `${service}/app.slice/builds.scope`;
      const script = `
        mkdir -p files/bin; cp /bin/busybox files/bin/sh; ln -sf sh files/bin/sleep
        printf 'FROM scratch\\nARG SECONDS\\nCOPY . /\\nRUN sleep $SECONDS\\n' >Dockerfile
        groups() { find ${mine} -mindepth 1 -type d -name 'bunker-*' | wc -l; }
        build() { bunker build -q --cgroup-parent ${mine.replace("/sys/fs/cgroup", "")} --build-arg SECONDS=$1 -f Dockerfile files; }
        killed() {
          build 1000 >/dev/null 2>&1 &
          until grep -q sleep $(cat ${mine}/bunker-*/cgroup.procs 2>/dev/null | sed 's|.*|/proc/&/comm|') /dev/null; do sleep 0.05; done
          # At once: one that still runs when the other is gone removes the group.
          local both=$(pgrep -f 'internal build')
          kill -STOP $both; kill -9 $both; wait
          while pgrep -x sleep -a | grep -q 1000; do sleep 0.05; done
          groups
        }
        killed
        build 0 >/dev/null
        groups
        killed
        bunker builder prune -f >/dev/null
        groups
        ls ~/.local/share/bunker/build/cgroups | wc -l`;
      const { output, errors } = await run(
        `cat >script <<'END'\n${script}\nEND\nsystemd-run --user --scope --property Delegate=yes --unit builds --quiet bash script`,
      );
      expect({ output: output.split("\n"), errors }).toEqual({ output: ["1", "0", "1", "0", "0", ""], errors: "" });
    });

    test("starts also when systemd does not answer, but one with limits says so", async () => {
      const { output, errors } = await run(`
        mkdir -p runtime/systemd
        # Somebody who listens and says nothing.
        cat >silent.pl <<'END'
          use Socket;
          socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("runtime/systemd/private")); listen(S, 5);
          open(my $ready, ">", "runtime/ready"); close($ready);
          sleep 1 while 1;
END
        perl silent.pl & silent=$!
        until [ -e runtime/ready ]; do sleep 0.05; done
        export XDG_RUNTIME_DIR=$PWD/runtime
        bunker run --rm --network none --rootfs root id -u
        bunker run --rm -m 50m --network none --rootfs root id -u 2>&1 | grep -o 'no answer within 10 s'
        kill $silent
        bunker run --rm -m 50m --network none --rootfs root id -u 2>&1 | grep -o ECONNREFUSED
        rm -r runtime silent.pl`);
      expect({ output, errors }).toEqual({ output: "0\nno answer within 10 s\nECONNREFUSED\n", errors: "" });
    });
  });
}
