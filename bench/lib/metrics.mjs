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
  messages: { unit: 'k msg/s', better: 'more', of: thousandsPerSecond, p99: receiverP99, lost: notReceived },
  connections: { unit: 'k conn/s', better: 'more', of: thousandsPerSecond, p99: receiverP99 },
  descriptors: {
    unit: 'k fd/s',
    better: 'more',
    of: thousandsPerSecond,
    p99: receiverP99,
    lost: notReceived,
  },
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
  requests: {
    unit: 'k req/s',
    better: 'more',
    of: ({ sender }) => (sender.measured / (sender.toUs - sender.fromUs)) * 1000,
    p99: ({ sender }) => sender.p99Us,
    receiverCpuUs: cpuPerRequest,
    lost: ({ sender }) => sender.failed,
  },
  primaryCpu: {
    unit: 'us',
    better: 'less',
    of: cpuPerRequest,
    p99: ({ sender }) => sender.p99Us,
    receiverCpuUs: cpuPerRequest,
    lost: ({ sender }) => sender.failed,
  },
  uneven: {
    unit: '% off even',
    better: 'less',
    of: ({ sender: { shares, total } }) => {
      const even = total / shares.length;
      return (Math.max(...shares.map((share) => Math.abs(share - even))) / even) * 100;
    },
    p99: () => null,
  },
  failedPerRoll: {
    unit: 'failed/roll',
    better: 'less',
    of: ({ sender, receiver }) => sender.failed / receiver.rolls,
    p99: ({ sender }) => sender.p99Ms * 1000,
  },
  import: { unit: 'ms', better: 'less', of: ({ sender }) => sender.importMs, p99: () => null },
};

/** What one run comes to. Figures that a contender does not report are null. */
export function evaluate({ metric, pattern, link }, kind, reports) {
  const { sender, receiver } = reports;
  const { of, p99, receiverCpuUs, lost } = metrics[metric];
  const perMessage = Math.max(1, link.fds ?? 0);
  const isBytes = pattern === 'oneway' && (kind === 'stream' || kind === 'tcp') && link.fds === undefined;
  const unit = isBytes ? link.size : perMessage;
  return {
    value: finite(of(reports)),
    p99Us: finite(p99(reports)),
    senderCpuUs: finite(sender.cpuUs / sender.measured),
    receiverCpuUs: finite(receiverCpuUs?.(reports) ?? (receiver?.cpuUs * unit) / receiver?.measured),
    lost: lost?.(reports, perMessage) ?? 0,
    ...pick(sender, ['shares', 'failures']),
  };
}

function notReceived({ sender, receiver }, perMessage) {
  return sender.total * perMessage - receiver.total;
}

function cpuPerRequest({ sender, receiver }) {
  return (cpuAt(receiver.cpu, sender.toUs) - cpuAt(receiver.cpu, sender.fromUs)) / sender.measured;
}

/** @param points of programs/node/cpu-curve.mjs */
function cpuAt(points, us) {
  const before = Math.min(
    points.findLastIndex(([at]) => at <= us),
    points.length - 2,
  );
  const [[fromUs, from], [toUs, to]] = points.slice(before, before + 2);
  return from + ((to - from) * (us - fromUs)) / (toUs - fromUs);
}

function pick(report, names) {
  return Object.fromEntries(names.filter((name) => name in report).map((name) => [name, report[name]]));
}

function receiverP99({ receiver }) {
  return receiver.p99Us;
}

function finite(value) {
  return Number.isFinite(value) ? value : null;
}
