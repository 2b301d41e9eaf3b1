/* Devices by the names of the Container Device Interface: a specification made here, of /dev/full, a file and hooks. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isHeld } from "../../../src/engine/state/container-directory.ts";
import { eventually, finish, kill, type UserName } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

describe.each<UserName>(["bunker-test", "bunker-bare"])("devices of %s", (userName) => {
  // Before the suite's own, which expects that nothing is left.
  afterEach(async () => {
    await suite.user.bunker(["rm", "-f", "-t", "0", "holder"]);
  });

  const suite = containerSuite(userName);
  const hasIds = userName === "bunker-test";

  async function bunker(...words: string[]): Promise<string> {
    const { status, output, errors } = await suite.user.bunker(words);
    expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
    return output;
  }

  let made: string | undefined;

  /** A directory with a specification, and what it is about. */
  function specify(library: string, edits: object = {}): string {
    made ??= suite.user.makeDirectory("cdi");
    const directory = made;
    writeFileSync(join(directory, library), `driver of ${library}`);
    const hook = (hookName: string) => ({
      hookName,
      path: "/bin/sh",
      args: ["sh", "-c", `cat >${directory}/${hookName}`],
    });
    const document = {
      cdiVersion: "0.7.0",
      kind: "nvidia.com/gpu",
      containerEdits: { env: ["DRIVER=bunker"], hooks: ["createRuntime", "poststart", "poststop"].map(hook) },
      devices: ["all", "0"].map((name) => ({
        name,
        containerEdits: {
          env: [`DEVICE=${name}`],
          deviceNodes: [{ path: `/dev/gpu${name}`, hostPath: "/dev/full" }],
          mounts: [{ hostPath: join(directory, library), containerPath: "/usr/lib/driver", options: ["ro", "bind"] }],
          ...(hasIds ? { additionalGids: [44] } : {}),
          ...edits,
        },
      })),
    };
    writeFileSync(join(directory, "gpu.json"), JSON.stringify(document));
    return directory;
  }

  const shown = 'cat /usr/lib/driver; echo " $DRIVER $DEVICE"; id -G; echo x 2>&1 >/dev/gpuall | sed "s/.*: //"';
  const groups = hasIds ? "0 44" : "0";

  test("a device comes with its node, files, variables, groups and hooks, at each start as it is then", async () => {
    const directory = specify("one");
    const options = ["--gpus=all", `--cdi-spec-dir=${directory}`, "--name=holder"];
    await bunker("run", "-d", ...options, suite.image, "sleep", "1000");
    const show = (script = shown) => bunker("exec", "holder", "sh", "-c", script);
    const expected = (library: string) => `driver of ${library} bunker all\n${groups}\nNo space left on device\n`;
    expect(await show()).toBe(expected("one"));
    expect(JSON.parse(readFileSync(join(directory, "poststart"), "utf8"))).toMatchObject({ status: "running" });
    const { bundle, pid } = JSON.parse(readFileSync(join(directory, "createRuntime"), "utf8"));
    expect(pid).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(join(bundle, "config.json"), "utf8")).process.env).toContain("DEVICE=all");
    expect(statSync(join(bundle, "config-without-devices.json")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(directory, "poststop"))).toBe(false);
    expect(JSON.parse(await bunker("inspect", "-f", "{{json .HostConfig.DeviceRequests}}", "holder"))).toEqual([
      { Driver: "cdi", Count: 0, DeviceIDs: ["nvidia.com/gpu=all"], Capabilities: null, Options: null },
    ]);
    expect(await bunker("diff", "holder")).toBe("");

    specify("two");
    await bunker("restart", "-t", "0", "holder");
    expect(await show()).toBe(expected("two"));
    expect(JSON.parse(readFileSync(join(directory, "poststop"), "utf8"))).toMatchObject({ status: "stopped" });
    // Nothing of what was before is left, and what is no longer there is told.
    expect(await show("mount | grep -c /usr/lib/driver")).toBe("1\n");
    await bunker("stop", "-t", "0", "holder");
    writeFileSync(join(directory, "gpu.json"), "{}");
    const { status, errors } = await suite.user.bunker(["start", "holder"]);
    expect(status).toBe(1);
    expect(errors).toContain(`find device nvidia.com/gpu=all: no CDI specification in ${directory} has it; `);
    expect(errors).toContain("gpu.json: cdiVersion");
  });

  test("--device takes such a name, and what cannot be had is told", async () => {
    const options = ["--device=nvidia.com/gpu=0", "--cdi-spec-dir", specify("one")];
    expect(await suite.inside(options, "echo $DEVICE; ls /dev/gpu0")).toBe("0\n/dev/gpu0\n");
    const refusal = async (edits: object) => {
      const directory = specify("one", edits);
      const words = ["--device=nvidia.com/gpu=0", `--cdi-spec-dir=${directory}`, suite.image, "true"];
      const { status, errors } = await suite.user.run(words);
      expect(status).not.toBe(0);
      return errors;
    };
    expect(await refusal({ deviceNodes: [{ path: "/dev/none" }] })).toStartWith(
      "bunker: use device /dev/none: its CDI specification names it, and the host has no such file\nhint: ",
    );
    expect(await refusal({ hooks: [{ hookName: "createContainer", path: "/bin/false" }] })).toContain(
      "run hook /bin/false: status 1",
    );
    const late = specify("one", {
      deviceNodes: [{ path: "/dev/full", fileMode: 0o600 }],
      hooks: [{ hookName: "poststart", path: "/bin/false" }],
    });
    const warnings =
      "warning: device /dev/full keeps the owner and mode that it has on the host\n" +
      "warning: run hook /bin/false: exit status 1\n";
    const ofLate = ["--device=nvidia.com/gpu=0", `--cdi-spec-dir=${late}`, "--name=holder"];
    const run = await suite.user.bunker(["run", ...ofLate, suite.image, "true"]);
    expect(run).toEqual({ status: 0, output: "", errors: warnings });
    for (const command of ["start", "restart"]) {
      expect(await suite.user.bunker([command, "holder"])).toEqual({ status: 0, output: "holder\n", errors: warnings });
    }
    expect(await refusal({ netDevices: [{ hostInterfaceName: "eth0", name: "eth0" }] })).toContain("netDevices");
    expect(await refusal({ mounts: [{ hostPath: "/opt", containerPath: "/" }] })).toBe(
      "bunker: use device: its specification asks for a mount on /, which would hide the container's whole root\n",
    );
    const { errors } = await suite.user.bunker(["create", "--gpus", "7", suite.image]);
    expect(errors).toStartWith(
      "bunker: find device nvidia.com/gpu=0: no CDI specification in /etc/cdi, /var/run/cdi has it",
    );
  });

  const said = () => bunker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "holder");

  test("a hook after the end that fails is on record when nobody is there to see it", async () => {
    const directory = specify("one", { hooks: [{ hookName: "poststop", path: "/bin/false" }] });
    await bunker(
      "run",
      "-d",
      "--gpus=all",
      `--cdi-spec-dir=${directory}`,
      "--name=holder",
      suite.image,
      "sleep",
      "1000",
    );
    await bunker("stop", "-t", "0", "holder");
    const error = "run hook /bin/false: exit status 1";
    expect(await said()).toBe(`exited 137 ${error}\n`);
    const death = ["events", "--since=1h", "--until=0s", "--filter=event=die", "--format={{json .Actor.Attributes}}"];
    const deaths = (await bunker(...death)).trim().split("\n");
    expect(JSON.parse(deaths.at(-1) ?? "")).toMatchObject({ name: "holder", exitCode: "137", error });
  });

  test("a hook that does not end holds up nobody who looks for containers after the supervisor's death", async () => {
    const directory = specify("one", {});
    const wait = `while ! test -e ${directory}/go; do sleep 0.05; done; exit 7`;
    specify("one", { hooks: [{ hookName: "poststop", path: "/bin/sh", args: ["sh", "-c", wait] }] });
    const options = ["--gpus=all", `--cdi-spec-dir=${directory}`, "--name=holder"];
    const id = (await bunker("run", "-d", ...options, suite.image, "sleep", "1000")).trim();
    const untilFree = (who: string) =>
      eventually(
        () => !isHeld(suite.user.data, id),
        () => `${who} to be gone`,
      );
    const commandLine = (pid: number): string => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "latin1");
      } catch {
        // It has just ended.
        return "";
      }
    };
    const killInternal = (work: "supervise" | "finish") => {
      for (const pid of suite.user.processes()) if (commandLine(pid).includes(`\0${work}\0`)) kill(pid);
    };
    killInternal("supervise");
    await untilFree("the supervisor");
    expect(await bunker("ps", "-a", "--format={{.Names}} {{.State}}")).toBe("holder exited\n");
    const lost = "exited 255 the supervisor was killed; how the container ended is unknown";
    expect(await said()).toBe(`${lost}; hooks of its devices are still running\n`);
    for (const command of ["start", "rm"]) {
      const { status, errors } = await suite.user.bunker([command, "holder"]);
      expect(status).toBe(1);
      expect(errors).toContain("another command is working on it");
    }
    writeFileSync(join(directory, "go"), "");
    await eventually(
      () => !isHeld(suite.user.data, id),
      () => "the hook to have ended",
    );
    expect(await said()).toBe(`${lost}; run hook /bin/sh: exit status 7\n`);
    rmSync(join(directory, "go"));
    expect(await bunker("start", "holder")).toBe("holder\n");
    killInternal("supervise");
    await untilFree("the supervisor");
    expect(await said()).toBe(`${lost}; hooks of its devices are still running\n`);
    await eventually(
      () => suite.user.processes().some((pid) => commandLine(pid).includes(`${directory}/go`)),
      () => "the hook to have begun",
    );
    killInternal("finish");
    // The hook goes on by itself.
    expect(await said()).toBe(`${lost}; hooks of its devices are still running\n`);
    writeFileSync(join(directory, "go"), "");
    await untilFree("the hook");
    expect(await said()).toBe(`${lost}; the hooks of its devices were interrupted\n`);
  });

  test("root's containers get devices too", async () => {
    const directory = specify("one");
    const environment = { XDG_DATA_HOME: join(directory, "of-root") };
    const options = ["--gpus=all", `--cdi-spec-dir=${directory}`, "--network=none"];
    const words = ["run", "--rm", ...options, suite.image, "sh", "-c", shown];
    const { output, errors } = await finish(suite.user.startAsRoot([suite.user.bunkerPath, ...words], { environment }));
    expect({ output, errors }).toEqual({
      output: `driver of one bunker all\n${groups}\nNo space left on device\n`,
      errors: "",
    });
    for (const [hook, status] of [
      ["createRuntime", "creating"],
      ["poststart", "running"],
      ["poststop", "stopped"],
    ] as const) {
      expect(JSON.parse(readFileSync(join(directory, hook), "utf8"))).toMatchObject({ status });
    }
  });
});
