import { type Configuration, parseConfiguration } from "../../runtime/configuration/configuration.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { containerDirectory } from "./container-lock.ts";

/** The config.json of a container. */
export function readConfiguration(data: string, id: string): Configuration {
  const path = `${containerDirectory(data, id)}/config.json`;
  return parseConfiguration(nodeFileSystem().readFileSync(path, "utf8"), path);
}
