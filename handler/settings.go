package handler

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"oss-cdn-refresh/mapping"
)

// Settings are what the environment says. Their faults are answered to each
// invocation, so that the platform keeps its event: a process that ended would
// lose them.
type Settings struct {
	MappingFile string
	DryRun      bool
	LogLevel    slog.Level
	Output      io.Writer // where the log goes
	Faults      []error   // of the environment
}

// SettingsFrom reads MAPPING_FILE, DRY_RUN and LOG_LEVEL.
func SettingsFrom(getenv func(string) string, output io.Writer) Settings {
	s := Settings{MappingFile: getenv("MAPPING_FILE"), Output: output}
	if s.MappingFile == "" {
		s.MappingFile = besideBinary("mapping.yaml")
	}
	if text := getenv("DRY_RUN"); text != "" {
		value, err := strconv.ParseBool(text)
		s.DryRun = value
		if err != nil {
			s.Fault(fmt.Errorf("DRY_RUN: %q is no truth value; accepted: true, false", text))
		}
	}
	if text := getenv("LOG_LEVEL"); text != "" {
		if s.LogLevel.UnmarshalText([]byte(text)) != nil {
			s.Fault(fmt.Errorf("LOG_LEVEL: %q is no level; accepted: debug, info, warn, error", text))
		}
	}
	return s
}

// Fault adds what is wrong with the environment.
func (s *Settings) Fault(err error) { s.Faults = append(s.Faults, err) }

func besideBinary(name string) string {
	binary, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(binary), name)
}

// loadTable loads the table, and gives all faults of it and of the
// environment.
func (s Settings) loadTable() (*mapping.Table, error) {
	table, err := mapping.Load(s.MappingFile)
	if err := errors.Join(append(s.Faults, err)...); err != nil {
		return nil, err
	}
	return table, nil
}
