/*
 * What commands and a container's supervisor say to each other: JSON in the messages of a socket that keeps them apart,
 * some with descriptors.
 *
 * The command that starts a container has one end of a socket pair and says `supervise` first. It is a process of the same
 * executable, with which nobody else can talk over that pair: what it says is not checked, so a supervisor loads nothing
 * that checks, and a tenth of its memory is saved. Everybody else connects to the socket in the container's directory, which
 * only its owner can reach, and may be another version or program: parse-request.ts. So may be who answers: parse-answer.ts.
 */
import type { Answer, Exit } from "./parse-answer.ts";
import type { Request, Supervise } from "./parse-request.ts";

export type { Answer, Exit, Request, Supervise };

/** The socket's name in the container's directory. */
export const SOCKET_NAME = "supervisor";
