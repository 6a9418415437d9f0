// Bequest: all that a successor gets: what the registry has, the control socket, and the state.
import { Fd } from '../fd/fd';
import type { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { CONTROL_NAME, type Hello, type ManifestEntry, STATE_NAME } from './payloads';
import type { Registry } from './registry';
import { orWarn, type StateBlob, writeState } from './state';

export class Bequest {
  readonly #registry: Registry;
  readonly #maxStateBytes: number;
  #control: Fd | undefined;
  #provide: () => StateBlob | undefined = () => undefined;
  #state: StateBlob | undefined;
  #isBeingMade = false;

  constructor(registry: Registry, maxStateBytes: number) {
    this.#registry = registry;
    this.#maxStateBytes = maxStateBytes;
  }

  /** From here there is something to bequeath. The server works on its own. @throws SystemError EMFILE */
  hold(server: UnixSeqpacketServer): void {
    this.#control = Fd.dup(server);
  }

  provideState(version: number, get: () => unknown): void {
    this.#provide = () => writeState(version, get, this.#maxStateBytes);
  }

  /** @throws ERR_HANDOFF_BAD_STATE, SystemError EMFILE: unless the successor can do without a state */
  manifest(version: number, { stateOptional }: Hello): ManifestEntry[] {
    this.dropState();
    this.#isBeingMade = true;
    try {
      if (version > 1) this.#state = orWarn(stateOptional, this.#provide);
    } finally {
      this.#isBeingMade = false;
    }
    return this.#registry.manifest({ control: this.#control as Fd, state: this.#state }, version);
  }

  /** The program is giving its state: whoever has connected is about to get the lease. */
  get isBeingMade(): boolean {
    return this.#isBeingMade;
  }

  lend(name: string): Fd {
    if (name === CONTROL_NAME) return this.#control as Fd;
    if (name === STATE_NAME && this.#state !== undefined) return this.#state.fd;
    return this.#registry.lend(name);
  }

  /** It was for one successor, and is old soon. */
  dropState(): void {
    this.#state?.fd.close();
    this.#state = undefined;
  }

  /** An abstract control address is taken as long as this is open. */
  close(): void {
    this.dropState();
    this.#control?.close();
  }
}
