import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { UnixListener } from "../../unix-listener.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

/** Reads a terminal's master until nobody has the other side. */
function readTerminal(master: FileDescriptor): string {
  const buffer = Buffer.alloc(4096);
  let text = "";
  for (;;) {
    try {
      text += buffer.toString("utf8", 0, readSync(master.number, buffer));
    } catch {
      // EIO: the last one has closed it.
      return text;
    }
  }
}

test("in all variants", async () => {
  await suite.withRunning(
    async () => {
      const exec = (...words: string[]) => suite.box.runtime("exec", ...words);
      expect(exec("test", "sh", "-c", "exit 12")).toEqual({ status: 12, output: "", errors: "" });
      expect(exec("test", "sh", "-c", "kill -9 $$").status).toBe(137);
      expect(exec("test", "none")).toMatchObject({ status: 127 });
      expect(exec("test", "/etc")).toMatchObject({ status: 126 });
      expect(exec("test").errors).toBe("bunker: exec needs COMMAND, or a process by --process\n");
      expect(exec("none", "true").errors).toBe("bunker: container none does not exist\n");
      expect(
        exec(
          "-e",
          "A=1",
          "--env",
          "B=two words",
          "--cwd",
          "/bin",
          "-u",
          "5:6",
          "-g",
          "7",
          "-g",
          "8",
          "test",
          "sh",
          "-c",
          'echo "$A,$B"; pwd; id',
        ).output,
      ).toBe("1,two words\n/bin\nuid=5 gid=6 groups=7,8\n");
      const privileges = exec(
        "--no-new-privs",
        "--cap",
        "CAP_KILL",
        "test",
        "grep",
        "-E",
        "NoNewPrivs|CapEff",
        "/proc/self/status",
      );
      expect(privileges.output).toBe("CapEff:\t0000000000000020\nNoNewPrivs:\t1\n");
      const file = suite.box.file(
        "process.json",
        JSON.stringify({
          args: ["sh", "-c", "id -u; pwd"],
          cwd: "/bin",
          env: ["PATH=/bin"],
          user: { uid: 9, gid: 9 },
        }),
      );
      expect(exec("--process", file, "test").output).toBe("9\n/bin\n");
      expect(exec("--process", suite.box.file("bad.json", '{"args":[]}'), "test").errors).toContain(
        "bad.json: args: expected a list",
      );
      if (!existsSync("/sys/module/apparmor/parameters/enabled")) {
        expect(exec("--apparmor", "x", "test", "true").errors).toContain("AppArmor is not enabled");
      }

      const pidFile = join(suite.box.path, "exec-pid");
      expect(exec("--detach", "--pid-file", pidFile, "test", "sleep", "1000").status).toBe(0);
      const pid = Number(readFileSync(pidFile, "utf8"));
      expect(readlinkSync(`/proc/${pid}/ns/pid`)).toBe(readlinkSync(`/proc/${suite.stateOf()["pid"]}/ns/pid`));
      expect(JSON.parse(suite.box.runtime("ps", "-f", "json", "test").output)).toContain(pid);
      // Nothing of the host is open in it.
      expect(readdirSync(`/proc/${pid}/fd`)).toEqual(["0", "1", "2"]);
      // It has the container's filter.
      expect(/^Seccomp:\t(\d)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]).toBe("2");
    },
    {
      linux: {
        seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }] },
      },
    },
  );
  expect(suite.box.runtime("exec", "test", "true")).toMatchObject({ status: 1 });
});

test("with a terminal, ours or by a console socket", async () => {
  await suite.withRunning(async () => {
    let shown = "";
    const child = Bun.spawn(suite.box.words("exec", "-t", "test", "sh", "-c", "tty; stty size; exit 7"), {
      env: suite.box.environment,
      terminal: { cols: 80, rows: 24, data: (_, data) => (shown += Buffer.from(data).toString()) },
    });
    expect(await child.exited).toBe(7);
    expect(shown).toBe("/dev/pts/0\r\n24 80\r\n");

    const path = join(suite.box.path, "console");
    using listener = new UnixListener(path);
    Bun.spawnSync(["chmod", "777", path]);
    const other = suite.box.start("exec", "--tty", "--detach", "--console-socket", path, "test", "tty");
    using master = (await listener.receive()).descriptor;
    expect(await other.exited).toBe(0);
    expect(readTerminal(master)).toBe("/dev/pts/0\r\n");
    rmSync(path);
  });
});

test("on the processors that the configuration names for it, which are not the first process's", async () => {
  const statusOf = (pid: string) =>
    suite.box.runtime("exec", "test", "grep", "Cpus_allowed_list", `/proc/${pid}/status`);
  await suite.withRunning(
    () => {
      expect(statusOf("self").output).toBe("Cpus_allowed_list:\t0\n");
      const own = /^Cpus_allowed_list:.*\n/m.exec(readFileSync("/proc/self/status", "utf8"))?.[0];
      expect(statusOf("1").output).toBe(own ?? "");
    },
    { process: { execCPUAffinity: { final: "0" } } },
  );
});
