import {
  type Configuration,
  type EnteredConfiguration,
  parseConfiguration,
  parseEnteredConfiguration,
} from "../../runtime/configuration/configuration.ts";
import { readText } from "../../sys/named-file.ts";
import { containerDirectory } from "./container-lock.ts";

function configurationFile(data: string, id: string): string {
  return `${containerDirectory(data, id)}/config.json`;
}

/** The config.json of a container. */
export function readConfiguration(data: string, id: string): Configuration {
  const path = configurationFile(data, id);
  return parseConfiguration(readText(path), path);
}

/** What of the config.json of a container matters to its further processes. */
export function readEnteredConfiguration(data: string, id: string): EnteredConfiguration {
  const path = configurationFile(data, id);
  return parseEnteredConfiguration(readText(path), path);
}
