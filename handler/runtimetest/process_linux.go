package runtimetest

import (
	"os"
	"syscall"
)

// Freeze stops the process, as the platforms do between invocations, while time
// and the network go on. It returns when all threads have stopped. A frozen
// process can still be killed. On other systems than Linux the error is
// [errors.ErrUnsupported].
func (p *Process) Freeze() error {
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	const byPid = 1                                    // P_PID of waitid(2)
	const stopped = syscall.WSTOPPED | syscall.WNOWAIT // leaves it to be waited for
	pid := uintptr(p.cmd.Process.Pid)
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPid, pid, 0, stopped, 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default: // the process has ended
			return os.NewSyscallError("waitid", errno)
		}
	}
}

// Thaw resumes a frozen process.
func (p *Process) Thaw() error { return p.cmd.Process.Signal(syscall.SIGCONT) }
