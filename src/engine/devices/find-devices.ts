/*
 * Devices by the names of the Container Device Interface, `vendor.com/class=name`: in each of some directories there are
 * specifications, files in JSON and YAML. What a later directory says of a device counts before what an earlier one does;
 * two files of one directory must not both have it. A file that cannot be read spoils only its own devices.
 */
import { nearestName } from "../../nearest-name.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import type { NamedDevices } from "../specification/run-options.ts";
import { type ContainerEdits, type DeviceSpecification, readDeviceSpecification } from "./device-specification.ts";

interface Found {
  readonly specification: DeviceSpecification;
  readonly edits: ContainerEdits;
  /** The files of the same directory that have it. */
  readonly files: readonly string[];
}

/**
 * What is to be done to a container for its devices, in this order: of each specification first what all its devices need.
 * @throws BunkerError `device_not_found`, `device_ambiguous`
 */
export function findDevices({ names, directories }: NamedDevices): readonly ContainerEdits[] {
  const devices = new Map<string, Found>();
  const problems: string[] = [];
  for (const directory of directories) {
    for (const [name, found] of devicesOf(directory, problems)) devices.set(name, found);
  }
  const done = new Set<DeviceSpecification>();
  return [...new Set(names)].flatMap((name) => {
    const found = devices.get(name);
    if (found === undefined) throw notFound(name, directories, [...devices.keys()], problems);
    const { specification, edits, files } = found;
    if (files.length > 1) {
      throw new BunkerError({
        code: "device_ambiguous",
        operation: "find device",
        object: name,
        reason: `both ${files.join(" and ")} say what it is`,
        hint: "Remove one of them.",
      });
    }
    const common = done.has(specification) ? [] : [specification.containerEdits ?? []].flat();
    done.add(specification);
    return [...common, edits];
  });
}

function devicesOf(directory: string, problems: string[]): ReadonlyMap<string, Found> {
  const devices = new Map<string, Found>();
  for (const file of specificationsIn(directory, problems)) {
    const path = `${directory}/${file}`;
    let specification: DeviceSpecification;
    try {
      specification = readDeviceSpecification(path);
    } catch (error) {
      if (!(error instanceof BunkerError)) throw error;
      problems.push(error.message);
      continue;
    }
    for (const { name, containerEdits } of specification.devices) {
      const whole = `${specification.kind}=${name}`;
      const files = [...(devices.get(whole)?.files ?? []), path];
      devices.set(whole, { specification, edits: containerEdits, files });
    }
  }
  return devices;
}

function specificationsIn(directory: string, problems: string[]): readonly string[] {
  try {
    const files = nodeFileSystem().readdirSync(directory);
    return files.filter((file) => /\.(json|yaml)$/.test(file)).sort();
  } catch (cause) {
    problems.push(
      new BunkerError({ code: "", operation: "read", object: directory, errno: errnoOf(cause) }, { cause }).message,
    );
    return [];
  }
}

function notFound(
  name: string,
  directories: readonly string[],
  known: readonly string[],
  problems: readonly string[],
): BunkerError {
  const near = nearestName(name, known);
  const kind = known.filter((other) => other.startsWith(name.replace(/=.*/, "=")));
  const hint =
    near !== undefined
      ? `Did you mean ${near}?`
      : kind.length > 0
        ? `There are ${kind.slice(0, 10).join(", ")}${kind.length > 10 ? ", …" : ""}.`
        : name.startsWith("nvidia.com/")
          ? "nvidia-ctk cdi generate writes the specification of NVIDIA's devices, to a file that its --output names."
          : "--cdi-spec-dir names another directory of CDI specifications.";
  return new BunkerError({
    code: "device_not_found",
    operation: "find device",
    object: name,
    reason: [`no CDI specification in ${directories.join(", ")} has it`, ...problems].join("; "),
    hint,
  });
}
