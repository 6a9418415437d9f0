// The Go contender: the net package, one goroutine a connection.
package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const idle = 20 * time.Millisecond
const streamBuffer = 256 * 1024

type options map[string]string

func (o options) number(key string) int {
	value, _ := strconv.Atoi(o[key])
	return value
}

func (o options) duration(key string) time.Duration {
	return time.Duration(o.number(key)) * time.Millisecond
}

func (o options) network() string {
	return map[string]string{"dgram": "unixgram", "seqpacket": "unixpacket", "stream": "unix", "tcp": "tcp"}[o["kind"]]
}

func (o options) isStream() bool { return o["kind"] == "stream" || o["kind"] == "tcp" }

func main() {
	o := options{}
	for _, word := range os.Args[1:] {
		if key, value, found := strings.Cut(word, "="); found {
			o[key] = value
		}
	}
	roles := map[string]func(options) any{
		"pingpong/receiver": answer, "pingpong/sender": ask, "oneway/receiver": receive, "oneway/sender": flood,
	}
	print1(roles[o["pattern"]+"/"+o["role"]](o))
}

func print1(value any) {
	line, err := json.Marshal(value)
	check(err)
	os.Stdout.Write(append(line, '\n'))
}

func check(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// Accept says that it is ready and takes one connection; a datagram socket is its own.
func accept(o options) net.Conn {
	if o["kind"] == "dgram" {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: o["address"], Net: "unixgram"})
		check(err)
		print1(map[string]string{"ready": o["address"]})
		return conn
	}
	address := o["address"]
	if o["kind"] == "tcp" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen(o.network(), address)
	check(err)
	print1(map[string]string{"ready": listener.Addr().String()})
	conn, err := listener.Accept()
	check(err)
	return conn
}

func connect(o options) net.Conn {
	if o["kind"] == "dgram" {
		var own *net.UnixAddr
		if o["pattern"] == "pingpong" {
			own = &net.UnixAddr{Name: o["address"] + ".client", Net: "unixgram"}
		}
		conn, err := net.DialUnix("unixgram", own, &net.UnixAddr{Name: o["address"], Net: "unixgram"})
		check(err)
		return conn
	}
	conn, err := net.Dial(o.network(), o["address"])
	check(err)
	return conn
}

// Stop makes pending reads fail once the harness has closed stdin and what is queued has had time to arrive.
func stop(conn net.Conn) {
	os.Stdin.Read(make([]byte, 1))
	time.Sleep(idle)
	conn.SetReadDeadline(time.Now().Add(idle))
}

func receive(o options) any {
	conn, m := accept(o), newMeter(o)
	go stop(conn)
	size := o.number("size")
	if o.isStream() {
		size = streamBuffer
	}
	buffer, control := make([]byte, size), make([]byte, syscall.CmsgSpace(4*o.number("fds")))
	for {
		if o.number("fds") > 0 {
			n, controlSize, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(buffer, control)
			if err != nil || n == 0 {
				break
			}
			m.add(closeAll(control[:controlSize]))
			continue
		}
		n, err := conn.Read(buffer)
		if err != nil || n == 0 {
			break
		}
		if !o.isStream() {
			n = 1
		}
		m.add(n)
	}
	return m.report()
}

func closeAll(control []byte) int {
	count := 0
	messages, err := syscall.ParseSocketControlMessage(control)
	check(err)
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		check(err)
		for _, fd := range fds {
			syscall.Close(fd)
		}
		count += len(fds)
	}
	return count
}

func flood(o options) any {
	conn := connect(o)
	message := make([]byte, o.number("size"))
	var rights []byte
	if fds := o.number("fds"); fds > 0 {
		file, err := os.Open("/dev/null")
		check(err)
		list := make([]int, fds)
		for i := range list {
			list[i] = int(file.Fd())
		}
		rights = syscall.UnixRights(list...)
	}
	begun, warm, run := time.Now(), o.duration("warmMs"), o.duration("runMs")
	sent, sentBefore, cpu := 0, 0, 0.0
	every := 64
	if len(message) >= 65536 || rights != nil {
		every = 1
	}
	for limit := o.number("messages"); limit == 0 || sent < limit; sent++ {
		if sent%every == 0 {
			spent := time.Since(begun)
			if cpu == 0 && spent >= warm {
				cpu, sentBefore = cpuUs(), sent
			}
			if limit == 0 && spent >= warm+run {
				break
			}
		}
		var err error
		if rights != nil {
			_, _, err = conn.(*net.UnixConn).WriteMsgUnix(message, rights, nil)
		} else {
			_, err = conn.Write(message)
		}
		check(err)
	}
	cpu = cpuUs() - cpu
	conn.Close()
	return map[string]any{"role": "sender", "total": sent, "measured": sent - sentBefore, "cpuUs": cpu}
}

func answer(o options) any {
	conn, m, size := accept(o), newMeter(o), o.number("size")
	go stop(conn)
	buffer, got := make([]byte, size), 0
	reply := func() error { _, err := conn.Write(buffer); return err }
	if unix, ok := conn.(*net.UnixConn); ok && o["kind"] == "dgram" {
		// The package cannot connect a bound socket afterwards: it answers to the name.
		for {
			_, from, err := unix.ReadFromUnix(buffer)
			if err != nil {
				return m.report()
			}
			if _, err = unix.WriteToUnix(buffer, from); errors.Is(err, syscall.ECONNREFUSED) {
				return m.report()
			}
			m.add(1)
		}
	}
	for {
		n, err := conn.Read(buffer)
		if err != nil || n == 0 {
			return m.report()
		}
		if got += n; got >= size {
			got -= size
			if reply() != nil {
				return m.report()
			}
			m.add(1)
		}
	}
}

func ask(o options) any {
	conn, size := connect(o), o.number("size")
	message, times := make([]byte, size), make([]float64, 0, 1<<20)
	begun, cpu := time.Now(), 0.0
	warmEnd := begun.Add(o.duration("warmMs"))
	end := warmEnd.Add(o.duration("runMs"))
	for before := begun; before.Before(end); {
		_, err := conn.Write(message)
		check(err)
		for got := 0; got < size; {
			n, err := conn.Read(message)
			check(err)
			got += n
		}
		now := time.Now()
		if !before.Before(warmEnd) {
			if cpu == 0 {
				cpu = cpuUs()
			}
			times = append(times, us(now.Sub(before)))
		}
		before = now
	}
	cpu = cpuUs() - cpu
	return map[string]any{"role": "sender", "total": len(times), "measured": len(times), "cpuUs": cpu,
		"p50Us": percentile(times, 0.5), "p99Us": percentile(times, 0.99)}
}

// Meter counts what arrives, in windows, after the warm-up.
type meter struct {
	warm                               time.Duration
	first, started, last               time.Time
	window, total, measured, inWindows int
	cpu                                float64
	windows                            []float64
}

func newMeter(o options) *meter {
	return &meter{warm: o.duration("warmMs"), window: o.number("window")}
}

func (m *meter) add(amount int) {
	m.total += amount
	if m.started.IsZero() {
		now := time.Now()
		if m.first.IsZero() {
			m.first = now
		}
		if now.Sub(m.first) >= m.warm {
			m.started, m.last, m.cpu = now, now, cpuUs()
		}
		return
	}
	m.measured += amount
	if n := m.measured - m.inWindows; n >= m.window {
		now := time.Now()
		m.windows = append(m.windows, us(now.Sub(m.last))/float64(n))
		m.last, m.inWindows = now, m.measured
	}
}

func (m *meter) report() any {
	return map[string]any{"role": "receiver", "total": m.total, "measured": m.measured, "inWindows": m.inWindows,
		"elapsedUs": us(m.last.Sub(m.started)), "cpuUs": cpuUs() - m.cpu, "p99Us": percentile(m.windows, 0.99)}
}

func us(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func cpuUs() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1000
}

func percentile(values []float64, q float64) any {
	if len(values) == 0 {
		return nil
	}
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[int(float64(len(sorted)-1)*q)]
}
