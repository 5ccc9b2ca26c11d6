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
	MappingFile  string
	DryRun       bool
	LogLevel     slog.Level
	Instances    int       // that share the account's calls a second; 0 means 1
	MaxRetries   *int      // how often the platform delivers an event again; nil: not known
	PartialBatch bool      // SQS: the platform reads which messages of a batch have failed
	Output       io.Writer // where the log goes
	Faults       []error   // of the environment
}

// SettingsFrom reads MAPPING_FILE, DRY_RUN, LOG_LEVEL, INSTANCES, MAX_RETRIES and
// PARTIAL_BATCH.
func SettingsFrom(getenv func(string) string, output io.Writer) Settings {
	s := Settings{MappingFile: getenv("MAPPING_FILE"), Output: output}
	if s.MappingFile == "" {
		s.MappingFile = besideBinary("mapping.yaml")
	}
	s.DryRun = s.boolean(getenv, "DRY_RUN")
	s.PartialBatch = s.boolean(getenv, "PARTIAL_BATCH")
	if text := getenv("LOG_LEVEL"); text != "" {
		if s.LogLevel.UnmarshalText([]byte(text)) != nil {
			s.Fault(fmt.Errorf("LOG_LEVEL: %q is not a level; accepted: debug, info, warn, error", text))
		}
	}
	if n := s.number(getenv, "INSTANCES", 1, 1000); n != nil {
		s.Instances = *n
	}
	s.MaxRetries = s.number(getenv, "MAX_RETRIES", 0, 8)
	return s
}

func (s *Settings) boolean(getenv func(string) string, name string) bool {
	text := getenv(name)
	if text == "" {
		return false
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		s.Fault(fmt.Errorf("%s: %q is not a boolean; accepted: true, false", name, text))
	}
	return value
}

// number returns nil where the variable is not set.
func (s *Settings) number(getenv func(string) string, name string, least, most int) *int {
	text := getenv(name)
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		s.Fault(fmt.Errorf("%s: %q is not a valid number; accepted: %d to %d", name, text, least, most))
		return nil
	}
	return &n
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
