import { existsSync, mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { dataDirectory } from "../../engine/data-directory.ts";
import { isLoopbackHost } from "../../image/registry/http/proxy.ts";
import { layoutContents, makeLayout } from "../../image/registry/server/layout-contents.ts";
import type { RegistryContents } from "../../image/registry/server/registry-contents.ts";
import { startRegistryServer } from "../../image/registry/server/registry-server.ts";
import { storeContents } from "../../image/registry/server/store-contents.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { type LayoutStaging, openLayoutStaging, refuseOtherDirectories } from "../../image/transport/layout-staging.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { InvalidValue } from "../invalid-value.ts";
import { error } from "../messages.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";

const USUAL_ADDRESS = { host: "127.0.0.1", port: 5000 };

/** `bunker registry serve`. */
export const serve = defineCommand(
  {
    options: {
      address: single({
        name: "address",
        valueName: "[HOST]:PORT",
        description: "Where to listen, on this machine; port 0 is any that is free",
        parse: parseAddress,
        initial: USUAL_ADDRESS,
        initialText: `${USUAL_ADDRESS.host}:${USUAL_ADDRESS.port}`,
      }),
      readOnly: flag({ name: "read-only", description: "Let nobody change anything" }),
    },
    required: [],
    optional: "[DIRECTORY]",
    optionalLimit: 1,
  },
  async ({ options: { address, readOnly }, operands: [operand] }) => {
    // Known when the server listens, long before anything is pushed.
    let port = address.port;
    using served =
      operand === undefined ? openStore(() => `localhost:${port}`, readOnly) : openLayout(operand, readOnly);
    await using server = await startRegistryServer({
      ...served,
      ...address,
      onFault: (fault) => error(fault instanceof Error ? fault.message : String(fault)),
    });
    port = Number(server.address.slice(server.address.lastIndexOf(":") + 1));
    print(`Serving ${served.contents.directory} at ${server.address}`);
    await new Promise<void>((end) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => end());
    });
    return 0;
  },
);

interface Served extends Disposable {
  readonly contents: RegistryContents;
  readonly staging: LayoutStaging | undefined;
}

function openStore(registry: () => string, isReadOnly: boolean): Served {
  const directory = dataDirectory();
  const store = openImageStore(directory);
  if (!isReadOnly) makeLayout(directory);
  const staging = isReadOnly ? undefined : openLayoutStaging(directory);
  return {
    contents: storeContents(store, registry, staging),
    staging,
    [Symbol.dispose]: () => {
      staging?.[Symbol.dispose]();
      store[Symbol.dispose]();
    },
  };
}

function openLayout(operand: string, isReadOnly: boolean): Served {
  const directory = resolve(operand);
  if (isReadOnly && !existsSync(`${directory}/oci-layout`)) {
    const reason = "it is no image layout";
    throw new BunkerError({ code: "not_a_layout", operation: "serve", object: operand, reason });
  }
  if (!isReadOnly) {
    mkdirSync(directory, { recursive: true });
    refuseOtherDirectories(directory, operand);
    makeLayout(directory);
  }
  const staging = isReadOnly ? undefined : openLayoutStaging(directory);
  return {
    contents: layoutContents(directory, staging),
    staging,
    [Symbol.dispose]: () => staging?.[Symbol.dispose](),
  };
}

function parseAddress(text: string): typeof USUAL_ADDRESS {
  const [, written = "", portText = ""] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  if (portText === "" || port > 65535) throw new InvalidValue("expected HOST:PORT");
  const host = written.replace(/^\[|\]$/g, "") || USUAL_ADDRESS.host;
  // Whoever reaches it may do everything: it knows no passwords.
  if (!isLoopbackHost(written || host))
    throw new InvalidValue("only an address of this machine itself, such as 127.0.0.1");
  return { host, port };
}
