import { endWithCaller } from "../../launch/end-with-caller.ts";
import { launch } from "../../launch/launch.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { waitForExit } from "../../sys/process.ts";
import { sendSignal } from "../../sys/process-identity.ts";
import { Signal } from "../../sys/signal.ts";
import { explainingRefusal } from "../user-namespace-refusal.ts";
import type { IdMap } from "./id-mapping.ts";
import { writeIdMap } from "./write-id-map.ts";

const PROGRAM_SIZE = 32768;

/**
 * Makes a user namespace only for its id map, as idmapped mounts want it; mount_setattr(2).
 * @returns an open descriptor of the namespace, which keeps it alive
 * @throws BunkerError `no_user_namespace`, `id_map_refused`
 */
export function openIdMapNamespace(map: IdMap, privileged: boolean): number {
  using program = new LaunchProgram(PROGRAM_SIZE);
  endWithCaller(program);
  program.call("ppoll", [0, 0, 0, 0, 8], { operation: "wait" }, { ignore: "any" });
  program.call("exit_group", [0], { operation: "leave" });
  // Sharing memory spares the copy of the page tables; the child touches only the program.
  const flags = CloneFlag.NEWUSER | CloneFlag.VM;
  const holder = explainingRefusal(flags, () => launch(program, { flags }));
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
