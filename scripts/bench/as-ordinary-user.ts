/*
 * A benchmark as an ordinary user whom nothing outlives: in a pid namespace of its own, so that whatever the programs
 * have started in the background (supervisors, conmon, containers) ends with it, also when it is interrupted or killed;
 * and with a directory that is removed afterwards. Its first process is a shell, which reaps what others leave.
 */
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const USER = "bunker-test";

/** Where a benchmark works, for the program that is started again. */
export const DIRECTORY_VARIABLE = "BUNKER_BENCH_DIRECTORY";

function idOf(option: "-u" | "-g"): number {
  return Number(Bun.spawnSync(["id", option, USER]).stdout.toString());
}

/**
 * Runs a program as that user, to be called by root. The user sees no cgroup2 hierarchy of a hybrid host, beside which
 * crun and Podman refuse to work.
 * @param environment beside the path and the directory
 * @returns the exit status
 */
export async function runAsOrdinaryUser(
  program: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "bunker-bench-"));
  chownSync(directory, idOf("-u"), idOf("-g"));
  const variables = Object.entries({ ...environment, [DIRECTORY_VARIABLE]: directory });
  const script = `
    umount /sys/fs/cgroup/unified 2>/dev/null
    cd /
    setpriv --reuid=${USER} --regid=${USER} --init-groups env -i PATH="$PATH" "$@"
    exit $?`;
  const isolated = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
  ];
  const words = variables.map(([name, value]) => `${name}=${value}`);
  const child = Bun.spawn([...isolated, "sh", "-c", script, "sh", ...words, ...program], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const kill = () => child.kill("SIGKILL");
  process.on("SIGINT", kill);
  process.on("SIGTERM", kill);
  try {
    await child.exited;
    return child.exitCode ?? 130;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
