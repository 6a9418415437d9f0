// fdpass/register in a worker: server.listen() asks the primary, process.send('ready') is heard, and SIGTERM lets the connections
// end. In any other process this file is not loaded.
import cluster from 'node:cluster';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { FdpassError } from '../base/errors';
import { readListenArguments } from './listen-arguments';
import { hasPost } from './post';
import { Program } from './program';

/** Set for a worker whose program says by process.send('ready') when it is. */
export const WAIT_READY_VARIABLE = 'FDPASS_WAIT_READY';

type Listen = (...args: unknown[]) => net.Server;
type Close = (callback?: (error?: Error) => void) => net.Server;

/** Does nothing if this process is no worker, or was registered before. */
export function register(): void {
  const waitReady = process.env[WAIT_READY_VARIABLE] === '1';
  delete process.env[WAIT_READY_VARIABLE];
  if (!hasPost()) return;
  const program = new Program(waitReady);
  patchListen(program);
  patchClose(program);
  hearReady(program);
  refuseCluster();
  if (isMainThread) for (const signal of ENDINGS) endOn(signal, program);
}

/** What an operator, or a terminal, ends a process with. */
const ENDINGS = ['SIGTERM', 'SIGINT'] as const;

function patchListen(program: Program): void {
  const prototype = net.Server.prototype as unknown as { listen: Listen };
  const { listen } = prototype;
  prototype.listen = function (this: net.Server, ...args: unknown[]): net.Server {
    const wanted = program.isWorker && !this.listening ? readListenArguments(args) : undefined;
    if (wanted === undefined) return Reflect.apply(listen, this, args);
    if (program.has(this)) throw listensAlready();
    program.listen(this, wanted);
    return this;
  };
}

// Of a server that is about to listen, and of one whose connections we have let end, Node would say that it does not run.
function patchClose(program: Program): void {
  const prototype = net.Server.prototype as unknown as { close: Close };
  const { close } = prototype;
  prototype.close = function (this: net.Server, callback?: (error?: Error) => void): net.Server {
    const ours = program.has(this);
    const silent = ours && !this.listening && typeof callback === 'function';
    if (silent) this.once('close', () => callback());
    Reflect.apply(close, this, silent ? [] : [callback]);
    if (ours) program.close(this);
    return this;
  };
}

/** Programs written for PM2 say so. */
function hearReady(program: Program): void {
  const { send } = process;
  process.send = (message: unknown, ...rest: unknown[]): boolean => {
    if (message === 'ready') void program.sayReady();
    if (send !== undefined) return Reflect.apply(send, process, [message, ...rest]);
    const callback = rest.find((one) => typeof one === 'function');
    if (callback !== undefined) process.nextTick(callback, null);
    return true;
  };
}

// Its primary would listen for its workers by our listen(), and never get ready.
function refuseCluster(): void {
  cluster.fork = () => {
    throw new FdpassError('ERR_FDPASS_CLUSTER_PRIMARY', STARTS_NO_WORKERS);
  };
  syncBuiltinESMExports(); // import { fork } from 'node:cluster'
}

const STARTS_NO_WORKERS =
  'this process is a worker of a pool, and it is the pool that starts the workers: run that part of the program alone which ' +
  'cluster.fork() would start (docs/from-cluster-and-pm2.md)';

// One that has a handler is ended by that, as without us.
function endOn(signal: NodeJS.Signals, program: Program): void {
  const onSignal = (): void => {
    if (process.listenerCount(signal) > 1 || program.leave()) return;
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  process.on(signal, onSignal);
}

function listensAlready(): Error {
  const error = new Error('Listen method has been called more than once without closing.');
  return Object.assign(error, { code: 'ERR_SERVER_ALREADY_LISTEN' });
}
