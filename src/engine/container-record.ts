/** What is known of a container that stays after its end: `container.json` in its directory. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { BunkerError } from "../sys/error.ts";
import { isInUse, namesIn, RECORD_FILE, releaseName } from "./container-directory.ts";

const recordSchema = v.object({
  id: v.string(),
  name: v.optional(v.string()),
  /** As the user named it. */
  image: v.string(),
  command: v.array(v.string()),
  /** Milliseconds since 1970. */
  created: v.number(),
  finished: v.optional(v.number()),
  exitStatus: v.optional(v.number()),
});

export type ContainerRecord = Readonly<v.InferOutput<typeof recordSchema>>;

/** A container in the list. */
export interface ListedContainer extends ContainerRecord {
  /** Its directory. */
  readonly path: string;
  readonly isRunning: boolean;
}

/** Writes or replaces the record of the container in `directory`. */
export function writeContainerRecord(directory: string, record: ContainerRecord): void {
  const path = `${directory}/${RECORD_FILE}`;
  writeFileSync(`${path}.new`, JSON.stringify(record));
  renameSync(`${path}.new`, path);
}

function readRecord(directory: string): ContainerRecord | undefined {
  let text: string;
  try {
    text = readFileSync(`${directory}/${RECORD_FILE}`, "utf8");
  } catch {
    // Its maker was killed before it came to this, or is at it.
    return undefined;
  }
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), recordSchema), text);
  if (result.success) return result.output;
  throw new BunkerError({
    code: "invalid_container_record",
    operation: "read",
    object: `${directory}/${RECORD_FILE}`,
    reason: result.issues[0].message,
  });
}

/** All containers, the newest first. */
export function listContainers(data: string): ListedContainer[] {
  return ["containers", "ephemeral"]
    .flatMap((kind) => namesIn(`${data}/${kind}`).map((id) => `${data}/${kind}/${id}`))
    .flatMap((path) => {
      const record = readRecord(path);
      return record === undefined ? [] : [{ ...record, path, isRunning: isInUse(path) }];
    })
    .sort((one, other) => other.created - one.created);
}

/**
 * Finds the container that a user means.
 * @param reference a name, an id, or the beginning of an id
 * @throws BunkerError `no_such_container`, `ambiguous_container`
 */
export function findContainer(data: string, reference: string): ListedContainer {
  const containers = listContainers(data);
  const exact = containers.find(({ id, name }) => name === reference || id === reference);
  if (exact !== undefined) return exact;
  const matching = containers.filter(({ id }) => reference !== "" && id.startsWith(reference));
  const [only, another] = matching;
  if (only !== undefined && another === undefined) return only;
  throw new BunkerError({
    code: only === undefined ? "no_such_container" : "ambiguous_container",
    operation: only === undefined ? "No such container:" : "several containers have ids that begin with",
    object: reference,
    exitStatus: 1,
  });
}

/**
 * Removes a container that is not running.
 * @param remove removes its directory
 * @throws BunkerError `container_running`
 */
export function removeContainer(data: string, container: ListedContainer, remove: (path: string) => void): void {
  if (container.isRunning) {
    throw new BunkerError({
      code: "container_running",
      operation: "remove container",
      object: container.name ?? container.id.slice(0, 12),
      reason: "it is running",
      hint: "end the `bunker run` that it belongs to first",
      exitStatus: 1,
    });
  }
  remove(container.path);
  if (container.name !== undefined) releaseName(data, container.name, container.id);
}
