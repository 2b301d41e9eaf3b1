/* Devices of the Container Device Interface: `--device vendor.com/class=name`, `--gpus`. */
import type { NamedDevices } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseValue } from "../option-table.ts";
import { fieldsOf } from "./fields.ts";

/** Where specifications are on every host. */
export const DEVICE_DIRECTORIES = ["/etc/cdi", "/var/run/cdi"];
const KIND = "nvidia.com/gpu";
const EXPECTED = "expected all, a number of GPUs, or device=ID[,ID] in quotation marks";
/** What docker asks for when nothing is said, and what a CDI specification gives in any case. */
const GIVEN_CAPABILITIES = ["gpu", "nvidia", "compute", "utility", "compute,utility", "utility,compute"];

/**
 * The devices that options name.
 * @param devices values of `--device`
 * @param gpus values of `--gpus`
 * @param directories values of `--cdi-spec-dir`
 * @throws BunkerError `invalid_value`
 */
export function namedDevicesOf(
  devices: readonly string[],
  gpus: readonly string[],
  directories: readonly string[],
): NamedDevices {
  const names = [
    ...devices.map((text) => parseValue({ name: "device", parse: parseDeviceName }, text)),
    ...gpus.flatMap((text) => parseValue({ name: "gpus", parse: parseGpusOption }, text)),
  ];
  return { names, directories: directories.length === 0 ? DEVICE_DIRECTORIES : directories };
}

/**
 * Reads `vendor.com/class=name`; CDI specification, "Kind" and "Device name".
 * @throws InvalidValue
 */
function parseDeviceName(text: string): string {
  if (/^[a-z]([\w.-]*[a-z\d])?\/[a-z]([\w.-]*[a-z\d])?=[a-z\d]([\w.:-]*[a-z\d])?$/i.test(text)) return text;
  throw new InvalidValue("a device with a CDI specification is called vendor.com/class=name");
}

/**
 * Reads the value of `--gpus`, as Docker has it: `all`, a number, or fields `device=`, `count=`, `driver=`, `capabilities=`.
 * @returns the names of devices of the Container Device Interface
 * @throws InvalidValue
 */
function parseGpusOption(text: string): readonly string[] {
  const values = new Map<string, string>();
  for (const [index, field] of fieldsOf(text).entries()) {
    const equals = field.indexOf("=");
    if (equals < 0 && index > 0) throw new InvalidValue(EXPECTED);
    values.set(equals < 0 ? "count" : field.slice(0, equals), field.slice(equals + 1));
  }
  const { count, device, driver = "nvidia", capabilities, ...others } = Object.fromEntries(values);
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new InvalidValue(`what of a driver a container gets is said by its CDI specification, not by ${other}=`);
  }
  if (driver !== "nvidia" && driver !== "cdi") throw new InvalidValue("driver is nvidia or cdi");
  if (capabilities !== undefined && !GIVEN_CAPABILITIES.includes(capabilities)) {
    throw new InvalidValue("what of a driver a container gets is said by its CDI specification, not by capabilities=");
  }
  if (count !== undefined && device !== undefined) throw new InvalidValue("it is either a number or device=");
  if (device !== undefined) {
    return device.split(",").map((id) => parseDeviceName(id.includes("=") ? id : `${KIND}=${id}`));
  }
  if (driver === "cdi") throw new InvalidValue("driver=cdi needs device=vendor.com/class=name");
  if (count === undefined || count === "all" || count === "-1") return [`${KIND}=all`];
  if (!/^[1-9]\d{0,3}$/.test(count)) throw new InvalidValue(EXPECTED);
  return Array.from({ length: Number(count) }, (_, index) => `${KIND}=${index}`);
}
