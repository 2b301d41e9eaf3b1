/* `--pid`, `--ipc`, `--uts`, `--cgroupns` and `--userns` of another container: namespaces that are there already. */
import { describe, expect, test } from "bun:test";
import { namespaceOf } from "../../../src/sys/namespace.ts";
import { eventually } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** Starts a container in the background that sleeps unless told otherwise; its id. */
async function start(name: string, options: readonly string[], ...command: readonly string[]): Promise<string> {
  const words = ["-d", "--name", name, "--network", "none", ...options, suite.image];
  const { output, errors } = await suite.user.bunker([
    "run",
    ...words,
    ...(command.length > 0 ? command : ["sleep", "1000"]),
  ]);
  expect(errors).toBe("");
  return output.trim();
}

async function bunker(...words: readonly string[]): Promise<string> {
  const { output, errors, status } = await suite.user.bunker(words);
  expect({ errors, status }).toEqual({ errors: "", status: 0 });
  return output;
}

const state = (name: string) => bunker("inspect", name, "--format", "{{.State.Status}} {{.State.ExitCode}}");
const remove = (...names: readonly string[]) => suite.user.bunker(["rm", "-f", "-t", "0", ...names]);

/** Prints how long the sleeping processes sleep that are seen. */
const SLEEPS = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -x '[0-9]*' | sort -n | xargs";

/** Waits until a container sees these sleeping processes. */
const seeing = (name: string, numbers: string) =>
  bunker("exec", name, "sh", "-c", `until [ "$(${SLEEPS})" = "${numbers}" ]; do :; done`);

/** The commands that `top` shows of a container, sorted. */
async function commandsOf(name: string): Promise<string[]> {
  const [, ...lines] = (await bunker("top", name, "-o", "args")).trim().split("\n");
  return lines.toSorted();
}

describe("the processes of another container", () => {
  test("are seen and signalled, and everybody is told apart from outside", async () => {
    const owner = await start("owner", ["--pids-limit", "20"], "sh", "-c", "sleep 501 & wait; sleep 502 & wait");
    try {
      const joined = ["--pid", "container:owner"];
      await start("guest", [...joined, "-h", "box", "--pids-limit", "20"], "sh", "-c", "sleep 601 & sleep 602; :");
      await start("second", ["--pid", "container:guest"], "sleep", "701");
      const seen = await suite.inside(
        [...joined, "--network", "none"],
        `hostname; readlink /proc/self/ns/pid; ${SLEEPS}`,
      );
      const [hostname = "", namespace, numbers] = seen.trim().split("\n");
      expect(hostname).toMatch(/^[0-9a-f]{12}$/);
      expect(`${namespace}\n`).toBe(await bunker("exec", "owner", "readlink", "/proc/self/ns/pid"));
      expect(numbers).toBe("501 601 602 701");
      expect(await commandsOf("owner")).toEqual(["sh -c sleep 501 & wait; sleep 502 & wait", "sleep 501"]);
      expect(await commandsOf("guest")).toEqual(["sh -c sleep 601 & sleep 602; :", "sleep 601", "sleep 602"]);
      expect(await commandsOf("second")).toEqual(["sleep 701"]);
      const stats = await bunker("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "owner", "guest", "second");
      expect(stats).toBe("owner 2\nguest 3\nsecond 1\n");
      expect(await bunker("exec", "guest", "hostname")).toBe("box\n");
      expect(await bunker("inspect", "second", "--format", "{{.HostConfig.PidMode}}")).toBe(`container:${owner}\n`);
      // A clone of it is there, too.
      await bunker("container", "clone", "--run", "second", "copy");
      expect(await commandsOf("copy")).toEqual(["sleep 701"]);
      // Whose processes the others are, root of all of them may signal.
      await bunker("exec", "guest", "kill", "2");
      await seeing("owner", "502 601 602 701 701");
    } finally {
      await remove("copy", "second", "guest", "owner");
    }
  });

  test("outlive it, and its own do not, whatever they have become", async () => {
    await start("owner", []);
    try {
      const leaves = "sleep 601 & setsid sh -c 'sleep 602 & sleep 603' & (sleep 604 &) ; exec sleep 600";
      await start("guest", ["--pid", "container:owner"], "sh", "-c", leaves);
      await seeing("owner", "600 601 602 603 604 1000");
      await bunker("stop", "-t", "0", "guest");
      expect(await state("guest")).toBe("exited 143\n");
      await seeing("owner", "1000");
      // By itself.
      const { output, status } = await suite.user.run([
        ...["--rm", "--network", "none", "--pid", "container:owner", suite.image],
        ...["sh", "-c", "(sleep 605 &); echo started; exit 3"],
      ]);
      expect({ output, status }).toEqual({ output: "started\n", status: 3 });
      await seeing("owner", "1000");
      expect(await state("owner")).toBe("running 0\n");
      // Who enters it from the host is nobody's to kill but the host's.
      await start("guest3", ["--pid", "container:owner"], "sleep", "607");
      const first = (await bunker("inspect", "guest3", "--format", "{{.State.Pid}}")).trim();
      await using visitor = Bun.spawn(["nsenter", "-t", first, "-m", "sleep", "650"]);
      const namespace = namespaceOf(first, "mnt");
      const isInside = () => namespaceOf(visitor.pid, "mnt") === namespace;
      await eventually(isInside, () => "somebody to enter the container");
      await bunker("stop", "-t", "0", "guest3");
      expect(await state("guest3")).toBe("exited 143\n");
      expect(isInside()).toBe(true);
      // With root's rights a process may leave the mount namespace, but not its parents.
      const leave = "(unshare -m sleep 606; :) & wait";
      await start("guest2", ["--pid", "container:owner", "--privileged"], "sh", "-c", leave);
      await seeing("owner", "606 1000");
      await bunker("stop", "-t", "0", "guest2");
      await seeing("owner", "1000");
    } finally {
      await remove("guest", "guest2", "guest3", "owner");
    }
  });

  test("end with it, which is on record, and it is there anew after a restart", async () => {
    await start("owner", []);
    try {
      const guest = ["--pid", "container:owner"];
      await start("one", guest);
      await start("two", guest, "sh", "-c", "trap '' TERM; sleep 601 & wait");
      await bunker("create", "--name", "later", "--network", "none", ...guest, suite.image, "true");
      await bunker("kill", "owner");
      expect(await bunker("wait", "one", "two")).toBe("137\n137\n");
      for (const name of ["owner", "one", "two"]) expect(await state(name)).toBe("exited 137\n");
      expect(await suite.user.bunker(["start", "one"])).toMatchObject({
        status: 1,
        errors: expect.stringContaining("cannot join PID of a non running container: owner"),
      });
      await bunker("start", "owner");
      await bunker("start", "one", "two");
      expect(await bunker("start", "-a", "later")).toBe("");
      const namespace = await bunker("exec", "owner", "readlink", "/proc/self/ns/pid");
      expect(await bunker("exec", "two", "readlink", "/proc/self/ns/pid")).toBe(namespace);
      // What goes with it is removed with it.
      await bunker("rm", "--depend", "-f", "-t", "0", "owner");
      expect(await bunker("ps", "-aq")).toBe("");
    } finally {
      await remove("one", "two", "later", "owner");
    }
  });

  test("end alone when its supervisor is killed", async () => {
    await start("owner", []);
    try {
      await start("guest", ["--pid", "container:owner"], "sh", "-c", "setsid sleep 602 & exec sleep 601");
      await seeing("owner", "601 602 1000");
      const pid = (await bunker("inspect", "guest", "--format", "{{.State.Pid}}")).trim();
      const supervisor = await suite.user.execute(["sh", "-c", `awk '/^PPid/ {print $2}' /proc/${pid}/status`]);
      await suite.user.execute(["kill", "-9", supervisor.output.trim()]);
      await bunker("wait", "guest");
      expect(await state("guest")).toBe("exited 255\n");
      await seeing("owner", "1000");
      expect(await state("owner")).toBe("running 0\n");
      await bunker("start", "guest");
    } finally {
      await remove("guest", "owner");
    }
  });

  test("have a network of their own served, a terminal, and limits", async () => {
    await start("owner", []);
    try {
      const options = ["--network", "slirp", "--pid", "container:owner", "--memory", "100m", "--init", "-t"];
      const { output, status } = await suite.user.run([...options, suite.image, "sh", "-c", "ip -o -4 addr; tty; ps"]);
      expect(output).toMatch(/ 10\.0\.2\.\d+\/24 .*\/dev\/pts\/0.*sleep 1000/s);
      expect(status).toBe(0);
    } finally {
      await remove("owner");
    }
  });
});

describe("the memory of another container", () => {
  test("is shared with its message queues where that was offered", async () => {
    const id = await start("owner", ["--ipc", "shareable", "--shm-size", "1m"]);
    try {
      await bunker("exec", "owner", "sh", "-c", "echo theirs >/dev/shm/file");
      const joined = ["--network", "none", "--ipc", "container:owner"];
      const script =
        "cat /dev/shm/file; echo ours >/dev/shm/file; df -k /dev/shm | tail -1; readlink /proc/self/ns/ipc; ls /dev/mqueue";
      const [first, space, namespace] = (await suite.inside(joined, script)).split("\n");
      expect(first).toBe("theirs");
      expect(space).toMatch(/ 1024 .*\/dev\/shm$/);
      expect(`${namespace}\n`).toBe(await bunker("exec", "owner", "readlink", "/proc/self/ns/ipc"));
      expect(await bunker("exec", "owner", "cat", "/dev/shm/file")).toBe("ours\n");
      await start("guest", ["--ipc", "container:owner", "--pid", "container:owner"]);
      const mode = "{{.HostConfig.IpcMode}} {{.HostConfig.PidMode}}";
      expect(await bunker("inspect", "guest", "--format", mode)).toBe(`container:${id} container:${id}\n`);
      expect(await bunker("inspect", "owner", "--format", "{{.HostConfig.IpcMode}}")).toBe("shareable\n");
      // By whom it has joined, and after both have been started again.
      await bunker("restart", "-t", "0", "owner");
      await bunker("wait", "guest");
      await bunker("start", "guest");
      const second = ["--network", "none", "--ipc", "container:guest"];
      expect(await suite.inside(second, "echo new >/dev/shm/file")).toBe("");
      expect(await bunker("exec", "guest", "cat", "/dev/shm/file")).toBe("new\n");
      // What somebody mounts there himself goes first.
      expect(await suite.inside([...joined, "--tmpfs", "/dev/shm"], "ls /dev/shm")).toBe("");
      const home = await suite.user.makeDirectory("memory");
      expect(await suite.inside([...joined, "-v", `${home}:/dev/shm`], "ls /dev/shm")).toBe("");
    } finally {
      await remove("guest", "owner");
    }
  });

  test("is not shared where that was not offered", async () => {
    await start("owner", []);
    try {
      const join = (...options: string[]) => suite.user.run([...options, suite.image, "true"]);
      expect(await join("--ipc", "container:owner")).toMatchObject({
        status: 125,
        errors:
          "bunker: cannot join IPC of container owner: non-shareable IPC\nhint: Make that container with --ipc shareable.\n",
      });
      expect(await join("--ipc", "container:owner", "--shm-size", "1m")).toMatchObject({
        status: 125,
        errors: "bunker: conflicting options: --shm-size and --ipc=container:owner\n",
      });
      expect(await join("--ipc", "sharable")).toMatchObject({
        status: 125,
        errors: expect.stringContaining("did you mean shareable?"),
      });
    } finally {
      await remove("owner");
    }
  });

  test("leads no further than to what the other container has there", async () => {
    const link = "umount /dev/shm; rmdir /dev/shm; ln -s /proc/self/root/etc /dev/shm; sleep 1000";
    await start("owner", ["--ipc", "shareable", "--privileged", "--pid", "host"], "sh", "-c", link);
    try {
      await bunker("exec", "owner", "sh", "-c", "until [ -h /dev/shm ]; do :; done");
      const { status, errors } = await suite.user.run(["--ipc", "container:owner", suite.image, "ls", "/dev/shm"]);
      expect({ status, errors }).toMatchObject({ status: 125, errors: expect.stringContaining("/dev/shm: ELOOP") });
    } finally {
      await remove("owner");
    }
  });
});

describe("other namespaces", () => {
  test("are joined one by one, and only those of one user namespace together", async () => {
    await start("owner", ["-h", "box"]);
    try {
      const files = ["uts", "cgroup", "user"] as const;
      const link = (file: string) => `readlink /proc/self/ns/${file}`;
      const theirs = await Promise.all(files.map((file) => bunker("exec", "owner", "sh", "-c", link(file))));
      const options = ["--network", "none", "--uts", "container:owner", "--cgroupns", "container:owner"];
      const seen = await suite.inside(
        options,
        `${files.map(link).join("; ")}; hostname; echo $HOSTNAME; cat /etc/hostname`,
      );
      expect(seen).toBe(`${theirs.join("")}box\nbox\nbox\n`);
      const conflict = await suite.user.run(["--uts", "container:owner", "-h", "other", suite.image, "true"]);
      expect(conflict).toMatchObject({ status: 125, errors: expect.stringContaining("hostname and the UTS mode") });
      // A third one joins two others, if they are in one user namespace.
      await start("apart", []);
      await start("beside", ["--userns", "container:owner"]);
      const join = (name: string) =>
        suite.user.run([
          ...["--network", "container:owner", "--pid", `container:${name}`, suite.image],
          ...["readlink", "/proc/self/ns/pid"],
        ]);
      expect(await join("apart")).toMatchObject({
        status: 125,
        errors: expect.stringContaining("they belong to different user namespaces"),
      });
      expect(await join("beside")).toEqual({
        status: 0,
        errors: "",
        output: await bunker("exec", "beside", "readlink", "/proc/self/ns/pid"),
      });
      expect(await bunker("inspect", "beside", "--format", "{{.HostConfig.UsernsMode}}")).toMatch(/^container:/);
    } finally {
      await remove("beside", "apart", "owner");
    }
  });

  test("are joined by their paths", async () => {
    await start("owner", ["--userns", "keep-id"]);
    try {
      const pid = (await bunker("inspect", "owner", "--format", "{{.State.Pid}}")).trim();
      const of = (file: string) => `ns:/proc/${pid}/ns/${file}`;
      const options = ["--network", "none", "--userns", "container:owner", "--pid", of("pid"), "--ipc", of("ipc")];
      const script =
        "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; id -u; df /dev/shm | tail -1 | grep -c ' 65536 '";
      const theirs = await bunker(
        "exec",
        "owner",
        "sh",
        "-c",
        "for kind in pid ipc; do readlink /proc/self/ns/$kind; done",
      );
      const id = await bunker("exec", "owner", "id", "-u");
      expect(await suite.inside(options, script)).toBe(`${theirs}${id}1\n`);
    } finally {
      await remove("owner");
    }
  });

  test("that are the host's are the host's", async () => {
    await start("owner", ["--pid", "host", "--ipc", "host", "--uts", "host", "--cgroupns", "host"]);
    try {
      const kinds = ["pid", "ipc", "uts", "cgroup"];
      const options = ["--pid", "--ipc", "--uts", "--cgroupns"].flatMap((option) => [option, "container:owner"]);
      const own = await Promise.all(kinds.map((kind) => suite.user.execute(["readlink", `/proc/self/ns/${kind}`])));
      const script = kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join("; ");
      const seen = await suite.inside([...options, "--network", "none"], script);
      expect(seen).toBe(own.map(({ output }) => output).join(""));
      // The command's own, which only their paths tell.
      const paths = ["pid", "ipc", "uts", "cgroupns", "network"].flatMap((option) => {
        const file = { cgroupns: "cgroup", network: "net" }[option] ?? option;
        return [`--${option}`, `ns:/proc/self/ns/${file}`];
      });
      const network = await suite.user.execute(["readlink", "/proc/self/ns/net"]);
      expect(await suite.inside(paths, `${script}; readlink /proc/self/ns/net`)).toBe(seen + network.output);
    } finally {
      await remove("owner");
    }
  });
});
