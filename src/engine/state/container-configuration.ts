import { readFileSync } from "node:fs";
import { type Configuration, parseConfiguration } from "../../runtime/configuration/configuration.ts";
import { containerDirectory } from "./container-lock.ts";

/** The config.json of a container. */
export function readConfiguration(data: string, id: string): Configuration {
  const path = `${containerDirectory(data, id)}/config.json`;
  return parseConfiguration(readFileSync(path, "utf8"), path);
}
