/*
 * kill -9 at random instants of whatever takes part in a container's life: the command, the supervisor, the container's
 * first process, all of them. Whatever was killed, what the next commands say is true, and they leave nothing behind.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { finish, kill } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();
const TRIALS = Number(process.env["BUNKER_KILL_TRIALS"] ?? 100);
/** Longer than what any of the commands takes on a slow machine. */
const LONGEST_DELAY = 150;

interface Row {
  readonly id: string;
  readonly state: string;
}

const victims = {
  command: (words: string) => words.includes("/bunker\0") && !words.includes("\0internal\0"),
  supervisor: (words: string) => words.includes("internal\0supervise"),
  "first process": (words: string) => words.startsWith("sh\0-c\0"),
  everything: () => true,
} as const;

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

function killSome(who: keyof typeof victims): void {
  for (const pid of suite.user.processes()) {
    if (victims[who](commandLine(pid))) kill(pid);
  }
}

async function rows(): Promise<readonly Row[]> {
  const { status, output, errors } = await suite.user.bunker([
    "ps",
    "-a",
    "--no-trunc",
    "--format",
    "{{.ID}} {{.State}}",
  ]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  const lines = output.split("\n").filter((line) => line !== "");
  return lines.map((line) => ({ id: line.slice(0, 64), state: line.slice(65) }));
}

/** Whether a container has a supervisor. */
function isSupervised(id: string): boolean {
  return suite.user.processes().some((pid) => {
    const words = commandLine(pid);
    return words.includes("internal\0supervise") && words.includes(id);
  });
}

const scripts: readonly (readonly string[])[] = [
  ["run", "-d", "--name", "victim", "IMAGE", "sh", "-c", "sleep 1000"],
  ["run", "--rm", "--name", "victim", "IMAGE", "sh", "-c", "sleep 1000"],
  ["run", "-d", "--restart", "always", "--name", "victim", "IMAGE", "sh", "-c", "exit 1"],
  ["stop", "-t", "0", "victim"],
  ["rm", "-f", "victim"],
  ["restart", "-t", "0", "victim"],
];

describe("kill -9 at random instants", () => {
  test("begin with an image that is there", async () => {
    await suite.user.bunker(["run", "--rm", suite.image, "true"]);
  });

  test.each(Object.keys(victims) as (keyof typeof victims)[])(
    "of the %s",
    async (who) => {
      for (let trial = 0; trial < Math.ceil(TRIALS / 4); trial++) {
        const script = scripts[trial % scripts.length] ?? [];
        if (script[0] !== "run") {
          await suite.user.bunker(["run", "-d", "--name", "victim", suite.image, "sh", "-c", "sleep 1000"]);
        }
        const words = script.map((word) => (word === "IMAGE" ? suite.image : word));
        const child = suite.user.start([suite.user.bunkerPath, ...words]);
        await Bun.sleep(Math.random() * LONGEST_DELAY);
        killSome(who);
        // One that waits for its container is not what was killed, or was just being executed and told by nothing.
        if (words.includes("--rm")) child.kill("SIGKILL");
        await finish(child);
        for (const { id, state } of await rows()) {
          // A container that runs has a supervisor, or is just getting it; between two looks it may have ended.
          while (state === "running" && !isSupervised(id)) {
            if ((await rows()).find((row) => row.id === id)?.state !== "running") break;
          }
          const removed = await suite.user.bunker(["rm", "-f", id]);
          expect(removed.errors).toMatch(/^(bunker: No such container: .*\n)?$/);
        }
        expect((await suite.user.bunker(["system", "prune", "-f"])).status).toBe(0);
        expect(await rows()).toEqual([]);
        await suite.user.expectNothingLeft();
      }
    },
    Math.max(300_000, TRIALS * 2_000),
  );
});
