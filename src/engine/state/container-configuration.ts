import { type Configuration, parseConfiguration } from "../../runtime/configuration/configuration.ts";
import { readConfigurationBy } from "./configuration-file.ts";

/**
 * The config.json of a container.
 * @throws BunkerError `container_damaged`
 */
export function readConfiguration(data: string, id: string): Configuration {
  return readConfigurationBy(parseConfiguration, data, id);
}
