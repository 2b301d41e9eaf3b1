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

  /** Runs `bunker autostart` where cron keeps its crontabs in a directory of this test's. */
  function underCron(script: string, setUp = ""): Promise<Outcome> {
    const crontabs = `${suite.user.directory}/crontabs`;
    const directory = "/var/spool/cron/crontabs";
    const text = `
      mkdir -p ${crontabs} && chown root:crontab ${crontabs} && chmod 1730 ${crontabs}
      mount --bind ${crontabs} ${directory}
      ${setUp}
      exec "$@"`;
    const command = suite.user.as(["sh", "-c", script, "sh", suite.user.bunkerPath]);
    return finish(suite.user.startAsRoot(["unshare", "-m", "sh", "-ec", text, "sh", ...command]));
  }

  test("without systemd a line comes into the crontab and goes again", async () => {
    const line = `@reboot XDG_DATA_HOME=${suite.user.environment["XDG_DATA_HOME"]} ${suite.user.bunkerPath} autostart run`;
    const none = "containers: none has been started with --restart always or unless-stopped\n";
    const first = await underCron(`
      "$1" autostart status; echo $?; "$1" autostart disable; "$1" autostart enable; "$1" autostart enable
      "$1" autostart status; echo $?; "$1" autostart disable; crontab -l`);
    expect(first).toEqual({
      status: 1,
      output:
        `disabled\n${none}1\nnot enabled\nadded to your crontab: ${line}\nenabled already by your crontab\n` +
        `enabled by your crontab\n${none}0\nremoved from your crontab: ${line}\n`,
      errors: `no crontab for ${name}\n`,
    });
    // Debian's crontab(1) takes no last line without its newline, so such a file is made by hand.
    const second = await underCron(
      `"$1" autostart enable && crontab -l && XDG_DATA_HOME=/else "$1" autostart status; "$1" autostart disable; crontab -l`,
      `printf '# \\351\\n0 0 * * * true' >${suite.user.directory}/crontabs/${name}
      chown ${name}:crontab ${suite.user.directory}/crontabs/${name}; chmod 600 ${suite.user.directory}/crontabs/${name}`,
    );
    const mark = `# Made by "bunker autostart enable"; "bunker autostart disable" removes it and the line below.`;
    expect(second.output).toBe(
      `added to your crontab: ${line}\n# \ufffd\n0 0 * * * true\n${mark}\n${line}\nenabled by your crontab\n${none}` +
        `removed from your crontab: ${line}\n# \ufffd\n0 0 * * * true\n`,
    );
    expect(second.errors).toBe(
      "warning: it is for another executable or data directory; bunker autostart enable writes it anew\n",
    );
  });

  test("without systemd, what keeps the crontab from being written is told", async () => {
    const lines = async (outcome: Promise<Outcome>) => {
      const { status, output, errors } = await outcome;
      return [status, output, ...errors.trim().split("\n")];
    };
    expect(
      await lines(
        underCron(
          `"$1" autostart enable`,
          "mount -t tmpfs tmpfs /mnt; cp /etc/passwd /etc/group /etc/nsswitch.conf /mnt; touch /mnt/cron.allow; mount --bind /mnt /etc",
        ),
      ),
    ).toEqual([
      1,
      "",
      `bunker: read your crontab: You (${name}) are not allowed to use this program (crontab)`,
      "hint: An administrator can permit it in /etc/cron.allow or /etc/cron.deny.",
    ]);
    const full = `
      mount -t tmpfs -o size=8k,mode=1730,gid=$(getent group crontab | cut -d: -f3) tmpfs /var/spool/cron/crontabs
      echo '0 0 * * * true' | crontab -u ${name} -
      head -c 4096 /dev/zero >/var/spool/cron/crontabs/fill`;
    const [status, output, error] = await lines(underCron(`"$1" autostart enable || crontab -l`, full));
    expect([status, output]).toEqual([0, "0 0 * * * true\n"]);
    expect(error).toMatch(/^bunker: write your crontab: crontabs\/tmp\.\w+: No space left on device$/);
    expect(await lines(underCron(`"$1" autostart enable`, "mount --bind /dev/null /usr/bin/crontab"))).toEqual([
      1,
      "",
      "bunker: enable autostart: there is neither systemd nor crontab(1) here",
      `hint: Install cron, or have called when the machine has been started: XDG_DATA_HOME=${suite.user.environment["XDG_DATA_HOME"]} ${suite.user.bunkerPath} autostart run`,
    ]);
  });
});
