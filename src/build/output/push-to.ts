import { parseReference } from "../../image/reference.ts";
import { Registries } from "../../image/registry/registries.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import { RegistryWriter } from "../../image/registry/registry-writer.ts";
import type { ImageWriter } from "../../image/transport/transport.ts";

/**
 * Pushes an image that was built.
 * @param name in full
 * @param copy copies the image
 * @param onWarning as `Registries` takes it
 * @throws BunkerError as `RegistryWriter`
 */
export async function pushTo(
  name: string,
  settings: RegistrySettings,
  copy: (writer: ImageWriter) => Promise<unknown>,
  signal: AbortSignal,
  onWarning: (message: string) => void,
): Promise<void> {
  using registries = new Registries(settings, onWarning);
  await using registry = new RegistryWriter(registries, parseReference(name), signal);
  await copy(registry);
}
