/** Owns the table of ways to restart a server that are compared. */
import * as path from 'node:path';
import type { Setting, Subject } from '../../demo/course';
import { FdpassSubject } from '../../demo/fdpass';
import { ClusterSubject } from './cluster';
import { Pm2Subject } from './pm2';
import { ReusePortSubject } from './reuse-port';

export interface Way {
  title: string;
  make: (setting: Setting, directory: string) => Subject;
  /** The package of proof/package.json that it takes. */
  needs?: string;
}

export const ways = {
  fdpass: { title: 'fdpass', make: fdpass },
  cluster: { title: 'cluster, rolling', make: (setting: Setting) => new ClusterSubject(setting) },
  pm2: {
    title: 'PM2 reload',
    make: (setting: Setting, directory: string) => new Pm2Subject(setting, directory),
    needs: 'pm2',
  },
  'reuse-port': { title: 'SO_REUSEPORT', make: (setting: Setting) => new ReusePortSubject(setting) },
} as const satisfies Record<string, Way>;

/** Without the successors that break: the demo and the fault matrix have those. */
function fdpass(setting: Setting, directory: string): Subject {
  const subject = new FdpassSubject(setting, path.join(directory, 'control.sock'));
  return {
    label: subject.label,
    start: () => subject.start(),
    restart: (index) => subject.restart(index),
  };
}
