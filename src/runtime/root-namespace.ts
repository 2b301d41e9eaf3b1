import { lazily } from "../lazily.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { beginIdMapNamespace } from "./id-map/id-map-namespace.ts";
import { type IdMap, outerId } from "./id-map/id-mapping.ts";
import { isPrivileged } from "./id-map/write-id-map.ts";

/** A user namespace to be root of; see root-calls.ts. In a form that other threads understand as well. */
export interface RootNamespace {
  /** Open, as setns(2) takes it; stays whose it is. */
  readonly descriptor: number;
  readonly map: IdMap;
}

/** One that is being made, and given up when this is disposed of. */
export interface BeginningRootNamespace extends Disposable {
  /**
   * The namespace, once it is there; each time the same one.
   * @throws BunkerError `id_map_refused`
   */
  readonly finish: () => RootNamespace;
}

/**
 * Begins to make a user namespace with an id map.
 * @throws BunkerError `no_user_namespace`, `id_map_refused`
 */
export function beginRootNamespace(map: IdMap): BeginningRootNamespace {
  const resources = new DisposableStack();
  const beginning = resources.use(beginIdMapNamespace(map, isPrivileged()));
  return {
    finish: lazily(() => ({ descriptor: resources.use(new FileDescriptor(beginning.finish())).number, map })),
    [Symbol.dispose]: () => resources.dispose(),
  };
}

/** Whether root of a user namespace with this map is the caller, so that its files are the caller's outside. */
export function isRootOutside({ uidMappings, gidMappings }: IdMap): boolean {
  return outerId(uidMappings, 0) === process.geteuid?.() && outerId(gidMappings, 0) === process.getegid?.();
}
