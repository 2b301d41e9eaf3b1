import { openSync } from "node:fs";
import * as v from "valibot";
import type { Slot } from "../../launch/operation.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { BunkerError } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { MountFlag } from "../../sys/mount.ts";
import { OpenFlag } from "../../sys/open.ts";
import { findContainer } from "../lifecycle/find-container.ts";
import { whileThere } from "../lifecycle/while-there.ts";
import { askInside } from "./ask-inside.ts";
import { type ContainerRoot, openContainerRoot } from "./container-root.ts";
import type { CopyEnd, CopyReport, CopyRequest } from "./copy-here.ts";

/** One end of a copy. */
export type CopyPlace =
  | { readonly kind: "host"; readonly path: string }
  | { readonly kind: "container"; readonly container: string; readonly path: string }
  /** A tar archive in standard input or output. */
  | { readonly kind: "archive" };

export interface CopyOptions {
  readonly followLinks: boolean;
  /** Whether files keep their owners, as the container's user namespace shows them. */
  readonly keepOwners: boolean;
  /** Whether a directory may take the place of something else, and the other way round. */
  readonly overwrites: boolean;
}

const reportSchema = v.pipe(v.string(), v.parseJson(), v.object({ size: v.number(), warnings: v.array(v.string()) }));

/** The end of a copy, with the root directory that it is reached from. */
interface OpenPlace {
  readonly place: CopyPlace;
  readonly root: ContainerRoot | undefined;
}

/**
 * Copies files between a container and the host, or between two containers.
 * @param source,destination one of them at least is a container's
 * @throws BunkerError `no_such_container`, `container_removed`, `read_only`, `copy_failed`, `no_space`, and the reason of
 * `signal`
 */
export async function copyFiles(
  database: StateDatabase,
  data: string,
  source: CopyPlace,
  destination: CopyPlace,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<CopyReport> {
  using cleanup = new DisposableStack();
  const containers = [source, destination].map((place) =>
    place.kind === "container" ? findContainer(database, data, place.container) : undefined,
  );
  const ids = containers.map((container) => container?.id);
  const distinct = new Map(containers.flatMap((one) => (one === undefined ? [] : [[one.id, one] as const])));
  const opened = new Map<string, ContainerRoot>();
  // In one order for everybody, so that of two copies between the same containers neither waits for the other's lock.
  for (const [id, container] of [...distinct].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const open = () => openContainerRoot(database, data, id, id === ids[1], signal);
    opened.set(id, cleanup.use(await whileThere(database, data, container, open)));
  }
  const places = [source, destination].map((place, index) => ({ place, root: opened.get(ids[index] ?? "") }));
  const roots = [...opened.values()];
  const map = commonMap(roots);
  const mounted = roots.filter(({ mount }) => mount !== undefined);
  const present = roots.filter(({ mount }) => mount === undefined);
  const hostRoot = cleanup.use(new FileDescriptor(openSync("/", OpenFlag.O_PATH | OpenFlag.O_DIRECTORY)));
  const order = [...mounted, ...present];
  const endOf = ({ place, root }: OpenPlace): CopyEnd => {
    if (place.kind === "archive") return place;
    const { kind, path } = place;
    const shown = kind === "container" ? `${place.container}:${path}` : path;
    const whole = kind === "host" && !path.startsWith("/") ? `${process.cwd()}/${path}` : path;
    return { kind, root: root === undefined ? order.length : order.indexOf(root), path: encodeText(whole), shown };
  };
  const [from, to] = places.map(endOf);
  if (from === undefined || to === undefined) throw new Error("a copy has two ends");
  const owner = destination.kind === "host" ? callerIn(map) : { uid: 0, gid: 0 };
  const request: CopyRequest = {
    source: from,
    destination: to,
    followLinks: options.followLinks,
    overwrites: options.overwrites,
    ...(options.keepOwners ? {} : { owner }),
  };
  const inside = {
    descriptors: [...present.flatMap(({ descriptor }) => descriptor ?? []), hostRoot.number],
    ...(mounted.length === 0 ? {} : mounting(mounted)),
  };
  const copy = () => askInside(map, "copy", request, inside, signal);
  const guarded = [...distinct.values()].reduce(
    (work, container) => () => whileThere(database, data, container, work),
    copy,
  );
  return v.parse(reportSchema, await guarded());
}

function mounting(roots: readonly ContainerRoot[]) {
  return {
    flags: CloneFlag.NEWNS,
    prepareSize: roots.reduce((sum, { mountSize }) => sum + mountSize, 0),
    prepare: (program: LaunchProgram): Slot[] => {
      program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], {
        operation: "separate the mounts from the host's",
      });
      const slots = roots.flatMap(({ mount }) => mount?.(program) ?? []);
      program.placeSubroutines();
      return slots;
    },
  };
}

/** The user namespace of both containers. */
function commonMap(roots: readonly ContainerRoot[]): IdMap | undefined {
  const [first, second] = roots.map(({ userNamespace }) => userNamespace);
  if (roots.length < 2 || JSON.stringify(first) === JSON.stringify(second)) return first;
  throw new BunkerError({
    code: "copy_failed",
    operation: "copy between containers",
    reason: "they have different ids of users",
    hint: "Copy to the host first.",
    exitStatus: 1,
  });
}

/** Who the caller is in a user namespace. */
function callerIn(map: IdMap | undefined): { uid: number; gid: number } {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  if (map === undefined) return { uid, gid };
  return { uid: insideId(map.uidMappings, uid), gid: insideId(map.gidMappings, gid) };
}

function insideId(mappings: IdMap["uidMappings"], id: number): number {
  const mapping = mappings.find(({ hostID, size }) => id >= hostID && id < hostID + size);
  return mapping === undefined ? 0 : mapping.containerID + id - mapping.hostID;
}
