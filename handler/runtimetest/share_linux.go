package runtimetest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sharePeriod is that of the kernel's bandwidth control: in each period, a process
// runs for its part of it and then waits for the next one.
const sharePeriod = 100 * time.Millisecond

// Share lets the process have only so much of a core, 0.05 for example, as a small
// instance has, until it ends. It is a control group where this machine lets one
// be made, "cgroup". Else the process is stopped and continued by turns, "signals",
// which is slower: time in which it only waits counts as well, and [Process.Freeze]
// must not be called. On other systems than Linux the error is
// [errors.ErrUnsupported].
func (p *Process) Share(cores float64) (way string, err error) {
	part := time.Duration(cores * float64(sharePeriod))
	if part < time.Millisecond || part > sharePeriod {
		return "", fmt.Errorf("%g of a core is not a share; accepted: 0.01 to 1", cores)
	}
	for _, group := range []struct{ root, file, format string }{
		{"/sys/fs/cgroup", "cpu.max", "%d 100000"},               // version 2, cgroups(7)
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", "%d"},         // version 1, of such a period
		{"/sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_quota_us", "%d"}, // likewise
	} {
		dir := filepath.Join(group.root, fmt.Sprintf("runtimetest-%d", p.cmd.Process.Pid))
		limit := fmt.Sprintf(group.format, part.Microseconds())
		if p.join(dir, group.file, limit) == nil {
			return "cgroup", nil
		}
	}
	go p.byTurns(cores)
	return "signals", nil
}

// join puts the process into a new control group, which goes when the process has
// ended.
func (p *Process) join(group, file, limit string) error {
	if err := os.Mkdir(group, 0o755); err != nil {
		return err
	}
	err := write(group, file, limit)
	if err == nil {
		err = write(group, "cgroup.procs", fmt.Sprint(p.cmd.Process.Pid))
	}
	if err != nil {
		_ = os.Remove(group) // it is empty
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.group = group
	return nil
}

// write writes to a file that is there: a directory that is not a control group
// has none.
func write(group, file, text string) error {
	f, err := os.OpenFile(filepath.Join(group, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// byTurns stops and continues the process until it has ended. Its turns are short,
// so that a process that has waited is not stopped for long when it may go on.
func (p *Process) byTurns(cores float64) {
	const period = 20 * time.Millisecond
	part := time.Duration(cores * float64(period))
	signals := []struct {
		syscall.Signal
		time.Duration
	}{{syscall.SIGCONT, part}, {syscall.SIGSTOP, period - part}}
	for i := 0; ; i++ {
		turn := signals[i%2]
		_ = p.cmd.Process.Signal(turn.Signal) // fails only when it is gone
		select {
		case <-p.done:
			return
		case <-time.After(turn.Duration):
		}
	}
}
