// The server that these tests restart: one application, named by TEST_PLAN, reporting to and obeying the stage.
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { createHandoff, type UpgradeOptions } from 'fdpass';
import type { Plan } from '../fixtures/handoff-server';
import { application } from './applications';

const plan = JSON.parse(process.env['TEST_PLAN'] as string) as Plan;
const director = net.connect(plan.director);

function report(event: string, details: Record<string, unknown> = {}): void {
  director.write(`${JSON.stringify({ event, ...details })}\n`);
}

async function main(): Promise<void> {
  await once(director, 'connect');
  report('hello', { pid: process.pid });
  const { name, address = '', probation = {}, listeners, tls } = plan;
  const handoff = await createHandoff({ name, address, probation: { ms: probation.ms ?? 0 } });
  handoff.on('superseded', (receipt) => report('superseded', { receipt }));
  void handoff.superseded.then((receipt) => report('drained', { receipt }));
  for (const { name: listener, kind, options } of listeners) {
    const { server, drain } = await application(kind, tls);
    await handoff.listen(listener, server, { ...options, ...(drain === undefined ? {} : { drain }) });
  }
  createInterface({ input: director }).on('line', (line) => {
    const { id, options } = JSON.parse(line) as { id: number; options: UpgradeOptions };
    handoff.upgrade(options).then(
      () => report('reply', { id }),
      ({ message }: Error) => report('reply', { id, error: { message } }),
    );
  });
  await handoff.ready();
  report('ready', { listeners: handoff.status().listeners });
  director.unref(); // from here the servers keep the process alive, and nothing else may
}

for (const end of ['error', 'close']) director.on(end, () => process.exit(99)); // the test is gone
process.on('exit', (code) => report('exit', { code }));
main().catch(({ message }: Error) => {
  report('failed', { message });
  process.exitCode = 1;
  director.unref();
});
