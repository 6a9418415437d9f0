// A reporter for node --test: one line of JSON for each row, for whatever else failed, and for what was written.

// biome-ignore lint/style/noDefaultExport: node --test-reporter takes the default export
export default async function* reporter(events) {
  for await (const { type, data } of events) {
    if (type === 'test:stderr') yield line({ type: 'stderr', text: data.message });
    if (type === 'test:diagnostic' && data.nesting > 0) yield line({ type: 'note', text: data.message });
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const id = /^[A-Z]{2}-\d+(?= )/.exec(data.name)?.[0];
    const failed = type === 'test:fail';
    if (id === undefined && !failed) continue;
    const { duration_ms: milliseconds, error } = data.details;
    const result = { type: 'row', id, name: data.name, skip: data.skip, milliseconds };
    yield line({ ...result, ...(failed ? { error: explain(error) } : {}) });
  }
}

// node:test wraps what a test has thrown.
function explain(error) {
  const { stack, message } = error.cause ?? error;
  const text = String(stack ?? message ?? error.cause);
  return text.replaceAll(/\n +at .*\(?node:internal.*/g, '');
}

function line(value) {
  return `${JSON.stringify(value)}\n`;
}
