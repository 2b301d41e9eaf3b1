/** What a direction of a connection has of it. */
export interface ConnectionOfDirection {
  /** The host's socket. */
  readonly socket: number;
  readonly isEstablished: boolean;
  /** Sends a segment to the container, with payload from an address. */
  emit(flags: number, sequence: number, address?: number, length?: number, urgentPointer?: number): void;
  /** Sends the container an acknowledgement and the window. */
  sendAcknowledgement(): void;
  /** Says that the container was sent data. */
  answered(): void;
  /** Whether the container has got all data and the FIN. */
  readonly isFinished: boolean;
  /** Says that the socket took less than it was given, and has to tell when it takes more. */
  awaitRoom(): void;
  /** Tells the host the end of the container's data, which was all passed on. */
  tellHost(): void;
  /** To be called before something is sent that has to be answered. */
  startTimer(): void;
  /** Ends the connection, because the host's socket has failed. */
  resetBoth(): void;
}
