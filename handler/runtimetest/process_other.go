//go:build !linux

package runtimetest

import "errors"

// Freeze returns [errors.ErrUnsupported] on this system.
func (p *Process) Freeze() error { return errors.ErrUnsupported }

// Share returns [errors.ErrUnsupported] on this system.
func (p *Process) Share(float64) (way string, err error) { return "", errors.ErrUnsupported }

// Thaw returns [errors.ErrUnsupported] on this system.
func (p *Process) Thaw() error { return errors.ErrUnsupported }
