import type { ManifestKind } from "../../image/transport/manifest-conversion.ts";
import { single } from "../option.ts";
import { oneOf } from "../values/choice.ts";

const parseFormat = oneOf("oci", "v2s2");

/** `--format` of commands that write images: whose manifests they write; Podman's and skopeo's words. */
export const manifestFormatOption = single({
  name: "format",
  short: "f",
  valueName: "oci|v2s2",
  description: "Write OCI's manifests, or Docker's (v2s2), instead of those that the image has",
  parse: (text): ManifestKind => (parseFormat(text) === "oci" ? "oci" : "docker"),
});
