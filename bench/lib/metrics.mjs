// What a case shows of a run: a figure, its unit, and whether more is better. `of` gets both reports and what was asked.

/** Amounts of the receiver's meter: in a microsecond are millions in a second. */
const perMicrosecond = ({ receiver }) => receiver.inWindows / receiver.elapsedUs;
const thousandsPerSecond = (run) => perMicrosecond(run) * 1000;

export const metrics = {
  oneWay: {
    unit: 'us',
    better: 'less',
    of: ({ sender }) => sender.p50Us / 2,
    p99: ({ sender }) => sender.p99Us / 2,
  },
  messages: { unit: 'k msg/s', better: 'more', of: thousandsPerSecond, p99: receiverP99 },
  connections: { unit: 'k conn/s', better: 'more', of: thousandsPerSecond, p99: receiverP99 },
  descriptors: { unit: 'k fd/s', better: 'more', of: thousandsPerSecond, p99: receiverP99 },
  bytes: { unit: 'GB/s', better: 'more', of: (run) => perMicrosecond(run) / 1000, p99: () => null },
  lateness: {
    unit: 'ms late, p99',
    better: 'less',
    of: ({ receiver }) => receiver.lateP99Ms,
    p99: () => null,
  },
  growth: {
    unit: 'MiB grown',
    better: 'less',
    of: ({ receiver }) => (receiver.rss - receiver.rssWarm) / 2 ** 20,
    p99: () => null,
  },
  perSocket: {
    unit: 'KiB/socket',
    better: 'less',
    of: ({ receiver }) => receiver.bytesPerSocket / 1024,
    p99: () => null,
  },
  queued: {
    unit: 'bytes/message',
    better: 'less',
    of: ({ sender }) => sender.bytesPerMessage,
    p99: () => null,
  },
  failures: {
    unit: 'failed/restart',
    better: 'less',
    of: ({ sender }) => sender.failed / sender.restarts,
    p99: ({ sender }) => sender.p99Ms * 1000,
  },
  import: { unit: 'ms', better: 'less', of: ({ sender }) => sender.importMs, p99: () => null },
};

/** What one run comes to. Figures that a contender does not report are null. */
export function evaluate({ metric, pattern, link }, kind, reports) {
  const { sender, receiver } = reports;
  const { of, p99 } = metrics[metric];
  const perMessage = Math.max(1, link.fds ?? 0);
  const isBytes = pattern === 'oneway' && (kind === 'stream' || kind === 'tcp') && link.fds === undefined;
  const unit = isBytes ? link.size : perMessage;
  return {
    value: finite(of(reports)),
    p99Us: finite(p99(reports)),
    senderCpuUs: finite(sender.cpuUs / sender.measured),
    receiverCpuUs: finite((receiver?.cpuUs * unit) / receiver?.measured),
    lost: ['messages', 'descriptors'].includes(metric) ? sender.total * perMessage - receiver.total : 0,
  };
}

function receiverP99({ receiver }) {
  return receiver.p99Us;
}

function finite(value) {
  return Number.isFinite(value) ? value : null;
}
