import { launch } from "../../launch/launch.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { waitForExit } from "../../sys/process.ts";
import { sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import type { IdMap } from "./id-mapping.ts";
import { writeIdMap } from "./write-id-map.ts";

/**
 * Makes a user namespace only for its id map, as idmapped mounts want it; mount_setattr(2).
 * @returns an open descriptor of the namespace, which keeps it alive
 */
export function openIdMapNamespace(map: IdMap, privileged: boolean): number {
  using program = new LaunchProgram(4096);
  program.call("ppoll", [0, 0, 0, 0, 8], { operation: "wait" }, { ignore: "any" });
  program.call("exit_group", [0], { operation: "leave" });
  const holder = launch(program, { flags: CloneFlag.NEWUSER });
  using pidfd = holder.pidfd;
  using _errors = holder.errors;
  try {
    writeIdMap(holder.pid, map, privileged);
    return nodeFileSystem().openSync(`/proc/${holder.pid}/ns/user`, "r");
  } finally {
    sendSignal(pidfd, Signal.SIGKILL);
    waitForExit(holder.pid);
  }
}
