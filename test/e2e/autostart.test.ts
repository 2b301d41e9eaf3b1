/* `bunker autostart`: containers that come back when the machine has been started. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { eventually, finish, kill, type Outcome } from "../unprivileged-user.ts";
import { containerSuite } from "./run/suite.ts";

describe.each(["bunker-test", "bunker-bare"] as const)("as %s", (name) => {
  const suite = containerSuite(name);

  /** Runs `bunker` where systemd seems to have started the machine, and the user to linger or not. */
  function underSystemd(words: readonly string[], lingers = true): Promise<Outcome> {
    const script = `
      mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system
      mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/systemd/linger
      ${lingers ? `touch /var/lib/systemd/linger/${name}` : ""}
      exec "$@"`;
    const command = suite.user.as([suite.user.bunkerPath, "autostart", ...words]);
    return finish(suite.user.startAsRoot(["unshare", "-m", "sh", "-ec", script, "sh", ...command]));
  }

  const bunker = (...words: string[]) => suite.user.bunker(words);

  async function states(): Promise<string> {
    return (await bunker("ps", "-a", "--format", "{{.Names}} {{.State}}")).output.trim().split("\n").sort().join(", ");
  }

  /** What a machine that loses its power does to containers. */
  async function losePower(): Promise<void> {
    for (const pid of suite.user.processes()) kill(pid);
    await eventually(
      () => suite.user.processes().length === 0,
      () => "no process to be left",
    );
  }

  /** Registers a test after which no container is left, whatever it has come to. */
  function containerTest(name: string, body: () => Promise<void>): void {
    test(name, async () => {
      try {
        await body();
      } finally {
        const { output } = await bunker("ps", "-aq");
        await bunker("rm", "-f", ...output.trim().split("\n"));
      }
    });
  }

  containerTest("those come back whose policy says so", async () => {
    const forever = [suite.image, "sh", "-c", "while :; do sleep 0.05; done"];
    const policies = {
      always: "always",
      stopped: "always",
      unless: "unless-stopped",
      held: "unless-stopped",
      not: "no",
    };
    for (const [name, policy] of Object.entries(policies)) {
      await bunker("run", "-d", "--name", name, "--restart", policy, ...forever);
    }
    await bunker("create", "--name", "never", "--restart", "always", ...forever);
    await bunker("stop", "-t", "0", "stopped", "held");
    await losePower();
    expect(await states()).toBe("always exited, held exited, never created, not exited, stopped exited, unless exited");
    expect(await bunker("autostart", "run")).toEqual({ status: 0, output: "always\nstopped\nunless\n", errors: "" });
    expect(await states()).toBe(
      "always running, held exited, never created, not exited, stopped running, unless running",
    );
    expect(await bunker("autostart", "run")).toEqual({ status: 0, output: "", errors: "" });
    const { output } = await underSystemd(["status"]);
    expect(output).toBe("disabled\ncontainers: always stopped unless\n");
  });

  containerTest("one that cannot start keeps no other from it", async () => {
    const place = suite.user.makeDirectory("gone");
    await bunker(
      "run",
      "-d",
      "--name",
      "first",
      "--restart",
      "always",
      "-v",
      `${place}:/x`,
      suite.image,
      "sleep",
      "1000",
    );
    await bunker("run", "-d", "--name", "second", "--restart", "always", suite.image, "sleep", "1000");
    await losePower();
    await suite.user.execute(["rmdir", place]);
    await finish(suite.user.startAsRoot(["rm", "-rf", place]));
    const { status, output, errors } = await bunker("autostart", "run");
    expect([status, output]).toEqual([1, "second\n"]);
    expect(errors).toMatch(/^bunker: .*gone.*\n/);
  });

  test("a unit is written, linked, shown and removed", async () => {
    const directory = `${suite.user.home}/.config/systemd/user`;
    const unit = `${directory}/bunker-autostart.service`;
    const link = `${directory}/default.target.wants/bunker-autostart.service`;
    const none = "containers: none has been started with --restart always or unless-stopped\n";
    expect(await underSystemd(["status"])).toEqual({ status: 1, output: `disabled\n${none}`, errors: "" });
    expect(await underSystemd(["enable"])).toEqual({
      status: 0,
      output: `wrote ${unit}\nlinked ${link}\n`,
      errors: "",
    });
    expect((await underSystemd(["enable"])).output).toBe(`enabled already by ${unit}\n`);
    expect(await underSystemd(["status"])).toEqual({ status: 0, output: `enabled by ${unit}\n${none}`, errors: "" });
    const warning = `warning: containers start when you first log in, not with the machine: loginctl enable-linger ${name}\n`;
    expect((await underSystemd(["status"], false)).errors).toBe(warning);
    expect((await underSystemd(["enable"], false)).errors).toBe(warning);
    expect(readdirSync(directory).sort()).toEqual(["bunker-autostart.service", "default.target.wants"]);
    expect(await underSystemd(["disable"])).toEqual({
      status: 0,
      output: `removed ${link}\nremoved ${unit}\n`,
      errors: "",
    });
    expect((await underSystemd(["disable"])).output).toBe("not enabled\n");
    await suite.user.execute(["rm", "-r", `${suite.user.home}/.config`]);
  });

  test("a unit that cannot be written is an error", async () => {
    await suite.user.execute(["touch", `${suite.user.home}/.config`]);
    const { status, output, errors } = await underSystemd(["enable"]);
    expect([status, output]).toEqual([1, ""]);
    expect(errors).toMatch(/^bunker: write .*\/bunker-autostart\.service: ENOTDIR\n$/);
    await suite.user.execute(["rm", `${suite.user.home}/.config`]);
  });

  test.each([
    ["enable", "enable autostart", "type: (crontab -l 2>/dev/null; printf"],
    ["disable", "disable autostart", "type: crontab -l | grep -vxF"],
    ["status", "look whether autostart is enabled", "type: crontab -l | grep -xF"],
  ])("%s without systemd is a line to type", async (command, operation, hint) => {
    const { status, output, errors } = await bunker("autostart", command);
    expect([status, output]).toEqual([1, ""]);
    const [first, second] = errors.split("\n");
    expect(first).toBe(`bunker: ${operation}: there is no systemd here, and only crontab(1) may touch your crontab`);
    expect(second).toStartWith(`hint: ${hint}`);
    expect(second).toContain(`${suite.user.bunkerPath} autostart run`);
  });
});
