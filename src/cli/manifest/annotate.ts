import { dataDirectory } from "../../engine/data-directory.ts";
import { findList, saveList } from "../../image/manifest-list/list-store.ts";
import { annotate as annotateMember, findMember } from "../../image/manifest-list/manifest-list.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { memberDigest } from "./member-operand.ts";
import { annotationOf, memberOptions } from "./member-options.ts";

/** `bunker manifest annotate`. */
export const annotate = defineCommand(
  { options: memberOptions, required: ["MANIFEST_LIST", "MANIFEST"], failureStatus: 1 },
  ({ options, operands: [text, manifest] }) => {
    using store = openImageStore(dataDirectory());
    const found = findList(store, text);
    const { list, name } = found;
    const member = findMember(list, memberDigest(store, found, manifest), text);
    const better = annotateMember(member, annotationOf(options));
    const manifests = list.manifests.map((other) => (other === member ? better : other));
    saveList(store, { name, list: { ...list, manifests } }, []);
    return 0;
  },
);
