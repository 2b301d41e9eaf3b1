/*
 * The beginning of a launch: what has to be there before the container's process is cloned, which is less than what the
 * rest of its program is made of. Most containers make all of their namespaces, and then their process waits for its id
 * maps first, which newuidmap and newgidmap take milliseconds to write.
 *
 * So whoever knows a container's namespaces, but not yet its configuration, can begin its launch (`beginLaunch`): the
 * kernel makes the namespaces and the helpers write the maps, on another processor, while JavaScript makes the
 * configuration. `launchContainer` goes on with it. That is a guess: where the configuration turns out to be another, or
 * needs what the process would have had to inherit, the launch is given up, and another begins.
 *
 * A process whose launch was begun and is not gone on with ends when the runtime's end of its socket is closed, so also by
 * a kill of the runtime.
 */
import { launch, type ObservedProcess } from "../launch/launch.ts";
import type { Slot } from "../launch/operation.ts";
import { keepMemoryFromChildren } from "../launch/private-memory.ts";
import type { LaunchProgram } from "../launch/program.ts";
import { CloneFlag } from "../sys/clone.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { socketPair } from "../sys/socket.ts";
import type { Namespace } from "./configuration/configuration.ts";
import { NamespaceFlag } from "./configuration/namespaces.ts";
import { type BegunProgram, beginContainerProgram, type ProgramBeginning } from "./container-program.ts";
import { abandon, awaitFirst } from "./conversation.ts";
import { helpersToLaunch, type LaunchedHelpers } from "./id-map/id-map-helpers.ts";
import { formatMap, type IdMap } from "./id-map/id-mapping.ts";
import { whileMapsAreWritten } from "./id-map/while-maps-are-written.ts";
import { isPrivileged, needsHelpers } from "./id-map/write-id-map.ts";
import type { ProcessSetting } from "./process-program.ts";
import { needsIntermediate, planNamespaces } from "./steps/namespaces.ts";

/** The arena of a launch whose container is not known yet; one with more than usual to be told needs another. */
const USUAL_SIZE = 512 * 1024;

/** What the launched process does when it has cloned the container's. */
export interface SupervisorProgram {
  /** Bytes that it may need in the arena. */
  readonly size: number;
  /** Emits it; the slot has the pid of the container's process. It ends with an exec. */
  readonly emit: (program: LaunchProgram, container: Slot) => void;
}

/** What the beginning of a launch depends on. */
export interface LaunchBeginning extends ProgramBeginning {
  readonly idMap: IdMap;
  readonly preservedDescriptors: number;
  readonly supervisor: SupervisorProgram | undefined;
}

/** A launch whose program is emitted up to the wait for the id maps, and of which nothing has been executed. */
export interface PreparedLaunch extends Disposable {
  readonly beginning: LaunchBeginning;
  readonly built: BegunProgram;
  readonly setting: Pick<ProcessSetting, "closed" | "preservedDescriptors" | "socket">;
  /** The runtime's end of the conversation, and the program's. */
  readonly ours: FileDescriptor;
  readonly theirs: FileDescriptor;
  /** What writes the id maps, where the launched process starts it. */
  readonly helpers: LaunchedHelpers | undefined;
  /** Whether the program may be launched as it is, and finished while the id maps are being written. */
  readonly isFinishedLater: boolean;
  /** Says that the program belongs to the process that is launched. */
  readonly handOver: () => void;
}

/** Emits the beginning of a container's launch program, with what its process has to inherit for it. */
export function prepareLaunch(beginning: LaunchBeginning): PreparedLaunch {
  const { namespaces, idMap, supervisor } = beginning;
  using cleanup = new DisposableStack();
  const [ours, theirs] = socketPair();
  cleanup.use(ours);
  cleanup.use(theirs);
  const makesUserNamespace = (namespaces.created & NamespaceFlag.user) !== 0;
  // While newuidmap and newgidmap run, there is time to write the rest of the program.
  const isFinishedLater = makesUserNamespace && !needsIntermediate(namespaces);
  const helpers =
    supervisor !== undefined && isFinishedLater && needsHelpers(idMap, isPrivileged())
      ? cleanup.use(helpersToLaunch(idMap))
      : undefined;
  const { preservedDescriptors } = beginning;
  const setting = { socket: theirs.number, closed: [ours.number], preservedDescriptors };
  const built = beginContainerProgram(
    beginning,
    setting,
    supervisor && { startHelpers: helpers?.start, becomeSupervisor: supervisor.emit },
  );
  let isHandedOver = false;
  cleanup.defer(() => {
    if (!isHandedOver) built.program[Symbol.dispose]();
  });
  const kept = cleanup.move();
  return {
    beginning,
    built,
    setting,
    ours,
    theirs,
    helpers,
    isFinishedLater,
    handOver: () => {
      isHandedOver = true;
    },
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/**
 * Its own part of the program ends with an exec, and until then it has this process's memory rather than a copy. The copy
 * that the container's process gets is made by it, while JavaScript goes on here.
 */
export function launchSupervisor(program: LaunchProgram): ObservedProcess {
  keepMemoryFromChildren();
  return launch(program, { flags: CloneFlag.VM });
}

/** A launch with the process that was launched, both of whom takes them. */
interface TakenLaunch {
  readonly prepared: PreparedLaunch;
  readonly child: ObservedProcess;
}

/** A launch that was begun before the container's configuration was known. To be gone on with, or given up by `dispose`. */
export interface BegunLaunch extends Disposable {
  /**
   * Takes the launch over, if it is one of what has turned out to be wanted; else gives it up.
   * @param inherits whether the process has to inherit what was opened since
   */
  readonly takeFor: (wanted: LaunchBeginning, inherits: boolean) => TakenLaunch | undefined;
}

/** What is known of a container whose launch is begun. */
export interface LaunchGuess {
  readonly namespaces: readonly Namespace[];
  readonly idMap: IdMap;
  readonly oomScoreAdj: number | undefined;
  readonly preservedDescriptors: number;
  readonly supervisor: SupervisorProgram;
}

/**
 * Begins a launch, where it can be.
 * @returns undefined where the launch has to wait for the configuration
 * @throws BunkerError
 */
export function beginLaunch(guess: LaunchGuess): BegunLaunch | undefined {
  const namespaces = planNamespaces(guess.namespaces, undefined, () => {
    throw new Error("a launch that joins namespaces cannot be begun before");
  });
  const makesUserNamespace = (namespaces.created & NamespaceFlag.user) !== 0;
  if (!makesUserNamespace || needsIntermediate(namespaces)) return undefined;
  const prepared = prepareLaunch({ ...guess, namespaces, mounts: [], size: USUAL_SIZE + guess.supervisor.size });
  const { built, ours, theirs, helpers } = prepared;
  const { program } = built;
  let child: ObservedProcess;
  try {
    program.waitForRest();
    child = launchSupervisor(program);
  } catch (error) {
    prepared[Symbol.dispose]();
    throw error;
  }
  prepared.handOver();
  theirs.close();
  let isOver = false;
  const giveUp = () => {
    if (isOver) return;
    isOver = true;
    const conversation = { child, program, socket: ours };
    let process: Pick<ObservedProcess, "pid" | "pidfd"> = child;
    try {
      const meetFirst = () => {
        process = awaitFirst(conversation, built.first);
      };
      whileMapsAreWritten(
        meetFirst,
        () => helpers?.finish(child, program),
        () => {},
      );
    } catch {
      // Nobody waits for it any more.
    }
    abandon(child, process);
    program[Symbol.dispose]();
    prepared[Symbol.dispose]();
  };
  return {
    takeFor: (wanted, inherits) => {
      if (isOver || inherits || !isBeginningOf(prepared.beginning, wanted)) {
        giveUp();
        return undefined;
      }
      isOver = true;
      return { prepared, child };
    },
    [Symbol.dispose]: giveUp,
  };
}

function isBeginningOf(begun: LaunchBeginning, wanted: LaunchBeginning): boolean {
  return (
    begun.namespaces.created === wanted.namespaces.created &&
    wanted.namespaces.joined.length === 0 &&
    wanted.namespaces.timeOffsets === undefined &&
    begun.oomScoreAdj === wanted.oomScoreAdj &&
    begun.preservedDescriptors === wanted.preservedDescriptors &&
    wanted.size <= begun.size &&
    formatMap(begun.idMap.uidMappings) === formatMap(wanted.idMap.uidMappings) &&
    formatMap(begun.idMap.gidMappings) === formatMap(wanted.idMap.gidMappings)
  );
}
