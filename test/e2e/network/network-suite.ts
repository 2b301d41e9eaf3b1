/* What tests of networks that users make have in common: containers on them that look each other up and talk. */
import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";

/** Serves whoever asks. */
export const SERVE = 'while :; do echo "hello from $(hostname)" | nc -l -p 80 >/dev/null; done';
/** Asks a server until it is there. */
export const ask = (host: string) => `until nc -w 5 ${host} 80 </dev/null 2>/dev/null; do :; done`;
/** The addresses that a name has, or what the resolver says. */
export const lookUp = (name: string) => `nslookup ${name} | sed -n '/^Name/,$ s/^Address: //p'`;

/** Sets a suite up whose tests make networks. */
export function networkSuite() {
  const suite = containerSuite();

  /** Runs a command of Bunker's that has to end well and say nothing on standard error; what it prints. */
  async function bunker(...words: string[]): Promise<string> {
    const { status, output, errors } = await suite.user.bunker(words);
    expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
    return output;
  }

  /** How a command of Bunker's fails. */
  async function refused(...words: string[]): Promise<{ status: number | null; errors: string }> {
    const { status, output, errors } = await suite.user.bunker(words);
    expect({ words, output }).toEqual({ words, output: "" });
    return { status, errors };
  }

  /** Starts a container that stays. */
  async function start(name: string, options: readonly string[], script = "exec sleep 1000000"): Promise<void> {
    await bunker("run", "-d", "--name", name, ...options, suite.image, "sh", "-c", script);
  }

  /** What a script prints in a container that runs. */
  async function inside(container: string, script: string): Promise<string> {
    const { output } = await suite.user.bunker(["exec", container, "sh", "-c", script]);
    return output;
  }

  /** Registers a test after which its containers and networks are removed, before the suite looks at what is left. */
  function scenario(name: string, work: () => Promise<void>): void {
    test(name, async () => {
      try {
        await work();
      } finally {
        const containers = (await suite.user.bunker(["ps", "-aq"])).output.split("\n").filter((id) => id !== "");
        if (containers.length > 0) await suite.user.bunker(["rm", "-f", ...containers]);
        await suite.user.bunker(["network", "prune", "-f"]);
      }
    });
  }

  return { suite, bunker, refused, start, inside, scenario };
}
