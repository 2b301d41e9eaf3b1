/** The codes of the distribution specification that the server uses, and what status they come with. */
const STATUSES = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 416,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  SIZE_INVALID: 413,
  DENIED: 403,
  UNSUPPORTED: 405,
  TAG_INVALID: 400,
} as const;

/** What a client did wrong, in the words of the distribution specification, "Error codes". */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: keyof typeof STATUSES;
  readonly status: number;

  constructor(code: keyof typeof STATUSES, message: string, status: number = STATUSES[code]) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
