// What asks the workers of test/fixtures/pool-worker.ts: each time on a new connection.
import http from 'node:http';

export interface WorkerAnswer {
  pid: number;
  threadId: number;
  generation: number;
  release: string;
  place: string;
  state: string;
}

export function askWorker(port: number, url = '/', agent: http.Agent | false = false): Promise<WorkerAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path: url, agent }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve(JSON.parse(text) as WorkerAnswer);
    });
    request.on('error', reject);
  });
}

/** Asks without a pause until it is told to stop. @returns how many answers there were, and what failed */
export function hammerWorkers(port: number): () => Promise<{ answered: number; failed: unknown[] }> {
  let going = true;
  const agent = new http.Agent({ keepAlive: true });
  const count = { answered: 0, failed: [] as unknown[] };
  const client = async (agentOf: http.Agent | false): Promise<void> => {
    while (going) {
      await askWorker(port, '/', agentOf).then(
        () => count.answered++,
        (error: unknown) => count.failed.push(error),
      );
    }
  };
  const clients = Promise.all([client(false), client(false), client(agent), client(agent)]);
  return async () => {
    going = false;
    await clients;
    agent.destroy();
    return count;
  };
}
