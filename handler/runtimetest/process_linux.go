package runtimetest

import (
	"os"
	"syscall"
)

// Freeze stops the process as the platforms do between invocations: time and
// the network go on, the process does not. It returns when all threads have
// stopped. A frozen process can still be killed. Only Linux has it; elsewhere
// the error is [errors.ErrUnsupported].
func (p *Process) Freeze() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	const byPid = 1                                    // P_PID of waitid(2)
	const stopped = syscall.WSTOPPED | syscall.WNOWAIT // leaves it to be waited for
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPid, uintptr(p.cmd.Process.Pid), 0, stopped, 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default: // ended instead
			return os.NewSyscallError("waitid", errno)
		}
	}
}

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
