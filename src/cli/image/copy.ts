import { dataDirectory } from "../../engine/data-directory.ts";
import { newImageName } from "../../image/new-name.ts";
import { type Platform, parsePlatform } from "../../image/platform.ts";
import { Registries } from "../../image/registry/registries.ts";
import { RegistryReader } from "../../image/registry/registry-reader.ts";
import { RegistryWriter } from "../../image/registry/registry-writer.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { openStoreReader } from "../../image/store/store-reader.ts";
import { StoreWriter } from "../../image/store/store-writer.ts";
import { openArchiveInput } from "../../image/transport/archive-input.ts";
import { type CopiedImage, type CopyOptions, copyImage } from "../../image/transport/copy-image.ts";
import { type ImagePlace, parseImagePlace } from "../../image/transport/image-place.ts";
import { openLocalReader, openLocalWriter } from "../../image/transport/local-places.ts";
import type { ImageChoice } from "../../image/transport/read-manifests.ts";
import type { Packing } from "../../image/transport/recompressed-reader.ts";
import type { ImageReader, ImageWriter } from "../../image/transport/transport.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag, type Option, single } from "../option.ts";
import { print } from "../print.ts";
import { type CopyWords, copyOutput } from "../progress/copy-output.ts";
import { connectionOptions, retryOptions } from "../registry/registry-options.ts";
import { oneOf } from "../values/choice.ts";
import { destinationLoginOptions, loginOf, sourceLoginOptions } from "./copy-logins.ts";
import { destinationCompressionOptions, destinationPackingOf } from "./destination-compression.ts";
import { digestFileOption, writeDigestFile } from "./digest-file-option.ts";
import { manifestFormatOption } from "./manifest-format-option.ts";
import { platformOption } from "./platform-option.ts";
import { removeSignaturesOption } from "./remove-signatures-option.ts";

/** As elsewhere, and by skopeo's name, too. */
const copyRetryOptions = { ...retryOptions, retries: { ...retryOptions.retries, aliases: ["retry-times"] } };

/** `bunker copy`, `bunker image copy`. */
export const copy = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Copy all images of an index, and the index" }),
      authFile: connectionOptions.authFile,
      ...destinationCompressionOptions,
      ...destinationLoginOptions,
      destinationTlsVerify: tlsVerifyOption("dest-tls-verify", "destination"),
      destinationAuthFile: authFileOption("dest-authfile", "destination"),
      destinationCertificates: certificatesOption("dest-cert-dir", "destination"),
      sourceAuthFile: authFileOption("src-authfile", "source"),
      sourceCertificates: certificatesOption("src-cert-dir", "source"),
      digestFile: digestFileOption,
      keepsDigests: flag({ name: "preserve-digests", description: "Fail rather than let a digest change" }),
      manifestKind: manifestFormatOption,
      multipleArchitectures: single({
        name: "multi-arch",
        valueName: "system|all",
        description: "Which images of an index to copy: this machine's, or as --all",
        parse: oneOf("system", "all"),
      }),
      removeSignatures: removeSignaturesOption,
      ...copyRetryOptions,
      platform: platformOption,
      quiet: flag({ name: "quiet", short: "q", description: "Print nothing but errors" }),
      ...sourceLoginOptions,
      sourceTlsVerify: tlsVerifyOption("src-tls-verify", "source"),
    },
    required: ["SOURCE", "DESTINATION"],
    failureStatus: 1,
  },
  async ({ options, operands: [source, destination] }) => {
    const [from, to] = [parseImagePlace(source), parseImagePlace(destination)];
    const { authFile, keepsDigests, manifestKind, multipleArchitectures, quiet, retries, retryDelay } = options;
    const all = options.all || multipleArchitectures === "all";
    if (options.all && multipleArchitectures === "system") {
      throw new BunkerError({ code: "conflicting_options", operation: "--all and --multi-arch exclude each other" });
    }
    if (all && options.platform !== undefined) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: `${options.all ? "--all" : "--multi-arch all"} and --platform exclude each other`,
      });
    }
    const packing = destinationPackingOf(options);
    if (packing !== undefined && keepsDigests) {
      const operation = "--preserve-digests and packing layers anew exclude each other";
      throw new BunkerError({ code: "conflicting_options", operation });
    }
    const platform = all ? "all" : options.platform === undefined ? undefined : parsePlatform(options.platform);
    const images = platform === "all" ? platform : platform === undefined ? [] : [platform];
    using resources = new DisposableStack();
    const sourceRegistries = resources.use(
      new Registries(
        {
          authFile: options.sourceAuthFile ?? authFile,
          certificateDirectory: options.sourceCertificates,
          ...loginOf("src", {
            credentials: options.sourceCredentials,
            user: options.sourceUser,
            password: options.sourcePassword,
            withoutLogin: options.sourceWithoutLogin,
          }),
          tlsVerify: options.sourceTlsVerify,
          retries,
          retryDelay,
        },
        warning,
      ),
    );
    const destinationRegistries = resources.use(
      new Registries(
        {
          authFile: options.destinationAuthFile ?? authFile,
          certificateDirectory: options.destinationCertificates,
          ...loginOf("dest", {
            credentials: options.destinationCredentials,
            user: options.destinationUser,
            password: options.destinationPassword,
            withoutLogin: options.destinationWithoutLogin,
          }),
          tlsVerify: options.destinationTlsVerify,
          retries,
          retryDelay,
        },
        warning,
      ),
    );
    await untilInterrupted(async (signal) => {
      await using opened = new AsyncDisposableStack();
      const original = opened.use(await openReader(from, platform, sourceRegistries, signal, opened));
      const reader = packing === undefined ? original : opened.use(await openPacked(original, packing, images, signal));
      const writer = opened.use(await openWriter(to, destinationRegistries, signal, opened));
      const { root, sourceDigest } = await copyWithOutput(
        reader,
        writer,
        { images: packing === undefined ? images : "all", keepsDigests, manifestKind, signal },
        quiet,
      );
      if (!quiet) print(`Written: ${root.digest}`);
      if (root.digest !== sourceDigest && manifestKind === undefined) await warnOfConversion(destination, sourceDigest);
      writeDigestFile(options.digestFile, root.digest);
    });
    return 0;
  },
);

async function openReader(
  place: ImagePlace,
  platform: Platform | "all" | undefined,
  registries: Registries,
  signal: AbortSignal,
  opened: AsyncDisposableStack,
): Promise<ImageReader> {
  if (place.kind === "registry") return new RegistryReader(registries, place.reference, signal);
  if (place.kind === "store") return openStoreReader(opened.use(openImageStore(dataDirectory())), place.name, platform);
  const wanted = platform === "all" ? undefined : platform;
  if (place.kind === "oci" || place.kind === "dir") return openLocalReader(place, wanted);
  const input = opened.use(await openArchiveInput(place.path, dataDirectory(), signal));
  return openLocalReader({ ...place, path: input.path }, wanted, place);
}

/** Wraps a reader in one whose layers are packed as they are to be at the destination; most copies load none of it. */
async function openPacked(
  reader: ImageReader,
  packing: Packing,
  images: ImageChoice,
  signal: AbortSignal,
): Promise<ImageReader> {
  const { openRecompressedReader } = await import("../../image/transport/recompressed-reader.ts");
  return openRecompressedReader(reader, packing, dataDirectory(), signal, images);
}

async function openWriter(
  place: ImagePlace,
  registries: Registries,
  signal: AbortSignal,
  opened: AsyncDisposableStack,
): Promise<ImageWriter> {
  if (place.kind === "registry") return new RegistryWriter(registries, place.reference, signal);
  if (place.kind !== "store") return openLocalWriter(place, signal);
  const name = newImageName(place.name);
  const store = opened.use(openImageStore(dataDirectory()));
  return new StoreWriter(store, place.name, { names: [name], repositories: [] });
}

/** Copies, and says how it goes; without a terminal one line for each blob, as skopeo does. */
async function copyWithOutput(
  reader: ImageReader,
  writer: ImageWriter,
  options: Omit<CopyOptions, "onProgress">,
  quiet: boolean,
): Promise<CopiedImage> {
  if (quiet) return copyImage(reader, writer, { ...options, onProgress: () => {} });
  const line: CopyWords["line"] = ({ kind, blob: { digest } }) => {
    if (kind === "begin") return `Copying blob ${digest}`;
    return kind === "present" ? `Blob ${digest} is there already` : undefined;
  };
  using output = copyOutput({ moving: "Copying", present: "Already there", done: "Copied", line });
  return await copyImage(reader, writer, { ...options, onProgress: output.event });
}

async function warnOfConversion(destination: string, sourceDigest: string): Promise<void> {
  warning(`${destination} holds manifests of OCI's kind only, so ${sourceDigest} was converted and has another digest`);
}

function authFileOption(name: string, side: string) {
  return { ...connectionOptions.authFile, name, description: `The same for the ${side}'s registry alone` };
}

function certificatesOption(name: string, side: string) {
  const description = `Certificates for the ${side}'s registry: *.crt of authorities, *.cert and *.key of the client`;
  return { ...connectionOptions.certificateDirectory, name, description };
}

/** Undefined unless given, for then the configuration and the registry's host decide. */
function tlsVerifyOption(name: string, side: string): Option<boolean, boolean | undefined> {
  const description = `Verify the certificate of the ${side}'s registry; false also allows plain HTTP`;
  return { ...flag({ name, description }), collect: (values) => values.at(-1) };
}
