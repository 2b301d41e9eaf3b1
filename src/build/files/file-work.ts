/*
 * Files of stages belong to subordinate ids, and a stage is several layers: what reads or writes them runs as root of the
 * user's namespace, in a process and a mount namespace of its own, where each root file system is mounted before the
 * process starts. It gets the root directories as descriptors, so it needs no path to anything, and the mounts are gone
 * when it ends, however it does. Directories of the caller are opened by the caller and handed over.
 */
import { mkdirSync, mkdtempSync, openSync } from "node:fs";
import type { LayerMapping } from "../../image/layers/layer-directory.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { mountOverlay, type OverlayMount, overlayProgramSize } from "../../mount/overlay.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { FIRST_PASSED_DESCRIPTOR, runInterruptibly } from "../../runtime/user-namespace-process.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { MountFlag } from "../../sys/mount.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";

/** Where and for whom files are worked on. */
export interface FileWork {
  /** Bunker's data directory. */
  readonly data: string;
  /** The user namespace that the files are for; undefined for the present one. */
  readonly userNamespace: IdMap | undefined;
  readonly mapping: LayerMapping;
  /** A directory for mount points; whoever made it removes it. */
  readonly staging: string;
}

const ROOT_FLAGS = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
const PROGRAM_SIZE_OF_ROOT = 16384;

/** The root directories that a process is given, in the order in which they were asked for. */
export class WorkRoots implements Disposable {
  readonly #work: FileWork;
  readonly #mounts: { readonly overlay: OverlayMount; readonly root: number }[] = [];
  readonly #directories: { readonly descriptor: FileDescriptor; readonly root: number }[] = [];
  readonly #known = new Map<string, number>();
  #count = 0;
  #mountPoints: string | undefined;

  constructor(work: FileWork) {
    this.#work = work;
  }

  /**
   * Has layers mounted.
   * @param lower the uppermost first; none for a root file system that is empty
   * @returns the number of the root
   */
  layers(lower: readonly string[], changes: OverlayMount["changes"] = undefined): number {
    const known = this.#known.get(JSON.stringify(lower));
    if (known !== undefined && changes === undefined) return known;
    const root = this.#count++;
    const target = this.#mountPoint(root);
    if (lower.length === 0) this.#directories.push({ descriptor: openDirectory(target), root });
    else this.#mounts.push({ overlay: { lower, changes, target }, root });
    if (changes === undefined) this.#known.set(JSON.stringify(lower), root);
    return root;
  }

  /** Has a directory of the caller handed over; returns the number of the root. */
  directory(path: string): number {
    const root = this.#count++;
    this.#directories.push({ descriptor: openDirectory(path), root });
    return root;
  }

  /**
   * Has a command of `bunker internal` work on the roots.
   * @param request gets the descriptor of each root, by its number
   * @returns its answer, not yet parsed
   * @throws BunkerError that it has reported, and the reason of `signal`
   */
  run(command: string, request: (descriptors: readonly number[]) => object, signal: AbortSignal): Promise<string> {
    const order = [...this.#mounts, ...this.#directories].map(({ root }) => root);
    const descriptors = Array.from({ length: this.#count }, (_, root) => FIRST_PASSED_DESCRIPTOR + order.indexOf(root));
    const input = JSON.stringify(request(descriptors));
    return runInterruptibly(
      this.#work.userNamespace,
      {
        words: ["internal", command],
        input,
        descriptors: this.#directories.map(({ descriptor }) => descriptor.number),
        ...(this.#mounts.length === 0 ? {} : this.#mounting()),
      },
      signal,
    );
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.#directories) descriptor.close();
  }

  #mountPoint(root: number): string {
    this.#mountPoints ??= mkdtempSync(`${this.#work.staging}/mounts-`);
    const path = `${this.#mountPoints}/${root}`;
    mkdirSync(path);
    return path;
  }

  #mounting() {
    const mounts = this.#mounts.map(({ overlay }) => overlay);
    const sizes = mounts.map((overlay) => overlayProgramSize(overlay) + PROGRAM_SIZE_OF_ROOT);
    return {
      flags: CloneFlag.NEWNS,
      prepareSize: sizes.reduce((sum, size) => sum + size, 0),
      prepare: (program: LaunchProgram) => {
        program.call("mount", [0, program.text("/"), 0, MountFlag.MS_REC | MountFlag.MS_SLAVE, 0], {
          operation: "separate the mounts from the host's",
        });
        const slots = mounts.map((overlay) => {
          mountOverlay(program, this.#work.data, overlay);
          const slot = program.slot(`root ${overlay.target}`);
          const what = { operation: "open", object: overlay.target };
          program.call("openat", [AT_FDCWD, program.text(overlay.target), ROOT_FLAGS], what, { result: slot });
          return slot;
        });
        program.placeSubroutines();
        return slots;
      },
    };
  }
}

function openDirectory(path: string): FileDescriptor {
  try {
    return new FileDescriptor(openSync(path, ROOT_FLAGS));
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new BunkerError(
      { code: "source_not_found", operation: "open", object: path, errno, exitStatus: 1 },
      { cause },
    );
  }
}
