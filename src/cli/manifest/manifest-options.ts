import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import { flag } from "../option.ts";

/** `--all` of commands that add images to a list. */
export const allOption = flag({
  name: "all",
  description: "Of an index, add all images and not only the one for this machine",
});

/** Docker's name for `--tls-verify=false`. */
export const insecureOption = flag({
  name: "insecure",
  description: "Do not verify the registry's certificate, and allow plain HTTP",
});

/** The settings with `--insecure` taken into account. */
export function withInsecure(settings: RegistrySettings, insecure: boolean): RegistrySettings {
  return insecure ? { ...settings, tlsVerify: false } : settings;
}
