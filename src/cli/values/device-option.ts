import type { DeviceRequest } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseContainerPath } from "./paths.ts";

/**
 * Reads the value of `--device`: `SOURCE[:DESTINATION][:PERMISSIONS]`, the permissions some of r, w and m; or the name of a
 * device of the Container Device Interface.
 * @throws InvalidValue
 */
export function parseDeviceOption(text: string): DeviceRequest | { readonly name: string } {
  // named-devices.ts has the rest of that.
  if (/^[^/].*=/.test(text)) return { name: text };
  const [hostPath = "", ...rest] = text.split(":");
  if (!hostPath.startsWith("/")) {
    throw new InvalidValue(
      "expected the absolute path of a device, or vendor.com/class=name of one with a CDI specification",
    );
  }
  const last = rest.at(-1);
  const permissions = last !== undefined && arePermissions(last) ? rest.pop() : undefined;
  const [destination, surplus] = rest;
  if (surplus !== undefined) {
    throw new InvalidValue("expected SOURCE[:DESTINATION][:PERMISSIONS] with permissions of r, w and m");
  }
  return {
    hostPath,
    containerPath: parseContainerPath(destination ?? hostPath),
    permissions: permissions ?? "rwm",
  };
}

/** Whether a word is some of r, w and m, each at most once. */
function arePermissions(word: string): boolean {
  return /^[rwm]+$/.test(word) && new Set(word).size === word.length;
}
