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
import { beginIdMap } from "./write-id-map.ts";

const PROGRAM_SIZE = 32768;

/** A user namespace that is being made; given up when it is disposed of. */
export interface BeginningNamespace extends Disposable {
  /**
   * Waits until its id map is written; to be called once.
   * @returns an open descriptor of the namespace, which keeps it alive
   * @throws BunkerError `id_map_refused`
   */
  readonly finish: () => number;
}

/**
 * Makes a user namespace only for its id map, as idmapped mounts want it; mount_setattr(2).
 * @returns an open descriptor of the namespace, which keeps it alive
 * @throws BunkerError `no_user_namespace`, `id_map_refused`
 */
export function openIdMapNamespace(map: IdMap, privileged: boolean): number {
  using beginning = beginIdMapNamespace(map, privileged);
  return beginning.finish();
}

/**
 * Begins to make such a namespace: newuidmap and newgidmap are at work while the caller does something else.
 * @throws BunkerError `no_user_namespace`, `id_map_refused`
 */
export function beginIdMapNamespace(map: IdMap, privileged: boolean): BeginningNamespace {
  using cleanup = new DisposableStack();
  const program = cleanup.use(new LaunchProgram(PROGRAM_SIZE));
  endWithCaller(program);
  program.call("ppoll", [0, 0, 0, 0, 8], { operation: "wait" }, { ignore: "any" });
  program.call("exit_group", [0], { operation: "leave" });
  // Sharing memory spares the copy of the page tables; the child touches only the program.
  const flags = CloneFlag.NEWUSER | CloneFlag.VM;
  const holder = explainingRefusal(flags, () => launch(program, { flags }));
  cleanup.use(holder.pidfd);
  cleanup.use(holder.errors);
  cleanup.defer(() => {
    sendSignal(holder.pidfd, Signal.SIGKILL);
    waitForExit(holder.pid);
  });
  const waitForMap = beginIdMap(holder.pid, map, privileged);
  // Helpers that are at work are waited for in any case.
  cleanup.defer(() => ignoringErrors(waitForMap));
  const resources = cleanup.move();
  return {
    finish: () => {
      waitForMap();
      return nodeFileSystem().openSync(`/proc/${holder.pid}/ns/user`, "r");
    },
    [Symbol.dispose]: () => resources.dispose(),
  };
}

function ignoringErrors(work: () => void): void {
  try {
    work();
  } catch {
    // Nobody wants the namespace any more, or whoever waited for it was told.
  }
}
