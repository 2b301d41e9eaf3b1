import { expect, test } from "bun:test";
import { securityLabels } from "../../../../src/engine/specification/security-labels.ts";

test.each([
  [[], undefined, undefined],
  [["disable"], undefined, undefined],
  [["type:spc_t", "disable"], undefined, undefined],
  [["type:spc_t"], "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0"],
  [["level:s0:c1,c2"], "system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"],
  [["user:u", "role:r", "filetype:f_t", "type:a", "type:b"], "u:r:b:s0", "u:object_r:f_t:s0"],
])("%j", (options, processLabel, mountLabel) => {
  expect(securityLabels(options)).toEqual({ processLabel, mountLabel });
});

test.each(["", "enable", "type:", "kind:x", ":x", "constructor:x"])("refuses %j", (option) => {
  expect(() => securityLabels([option])).toThrow(`read --security-opt label=${option}: expected disable`);
});
