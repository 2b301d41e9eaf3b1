import { parsePlatform } from "../../image/platform.ts";
import { familiarReference, formatReference, parseReference, withDefaultTag } from "../../image/reference.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import type { RootNamespace } from "../../runtime/root-namespace.ts";
import { runInUserNamespace } from "../../runtime/user-namespace-process.ts";
import { WITHOUT_SLOWEST_COMPILER } from "../../sys/compiler-environment.ts";
import { makeDirectories } from "../../sys/named-file.ts";
import { dataDirectory } from "../data-directory.ts";
import { type Ownership, ownershipOf } from "../ownership.ts";
import type { RunOptions } from "../specification/run-options.ts";
import { type PolicySubject, pullByPolicy } from "./pull-policy.ts";
import type { PullPolicy, PullRequest } from "./pull-request.ts";

/** What a command says of a pull. */
type PullWish = Omit<PullRequest, "data" | "store" | "mapping">;

/** Does a pull in this process, for those who are root already, or as root of a namespace. */
export type PullHere = (request: PullRequest, root?: () => RootNamespace) => Promise<void>;

/**
 * Pulls an image, unless the policy says that it need not be.
 * @returns the full name of the image that is here, or its id where it was asked for by that; undefined when it was pulled
 * @throws BunkerError as `pullByPolicy` and `pullInto`
 */
export async function pullForUser(
  wish: PullWish,
  policy: PullPolicy,
  pullHere: PullHere,
  onWarning: (message: string) => void,
): Promise<string | undefined> {
  const data = dataDirectory();
  const name = wish.name.replace(/^docker:\/\//, "");
  const find = () => findStored(name, wish.platform, data);
  const subject: PolicySubject = {
    name,
    isHere: () => find() !== undefined,
    pull: () => {
      const ownership = ownershipOf({ kind: "default" }, data);
      ownership.warnings.forEach(onWarning);
      return pullInto(wish, ownership, data, pullHere, true);
    },
  };
  const image = (await pullByPolicy(policy, subject, onWarning)) ? undefined : find();
  if (image === undefined) return undefined;
  const reference = withDefaultTag(parseReference(name));
  const fullName = formatReference(reference);
  return reference.digest !== undefined || image.names.includes(fullName) ? fullName : image.id;
}

/**
 * Sees to it that the image of a new container is in the store. What happens is said on standard error: standard output
 * is the container's.
 * @throws BunkerError as `pullForUser`
 */
export async function fetchImage(
  name: string,
  { platform, pull, quiet, registry = {} }: Pick<RunOptions, "platform" | "pull" | "quiet" | "registry">,
  ownership: Ownership,
  data: string,
  pullHere: PullHere,
  onWarning: (message: string) => void,
): Promise<void> {
  const subject: PolicySubject = {
    name,
    isHere: () => findStored(name, platform, data) !== undefined,
    pull: () => {
      if (pull === "missing" && !quiet) process.stderr.write(`Unable to find image '${shownName(name)}' locally\n`);
      const output = quiet ? "none" : "steps";
      const wish: PullWish = { name, allTags: false, platform, output, stream: "stderr", settings: registry };
      return pullInto(wish, ownership, data, pullHere, false);
    },
  };
  await pullByPolicy(pull, subject, onWarning);
}

function findStored(name: string, platform: string | undefined, data: string): StoredImage | undefined {
  using store = openImageStore(data);
  return store.findIfThere(name, platform === undefined ? undefined : parsePlatform(platform));
}

function shownName(name: string): string {
  return /^sha256:/.test(name) ? name : familiarReference(withDefaultTag(parseReference(name)));
}

/**
 * Pulls an image and unpacks it. Layers can only be unpacked as root of the user's namespace. Where that root is the
 * caller, children without JavaScript make the files there, and all else is done here. Where it is somebody else, all that
 * is made has to be theirs: then the whole of a pull is done in a process there, and this one waits for it. So it is also
 * where the command goes on to live, without the memory that a pull takes. Both have the same terminal, and both end when
 * it says Ctrl-C; what has arrived stays for the next time.
 * @param isLast whether the command is over afterwards
 * @throws BunkerError as `executePull`
 */
async function pullInto(
  wish: PullWish,
  ownership: Ownership,
  data: string,
  pullHere: PullHere,
  isLast: boolean,
): Promise<void> {
  const { store, mapping, userNamespace } = ownership;
  // Made by the caller, who has to see what is there, also where the files in it will belong to others.
  for (const name of ["layers", "tmp"]) makeDirectories(`${store}/${name}`, 0o700);
  const request = { ...wish, data, store, mapping };
  if (userNamespace === undefined) {
    await pullHere(request);
    return;
  }
  const { beginRootNamespace, isRootOutside } = await import("../../runtime/root-namespace.ts");
  if (isLast && isRootOutside(userNamespace)) {
    using root = beginRootNamespace(userNamespace);
    await pullHere(request, root.finish);
  } else runInUserNamespace(userNamespace, ["internal", "pull"], JSON.stringify(request), WITHOUT_SLOWEST_COMPILER);
}
