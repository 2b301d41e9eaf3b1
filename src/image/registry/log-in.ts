import { BunkerError } from "../../sys/error.ts";
import type { Credentials } from "./credentials/credentials.ts";
import { Registries } from "./registries.ts";
import type { RegistrySettings } from "./registry-settings.ts";

/**
 * Asks a registry whether it accepts a login; OCI distribution specification, "Determining support".
 * @param onWarning as `Registries` takes it
 * @throws BunkerError `registry_unauthorized` when it does not, `registry_refused` when it is no registry, and what
 *   `RegistryClient` can meet
 */
export async function logIn(
  settings: RegistrySettings,
  registry: string,
  credentials: Credentials,
  onWarning: (message: string) => void,
): Promise<void> {
  using registries = new Registries({ ...settings, credentials }, onWarning);
  const operation = "log in to";
  try {
    const response = await registries.registry(registry).send({
      method: "GET",
      target: "",
      scopes: [],
      expected: [200, 404],
      operation,
      object: registry,
      signal: new AbortController().signal,
    });
    await response.discard();
    if (response.status === 404) {
      const reason = "it has no API of version 2, so it is no registry";
      throw new BunkerError({ code: "registry_refused", operation, object: registry, reason });
    }
  } catch (error) {
    if (!(error instanceof BunkerError) || error.code !== "registry_unauthorized") throw error;
    const reason = "it does not accept the user name or password";
    throw new BunkerError({ code: error.code, operation, object: registry, reason }, { cause: error });
  }
}
