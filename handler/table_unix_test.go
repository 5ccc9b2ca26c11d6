//go:build unix

package handler_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// A table that cannot be read in time, or is not a file, is a ConfigError.
func TestTableThatCannotBeRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "table.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	for _, file := range []string{pipe, t.TempDir(), "/dev/zero"} {
		h := l.with(t, handler.Settings{MappingFile: file})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := h.Handle(ctx, put(1))
		var config *handler.ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), "is not a regular file") || ctx.Err() != nil {
			t.Errorf("%s: the error is %v", file, err)
		}
		cancel()
	}
}
