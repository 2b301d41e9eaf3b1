/*
 * Containers whose first process is systemd: a whole system. What it expects of whoever starts it is in systemd's
 * "Container Interface" (systemd.io/CONTAINER_INTERFACE): a cgroup of its own that it may divide, in a cgroup namespace,
 * with the file system for it writable; tmpfs where what is written need not outlive a run; the variable `container`, by
 * which it knows that it is in one; and it shuts down in order at SIGRTMIN+3.
 *
 * As in Podman, `true` means those containers whose command is an init, `always` any.
 */
import { BunkerError } from "../../sys/error.ts";
import { namespaceMode } from "../namespaces/namespace-mode.ts";
import { containerArguments } from "./container-command.ts";
import type { ImageConfiguration } from "./image-configuration.ts";
import type { PlacedRunOptions, TmpfsMountRequest } from "./run-options.ts";

const STOP_SIGNAL = "SIGRTMIN+3";
const INITS: ReadonlySet<string> = new Set(["/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"]);

/** What is mounted of memory. */
const TMPFS: readonly (readonly [destination: string, ...options: string[]])[] = [
  ["/run", "mode=755"],
  ["/run/lock", "noexec", "mode=1777"],
  ["/tmp", "mode=1777"],
  ["/var/log/journal", "noexec", "mode=755"],
];

/**
 * Whether a container's first process is taken for systemd.
 * @throws BunkerError `conflicting_options` for `always` with what keeps systemd from working
 */
export function startsSystemd(
  options: Pick<
    PlacedRunOptions,
    "systemd" | "init" | "pidNamespace" | "cgroupNamespace" | "cgroups" | "command" | "entrypoint"
  >,
  image: ImageConfiguration,
): boolean {
  const { systemd, init, pidNamespace, cgroupNamespace, cgroups } = options;
  if (systemd === "false") return false;
  const obstacle = init
    ? "--init"
    : pidNamespace !== "private"
      ? `--pid=${namespaceMode(pidNamespace)}`
      : cgroupNamespace !== "private"
        ? `--cgroupns=${namespaceMode(cgroupNamespace)}`
        : cgroups === "disabled"
          ? "--cgroups=disabled"
          : undefined;
  if (systemd === "always") {
    if (obstacle === undefined) return true;
    throw new BunkerError({
      code: "conflicting_options",
      operation: `conflicting options: --systemd=always and ${obstacle}`,
    });
  }
  const [program = ""] = containerArguments(options, image);
  return obstacle === undefined && (INITS.has(program) || program === "systemd" || program.endsWith("/systemd"));
}

/** What is asked of a container that starts systemd, with what that expects; what the user says goes first. */
export function withSystemd<Options extends PlacedRunOptions>(options: Options): Options {
  const taken = new Set(options.mounts.map(({ destination }) => destination));
  const mounts = TMPFS.filter(([destination]) => !taken.has(destination)).map(
    ([destination, ...own]): TmpfsMountRequest => ({
      type: "tmpfs",
      destination,
      options: ["rw", "nosuid", "nodev", ...own],
    }),
  );
  return {
    ...options,
    mounts: [...mounts, ...options.mounts],
    environment: ["container=bunker", ...options.environment],
    stopSignal: options.stopSignal ?? STOP_SIGNAL,
  };
}
