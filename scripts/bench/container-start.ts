/** How long a container takes that does nothing, and the memory of what lives as long as one that sleeps. */
import { join } from "node:path";
import { compare } from "./measure.ts";
import { memoryBesides, memoryOfContainers } from "./memory.ts";
import type { Workplace } from "./workplace.ts";

/** The image's name in Bunker's store. */
const STORED = "bench";
const ALL = ["--unshare-all", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"];

export async function measureRun(workplace: Workplace, rounds: number): Promise<string> {
  const { environment, rootfs, image, bunker } = workplace;
  workplace.makeImage();
  workplace.run(bunker, "copy", image, STORED);
  workplace.preparePodman();
  const bundle = workplace.makeBundle("bundle", ["/bin/true"]);
  const isolation = ["run", "--rm", "--network", "none"];
  const times = compare(
    [
      { name: "bunker run", command: [bunker, ...isolation, image, "/bin/true"], environment },
      { name: "bunker run, from the store", command: [bunker, ...isolation, STORED, "/bin/true"], environment },
      { name: "podman run", command: ["podman", ...isolation, "localhost/bench", "/bin/true"], environment },
      ...runtimes(workplace, bundle, ["crun", "runc"]),
      { name: "bwrap", command: ["bwrap", "--ro-bind", rootfs, "/", ...ALL, "/bin/true"], environment },
    ],
    rounds,
  );
  return [times, await memoryOfContainers(workplace, [1]), memoryBesides(workplace)].join("\n\n");
}

export async function measureRuntime(workplace: Workplace, rounds: number): Promise<string> {
  const bundle = workplace.makeBundle("bundle", ["/bin/true"]);
  return compare(runtimes(workplace, bundle, ["bunker runtime", "crun", "runc"]), rounds);
}

function runtimes({ bunker, directory, environment }: Workplace, bundle: string, names: readonly string[]) {
  return names.map((name) => {
    const words = name === "bunker runtime" ? [bunker, "runtime"] : [name];
    const state = join(directory, `state of ${name}`);
    return {
      name: `${name} run`,
      command: [...words, "--root", state, "run", "--bundle", bundle, "bench"],
      environment,
    };
  });
}
