/* Devices by the names of the Container Device Interface: a specification made here, of /dev/full, a file and hooks. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { UserName } from "../../unprivileged-user.ts";
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
    const { errors } = await suite.user.bunker(["create", "--gpus", "7", suite.image]);
    expect(errors).toStartWith(
      "bunker: find device nvidia.com/gpu=0: no CDI specification in /etc/cdi, /var/run/cdi has it",
    );
  });
});
