import { nodeFileSystem } from "../../sys/node-modules.ts";
import { deviceNumbers } from "../../sys/stat.ts";
import { InvalidValue } from "../invalid-value.ts";

/** A number for a block device. */
interface DeviceRate {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/**
 * Makes a parser for `DEVICE:NUMBER`, where the device is the path of a block device of the host.
 * @param parseNumber reads the part behind the last colon
 * @returns a function that throws InvalidValue
 */
export function deviceRate(parseNumber: (text: string) => number): (text: string) => DeviceRate {
  return (text) => {
    const colon = text.lastIndexOf(":");
    const path = text.slice(0, colon);
    if (colon < 0 || !path.startsWith("/dev/")) throw new InvalidValue("expected DEVICE:NUMBER, such as /dev/sda:10m");
    const status = nodeFileSystem().statSync(path, { throwIfNoEntry: false });
    if (status?.isBlockDevice() !== true) throw new InvalidValue(`${path} is no block device of this machine`);
    return { ...deviceNumbers(status.rdev), rate: parseNumber(text.slice(colon + 1)) };
  };
}
