import type { EnteredConfiguration } from "../../runtime/configuration/configuration.ts";
import { usualEnteredConfiguration } from "../../runtime/configuration/usual-entered-configuration.ts";
import { readConfigurationBy } from "./configuration-file.ts";

/**
 * What of the config.json of a container matters to its further processes.
 * @throws BunkerError `container_damaged`
 */
export async function readEnteredConfiguration(data: string, id: string): Promise<EnteredConfiguration> {
  const usual = readConfigurationBy(usualEnteredConfiguration, data, id);
  if (usual !== undefined) return usual;
  const { parseEnteredConfiguration } = await import("../../runtime/configuration/configuration.ts");
  return readConfigurationBy(parseEnteredConfiguration, data, id);
}
