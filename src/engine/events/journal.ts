/*
 * What has happened to containers, images, volumes, networks and secrets: `<data>/events.jsonl`, a line of JSON for each
 * event in the form of Docker's API. Whoever does something appends a line in one write(2) at the file's end, so no line is torn by another and nobody waits for a lock.
 * When the file has grown to some megabytes it becomes events.jsonl.1, in the place of the one before: what is kept is
 * bounded. An event that cannot be written (a full disk) is lost; what it tells of has happened all the same.
 */
import { position } from "../../sys/file.ts";
import { openFile, renameFile, writeOpenText } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import type { MountPoint } from "../state/container-definition.ts";

const LARGEST_FILE = 4 * 1024 * 1024;

/** The newest events. */
export function eventsFile(data: string): string {
  return `${data}/events.jsonl`;
}

/** What happened to what. */
interface Event {
  readonly type: "container" | "image" | "volume" | "network" | "secret";
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Writes an event down, with the present time. */
export function recordEvent(data: string, { type, action, id, attributes }: Event): void {
  const milliseconds = Date.now();
  const event = JSON.stringify({
    status: action,
    id,
    from: attributes["image"],
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: "local",
    time: wholeSeconds(milliseconds),
  });
  // Its last member is put behind the others as text: beyond 2^53, where JSON's numbers have no limit but JavaScript's do.
  const line = `${event.slice(0, -1)},"timeNano":${milliseconds}000000}\n`;
  const path = eventsFile(data);
  try {
    using file = openFile(path, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_APPEND, 0o600);
    writeOpenText(file.number, path, line);
    if (position(file.number) > LARGEST_FILE) renameFile(path, `${path}.1`);
  } catch {
    // See the head of this file.
  }
}

/** Not by Math, whose functions are all made when the first of them is mentioned, which takes 0.1 ms. */
function wholeSeconds(milliseconds: number): number {
  return (milliseconds - (milliseconds % 1000)) / 1000;
}

/** Writes down an event of a container: its image, name and labels are among the attributes, as with Docker. */
export function recordContainerEvent(
  data: string,
  action: string,
  container: {
    readonly id: string;
    readonly name: string;
    readonly definition: { readonly image: string; readonly labels: Readonly<Record<string, string>> };
  },
  attributes: Readonly<Record<string, string>> = {},
): void {
  const { id, name, definition } = container;
  const all = { ...definition.labels, ...attributes, image: definition.image, name };
  recordEvent(data, { type: "container", action, id, attributes: all });
}

/**
 * Writes down a container's end; as with Docker, with the whole seconds that it ran.
 * @param errors what has gone wrong with it; of a container of `--rm` there is no other place that keeps it
 */
export function recordDeath(
  data: string,
  container: Parameters<typeof recordContainerEvent>[2] & { readonly started: number | undefined },
  exitStatus: number,
  errors: readonly string[] = [],
): void {
  const { started } = container;
  recordContainerEvent(data, "die", container, {
    ...(errors.length === 0 ? {} : { error: errors.join("; ") }),
    ...(started === undefined ? {} : { execDuration: String(wholeSeconds(Date.now() - started)) }),
    exitCode: String(exitStatus),
  });
}

/** Writes down an event of a volume. */
export function recordVolumeEvent(
  data: string,
  action: "create" | "destroy" | "mount" | "unmount",
  name: string,
  attributes: Readonly<Record<string, string>> = {},
): void {
  recordEvent(data, { type: "volume", action, id: name, attributes: { driver: "local", ...attributes } });
}

/** Writes down an event of a network. */
export function recordNetworkEvent(
  data: string,
  action: "create" | "destroy" | "connect" | "disconnect",
  { id, name }: { readonly id: string; readonly name: string },
  attributes: Readonly<Record<string, string>> = {},
): void {
  recordEvent(data, { type: "network", action, id, attributes: { name, type: "bridge", ...attributes } });
}

/**
 * Writes down an event of an image.
 * @param id the image's; with `pull` and `push`, as with Docker, the name that was asked for
 */
export function recordImageEvent(
  data: string,
  action: "delete" | "import" | "load" | "pull" | "push" | "save" | "tag" | "untag",
  id: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): void {
  recordEvent(data, { type: "image", action, id, attributes: { ...labels, name } });
}

/**
 * Writes down that what is not used has been removed.
 * @param reclaimed bytes
 */
export function recordPruneEvent(data: string, type: Event["type"], reclaimed: number): void {
  recordEvent(data, { type, action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
}

/** Writes down that a container has its volumes mounted, or has no longer. */
export function recordVolumeMounts(
  data: string,
  action: "mount" | "unmount",
  { id, definition }: { readonly id: string; readonly definition: { readonly mountPoints: readonly MountPoint[] } },
): void {
  for (const { name, destination, propagation, readOnly } of definition.mountPoints) {
    if (name === undefined) continue;
    const where = action === "mount" ? { destination, propagation, "read/write": String(!readOnly) } : {};
    recordVolumeEvent(data, action, name, { container: id, ...where });
  }
}
