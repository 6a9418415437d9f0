// What a handoff tells of itself: its states, its events, its listeners.
import type { Receipt } from './receipt';

/**
 * 'probation': it serves and its predecessor stands by. 'standby': its successor is on probation, and it accepts
 * nothing new unless that fails.
 */
export type HandoffState = 'starting' | 'probation' | 'serving' | 'standby' | 'superseded' | 'closed';

export interface HandoffEvents {
  superseded: [receipt: Receipt];
  aborted: [error: Error];
  rolledback: [error: Error];
  confirmed: [];
  settled: [receipt: Receipt];
}

export interface ListenerStatus {
  name: string;
  address: string;
  inherited: boolean;
  connections: number;
}
